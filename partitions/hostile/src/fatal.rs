//! What ends a partition: memory that is not its own.

use core::arch::global_asm;

use partition::service::Words;

global_asm!(include_str!("fatal.S"));

unsafe extern "C" {
    safe fn hostile_read(address: u64);
    safe fn hostile_write(address: u64);
    safe fn hostile_execute(address: u64);
    safe fn hostile_read_untranslated(address: u64);
    safe fn hostile_overflow();
}

/// Does it: 0 reads, 1 writes, 2 executes at the address, 3 reads there with stage 1 off, 4 runs its stack down.
/// Comes back only where it may do that.
pub fn commit(what: u64, address: u64) -> Words {
    match what {
        0 => hostile_read(address),
        1 => hostile_write(address),
        2 => hostile_execute(address),
        3 => hostile_read_untranslated(address),
        _ => hostile_overflow(),
    }
    [0; 14]
}
