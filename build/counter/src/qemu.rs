//! The few functions of QEMU's plugin interface (version 4) that the counter needs.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// QEMU's number for a loaded plugin.
pub type PluginId = u64;

/// A translation block being translated.
#[repr(C)]
pub struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a translation block, valid while it is being translated.
#[repr(C)]
pub struct Instruction {
    _opaque: [u8; 0],
}

/// Memory with one element for each vCPU.
#[repr(C)]
pub struct Scoreboard {
    _opaque: [u8; 0],
}

/// A 64-bit counter in each element of a scoreboard.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Counter {
    /// The scoreboard.
    pub scoreboard: *mut Scoreboard,
    /// The counter's offset in bytes in each element.
    pub offset: usize,
}

/// `enum qemu_plugin_op`: add the immediate.
pub const ADD_U64: c_int = 0;
/// `enum qemu_plugin_cb_flags`: the callback reads no registers.
pub const NO_REGISTERS: c_int = 0;

// SAFETY: the prototypes are those of QEMU's plugin interface, version 4 (`qemu_plugin_version` in lib.rs
// makes QEMU refuse the plugin if it does not speak that version); enumerations are `int`s there.
unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: PluginId, callback: extern "C" fn(PluginId, *mut Block));
    pub fn qemu_plugin_register_atexit_cb(
        id: PluginId,
        callback: extern "C" fn(PluginId, *mut c_void),
        data: *mut c_void,
    );
    pub fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    pub fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
        instruction: *mut Instruction,
        operation: c_int,
        counter: Counter,
        immediate: u64,
    );
    pub fn qemu_plugin_scoreboard_new(element_size: usize) -> *mut Scoreboard;
    pub fn qemu_plugin_u64_sum(counter: Counter) -> u64;
}

/// The plugin's arguments as text.
///
/// # Safety
/// `argv` must point to `argc` pointers to C strings that live as long as the result is used.
pub unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<String> {
    (0..usize::try_from(argc).unwrap_or(0))
        .map(|index| {
            // SAFETY: the caller promises `argc` pointers to C strings.
            let argument = unsafe { std::ffi::CStr::from_ptr(*argv.add(index)) };
            argument.to_string_lossy().into_owned()
        })
        .collect()
}
