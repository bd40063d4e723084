//! Machines that are booted beside each other: one alone leaves the host idle for much of the time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;

use crate::machine::{Consoles, Stack};

/// How many run at a time.
const AT_ONCE: usize = 2;

/// A boot of the Normal-world test image.
pub struct Boot<'a> {
    /// What is booted.
    pub stack: &'a Stack,
    /// Number of PEs.
    pub pes: u32,
    /// What the image is to do, other than all scenarios.
    pub request: Option<u64>,
}

impl Boot<'_> {
    /// Boots it until the guest ends the machine or the limit passes.
    ///
    /// # Errors
    /// If QEMU cannot be run.
    pub fn run(&self) -> Result<Consoles> {
        let request = self.request.map(|request| self.stack.request(request));
        let arguments: Vec<_> = request.iter().flat_map(|request| ["-device", request]).collect();
        self.stack.boot(self.pes, &arguments)
    }
}

/// Boots all of them; `done` gets the place of each and what it printed, as they end.
pub fn all(boots: &[Boot<'_>], mut done: impl FnMut(usize, Result<Consoles>)) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((place, boot)) = take(boots, next) {
                    // Somebody receives until all have sent.
                    let _ = sender.send((place, boot.run()));
                }
            });
        }
        drop(sender);
        receiver.iter().for_each(|(place, console)| done(place, console));
    });
}

/// The next one that nobody has taken.
fn take<'a, 'b>(boots: &'a [Boot<'b>], next: &AtomicUsize) -> Option<(usize, &'a Boot<'b>)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    Some((place, boots.get(place)?))
}
