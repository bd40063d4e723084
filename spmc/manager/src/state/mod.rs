//! Nouns: what is remembered between steps. Fields are private; every transition is a method.

pub mod cpu;
pub mod line;
pub mod mailbox;
pub mod normal;
pub mod partition;
pub mod vcpu;
pub mod version;

/// A runtime model without whom it is for: what a context and the PE that it runs on both know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// [`vcpu::Model::Init`].
    Init,
    /// [`vcpu::Model::Run`].
    Run,
    /// [`vcpu::Model::Direct`].
    Direct,
}
