//! A QEMU plugin that counts executed instructions by address range, exactly.
//!
//! Every instruction adds one to the counter of the range it lies in (or to "elsewhere") and one to the
//! total, before it runs. `-plugin libcounter.so,plan=FILE,out=FILE`: `plan.rs` says what the plan
//! holds. Each time the instruction at a `mark` is about to run, and once when QEMU ends, a line
//! `mark ADDRESS` or `end 0` is written to `out`, followed by the slots, elsewhere and the total.

mod plan;
mod qemu;

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, OnceLock};

use plan::Plan;
use qemu::{Block, Counter, PluginId, Scoreboard};

/// The version of the plugin interface, which QEMU looks up by this name.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 4;

struct Counting {
    plan: Plan,
    scoreboard: *mut Scoreboard,
    out: Mutex<File>,
}

// SAFETY: the scoreboard pointer is only handed to QEMU's functions, which may be called from any thread;
// everything else in it is `Send` and `Sync` by itself.
unsafe impl Send for Counting {}
// SAFETY: as above.
unsafe impl Sync for Counting {}

static COUNTING: OnceLock<Counting> = OnceLock::new();

impl Counting {
    fn start(arguments: &[String]) -> Result<Self, String> {
        let value = |key: &str| {
            let found = arguments.iter().find_map(|argument| argument.strip_prefix(key)?.strip_prefix('='));
            found.ok_or_else(|| format!("counter: the argument {key}=FILE is missing"))
        };
        let (plan, out) = (value("plan")?, value("out")?);
        let text = std::fs::read_to_string(plan).map_err(|error| format!("counter: {plan}: {error}"))?;
        let plan = Plan::parse(&text)?;
        let out = File::create(out).map_err(|error| format!("counter: {out}: {error}"))?;
        // SAFETY: called while the plugin is being installed, as QEMU asks for.
        let scoreboard = unsafe { qemu::qemu_plugin_scoreboard_new((plan.slots() + 2) * size_of::<u64>()) };
        Ok(Self { plan, scoreboard, out: Mutex::new(out) })
    }

    fn counter(&self, slot: usize) -> Counter {
        Counter { scoreboard: self.scoreboard, offset: slot * size_of::<u64>() }
    }

    fn elsewhere(&self) -> usize {
        self.plan.slots()
    }

    fn total(&self) -> usize {
        self.plan.slots() + 1
    }

    fn note(&self, what: &str, address: u64) {
        let mut line = format!("{what} {address:#x}");
        for slot in 0..=self.total() {
            // SAFETY: the offset lies in the element that `start` asked for.
            let count = unsafe { qemu::qemu_plugin_u64_sum(self.counter(slot)) };
            line += &format!(" {count}");
        }
        let mut out = self.out.lock().expect("no holder of this lock panics");
        writeln!(out, "{line}").expect("the counts can be written");
    }
}

extern "C" fn translate(_id: PluginId, block: *mut Block) {
    let Some(counting) = COUNTING.get() else { return };
    // SAFETY: `block` is valid for the length of this call.
    for index in 0..unsafe { qemu::qemu_plugin_tb_n_insns(block) } {
        // SAFETY: `index` is below the number of instructions of the block.
        let instruction = unsafe { qemu::qemu_plugin_tb_get_insn(block, index) };
        // SAFETY: `instruction` was given by QEMU for this block.
        let address = unsafe { qemu::qemu_plugin_insn_vaddr(instruction) };
        if counting.plan.marks(address) {
            let data = std::ptr::without_provenance_mut(address as usize);
            // SAFETY: the callback matches its prototype and takes the data as a number only. It is
            // registered before the counters, so it sees the counts without this instruction.
            unsafe {
                qemu::qemu_plugin_register_vcpu_insn_exec_cb(instruction, marked, qemu::NO_REGISTERS, data);
            }
        }
        let slot = counting.plan.slot(address).unwrap_or(counting.elsewhere());
        for slot in [slot, counting.total()] {
            // SAFETY: the instruction is of this block and the counter lies in the scoreboard.
            unsafe {
                qemu::qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
                    instruction,
                    qemu::ADD_U64,
                    counting.counter(slot),
                    1,
                );
            }
        }
    }
}

extern "C" fn marked(_vcpu: c_uint, address: *mut c_void) {
    if let Some(counting) = COUNTING.get() {
        counting.note("mark", address.addr() as u64);
    }
}

extern "C" fn ended(_id: PluginId, _data: *mut c_void) {
    if let Some(counting) = COUNTING.get() {
        counting.note("end", 0);
    }
}

/// Where QEMU starts the plugin; anything but 0 makes QEMU stop.
///
/// # Safety
/// `argv` must hold `argc` C strings, as QEMU promises.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: QEMU hands over `argc` C strings.
    let arguments = unsafe { qemu::arguments(argc, argv) };
    match Counting::start(&arguments) {
        Ok(counting) => COUNTING.get_or_init(|| counting),
        Err(error) => {
            eprintln!("{error}");
            return 1;
        }
    };
    // SAFETY: both callbacks match their prototypes and live as long as the program.
    unsafe {
        qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
        qemu::qemu_plugin_register_atexit_cb(id, ended, std::ptr::null_mut());
    }
    0
}
