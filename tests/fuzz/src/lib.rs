//! What the fuzz targets share.

pub mod drive;
pub mod events;
pub mod manifests;
pub mod tree;
