//! Hafnia's manager: every FF-A rule, as one pure step from "why this PE came back" to "where it goes next".
//!
//! | room | duty |
//! |---|---|
//! | [`spmc`] | all shared state; [`spmc::Spmc::step`] |
//! | [`exit`] | what goes into a step and what comes out of it |
//! | [`hardware`] | the seam: what a step may ask of the machine |
//! | [`abi`] | the only file that knows how a call lies in registers |
//! | [`calls`] | verbs: one file per chapter of FF-A, and the table of calls |
//! | [`order`] | the lock order, in types |
//! | [`state`] | nouns: private fields, every transition is a method |
//! | [`memory`] | pages, stage-2 descriptors, address spaces |
//! | [`manifest`] | bytes to configuration, at boot only |
//! | [`config`] | the configuration itself, read only after boot |
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod abi;
pub mod calls;
pub mod config;
pub mod endpoint;
pub mod exit;
#[cfg(feature = "fakes")]
pub mod fakes;
pub mod hardware;
pub mod manifest;
pub mod memory;
pub mod order;
pub mod spmc;
pub mod state;
mod sync;

#[cfg(model)]
extern crate std;
