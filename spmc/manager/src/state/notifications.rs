//! The notifications of one endpoint: who may send which, what is pending, and what the scheduler knows of that
//! (FF-A 1.2, chapter 10).

use alloc::boxed::Box;

use crate::endpoint::EndpointId;

/// Notifications of one kind of sender: a bit each.
pub type Bits = u64;

/// What a notification is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The receiver as a whole: whichever of its contexts asks first gets it.
    Global,
    /// This context of the receiver.
    Vcpu(u16),
}

/// Why a request about notifications is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Bits that are pending for one recipient, and those of them that the scheduler has been told of.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    bits: Bits,
    told: Bits,
}

impl Pending {
    const fn untold(self) -> bool {
        self.bits & !self.told != 0
    }

    const fn take(&mut self) -> Bits {
        let bits = self.bits;
        *self = Self { bits: 0, told: 0 };
        bits
    }
}

/// The notifications from one kind of sender.
#[derive(Debug)]
struct Source {
    /// Who may send each of the 64; meaningful where `bound` has the bit.
    senders: Box<[EndpointId]>,
    bound: Bits,
    /// Those that are for one context at a time.
    per_vcpu: Bits,
    global: Pending,
    /// For each context.
    vcpus: Box<[Pending]>,
    /// Contexts for which something is pending, and those of them of which the scheduler has not been told.
    waiting: u16,
    untold: u16,
}

impl Source {
    fn new(capacity: usize) -> Self {
        Self {
            senders: alloc::vec![EndpointId::NORMAL; 64].into_boxed_slice(),
            bound: 0,
            per_vcpu: 0,
            global: Pending::default(),
            vcpus: alloc::vec![Pending::default(); capacity].into_boxed_slice(),
            waiting: 0,
            untold: 0,
        }
    }

    /// The bits of a set, one at a time.
    fn each(mut bits: Bits) -> impl Iterator<Item = usize> {
        core::iter::from_fn(move || {
            let bit = (bits != 0).then_some(bits.trailing_zeros() as usize);
            bits &= bits.wrapping_sub(1);
            bit
        })
    }

    /// Whether each of the bits is bound to this sender.
    fn is_bound(&self, sender: EndpointId, bits: Bits) -> bool {
        bits & !self.bound == 0
            && Self::each(bits).all(|bit| self.senders.get(bit).is_some_and(|bound| *bound == sender))
    }

    fn pending(&self, contexts: u16) -> Bits {
        let contexts = self.vcpus.iter().take(usize::from(contexts));
        let vcpus = if self.waiting == 0 { 0 } else { contexts.fold(0, |all, vcpu| all | vcpu.bits) };
        self.global.bits | vcpus
    }

    fn set(&mut self, scope: Scope, bits: Bits) -> bool {
        match scope {
            Scope::Global => {
                let new = bits & !self.global.bits != 0;
                self.global.bits |= bits;
                new
            }
            Scope::Vcpu(vcpu) => {
                let Some(vcpu) = self.vcpus.get_mut(usize::from(vcpu)) else { return false };
                let (waited, untold, new) = (vcpu.bits != 0, vcpu.untold(), bits & !vcpu.bits != 0);
                vcpu.bits |= bits;
                self.waiting += u16::from(!waited);
                self.untold += u16::from(!untold && vcpu.untold());
                new
            }
        }
    }

    fn is_told(&self, scope: Scope) -> bool {
        match scope {
            Scope::Global => !self.global.untold(),
            Scope::Vcpu(vcpu) => !self.vcpus.get(usize::from(vcpu)).is_some_and(|vcpu| vcpu.untold()),
        }
    }

    fn tell(&mut self, scope: Scope) {
        match scope {
            Scope::Global => self.global.told = self.global.bits,
            Scope::Vcpu(vcpu) => {
                let Some(vcpu) = self.vcpus.get_mut(usize::from(vcpu)) else { return };
                self.untold -= u16::from(vcpu.untold());
                vcpu.told = vcpu.bits;
            }
        }
    }

    fn get(&mut self, vcpu: u16) -> Bits {
        let mut bits = self.global.take();
        if self.waiting != 0
            && let Some(vcpu) = self.vcpus.get_mut(usize::from(vcpu))
        {
            self.untold -= u16::from(vcpu.untold());
            self.waiting -= u16::from(vcpu.bits != 0);
            bits |= vcpu.take();
        }
        bits
    }

    const fn is_pending_for(&self, vcpu: &Pending) -> bool {
        self.global.bits | vcpu.bits != 0
    }
}

/// All notifications of one endpoint.
#[derive(Debug)]
pub struct Notifications {
    /// The number of contexts that can be notified; 0: the endpoint takes no notifications.
    contexts: u16,
    partitions: Source,
    normal: Source,
    /// Framework notification: an RX buffer, for which a message of this endpoint's was refused, is free.
    rx_free: Pending,
}

/// What NOTIFICATION_SET and the like changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Something is pending that was not.
    pub is_new: bool,
    /// There is something that the scheduler has not been told of.
    pub is_untold: bool,
}

impl Notifications {
    /// Of an endpoint that takes none, with room for `capacity` contexts.
    #[must_use]
    pub fn new(capacity: u16) -> Self {
        let source = || Source::new(usize::from(capacity));
        Self { contexts: 0, partitions: source(), normal: source(), rx_free: Pending::default() }
    }

    /// How many contexts of the endpoint can be notified; 0 if it takes no notifications.
    #[must_use]
    pub const fn contexts(&self) -> u16 {
        self.contexts
    }

    /// How many contexts there is room for.
    #[must_use]
    pub fn capacity(&self) -> u16 {
        self.normal.vcpus.len() as u16
    }

    /// The endpoint, which has taken none, takes notifications for this many contexts; at most [`Self::capacity`].
    pub fn open(&mut self, contexts: u16) {
        self.contexts = contexts;
    }

    /// The endpoint takes no more.
    ///
    /// # Errors
    /// If it took none, or one is pending.
    pub fn close(&mut self) -> Result<(), Refused> {
        if self.contexts == 0 || self.is_pending() {
            return Err(Refused);
        }
        self.contexts = 0;
        for source in [&mut self.partitions, &mut self.normal] {
            (source.bound, source.per_vcpu) = (0, 0);
        }
        Ok(())
    }

    const fn sent_by(&mut self, sender: EndpointId) -> &mut Source {
        if sender.is_secure() { &mut self.partitions } else { &mut self.normal }
    }

    /// `sender` may send these.
    ///
    /// # Errors
    /// If one of them is bound or pending.
    pub fn bind(&mut self, sender: EndpointId, per_vcpu: bool, bits: Bits) -> Result<(), Refused> {
        let contexts = self.contexts;
        let source = self.sent_by(sender);
        if contexts == 0 || bits & (source.bound | source.pending(contexts)) != 0 {
            return Err(Refused);
        }
        source.bound |= bits;
        source.per_vcpu = if per_vcpu { source.per_vcpu | bits } else { source.per_vcpu & !bits };
        for bit in Source::each(bits) {
            if let Some(bound) = source.senders.get_mut(bit) {
                *bound = sender;
            }
        }
        Ok(())
    }

    /// `sender` may not send these any more.
    ///
    /// # Errors
    /// If one of them is not bound to it, or is pending.
    pub fn unbind(&mut self, sender: EndpointId, bits: Bits) -> Result<(), Refused> {
        let contexts = self.contexts;
        let source = self.sent_by(sender);
        if !source.is_bound(sender, bits) || bits & source.pending(contexts) != 0 {
            return Err(Refused);
        }
        source.bound &= !bits;
        Ok(())
    }

    /// `sender` sends these.
    ///
    /// # Errors
    /// If one of them is not bound to it in this way.
    pub fn set(&mut self, sender: EndpointId, scope: Scope, bits: Bits) -> Result<Changed, Refused> {
        let source = self.sent_by(sender);
        let others = match scope {
            Scope::Global => source.per_vcpu,
            Scope::Vcpu(_) => !source.per_vcpu,
        };
        if bits & others != 0 || !source.is_bound(sender, bits) {
            return Err(Refused);
        }
        let is_new = source.set(scope, bits);
        Ok(Changed { is_new, is_untold: !source.is_told(scope) })
    }

    /// An RX buffer is free for which a message of this endpoint's was refused.
    pub fn set_rx_free(&mut self) -> Changed {
        let is_new = self.rx_free.bits == 0;
        self.rx_free.bits = 1;
        Changed { is_new, is_untold: self.rx_free.untold() }
    }

    /// Context `vcpu` takes what is pending from partitions.
    pub fn get_from_partitions(&mut self, vcpu: u16) -> Bits {
        self.partitions.get(vcpu)
    }

    /// Context `vcpu` takes what is pending from the Normal world.
    pub fn get_from_normal(&mut self, vcpu: u16) -> Bits {
        self.normal.get(vcpu)
    }

    /// It takes the news that an RX buffer is free. Whether there was any.
    pub const fn get_rx_free(&mut self) -> bool {
        self.rx_free.take() != 0
    }

    /// Whether anything is pending.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        let global = self.partitions.global.bits | self.normal.global.bits | self.rx_free.bits;
        global != 0 || self.partitions.waiting != 0 || self.normal.waiting != 0
    }

    /// Whether anything is pending that context `vcpu` would get.
    #[must_use]
    pub fn is_pending_for(&self, vcpu: u16) -> bool {
        let of = |source: &Source| {
            let none = Pending::default();
            source.is_pending_for(source.vcpus.get(usize::from(vcpu)).unwrap_or(&none))
        };
        self.rx_free.bits != 0 || of(&self.partitions) || of(&self.normal)
    }

    /// Whether the scheduler has not been told of everything.
    #[must_use]
    pub const fn is_untold(&self) -> bool {
        self.is_untold_for_all() || self.partitions.untold != 0 || self.normal.untold != 0
    }

    /// Whether the scheduler has not been told of everything that any context would get.
    #[must_use]
    pub const fn is_untold_for_all(&self) -> bool {
        self.partitions.global.untold() || self.normal.global.untold() || self.rx_free.untold()
    }

    /// The scheduler is told of that.
    pub fn tell_for_all(&mut self) {
        self.partitions.tell(Scope::Global);
        self.normal.tell(Scope::Global);
        self.rx_free.told = self.rx_free.bits;
    }

    /// The first context for which something is pending that the scheduler has not been told of.
    #[must_use]
    pub fn untold_context(&self) -> Option<u16> {
        if self.partitions.untold == 0 && self.normal.untold == 0 {
            return None;
        }
        let is_untold = |source: &Source, vcpu: u16| !source.is_told(Scope::Vcpu(vcpu));
        (0..self.contexts).find(|vcpu| is_untold(&self.partitions, *vcpu) || is_untold(&self.normal, *vcpu))
    }

    /// The scheduler is told of that context.
    pub fn tell_context(&mut self, vcpu: u16) {
        self.partitions.tell(Scope::Vcpu(vcpu));
        self.normal.tell(Scope::Vcpu(vcpu));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: EndpointId = EndpointId::new(0x8002);
    const OTHER: EndpointId = EndpointId::new(0x8003);
    const VM: EndpointId = EndpointId::new(7);

    fn open() -> Notifications {
        let mut notifications = Notifications::new(4);
        notifications.open(4);
        notifications
    }

    #[test]
    fn a_bit_has_one_sender_at_a_time() {
        let mut all = open();
        all.bind(SENDER, false, 0b11).unwrap();
        assert_eq!(all.bind(OTHER, false, 0b110), Err(Refused));
        assert_eq!(all.bind(SENDER, false, 0b1), Err(Refused), "not even once more");
        all.bind(VM, false, 0b11).unwrap();
        assert_eq!(all.unbind(OTHER, 0b1), Err(Refused));
        assert_eq!(all.unbind(SENDER, 0b101), Err(Refused));
        all.unbind(SENDER, 0b1).unwrap();
        all.bind(OTHER, true, 0b101).unwrap();
    }

    #[test]
    fn what_is_pending_stays_bound() {
        let mut all = open();
        all.bind(SENDER, false, 0b11).unwrap();
        all.set(SENDER, Scope::Global, 0b1).unwrap();
        assert_eq!(all.unbind(SENDER, 0b1), Err(Refused));
        assert_eq!(all.close(), Err(Refused));
        all.unbind(SENDER, 0b10).unwrap();
        assert_eq!(all.get_from_partitions(0), 0b1);
        all.unbind(SENDER, 0b1).unwrap();
        assert_eq!(all.close(), Ok(()));
        assert_eq!((all.close(), all.bind(SENDER, false, 1)), (Err(Refused), Err(Refused)));
    }

    #[test]
    fn a_sender_sends_what_is_bound_to_it_in_that_way() {
        let mut all = open();
        all.bind(SENDER, false, 0b01).unwrap();
        all.bind(SENDER, true, 0b10).unwrap();
        let refused = [
            (OTHER, Scope::Global, 0b01),
            (SENDER, Scope::Global, 0b11),
            (SENDER, Scope::Global, 0b100),
            (SENDER, Scope::Vcpu(0), 0b01),
            (EndpointId::new(2), Scope::Global, 0b01),
        ];
        for (sender, scope, bits) in refused {
            assert_eq!(all.set(sender, scope, bits), Err(Refused), "{sender} {scope:?} {bits:b}");
        }
        assert!(!all.is_pending());
        all.set(SENDER, Scope::Global, 0b01).unwrap();
        all.set(SENDER, Scope::Vcpu(2), 0b10).unwrap();
        assert_eq!(all.get_from_normal(2), 0);
        assert_eq!(all.get_from_partitions(1), 0b01, "a global one is for any context");
        assert_eq!(all.get_from_partitions(1), 0, "once");
        assert!(all.is_pending_for(2) && !all.is_pending_for(1));
        assert_eq!(all.get_from_partitions(2), 0b10);
        assert!(!all.is_pending());
    }

    #[test]
    fn the_scheduler_is_told_once_of_each() {
        let mut all = open();
        all.bind(SENDER, false, 0b11).unwrap();
        all.bind(VM, true, 0b11).unwrap();
        let changed = |is_new, is_untold| Ok(Changed { is_new, is_untold });
        assert_eq!(all.set(SENDER, Scope::Global, 0b1), changed(true, true));
        assert_eq!(all.set(SENDER, Scope::Global, 0b1), changed(false, true));
        all.tell_for_all();
        assert_eq!(all.set(SENDER, Scope::Global, 0b1), changed(false, false), "set and told");
        assert!(all.is_pending() && !all.is_untold());
        assert_eq!(all.set(SENDER, Scope::Global, 0b11), changed(true, true), "another one is news");

        assert_eq!(all.set(VM, Scope::Vcpu(3), 0b1), changed(true, true));
        assert_eq!(all.set(VM, Scope::Vcpu(1), 0b1), changed(true, true));
        assert_eq!(all.untold_context(), Some(1));
        all.tell_context(1);
        assert_eq!(all.untold_context(), Some(3));
        assert_eq!(all.set(VM, Scope::Vcpu(1), 0b1), changed(false, false));
        assert_eq!(all.get_from_normal(3), 0b1);
        assert_eq!(all.untold_context(), None);
        assert_eq!(all.get_from_partitions(0), 0b11);
        assert!(!all.is_untold());
        assert_eq!(all.get_from_normal(1), 0b1);
        assert!(!all.is_pending());
    }
}
