//! Notifications: the calls of whoever is on a PE, and what the scheduler is told.

use crate::{Pe, code, id, pair};

/// Flags of FFA_NOTIFICATION_GET: partitions' and the Normal world's.
pub const SENT: u64 = 0b0011;
/// Flags of FFA_NOTIFICATION_GET: the SPMC's and the hypervisor's.
pub const FRAMEWORK: u64 = 0b1100;
/// Flag of FFA_NOTIFICATION_BIND and SET: for one context.
pub const PER_VCPU: u64 = 1 << 0;
/// Flag of FFA_NOTIFICATION_SET and FFA_MSG_SEND2: the scheduler is told later.
pub const DELAY: u64 = 1 << 1;

/// FFA_NOTIFICATION_BIND.
#[must_use]
pub const fn bind(sender: u64, receiver: u64, flags: u64, bits: u64) -> [u64; 5] {
    [id::BIND, pair(sender, receiver), flags, bits & 0xFFFF_FFFF, bits >> 32]
}

/// FFA_NOTIFICATION_UNBIND.
#[must_use]
pub const fn unbind(sender: u64, receiver: u64, bits: u64) -> [u64; 5] {
    [id::UNBIND, pair(sender, receiver), 0, bits & 0xFFFF_FFFF, bits >> 32]
}

/// FFA_NOTIFICATION_SET; `flags` with the context in bits 31:16.
#[must_use]
pub const fn set(sender: u64, receiver: u64, flags: u64, bits: u64) -> [u64; 5] {
    [id::SET, pair(sender, receiver), flags, bits & 0xFFFF_FFFF, bits >> 32]
}

/// `flags` for context `vcpu`.
#[must_use]
pub const fn for_vcpu(vcpu: u64) -> u64 {
    vcpu << 16 | PER_VCPU
}

/// What FFA_NOTIFICATION_INFO_GET says: lists of ids, and whether there is more.
pub type Told = (Vec<Vec<u64>>, bool);

impl Pe {
    /// Whoever is on this PE takes notifications as context `vcpu` of `receiver`: partitions', the Normal world's, and
    /// the two words of the framework's.
    #[track_caller]
    pub fn take_notifications_of(&mut self, vcpu: u64, receiver: u64, flags: u64) -> [u64; 4] {
        let [_, w1, partitions, high, normal, normal_high, w6, w7] =
            self.done(&[id::GET, pair(vcpu, receiver), flags]);
        assert_eq!(w1, 0);
        [partitions | high << 32, normal | normal_high << 32, w6, w7]
    }

    /// The same for itself, as its context 0.
    #[track_caller]
    pub fn take_notifications(&mut self, flags: u64) -> [u64; 4] {
        self.take_notifications_of(0, self.own_id(), flags)
    }

    /// The Normal world is told by this function what waits; nothing if nothing does.
    #[track_caller]
    pub fn told_by(&mut self, function: u64) -> Option<Told> {
        self.normal(&[function]);
        let x = self.low();
        if x[0] == id::ERROR {
            self.expect_error(code::NO_DATA);
            return None;
        }
        let is_64 = function == id::INFO_GET64;
        assert_eq!(x[..2], [if is_64 { id::SUCCESS64 } else { id::SUCCESS }, 0]);
        let width = if is_64 { 4 } else { 2 };
        let mut ids = x[3..].iter().flat_map(|x| (0..width).map(move |place| x >> (16 * place) & 0xFFFF));
        let mut list =
            |number| (0..=(x[2] >> (12 + 2 * number) & 3)).map(|_| ids.next().unwrap_or(0)).collect();
        let lists: Vec<Vec<u64>> = (0..x[2] >> 7 & 0x1F).map(&mut list).collect();
        assert!(!lists.is_empty() && x[2] >> (12 + 2 * lists.len()) == 0 && x[2] & 0x7E == 0, "{:#x}", x[2]);
        assert!(ids.all(|id| id == 0), "registers without an id are zero");
        Some((lists, x[2] & 1 != 0))
    }

    /// All that the Normal world is told by FFA_NOTIFICATION_INFO_GET, 64-bit, until there is no more.
    #[track_caller]
    pub fn told(&mut self) -> Vec<Vec<u64>> {
        let mut all = Vec::new();
        while let Some((lists, more)) = self.told_by(id::INFO_GET64) {
            all.extend(lists);
            if !more {
                break;
            }
        }
        all
    }
}
