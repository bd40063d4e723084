//! The rules of FF-A, one file per chapter.

mod aborts;
mod buffers;
mod console;
mod cycles;
mod direct;
mod direct2;
mod discovery;
mod displaced;
mod features;
mod framework;
mod gates;
mod interrupts;
mod lifecycle;
mod logical;
mod models;
mod monitor;
mod power;
mod queued;
mod registers;
mod runs;
mod several_pes;
mod version;
mod vms;
