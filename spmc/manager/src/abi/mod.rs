//! Raw registers to ids, flags and codes, and back. The only room that knows how a call lies in registers.
//!
//! Ids, error codes and versions are those of the crate `arm-ffa`; its register decoding is not used, because it
//! asserts on ordinary input and drops fields. Payload registers are never decoded at all.

mod info;
mod message;
mod notifications;
mod permissions;
mod rxtx;
pub mod sharing;

use arm_ffa::{FfaError, FuncId};
use uuid::Uuid;

use crate::endpoint::{CpuId, EndpointId, VcpuId};
use crate::exit::Frame;

pub use info::{
    DESCRIPTORS_IN_REGISTERS, PartitionDescriptor, ask_for_partitions, partition_registers, partitions_told,
};
pub use message::{MESSAGE_HEADER_SIZE, MessageHeader};
pub use notifications::{Notified, Waiting, bitmap, notified};
pub use permissions::{permitted, rights};
pub use rxtx::{BUFFERS_SIZE, Buffers, BuffersError};

/// FF-A 1.0.
pub const V1_0: u32 = version(1, 0);
/// FF-A 1.1.
pub const V1_1: u32 = version(1, 1);
/// FF-A 1.2: what this SPMC speaks.
pub const V1_2: u32 = version(1, 2);

/// A version as FFA_VERSION encodes it.
const fn version(major: u32, minor: u32) -> u32 {
    major << 16 | minor
}

/// The version as a word.
#[must_use]
pub fn version_word(version: arm_ffa::Version) -> u32 {
    version.into()
}

/// The major part of a version.
#[must_use]
pub const fn major(version: u32) -> u32 {
    version >> 16
}

/// SMCCC: the call is unknown, in a 64-bit register.
pub const SMCCC_NOT_SUPPORTED: u64 = u64::MAX;
/// What FFA_VERSION answers to a version that is not served, in a 32-bit register (FF-A 1.2, 13.2.2).
pub const VERSION_NOT_SUPPORTED: u64 = 0xFFFF_FFFF;
/// Bit 16 of a function id: the caller has no live SVE state (SMCCC 1.3, 2.5).
const SVE_HINT: u64 = 1 << 16;

/// The function id in w0, without the SVE hint.
#[inline]
#[must_use]
pub fn function(frame: &Frame) -> u32 {
    (frame.x[0] & !SVE_HINT) as u32
}

/// Whether the id is in the range that SMCCC gives to FF-A.
#[must_use]
pub const fn is_ffa(function: u32) -> bool {
    matches!(function & 0xBFFF_FFFF, 0x8400_0060..=0x8400_00FF)
}

/// The lower half of a register, as 32-bit calls see it.
#[inline]
#[must_use]
pub fn word(frame: &Frame, register: usize) -> u32 {
    frame.x[register] as u32
}

/// Bits 31:16 and 15:0 of w1.
#[inline]
#[must_use]
pub fn halves(frame: &Frame) -> (u16, u16) {
    let word = word(frame, 1);
    ((word >> 16) as u16, word as u16)
}

/// w1 of a message: source in bits 31:16, destination in bits 15:0.
#[inline]
#[must_use]
pub fn endpoints(frame: &Frame) -> (EndpointId, EndpointId) {
    let (source, destination) = halves(frame);
    (EndpointId::new(source), EndpointId::new(destination))
}

/// A UUID in four 32-bit registers from `first` on, byte 0 in the lowest byte of the first (FF-A 1.2, 13.8).
#[must_use]
pub fn uuid32(frame: &Frame, first: usize) -> Uuid {
    let mut bytes = [0; 16];
    for (chunk, register) in bytes.chunks_exact_mut(4).zip(&frame.x[first..first + 4]) {
        chunk.copy_from_slice(&(*register as u32).to_le_bytes());
    }
    Uuid::from_bytes(bytes)
}

/// A UUID in two 64-bit registers from `first` on, byte 0 in the lowest byte of the first (FF-A 1.2, 13.9, 15.4).
#[must_use]
pub fn uuid64(frame: &Frame, first: usize) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&frame.x[first].to_le_bytes());
    bytes[8..].copy_from_slice(&frame.x[first + 1].to_le_bytes());
    Uuid::from_bytes(bytes)
}

/// Fills x0-x7: `results` and zeroes behind them. Register by register: a copy of an array would be a call of
/// `memcpy` on the message path.
#[inline(always)]
pub fn answer<const N: usize>(frame: &mut Frame, results: [u64; N]) {
    const { assert!(N <= 8) };
    let result = |register: usize| if register < N { results[register] } else { 0 };
    frame.x[0] = result(0);
    frame.x[1] = result(1);
    frame.x[2] = result(2);
    frame.x[3] = result(3);
    frame.x[4] = result(4);
    frame.x[5] = result(5);
    frame.x[6] = result(6);
    frame.x[7] = result(7);
}

/// A context from reset: x4 the linear index of its PE, and the address of its boot information in the register that
/// its manifest names, `(register, address)`. What x8-x17 hold is still that of whoever leaves the PE.
pub fn start(frame: &mut Frame, cpu: CpuId, boot_info: Option<(u8, u64)>) {
    answer(frame, [0, 0, 0, 0, cpu.get().into()]);
    if let Some((register, address)) = boot_info {
        frame.x[usize::from(register & 7)] = address;
    }
}

/// FFA_SUCCESS without results.
pub fn success(frame: &mut Frame) {
    answer(frame, [FuncId::Success32 as u64]);
}

/// FFA_SUCCESS with results in w2 and w3.
pub fn success_with(frame: &mut Frame, w2: u32, w3: u32) {
    answer(frame, [FuncId::Success32 as u64, 0, w2.into(), w3.into()]);
}

/// The bit by which the id of an SMC64 call differs (DEN0028, 2.5).
pub const SMC64: u32 = 1 << 30;

/// An address in a register, of which a 32-bit call uses the lower half.
#[must_use]
pub fn address(frame: &Frame, register: usize) -> u64 {
    if function(frame) & SMC64 != 0 { frame.x[register] } else { word(frame, register).into() }
}

/// A handle in two words, the lower one in register `first`.
#[must_use]
pub fn handle(frame: &Frame, first: usize) -> u64 {
    bitmap(frame, first)
}

/// FFA_SUCCESS with the handle of a memory transaction.
pub fn success_with_handle(frame: &mut Frame, handle: u64) {
    success_with(frame, handle as u32, (handle >> 32) as u32);
}

/// `function` about a transaction: its handle, w3, and the sender's id as a hypervisor wants it.
pub fn fragment(frame: &mut Frame, function: FuncId, handle: u64, w3: u32, sender: EndpointId) {
    let (low, high) = (handle & 0xFFFF_FFFF, handle >> 32);
    answer(frame, [function as u64, low, high, w3.into(), u64::from(sender.get()) << 16]);
}

/// FFA_MEM_OP_PAUSE: what is done with this handle is to be resumed.
pub fn paused(frame: &mut Frame, handle: u64) {
    answer(frame, [FuncId::MemOpPause as u64, handle & 0xFFFF_FFFF, handle >> 32]);
}

/// FFA_MEM_RETRIEVE_RESP: bytes of the descriptor in all, and in the caller's buffer.
pub fn retrieved(frame: &mut Frame, total: u32, here: u32) {
    answer(frame, [FuncId::MemRetrieveResp as u64, total.into(), here.into()]);
}

/// FFA_ERROR with its code in w2, a 32-bit value (FF-A 1.2, 13.1).
pub fn error(frame: &mut Frame, code: FfaError) {
    answer(frame, [FuncId::Error32 as u64, 0, u64::from(code as i32 as u32)]);
}

/// FFA_MSG_WAIT as the SPMD and a scheduler get it.
pub fn msg_wait(frame: &mut Frame) {
    answer(frame, [FuncId::MsgWait32 as u64]);
}

/// FFA_RUN as a waiting context finds it when it is run.
pub fn run(frame: &mut Frame) {
    answer(frame, [FuncId::Run32 as u64]);
}

/// FFA_INTERRUPT: `preempted` lost its PE to an interrupt.
pub fn interrupt(frame: &mut Frame, preempted: VcpuId) {
    answer(frame, [FuncId::Interrupt32 as u64, preempted.target_information()]);
}

/// FFA_INTERRUPT for a waiting context: it is to handle interrupt `id`.
pub fn handle_interrupt(frame: &mut Frame, id: u32) {
    answer(frame, [FuncId::Interrupt32 as u64, 0, id.into()]);
}

/// FFA_YIELD: `vcpu` wants to be run again after the time in w2 and w3: nanoseconds, low word first, and
/// at most 2^63 - 1 of them.
pub fn yielded(frame: &mut Frame, vcpu: VcpuId, timeout: u64) {
    let timeout = timeout.min(i64::MAX as u64);
    let (low, high) = (timeout & 0xFFFF_FFFF, timeout >> 32);
    answer(frame, [FuncId::Yield32 as u64, vcpu.target_information(), low, high]);
}

/// The timeout of FFA_YIELD: w2 and w3, low word first.
#[must_use]
pub fn timeout(frame: &Frame) -> u64 {
    bitmap(frame, 2)
}

/// FFA_NORMAL_WORLD_RESUME, to the SPMD.
pub fn normal_world_resume(frame: &mut Frame) {
    answer(frame, [FuncId::NormalWorldResume32 as u64]);
}

/// Bit 31 of w2 in a direct message: a framework message (FF-A 1.2, 18.2).
pub const FRAMEWORK: u32 = 1 << 31;

/// A framework message of the SPMD, by bits 7:0 of w2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmdMessage {
    /// A PSCI call of the Normal world: its function id in w3.
    Psci(u32),
    /// The Normal world's FFA_VERSION: the version it asks for in w3.
    Version(u32),
    /// Anything else: the function in bits 7:0 of w2.
    Unknown(u32),
}

/// The framework message in a direct request of the SPMD.
#[must_use]
pub fn spmd_message(frame: &Frame) -> SpmdMessage {
    match word(frame, 2) {
        w2 if w2 == FRAMEWORK => SpmdMessage::Psci(word(frame, 3)),
        w2 if w2 == FRAMEWORK | 8 => SpmdMessage::Version(word(frame, 3)),
        w2 => SpmdMessage::Unknown(w2),
    }
}

/// The answer to a framework message of the SPMD: function `function`, status or version `value`.
pub fn spmd_answer(frame: &mut Frame, function: u32, value: u64) {
    let endpoints = u64::from(EndpointId::SPMC.get()) << 16 | u64::from(EndpointId::SPMD.get());
    let w2 = u64::from(FRAMEWORK | function);
    answer(frame, [FuncId::MsgSendDirectResp32 as u64, endpoints, w2, value]);
}

/// A framework message of the hypervisor about one of its VMs (FF-A 1.2, 18.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmMessage {
    /// The VM exists now.
    Created,
    /// The VM is gone.
    Destroyed,
}

/// The message about a VM in a direct request, by w2.
#[must_use]
pub fn vm_message(frame: &Frame) -> Option<VmMessage> {
    match word(frame, 2) ^ FRAMEWORK {
        4 => Some(VmMessage::Created),
        6 => Some(VmMessage::Destroyed),
        _ => None,
    }
}

/// The message about a VM that a direct response answers, by w2.
#[must_use]
pub fn vm_answer(frame: &Frame) -> Option<VmMessage> {
    match word(frame, 2) ^ FRAMEWORK {
        5 => Some(VmMessage::Created),
        7 => Some(VmMessage::Destroyed),
        _ => None,
    }
}

/// The VM that such a message is about: bits 15:0 of w5.
#[must_use]
pub fn message_vm(frame: &Frame) -> EndpointId {
    EndpointId::new(frame.x[5] as u16)
}

/// The answer function to a PSCI message.
pub const SPMD_PSCI_ANSWER: u32 = 2;
/// The answer function to a version message.
pub const SPMD_VERSION_ANSWER: u32 = 9;

/// An SMC on behalf of `client` says so in bits 15:0 of x7 (SMCCC 1.2, 3.2). The client's own x7.
pub fn set_client(frame: &mut Frame, client: EndpointId) -> u64 {
    let own = frame.x[7];
    frame.x[7] = with_client(own, client);
    own
}

/// Undoes [`set_client`] where x7 came back as it was.
pub fn restore_client(frame: &mut Frame, client: EndpointId, own: u64) {
    if frame.x[7] == with_client(own, client) {
        frame.x[7] = own;
    }
}

fn with_client(x7: u64, client: EndpointId) -> u64 {
    x7 & !0xFFFF | u64::from(client.get())
}

/// The text of FFA_CONSOLE_LOG: `length` characters in `registers` (of 4 bytes each, or 8).
pub fn characters(
    frame: &Frame,
    registers: core::ops::RangeInclusive<usize>,
    width: usize,
    length: usize,
) -> impl Iterator<Item = u8> + '_ {
    frame.x[registers].iter().flat_map(move |x| x.to_le_bytes().into_iter().take(width)).take(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(registers: &[u64]) -> Frame {
        let mut frame = Frame::default();
        frame.x[..registers.len()].copy_from_slice(registers);
        frame
    }

    #[test]
    fn the_sve_hint_is_no_part_of_the_function() {
        assert_eq!(function(&frame(&[0x8401_0063])), 0x8400_0063);
        assert_eq!(function(&frame(&[0xFFFF_FFFF_8400_0063])), 0x8400_0063, "w0 is 32 bits wide");
    }

    #[test]
    fn an_error_code_is_a_32_bit_value() {
        let mut frame = frame(&[7; 18]);
        error(&mut frame, FfaError::InvalidParameters);
        assert_eq!(frame.x[..8], [0x8400_0060, 0, 0xFFFF_FFFE, 0, 0, 0, 0, 0]);
        assert_eq!(frame.x[8..], [7; 10], "x8-x17 stay the caller's own");
    }

    #[test]
    fn a_uuid_has_the_same_bytes_in_either_width() {
        let uuid = Uuid::from_u128(0x5d7f_1c2e_8a3b_4e60_9b1d_3c2f_6a7e_9d41);
        let bytes = uuid.as_bytes();
        let word = |i: usize| u64::from(u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()));
        assert_eq!(uuid32(&frame(&[0, word(0), word(4), word(8), word(12)]), 1), uuid);
        let double = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().unwrap());
        assert_eq!(uuid64(&frame(&[0, 0, double(0), double(8)]), 2), uuid);
    }

    #[test]
    fn spmd_messages_are_told_apart_by_w2() {
        let message = |w2: u64, w3: u64| spmd_message(&frame(&[0x8400_006F, 0xFFFF_8000, w2, w3]));
        assert_eq!(message(0x8000_0000, 0x8400_0002), SpmdMessage::Psci(0x8400_0002));
        assert_eq!(message(0x8000_0008, 0x1_0002), SpmdMessage::Version(0x1_0002));
        assert_eq!(
            message(8, 0x1_0002),
            SpmdMessage::Unknown(8),
            "without bit 31 it is no framework message"
        );
    }
}
