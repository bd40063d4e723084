//! The Normal-world test image (BL33): a client at NS-EL2 or NS-EL1 that runs scenarios on the whole stack, reports
//! each on UART0 and powers off. With a request for it in memory it makes the calls of the bench instead.
#![no_std]
#![no_main]

mod bench;
mod console;
mod demo;
mod ffa;
mod gic;
mod image;
mod level;
mod machine;
mod mail;
mod memory;
mod notifications;
mod outcome;
mod pe;
mod random;
mod registers;
mod request;
mod scheduler;
mod system;
mod tests;
mod timer;

use core::panic::PanicInfo;

use arm_ffa::FuncId;
use request::Request;
use smccc::{Smc, psci};

/// Where the first PE comes from the entry.
extern "C" fn primary() -> ! {
    gic::start(pe::count());
    gic::start_pe();
    let request = request::read();
    match request {
        Request::Bench => bench::run(),
        Request::BenchOfTests => bench::run_of_tests(),
        Request::BenchOfMemory => bench::memory::run(),
        _ => test(&request),
    }
    power_off()
}

/// Runs the scenarios that are asked for.
fn test(request: &Request) {
    let wanted = if let Request::Alone(number) = request { tests::version(*number) } else { ffa::VERSION };
    let version = ffa::call(FuncId::Version, [wanted])[0] as u32;
    let seed = random::begin();
    let (pes, level) = (pe::count(), level::current());
    println!("normal: {pes} PEs at EL{level}, FF-A {}.{}, seed {seed:#x}", version >> 16, version & 0xffff);
    (1..pe::count()).for_each(pe::turn_on);
    match request {
        Request::Alone(number) => tests::run_alone(*number),
        Request::Only => tests::run_only(),
        Request::Long => tests::run_long(),
        Request::Memory(number) => tests::run_memory(*number),
        _ => tests::run_all(),
    }
}

fn power_off() -> ! {
    let refused = psci::system_off::<Smc>();
    println!("normal: SYSTEM_OFF came back: {refused:?}");
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("normal: {info}");
    power_off()
}
