//! The manager driven by exits: the real manifests, a fake machine, and the image's part of a step.
//!
//! Each test in `tests/` plays the Normal world and the partitions by raw registers. Tests that the Normal-world
//! image repeats on the target have the same names there.

mod buffers;
pub mod messages;
pub mod notifications;
pub mod ownership;
mod pe;
mod scheduler;
mod seen;
pub mod sharing;
mod sources;

use std::sync::{Arc, Mutex, PoisonError};

use manager::config::{Own, PartitionConfig, SpmcManifest};
use manager::endpoint::{CpuId, VcpuId};
use manager::exit::Conduit;
use manager::fakes::{Machine, Watched};
use manager::hardware::Memory;
use manager::manifest;
use manager::memory::page::{Pa, PageRange, Space};
use manager::memory::space::Pool;
use manager::memory::table::TableFrame;
use manager::spmc::{Spmc, Translation};

pub use buffers::vm_tx;
pub use pe::{Pe, Place};
pub use scheduler::Scheduler;
pub use seen::{Message, Notified, Seen, wait};
pub use sources::{Blobs, Sources};

/// The FF-A versions that are served, as FFA_VERSION has them.
pub const VERSIONS: [u64; 3] = [V1_0, V1_1, V1_2];
/// FF-A 1.0.
pub const V1_0: u64 = 0x1_0000;
/// FF-A 1.1.
pub const V1_1: u64 = 0x1_0001;
/// FF-A 1.2.
pub const V1_2: u64 = 0x1_0002;
/// FF-A 1.3: a manifest may say it, and its partition is served as 1.2.
pub const V1_3: u64 = 0x1_0003;

/// The id of `echo`, a partition with a context for each PE.
pub const ECHO: u64 = 0x8001;
/// The id of `relay`, a partition with one context.
pub const RELAY: u64 = 0x8002;
/// Where the Normal world's memory begins.
pub const NORMAL_MEMORY: u64 = 0x4000_0000;
/// Where `echo` is loaded.
pub const ECHO_MEMORY: u64 = 0xe30_0000;
/// Where `relay` is loaded.
pub const RELAY_MEMORY: u64 = ECHO_MEMORY + PARTITION_MEMORY;
/// Where `relay`'s memory begins that it may write, where it runs at S-EL0 ([`Sources::relay_at_el0`]).
pub const WRITABLE_AT_EL0: u64 = RELAY_MEMORY + 0x1_0000;
/// How much memory each partition has; it lies behind that of the one before.
pub const PARTITION_MEMORY: u64 = 0x4_0000;

/// Function ids.
pub mod id {
    pub use arm_ffa::FuncId as Named;

    /// FFA_ERROR.
    pub const ERROR: u64 = Named::Error32 as u64;
    /// FFA_SUCCESS.
    pub const SUCCESS: u64 = Named::Success32 as u64;
    /// FFA_INTERRUPT.
    pub const INTERRUPT: u64 = Named::Interrupt32 as u64;
    /// FFA_SUCCESS, 64-bit.
    pub const SUCCESS64: u64 = Named::Success64 as u64;
    /// FFA_VERSION.
    pub const VERSION: u64 = Named::Version as u64;
    /// FFA_FEATURES.
    pub const FEATURES: u64 = Named::Features as u64;
    /// FFA_MSG_WAIT.
    pub const MSG_WAIT: u64 = Named::MsgWait32 as u64;
    /// FFA_RUN.
    pub const RUN: u64 = Named::Run32 as u64;
    /// FFA_YIELD.
    pub const YIELD: u64 = Named::Yield32 as u64;
    /// FFA_MSG_SEND_DIRECT_REQ, 32-bit.
    pub const REQUEST: u64 = Named::MsgSendDirectReq32 as u64;
    /// FFA_MSG_SEND_DIRECT_RESP, 32-bit.
    pub const RESPONSE: u64 = Named::MsgSendDirectResp32 as u64;
    /// FFA_MSG_SEND_DIRECT_REQ2.
    pub const REQUEST2: u64 = Named::MsgSendDirectReq64_2 as u64;
    /// FFA_MSG_SEND_DIRECT_RESP2.
    pub const RESPONSE2: u64 = Named::MsgSendDirectResp64_2 as u64;
    /// FFA_RXTX_MAP, 64-bit.
    pub const RXTX_MAP: u64 = Named::RxTxMap64 as u64;
    /// FFA_RXTX_UNMAP.
    pub const RXTX_UNMAP: u64 = Named::RxTxUnmap as u64;
    /// FFA_RX_RELEASE.
    pub const RX_RELEASE: u64 = Named::RxRelease as u64;
    /// FFA_RX_ACQUIRE.
    pub const RX_ACQUIRE: u64 = Named::RxAcquire as u64;
    /// FFA_MSG_SEND2.
    pub const SEND2: u64 = Named::MsgSend2 as u64;
    /// FFA_NOTIFICATION_BITMAP_CREATE.
    pub const BITMAP_CREATE: u64 = Named::NotificationBitmapCreate as u64;
    /// FFA_NOTIFICATION_BITMAP_DESTROY.
    pub const BITMAP_DESTROY: u64 = Named::NotificationBitmapDestroy as u64;
    /// FFA_NOTIFICATION_BIND.
    pub const BIND: u64 = Named::NotificationBind as u64;
    /// FFA_NOTIFICATION_UNBIND.
    pub const UNBIND: u64 = Named::NotificationUnbind as u64;
    /// FFA_NOTIFICATION_SET.
    pub const SET: u64 = Named::NotificationSet as u64;
    /// FFA_NOTIFICATION_GET.
    pub const GET: u64 = Named::NotificationGet as u64;
    /// FFA_NOTIFICATION_INFO_GET, 32-bit.
    pub const INFO_GET: u64 = Named::NotificationInfoGet32 as u64;
    /// FFA_NOTIFICATION_INFO_GET, 64-bit.
    pub const INFO_GET64: u64 = Named::NotificationInfoGet64 as u64;
    /// FFA_MEM_DONATE.
    pub const MEM_DONATE: u64 = Named::MemDonate32 as u64;
    /// FFA_MEM_LEND.
    pub const MEM_LEND: u64 = Named::MemLend32 as u64;
    /// FFA_MEM_SHARE.
    pub const MEM_SHARE: u64 = Named::MemShare32 as u64;
    /// FFA_MEM_RETRIEVE_REQ.
    pub const MEM_RETRIEVE_REQ: u64 = Named::MemRetrieveReq32 as u64;
    /// FFA_MEM_RETRIEVE_RESP.
    pub const MEM_RETRIEVE_RESP: u64 = Named::MemRetrieveResp as u64;
    /// FFA_MEM_RELINQUISH.
    pub const MEM_RELINQUISH: u64 = Named::MemRelinquish as u64;
    /// FFA_MEM_RECLAIM.
    pub const MEM_RECLAIM: u64 = Named::MemReclaim as u64;
    /// FFA_MEM_OP_PAUSE.
    pub const MEM_OP_PAUSE: u64 = Named::MemOpPause as u64;
    /// FFA_MEM_OP_RESUME.
    pub const MEM_OP_RESUME: u64 = Named::MemOpResume as u64;
    /// FFA_MEM_FRAG_RX.
    pub const MEM_FRAG_RX: u64 = Named::MemFragRx as u64;
    /// FFA_MEM_FRAG_TX.
    pub const MEM_FRAG_TX: u64 = Named::MemFragTx as u64;
    /// FFA_MEM_PERM_GET, 64-bit.
    pub const MEM_PERM_GET: u64 = Named::MemPermGet64 as u64;
    /// FFA_MEM_PERM_SET, 64-bit.
    pub const MEM_PERM_SET: u64 = Named::MemPermSet64 as u64;
    /// FFA_NORMAL_WORLD_RESUME.
    pub const NORMAL_WORLD_RESUME: u64 = Named::NormalWorldResume32 as u64;
}

/// Hypercalls of partitions for their virtual interrupts.
pub mod hypercall {
    /// HF_INTERRUPT_ENABLE.
    pub const ENABLE: u64 = 0xFF03;
    /// HF_INTERRUPT_GET.
    pub const GET: u64 = 0xFF04;
    /// HF_INTERRUPT_DEACTIVATE.
    pub const DEACTIVATE: u64 = 0xFF08;
    /// What HF_INTERRUPT_GET answers where none is pending.
    pub const NONE: u64 = 0xFFFF_FFFF;
    /// What the others answer where they refuse.
    pub const REFUSED: u64 = u64::MAX;
}

/// w2 of FFA_ERROR.
pub mod code {
    pub use arm_ffa::FfaError;

    const fn word(code: FfaError) -> u64 {
        code as i32 as u32 as u64
    }

    /// NOT_SUPPORTED.
    pub const NOT_SUPPORTED: u64 = word(FfaError::NotSupported);
    /// INVALID_PARAMETERS.
    pub const INVALID: u64 = word(FfaError::InvalidParameters);
    /// NO_MEMORY.
    pub const NO_MEMORY: u64 = word(FfaError::NoMemory);
    /// BUSY.
    pub const BUSY: u64 = word(FfaError::Busy);
    /// DENIED.
    pub const DENIED: u64 = word(FfaError::Denied);
    /// RETRY.
    pub const RETRY: u64 = word(FfaError::Retry);
    /// NO_DATA.
    pub const NO_DATA: u64 = word(FfaError::NoData);
    /// ABORTED.
    pub const ABORTED: u64 = word(FfaError::Aborted);
}

/// w1 of a message from `source` to `destination`, or of FFA_RUN: partition and vCPU.
#[must_use]
pub const fn pair(upper: u64, lower: u64) -> u64 {
    upper << 16 | lower
}

/// What all PEs of a scenario share.
pub struct World {
    /// The manager.
    pub spmc: Spmc,
    /// x0-x17 of each context that is not on a PE.
    contexts: Mutex<Vec<(VcpuId, [u64; 18])>>,
    /// The registers of each context, which are in one place at a time.
    registers: Vec<(VcpuId, Watched)>,
    machine: Machine,
    frames: &'static [TableFrame],
}

/// Frames that no world uses. The manager keeps its frames for ever; a fuzzer makes worlds by the million.
static FRAMES: Mutex<Vec<&'static [TableFrame]>> = Mutex::new(Vec::new());

/// Where the first frame of a world is.
const FRAMES_AT: u64 = 0xe18_0000;

/// At least this many frames for tables.
fn frames(count: usize) -> &'static [TableFrame] {
    let mut unused = FRAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match unused.iter().position(|frames| frames.len() >= count) {
        Some(place) => unused.swap_remove(place),
        None => (0..count).map(|_| TableFrame::new()).collect::<Vec<_>>().leak(),
    }
}

/// What the SPMC has for itself.
fn own() -> Own {
    let memory = PageRange::new(Space::Secure, 0xe10_0000, 0x100).expect("1 MB");
    Own { memory, devices: Vec::new() }
}

impl Blobs {
    /// The SPMC manifest, and a machine in whose memory the packages are.
    fn load(&self) -> (SpmcManifest, Machine) {
        let manifest = manifest::spmc::parse(&self.spmc).expect("the SPMC manifest is good");
        let mut machine = machine(&manifest);
        for (address, package) in &self.packages {
            machine.write(Pa::secure(*address), package).expect("a package lies in memory");
        }
        (manifest, machine)
    }
}

/// The machine that a manifest tells of.
fn machine(manifest: &SpmcManifest) -> Machine {
    let ranges: Vec<PageRange> = manifest.memory.iter().filter(|m| !m.device).map(|m| m.range).collect();
    Machine::new(&ranges)
}

/// What a world is made of again and again, read from the manifests once.
pub struct Plan {
    manifest: SpmcManifest,
    partitions: Vec<PartitionConfig>,
}

impl Plan {
    /// A machine with these manifests.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn new(sources: &Sources) -> Self {
        let (manifest, mut machine) = sources.compile().load();
        let partitions = manifest::load(&manifest, &own(), &mut machine).expect("the machine is fit");
        Self { manifest, partitions }
    }

    /// Such a machine, on which nothing has started.
    #[must_use]
    pub fn world(&self) -> Arc<World> {
        World::with(machine(&self.manifest), self.partitions.len(), |pool, machine| {
            Spmc::of(&self.manifest, self.partitions.clone(), pool, machine)
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.frames.iter().for_each(manager::fakes::clear);
        FRAMES.lock().unwrap_or_else(PoisonError::into_inner).push(self.frames);
    }
}

impl World {
    /// The addresses of a partition's roots: of its secure and its non-secure space at stage 2, or the same one twice of
    /// stage 1.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn roots(&self, partition: u64) -> [u64; 2] {
        let found = self.spmc.partitions().find(|one| u64::from(one.id().get()) == partition);
        let mut held = manager::order::Holding::nothing();
        let (spaces, _held) = found.expect("there is such a partition").spaces().lock(&mut held);
        match spaces.translation() {
            Translation::Stage2 { secure, normal, .. } => [secure.level_0, normal.level_0],
            Translation::Stage1 { root, .. } => [root; 2],
        }
    }

    /// A word of the table at this address.
    ///
    /// # Panics
    /// If no table is there.
    #[must_use]
    pub fn descriptor(&self, table: u64, index: usize) -> u64 {
        let frame = self.frames.get(((table - FRAMES_AT) / 0x1000) as usize).expect("a frame of the pool");
        manager::fakes::word(frame, index)
    }

    /// A machine with the project's manifests, on which nothing has started.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::of(&Sources::new())
    }

    /// A machine with these manifests, on which nothing has started.
    #[must_use]
    pub fn of(sources: &Sources) -> Arc<Self> {
        Self::loaded_with(&sources.compile())
    }

    /// A machine on which TF-A has loaded these.
    #[must_use]
    pub fn loaded_with(blobs: &Blobs) -> Arc<Self> {
        Self::loaded_by(blobs, &[])
    }

    /// As [`World::loaded_with`], where EL3 has logical partitions: the three words of each one's entry.
    ///
    /// # Panics
    /// If the SPMC manifest cannot be read.
    #[must_use]
    pub fn loaded_by(blobs: &Blobs, logical: &[[u64; 3]]) -> Arc<Self> {
        let (manifest, machine) = blobs.load();
        machine.set_logical(logical);
        Self::with(machine, blobs.packages.len(), |pool, machine| {
            Spmc::new(&manifest, &own(), pool, machine).expect("the machine is fit")
        })
    }

    fn with(
        mut machine: Machine,
        partitions: usize,
        manager: impl FnOnce(&Pool, &mut Machine) -> Spmc,
    ) -> Arc<Self> {
        let frames = frames(32 * partitions);
        let spmc = manager(&Pool::new(frames, FRAMES_AT), &mut machine);
        let registers = spmc.contexts().map(|(context, _)| (context, Watched::default())).collect();
        Arc::new(Self { spmc, contexts: Mutex::default(), registers, machine, frames })
    }

    /// PE `index`, just turned on.
    #[must_use]
    pub fn pe(self: &Arc<Self>, index: u16) -> Pe {
        Pe::new(self.clone(), CpuId::new(index), self.machine.another())
    }

    /// PE 0 of a machine with the project's manifests, on which both partitions wait for messages.
    #[must_use]
    pub fn booted() -> Pe {
        Self::new().booted_pe(0)
    }

    /// PE `index`, on which all partitions have started and wait for messages.
    pub fn booted_pe(self: &Arc<Self>, index: u16) -> Pe {
        let mut pe = self.pe(index);
        let mut place = pe.turn_on();
        while let Place::Partition(_) = place {
            pe.enable_devices();
            place = pe.call(&[id::MSG_WAIT]);
        }
        pe
    }

    /// A PE of each instance, on which a caller that speaks `version` is: the Normal world, `echo` that calls by HVC,
    /// and `echo` that calls by SMC. Nobody in the Normal world speaks a version above 1.2.
    #[must_use]
    pub fn callers(version: u64) -> Vec<Pe> {
        Self::callers_of(&Sources::speaking(version), version)
    }

    /// As [`World::callers`], with partitions of these manifests.
    ///
    /// # Panics
    /// If `echo` does not run.
    #[must_use]
    pub fn callers_of(sources: &Sources, version: u64) -> Vec<Pe> {
        let blobs = sources.compile();
        let mut normal = Self::loaded_with(&blobs).booted_pe(0);
        let normal = (version <= V1_2).then(|| {
            assert_eq!(normal.normal_version(version), V1_2);
            normal
        });
        let partitions = [Conduit::Hvc, Conduit::Smc].map(|conduit| {
            let mut pe = Self::loaded_with(&blobs).booted_pe(0);
            pe.conduit = conduit;
            assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), Place::Partition((ECHO, 0)));
            pe
        });
        normal.into_iter().chain(partitions).collect()
    }
}
