//! FF-A calls of a partition: raw registers by SMC, and the calls that have a shape worth naming.

use arm_ffa::{FfaError, FuncId};

/// x0-x17, as they go into a call and come out of it.
pub type Registers = [u64; 18];

/// FF-A 1.2, as FFA_VERSION encodes it: the latest that this crate speaks.
pub const VERSION: u32 = 0x1_0002;

/// Permissions of FFA_MEM_PERM_SET: data that is read only, data, code.
pub const READ_ONLY: u32 = 0b111;
/// See [`READ_ONLY`].
pub const READ_WRITE: u32 = 0b101;
/// See [`READ_ONLY`].
pub const EXECUTE: u32 = 0b011;

unsafe extern "C" {
    /// The linker script's.
    static partition_is_at_el0: u8;
}

/// Whether this partition runs at S-EL0.
#[inline]
#[must_use]
pub fn is_at_el0() -> bool {
    // SAFETY: a byte of constants.
    unsafe { partition_is_at_el0 != 0 }
}

/// Makes a call with these registers, and gives what it left in them.
#[inline]
#[must_use]
pub fn call(registers: Registers) -> Registers {
    if is_at_el0() {
        return by_svc(registers);
    }
    let [function, arguments @ ..] = registers;
    smccc::smc64(function as u32, arguments)
}

/// A call by the conduit of S-EL0, for which `smccc` has no function.
#[cold]
#[inline(never)]
fn by_svc(registers: Registers) -> Registers {
    let [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17] = registers;
    let mut after = registers;
    // SAFETY: the SPMC changes x0-x17, and memory as this partition has asked it to.
    unsafe {
        core::arch::asm!(
            "svc #0",
            inout("x0") x0 => after[0], inout("x1") x1 => after[1], inout("x2") x2 => after[2],
            inout("x3") x3 => after[3], inout("x4") x4 => after[4], inout("x5") x5 => after[5],
            inout("x6") x6 => after[6], inout("x7") x7 => after[7], inout("x8") x8 => after[8],
            inout("x9") x9 => after[9], inout("x10") x10 => after[10], inout("x11") x11 => after[11],
            inout("x12") x12 => after[12], inout("x13") x13 => after[13], inout("x14") x14 => after[14],
            inout("x15") x15 => after[15], inout("x16") x16 => after[16], inout("x17") x17 => after[17],
            options(nostack),
        );
    }
    after
}

/// Registers of a call: the function, and its arguments from x1 on; the rest is zero.
#[must_use]
pub fn registers<const N: usize>(function: FuncId, arguments: [u64; N]) -> Registers {
    let mut registers = [0; 18];
    registers[0] = u64::from(u32::from(function));
    registers[1..=N].copy_from_slice(&arguments);
    registers
}

/// The function id in w0.
#[must_use]
pub fn function(registers: &Registers) -> Option<FuncId> {
    FuncId::try_from(registers[0] as u32).ok()
}

/// What a call gave, or the error that FFA_ERROR carries in w2 (FF-A 1.2, 12.1).
pub fn checked(registers: Registers) -> Result<Registers, FfaError> {
    match function(&registers) {
        Some(FuncId::Error32 | FuncId::Error64) => {
            Err(FfaError::try_from(registers[2] as u32 as i32).unwrap_or(FfaError::NotSupported))
        }
        _ => Ok(registers),
    }
}

/// Makes a call that answers with FFA_ERROR where it is refused.
pub fn request<const N: usize>(function: FuncId, arguments: [u64; N]) -> Result<Registers, FfaError> {
    checked(call(registers(function, arguments)))
}

/// FFA_VERSION: what the SPMC speaks with a partition that asks for `version`.
pub fn version(version: u32) -> Result<u32, FfaError> {
    let answer = call(registers(FuncId::Version, [version.into()]))[0] as u32;
    // Bit 31 is clear in every version; an error is there instead of one (FF-A 1.2, 13.2).
    if answer >> 31 == 0 { Ok(answer) } else { Err(FfaError::NotSupported) }
}

/// FFA_FEATURES of a function or feature id: w2 and w3.
pub fn features(id: u32, input: u32) -> Result<(u32, u32), FfaError> {
    let [_, _, w2, w3, ..] = request(FuncId::Features, [id.into(), input.into()])?;
    Ok((w2 as u32, w3 as u32))
}

/// FFA_ID_GET: this partition's id.
pub fn id_get() -> Result<u16, FfaError> {
    Ok(request(FuncId::IdGet, [])?[2] as u16)
}

/// FFA_SPM_ID_GET: the SPMC's id.
pub fn spm_id_get() -> Result<u16, FfaError> {
    Ok(request(FuncId::SpmIdGet, [])?[2] as u16)
}

/// FFA_SECONDARY_EP_REGISTER: where the vCPUs other than the primary one start.
pub fn secondary_ep_register(address: u64) -> Result<(), FfaError> {
    request(FuncId::SecondaryEpRegister64, [address]).map(drop)
}

/// FFA_MEM_PERM_SET: what may be done with so many pages from now on; only at S-EL0, and while it initialises.
pub fn mem_perm_set(address: u64, pages: u32, permissions: u32) -> Result<(), FfaError> {
    request(FuncId::MemPermSet64, [address, pages.into(), permissions.into()]).map(drop)
}

/// FFA_MEM_PERM_GET: what may be done with a page, and with how many behind it, of at most `others`.
pub fn mem_perm_get(address: u64, others: u32) -> Result<(u32, u32), FfaError> {
    let [_, _, permissions, alike, ..] = request(FuncId::MemPermGet64, [address, others.into()])?;
    Ok((permissions as u32, alike as u32))
}

/// FFA_RXTX_MAP: buffers of `pages` pages of 4 KB each.
pub fn rxtx_map(tx: u64, rx: u64, pages: u32) -> Result<(), FfaError> {
    request(FuncId::RxTxMap64, [tx, rx, pages.into()]).map(drop)
}

/// FFA_RXTX_UNMAP.
pub fn rxtx_unmap() -> Result<(), FfaError> {
    request(FuncId::RxTxUnmap, []).map(drop)
}

/// FFA_RX_RELEASE: the SPMC may write the RX buffer again.
pub fn rx_release() -> Result<(), FfaError> {
    request(FuncId::RxRelease, []).map(drop)
}

/// FFA_PARTITION_INFO_GET of the partitions that offer `uuid` (nil: all): how many descriptors are in the RX buffer,
/// and the bytes of each.
pub fn partition_info_get(uuid: [u32; 4]) -> Result<(u32, u32), FfaError> {
    let [_, _, count, size, ..] = request(FuncId::PartitionInfoGet, uuid.map(u64::from))?;
    Ok((count as u32, size as u32))
}

/// FFA_PARTITION_INFO_GET_REGS from descriptor `start` on: the registers as FF-A 1.2, 13.9 lays them out.
pub fn partition_info_get_regs(uuid: [u64; 2], start: u16, tag: u16) -> Result<Registers, FfaError> {
    let position = u64::from(start) | (u64::from(tag) << 16);
    request(FuncId::PartitionInfoGetRegs, [uuid[0], uuid[1], position])
}

/// FFA_CONSOLE_LOG (64-bit) of at most 128 bytes.
pub fn console_log(text: &[u8]) -> Result<(), FfaError> {
    let mut arguments = [0; 17];
    arguments[0] = text.len() as u64;
    for (register, bytes) in arguments[1..].iter_mut().zip(text.chunks(8)) {
        for (i, byte) in bytes.iter().enumerate() {
            *register |= u64::from(*byte) << (8 * i);
        }
    }
    request(FuncId::ConsoleLog64, arguments).map(drop)
}

/// FFA_RUN of the vCPU that FFA_INTERRUPT or FFA_YIELD named in w1.
#[must_use]
pub fn run(target: u64) -> Registers {
    call(registers(FuncId::Run32, [target]))
}

/// FFA_YIELD; `timeout` in nanoseconds, 0 for none.
pub fn yield_cycles(timeout: u64) -> Registers {
    call(registers(FuncId::Yield32, [0, timeout & 0xffff_ffff, timeout >> 32]))
}

/// FFA_MSG_WAIT, to be called: what comes next is a message, FFA_RUN or FFA_INTERRUPT. What is in the RX buffer is
/// released, unless `keeps_rx` (from FF-A 1.2 on).
#[must_use]
pub fn msg_wait(keeps_rx: bool) -> Registers {
    registers(FuncId::MsgWait32, [0, keeps_rx.into()])
}

/// FFA_MSG_SEND2 of the message in the TX buffer; `delays_sri` lets the scheduler hear of it only when this partition
/// has left the PE.
pub fn msg_send2(delays_sri: bool) -> Result<(), FfaError> {
    request(FuncId::MsgSend2, [0, u64::from(delays_sri) << 1]).map(drop)
}

/// What FFA_NOTIFICATION_GET gives: the bits that pended, by who signals them.
pub struct Notifications {
    /// Partitions.
    pub partitions: u64,
    /// VMs.
    pub vms: u64,
    /// The framework: the SPM in the lower half, the hypervisor in the upper one.
    pub framework: u64,
}

impl Notifications {
    /// A message of a partition is in the RX buffer, or one of a VM or of the Normal world (FF-A 1.2, table 10.9).
    const RX_FULL: u64 = 1 | 1 << 32;

    /// All kinds, as the flags of FFA_NOTIFICATION_GET.
    pub const ALL: u32 = 0b1111;
    /// The framework's.
    pub const FRAMEWORK: u32 = 0b1100;

    /// A message is in the RX buffer.
    #[must_use]
    pub const fn is_rx_full(&self) -> bool {
        self.framework & Self::RX_FULL != 0
    }
}

/// FFA_NOTIFICATION_GET of the kinds in `flags`.
pub fn notification_get(receiver: u16, vcpu: u16, flags: u32) -> Result<Notifications, FfaError> {
    let who = u64::from(vcpu) << 16 | u64::from(receiver);
    let answer = request(FuncId::NotificationGet, [who, flags.into()])?;
    let pair = |low: usize| answer[low] & 0xffff_ffff | answer[low + 1] << 32;
    Ok(Notifications { partitions: pair(2), vms: pair(4), framework: pair(6) })
}

/// FFA_ERROR as a call: initialisation failed. Comes back where the SPMC does not take it.
pub fn error(error: FfaError) -> Registers {
    call(registers(FuncId::Error32, [0, u64::from(i32::from(error) as u32)]))
}
