//! What goes into a step and what comes out of it. Both are small: they are passed in registers.

use bitflags::bitflags;

use crate::endpoint::VcpuId;

/// Registers x0-x17 of the call in flight on one PE.
///
/// The payload of a message stays here from the caller's exit to the receiver's entry: never copied, never decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Frame {
    /// x0 to x17.
    pub x: [u64; 18],
}

/// Why this PE came back to the manager.
#[derive(Clone, Copy, Debug)]
pub enum Exit<'a> {
    /// The SPMD handed over a call or a message; its registers are in the frame.
    Normal,
    /// The PE was turned on (cold boot or PSCI CPU_ON) and the image is ready on it.
    Booted,
    /// The partition that ran made a call; its registers are in the frame.
    Call(Conduit),
    /// A physical interrupt took the PE from the partition that ran; all its registers are saved in its context.
    Interrupt,
    /// The partition that ran waits for an interrupt (WFI), which is a reason to come back where its manifest says so;
    /// all its registers are saved in its context, and it goes on behind the instruction.
    Idle,
    /// The partition that ran did what it must not do; it cannot go on where it is.
    Fault(&'a Fault),
}

/// The instruction by which a partition calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// Secure Monitor Call, trapped from S-EL1.
    Smc,
    /// Hypervisor Call, from S-EL1.
    Hvc,
    /// Supervisor Call, from S-EL0.
    Svc,
}

/// A partition's offence, as the PE reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// ESR_EL2.
    pub syndrome: u64,
    /// FAR_EL2: the partition's virtual address.
    pub address: u64,
    /// The address that the partition's own tree does not map: the intermediate physical one, where HPFAR_EL2 gives one,
    /// or of a partition at S-EL0 the virtual one.
    pub ipa: Option<u64>,
    /// ELR_EL2: the instruction.
    pub pc: u64,
}

impl Fault {
    /// Whether it is an access to an address that is not mapped: a translation fault of an instruction or data abort (ESR_EL2.EC 0x20 and 0x24, status 0b0001LL).
    #[must_use]
    pub const fn is_translation(&self) -> bool {
        self.is_access() && self.syndrome >> 2 & 0xF == 1
    }

    /// Whether it is an access to an address: an instruction or data abort.
    #[must_use]
    pub const fn is_access(&self) -> bool {
        matches!(self.syndrome >> 26 & 0x3F, 0x20 | 0x24)
    }

    /// Whether it is an SError (ESR_EL2.EC 0x2f, Arm DDI 0487): no address belongs to it, and `pc` is only near it.
    #[must_use]
    pub const fn is_asynchronous(&self) -> bool {
        self.syndrome >> 26 & 0x3F == 0x2F
    }
}

/// A register of the EL1 physical timer, which is emulated for partitions (Arm DDI 0487, D12.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerRegister {
    /// CNTP_CTL_EL0.
    Control,
    /// CNTP_CVAL_EL0.
    CompareValue,
    /// CNTP_TVAL_EL0.
    TimerValue,
}

bitflags! {
    /// The virtual interrupt lines of a context (HCR_EL2.VI and VF): an interrupt of that kind is pending for it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Lines: u8 {
        /// Virtual IRQ.
        const IRQ = 1 << 0;
        /// Virtual FIQ.
        const FIQ = 1 << 1;
    }
}

/// Where this PE goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// To the Normal world, through the SPMD, by an SMC with the frame's registers.
    Normal(Deliver),
    /// To the SPMD, by an SMC with the frame's registers, which lets the PE go off.
    Off,
    /// Into a partition's vCPU that has run before.
    Partition {
        /// The vCPU.
        target: VcpuId,
        /// Which registers it finds changed.
        deliver: Deliver,
        /// Its virtual interrupts.
        lines: Lines,
    },
    /// Into a vCPU from reset: x0-x7 from the frame, everything else as after reset, MMU off.
    Start {
        /// The vCPU.
        target: VcpuId,
        /// The address of its first instruction.
        pc: u64,
    },
}

/// Which registers of the frame the context that is entered receives; all others are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// x0-x7.
    Message,
    /// x0-x17: the call defines them all, or all hold the receiver's own values and results.
    Extended,
    /// Nothing: it goes on where an interrupt took the PE from it.
    Resume,
    /// The call that it came by: it goes on at the instruction that made it.
    Again,
}
