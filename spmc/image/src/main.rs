//! The image at S-EL2: enters, leaves and saves what the manager decides.
//!
//! | file | duty |
//! |---|---|
//! | `entry.S`, [`boot`], [`handoff`], [`secondary`] | from TF-A's entry to the loop, on each PE |
//! | [`cpu`] | the loop: step, switch, enter, step |
//! | `vectors.S`, `enter.S`, `trampoline.S`, [`enter`], [`normal`] | into a partition and to the Normal world, and back |
//! | [`context`], [`loaded`], `state.S`, [`simd`], `simd.S` | what is saved, and whose registers are in the PE |
//! | [`traps`], [`inject`], [`emulate`] | what partitions may not do by themselves |
//! | [`features`], [`sysregs`] | what the CPU has |
//! | [`translation`], [`layout`], [`heap`] | the SPMC's own memory |
//! | [`memory`], `guarded.S`, [`gic`], [`pes`], [`timer`], [`console`] | the machine as the manager's step sees it |
//! | [`crash`], [`reset`] | the end |
//! | [`platform`] | constants |
//!
//! `unsafe` is licensed file by file, each with its reason.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod asm;
mod boot;
mod console;
mod context;
mod cpu;
mod crash;
mod emulate;
mod enter;
mod features;
mod gic;
mod handoff;
mod heap;
mod inject;
mod layout;
mod loaded;
mod memory;
mod normal;
mod pes;
mod platform;
mod reset;
mod secondary;
mod simd;
mod sysregs;
mod timer;
mod tlb;
mod translation;
mod traps;
