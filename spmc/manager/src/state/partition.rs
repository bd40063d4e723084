//! A partition: its configuration, its address spaces, its buffers and its execution contexts.

use alloc::boxed::Box;

use uuid::Uuid;

use super::Intid;
use super::inbox::{Inbox, Receiver};
use super::interrupts::Owned;
use super::line::Line;
use super::mailbox::Mailbox;
use super::notifications::Notifications;
use super::vcpu::Vcpu;
use super::version::Negotiation;
use crate::config::{Contexts, ExceptionLevel, Methods, NormalInterrupts, PartitionConfig, Region};
use crate::endpoint::{CpuId, EndpointId, PartitionIndex, VcpuId};
use crate::hardware::{NEVER, Tlb};
use crate::memory::page::{Attributes, Ownership, PageRange};
use crate::memory::pages::Pages;
use crate::memory::space::{MapError, NoTables, Pool};
use crate::memory::spaces::{Spaces, Translation};
use crate::memory::transactions::Transactions;
use crate::order::{self, Lock};
use crate::sync::{AtomicBool, AtomicU16, AtomicU64, Ordering};

/// The PE of nobody: the one that kept a deadline is off.
const NOBODY: u16 = u16::MAX;

/// One execution context: who it is, its life, the line that it is logging, and which PE keeps its timer's deadline.
pub struct Context {
    id: VcpuId,
    vcpu: Lock<order::Vcpu, Vcpu>,
    line: Lock<order::Vcpu, Line>,
    /// What [`Vcpu::deadline`] is, for PEs that look for the next one. Written by the PE that the context is on, and by
    /// the one that keeps it.
    deadline: AtomicU64,
    keeper: AtomicU16,
    /// The changes of the partition's pages that its last fault without a cause was put down to.
    excused: AtomicU64,
}

impl Context {
    /// Which it is.
    #[inline]
    #[must_use]
    pub const fn id(&self) -> VcpuId {
        self.id
    }

    /// Its life.
    #[inline]
    #[must_use]
    pub const fn vcpu(&self) -> &Lock<order::Vcpu, Vcpu> {
        &self.vcpu
    }

    /// Whether a fault where nothing is amiss is due to a change of the partition's pages, of which there have been this
    /// many. The changes before its last such fault were over when that was looked at.
    pub fn excuses(&self, changes: u64) -> bool {
        self.excused.swap(changes, Ordering::Relaxed) != changes
    }

    /// When its timer's interrupt becomes pending.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> u64 {
        self.deadline.load(Ordering::Relaxed)
    }

    /// Its deadline is that, and PE `keeper` keeps it.
    pub fn keep_deadline(&self, deadline: u64, keeper: CpuId) {
        self.keeper.store(keeper.get(), Ordering::Relaxed);
        self.deadline.store(deadline, Ordering::Release);
    }

    /// Whether PE `cpu` keeps its deadline.
    #[must_use]
    pub fn is_kept_by(&self, cpu: CpuId) -> bool {
        self.keeper.load(Ordering::Relaxed) == cpu.get()
    }

    /// PE `cpu` keeps its deadline no more. Whether it did, and there was one.
    pub fn abandon_deadline(&self, cpu: CpuId) -> bool {
        self.deadline() != NEVER && self.pass_deadline(cpu.get(), NOBODY)
    }

    /// PE `cpu` keeps its deadline if nobody does. Whether nobody did.
    pub fn adopt_deadline(&self, cpu: CpuId) -> bool {
        self.keeper.load(Ordering::Relaxed) == NOBODY && self.pass_deadline(NOBODY, cpu.get())
    }

    fn pass_deadline(&self, from: u16, to: u16) -> bool {
        self.keeper.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// A partition.
pub struct Partition {
    config: PartitionConfig,
    methods: Methods,
    admits_all: bool,
    queues_normal: bool,
    version: Negotiation,
    translation: Translation,
    spaces: Lock<order::Space, Spaces>,
    sent: Transactions,
    receiver: Receiver,
    owned: Owned,
    /// Set when the scheduler is to be told that a context has an interrupt; cleared only when it is.
    has_news: AtomicBool,
    contexts: Box<[Context]>,
    secondary_entry: AtomicU64,
    begun: AtomicBool,
    aborted: AtomicBool,
    learned_ns_bit: AtomicBool,
}

/// Contexts that have not run, number `first_slot` and the following among all of all partitions.
fn contexts(partition: PartitionIndex, kind: Contexts, first_slot: u16) -> Box<[Context]> {
    // There are at most 256: as many as PEs.
    let numbers = (0..=u8::MAX).zip(first_slot..).take(usize::from(kind.count()));
    let new = |(number, slot)| Context {
        id: VcpuId::new(partition, number, slot),
        vcpu: Lock::new(Vcpu::new()),
        line: Lock::new(Line::new()),
        deadline: AtomicU64::new(NEVER),
        keeper: AtomicU16::new(NOBODY),
        excused: AtomicU64::new(0),
    };
    numbers.map(new).collect()
}

impl Partition {
    /// A partition that has not run. Its contexts are number `first_slot` and the following among all contexts.
    ///
    /// # Errors
    /// A range that cannot be mapped, or too few tables; `pool` has its tables back then, but for two roots.
    pub fn new(
        config: PartitionConfig,
        version: u32,
        first_slot: u16,
        pool: &Pool,
        tlb: &mut dyn Tlb,
    ) -> Result<Self, (PageRange, MapError)> {
        // Number 0 is nobody's VMID, which a PE has that has not entered a partition yet, and the SPMC's ASID.
        let number = config.index.get() as u16 + 1;
        let mut spaces = Spaces::new(pool, config.exception_level, number)
            .map_err(|error| (config.memory, error.into()))?;
        let own = match config.exception_level {
            ExceptionLevel::El1 => Attributes::READ | Attributes::WRITE | Attributes::EXECUTE,
            // What it may write it has to say, in its manifest or by FFA_MEM_PERM_SET: nothing is writable and executable.
            ExceptionLevel::El0 => Attributes::READ | Attributes::EXECUTE,
        };
        spaces
            .of_mut(config.memory.space())
            .map(config.memory, own, Ownership::Owned, tlb)
            .map_err(|error| (config.memory, error))?;
        for Region { range, attributes, .. } in config.grants() {
            let space = spaces.of_mut(range.space());
            let mapped = match (config.memory.contains(range), config.exception_level) {
                (false, _) => space.map(*range, *attributes, Ownership::Owned, tlb),
                // It is mapped already, with more rights than it asks for.
                (true, ExceptionLevel::El1) => Ok(()),
                (true, ExceptionLevel::El0) => space.permit(*range, *attributes, tlb).map_err(MapError::from),
            };
            mapped.map_err(|error| (*range, error))?;
        }
        let mailbox = match config.buffers {
            Some((rx, tx)) => {
                let pinned = spaces.pin_pair(tx, rx, tlb);
                pinned.map_err(|_| (tx, MapError::NoTables(NoTables)))?;
                Mailbox::mapped(tx, rx)
            }
            None => Mailbox::Unmapped,
        };
        let count = config.contexts.count();
        let mut notifications = Notifications::new(if config.notifications { count } else { 0 });
        notifications.open(notifications.capacity());
        let devices = config.devices.iter().flat_map(|device| &device.interrupts);
        let owned = Owned::new(devices.filter_map(|interrupt| Intid::try_from(interrupt.id).ok()));
        Ok(Self {
            methods: config.methods(),
            admits_all: config.allowed_senders.is_none(),
            queues_normal: config.normal_interrupts == NormalInterrupts::Queued,
            version: Negotiation::new(version),
            translation: spaces.translation(),
            spaces: Lock::new(spaces),
            sent: Transactions::new(number, config.quota),
            receiver: Receiver::new(Inbox::new(mailbox, notifications)),
            owned,
            has_news: AtomicBool::new(false),
            contexts: contexts(config.index, config.contexts, first_slot),
            secondary_entry: AtomicU64::new(config.entry),
            begun: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            learned_ns_bit: AtomicBool::new(false),
            config,
        })
    }

    /// Its configuration.
    #[must_use]
    pub const fn config(&self) -> &PartitionConfig {
        &self.config
    }

    /// Whether it runs at S-EL0.
    #[must_use]
    pub fn is_at_el0(&self) -> bool {
        self.config.exception_level == ExceptionLevel::El0
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its FF-A id.
    #[must_use]
    pub const fn id(&self) -> EndpointId {
        self.config.id()
    }

    /// What it may do under any of its UUIDs.
    #[must_use]
    pub const fn methods(&self) -> Methods {
        self.methods
    }

    /// What it offers under this UUID, or under any of its own for the nil one; nothing if it has no such service.
    #[must_use]
    pub fn offers(&self, uuid: Uuid) -> Option<Methods> {
        if uuid.is_nil() {
            return Some(self.methods);
        }
        let mut services = self.config.services.iter();
        services.find(|service| service.uuid == uuid).map(|service| service.methods)
    }

    /// Whether its manifest admits this sender's messages to this service, or to any by the nil UUID.
    #[inline]
    #[must_use]
    pub fn admits(&self, sender: EndpointId, uuid: Uuid) -> bool {
        self.admits_all || self.config.admits(sender, uuid)
    }

    /// Whether interrupts of the Normal world wait while it has the PE.
    #[inline]
    #[must_use]
    pub const fn queues_normal_interrupts(&self) -> bool {
        self.queues_normal
    }

    /// The FF-A version it speaks.
    #[must_use]
    pub const fn version(&self) -> &Negotiation {
        &self.version
    }

    /// What it can receive.
    #[inline]
    #[must_use]
    pub const fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The interrupts that its contexts can get.
    #[must_use]
    pub const fn owned(&self) -> &Owned {
        &self.owned
    }

    /// A context of it has an interrupt that the scheduler is to be told of.
    pub fn add_news(&self) {
        self.has_news.store(true, Ordering::Release);
    }

    /// Whether there may be such a context.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// Somebody looks for such contexts now. Whether there may be one.
    #[must_use]
    pub fn take_news(&self) -> bool {
        self.has_news() && self.has_news.swap(false, Ordering::AcqRel)
    }

    /// Its trees, for the MMU.
    #[must_use]
    pub const fn translation(&self) -> Translation {
        self.translation
    }

    /// Its memory.
    #[must_use]
    pub const fn spaces(&self) -> &Lock<order::Space, Spaces> {
        &self.spaces
    }

    /// The memory that it has sent to others.
    #[must_use]
    pub const fn sent(&self) -> &Transactions {
        &self.sent
    }

    /// Its contexts, by their numbers.
    #[must_use]
    pub const fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// Its context that may run on this PE: pinned contexts have a PE each, a migratable one has them all.
    #[inline]
    #[must_use]
    pub fn context_on(&self, cpu: CpuId) -> Option<&Context> {
        let index = match self.config.contexts {
            Contexts::Migratable => 0,
            Contexts::Pinned(_) => cpu.get(),
        };
        self.contexts.get(usize::from(index))
    }

    /// The life of a context of its own.
    #[inline]
    #[must_use]
    pub fn vcpu(&self, id: VcpuId) -> &Lock<order::Vcpu, Vcpu> {
        &self.context(id).vcpu
    }

    /// The line that a context of its own is logging.
    #[must_use]
    pub fn line(&self, id: VcpuId) -> &Lock<order::Vcpu, Line> {
        &self.context(id).line
    }

    /// A context of its own.
    #[inline]
    #[must_use]
    pub fn context(&self, id: VcpuId) -> &Context {
        &self.contexts[usize::from(id.index())]
    }

    /// Where contexts other than the first begin.
    #[must_use]
    pub fn secondary_entry(&self) -> u64 {
        self.secondary_entry.load(Ordering::Relaxed)
    }

    /// Contexts other than the first begin there from now on.
    pub fn set_secondary_entry(&self, entry: u64) {
        self.secondary_entry.store(entry, Ordering::Relaxed);
    }

    /// A context of it starts. Whether it is the first.
    #[must_use]
    pub fn begin(&self) -> bool {
        !self.begun.swap(true, Ordering::Relaxed)
    }

    /// It has said that it knows the bit that tells whose memory it borrows.
    pub fn learn_ns_bit(&self) {
        self.learned_ns_bit.store(true, Ordering::Relaxed);
    }

    /// Whether it has said so.
    #[must_use]
    pub fn has_learned_ns_bit(&self) -> bool {
        self.learned_ns_bit.load(Ordering::Relaxed)
    }

    /// Whether it has ended: none of its contexts runs again.
    #[inline]
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        // Nothing else is passed on by it.
        self.aborted.load(Ordering::Relaxed)
    }

    /// It ends. Contexts that are on other PEs end when they next come back to the manager.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }
}
