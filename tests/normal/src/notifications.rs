//! FFA_NOTIFICATION_* and FFA_MSG_SEND2 of the Normal world, in raw registers (FF-A 1.2, chapter 16).

use arm_ffa::{FfaError, FuncId};

use crate::ffa::{self, Registers, expect_function, expect_success};
use crate::outcome::{Failure, Outcome, expect, fail};

/// The Normal world's own id: a hypervisor's, or that of the OS where there is none.
pub const OWN: u64 = 0;

/// Flag of BIND and SET: for one vCPU each.
pub const PER_VCPU: u64 = 1;
/// Flag of SET and of FFA_MSG_SEND2, for partitions only: the SRI comes when the caller has left the PE.
pub const DELAY_SRI: u64 = 1 << 1;

/// Kinds of senders, as the flags of GET.
pub const BY_PARTITIONS: u64 = 1;
/// See [`BY_PARTITIONS`].
pub const BY_VMS: u64 = 1 << 1;
/// See [`BY_PARTITIONS`].
pub const BY_SPM: u64 = 1 << 2;

/// A bit of the framework's: a partition's message is in the RX buffer.
pub const RX_FULL: u64 = 1;
/// A bit of the framework's, which is ours: an RX buffer that was full when this sender tried has room again.
pub const RX_FREE: u64 = 1 << 31;

/// Arguments of a call about notifications from `sender` to `receiver`.
pub fn arguments(sender: u64, receiver: u64, flags: u64, bitmap: u64) -> [u64; 4] {
    [sender << 16 | receiver, flags, bitmap & 0xffff_ffff, bitmap >> 32]
}

/// FFA_NOTIFICATION_BITMAP_CREATE.
pub fn create(vm: u64, vcpus: u64) -> Registers {
    ffa::call(FuncId::NotificationBitmapCreate, [vm, vcpus])
}

/// FFA_NOTIFICATION_BITMAP_DESTROY.
pub fn destroy(vm: u64) -> Registers {
    ffa::call(FuncId::NotificationBitmapDestroy, [vm])
}

/// FFA_NOTIFICATION_BIND.
pub fn bind(sender: u64, receiver: u64, flags: u64, bitmap: u64) -> Registers {
    ffa::call(FuncId::NotificationBind, arguments(sender, receiver, flags, bitmap))
}

/// FFA_NOTIFICATION_UNBIND.
pub fn unbind(sender: u64, receiver: u64, bitmap: u64) -> Registers {
    ffa::call(FuncId::NotificationUnbind, arguments(sender, receiver, 0, bitmap))
}

/// FFA_NOTIFICATION_SET.
pub fn set(sender: u64, receiver: u64, flags: u64, bitmap: u64) -> Registers {
    ffa::call(FuncId::NotificationSet, arguments(sender, receiver, flags, bitmap))
}

/// FFA_NOTIFICATION_GET.
pub fn get(receiver: u64, vcpu: u64, flags: u64) -> Registers {
    ffa::call(FuncId::NotificationGet, [vcpu << 16 | receiver, flags])
}

/// What FFA_NOTIFICATION_GET has given: of partitions, of VMs, of the framework.
pub fn bitmaps(answer: &[u64]) -> [u64; 3] {
    [2, 4, 6].map(|low| answer[low] & 0xffff_ffff | answer[low + 1] << 32)
}

/// The two forms of FFA_NOTIFICATION_INFO_GET.
#[derive(Clone, Copy)]
pub enum Width {
    /// 10 ids.
    Narrow,
    /// 20 ids.
    Wide,
}

/// One list of FFA_NOTIFICATION_INFO_GET: who is to be run.
#[derive(Clone, Copy)]
pub struct Listed {
    /// The endpoint.
    pub endpoint: u64,
    vcpus: [u64; 3],
    count: usize,
}

impl Listed {
    /// The vCPUs; none where any of them will do.
    pub fn vcpus(&self) -> &[u64] {
        &self.vcpus[..self.count]
    }

    /// Whether it is `endpoint`, and these vCPUs.
    pub fn is(&self, endpoint: u64, vcpus: &[u64]) -> bool {
        self.endpoint == endpoint && self.vcpus() == vcpus
    }
}

/// Calls FFA_NOTIFICATION_INFO_GET for as long as it says that there is more, and gives each list to `see`. How often
/// it was called with something to tell; 0 after NO_DATA.
pub fn collect(width: Width, mut see: impl FnMut(&Listed) -> Outcome) -> Result<u64, Failure> {
    let (function, success, registers, per_register) = match width {
        Width::Narrow => (FuncId::NotificationInfoGet32, FuncId::Success32, 5, 2),
        Width::Wide => (FuncId::NotificationInfoGet64, FuncId::Success64, 5, 4),
    };
    let mut calls = 0;
    loop {
        let answer = ffa::call(function, []);
        if calls == 0 && ffa::expect_error("", &answer, FfaError::NoData).is_ok() {
            return Ok(0);
        }
        expect_function("FFA_NOTIFICATION_INFO_GET", &answer, success)?;
        calls += 1;
        let (flags, mut place) = (answer[2], 0);
        let mut id = || {
            let (register, part) = (place / per_register, place % per_register);
            place += 1;
            if register < registers { answer[3 + register] >> (16 * part) & 0xffff } else { u64::MAX }
        };
        let lists = flags >> 7 & 0x1f;
        expect("some lists", u64::from(lists > 0), 1)?;
        for list in 0..lists {
            let count = (flags >> (12 + 2 * list) & 3) as usize;
            let mut listed = Listed { endpoint: id(), vcpus: [0; 3], count };
            listed.vcpus[..count].fill_with(&mut id);
            if listed.endpoint == u64::MAX || listed.vcpus().contains(&u64::MAX) {
                return fail("ids in the registers", lists, 0).map(|()| 0);
            }
            see(&listed)?;
        }
        if flags & 1 == 0 {
            return Ok(calls);
        }
    }
}

/// What is listed must be this one list.
pub fn expect_listed(what: &'static str, endpoint: u64, vcpus: &[u64]) -> Outcome {
    let mut found = 0;
    collect(Width::Wide, |listed| {
        found += 1;
        expect(what, listed.endpoint, endpoint)?;
        expect(what, listed.vcpus().len() as u64, vcpus.len() as u64)?;
        expect(what, u64::from(listed.is(endpoint, vcpus)), 1)
    })?;
    expect(what, found, 1)
}

/// Nothing must be listed.
pub fn expect_nothing_listed(what: &'static str) -> Outcome {
    for function in [FuncId::NotificationInfoGet32, FuncId::NotificationInfoGet64] {
        ffa::expect_error(what, &ffa::call(function, []), FfaError::NoData)?;
    }
    Ok(())
}

/// Does `test` while the Normal world itself can be signalled.
pub fn signalled(test: impl FnOnce() -> Outcome) -> Outcome {
    expect_success("FFA_NOTIFICATION_BITMAP_CREATE", &create(OWN, crate::pe::count() as u64))?;
    let end = test();
    // What a test that failed has left would be in the way of all that follow.
    let rest = get(OWN, 0, BY_PARTITIONS | BY_SPM);
    end.and(expect_success("FFA_NOTIFICATION_GET", &rest))
        .and(expect_success("FFA_NOTIFICATION_BITMAP_DESTROY", &destroy(OWN)))
}
