//! The end of the machine: the platform's power-off device (D9).
#![expect(unsafe_code, reason = "writes device registers at addresses that platform/ states")]

use core::ptr::write_volatile;

use manager::exit::Frame;

use crate::platform::{self, Reset};
use crate::{layout, normal};

/// FFA_ABORT, 32-bit.
const FFA_ABORT: u64 = 0x8400_0090;

/// Writes a device register.
///
/// # Safety
/// `address` is the physical address of a register that ends the machine.
unsafe fn write(address: u64, value: u32) {
    let register = core::ptr::with_exposed_provenance_mut::<u32>(layout::virtual_address(address));
    // SAFETY: the boot tables and the final ones map the device's page.
    unsafe { write_volatile(register, value) };
}

/// Powers the machine off. Where the device does not, EL3 is told; a PE that comes back from there as well waits.
pub extern "C" fn reset() -> ! {
    match platform::loaded_at(layout::load_address()).map(|platform| platform.reset) {
        Some(Reset::Pl061 { base }) => {
            // SAFETY: GPIODIR, then GPIODATA through the address mask of the pins: both low, pin 0 high.
            unsafe {
                write(base + 0x400, 3);
                write(base + 0x00c, 0);
                write(base + 0x004, 1);
            }
        }
        // SAFETY: platform/ says what the register does.
        Some(Reset::Register { address, value }) => unsafe { write(address, value) },
        Some(Reset::Abort) | None => {}
    }
    loop {
        let mut frame = Frame::default();
        frame.x[0] = FFA_ABORT;
        normal::exchange(&mut frame);
    }
}
