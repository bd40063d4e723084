//! From TF-A's entry to the first step, on the PE that boots and on those that come later.
#![expect(unsafe_code, reason = "hands the memory behind the image and the frames of tables over, once each")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ops::Range;

use manager::config::{Device, Own, SpmcManifest};
use manager::endpoint::CpuId;
use manager::memory::page::{PageRange, Space};
use manager::memory::space::Pool;
use manager::memory::table::TableFrame;
use manager::memory::transactions::Transactions;
use manager::spmc::Spmc;
use spin::Once;

use crate::context::{Context, Contexts};
use crate::crash::BuildId;
use crate::features::Features;
use crate::gic::Gic;
use crate::memory::{Machine, Ranges};
use crate::pes::Pes;
use crate::platform::{self, Platform};
use crate::translation::{Tables, Use};
use crate::{console, handoff, heap, layout, secondary, simd, sysregs, traps};

/// Heap that is kept for what the manager builds at boot beside memory transactions: a base, for each partition, and for
/// each vCPU beside its context.
const HEAP_BASE: usize = 96 << 10;
const HEAP_PER_PARTITION: usize = 4 << 10;
const HEAP_PER_VCPU: usize = 1 << 10;

/// What all PEs share after boot.
pub struct Shared {
    /// The manager.
    pub spmc: Spmc,
    /// The registers of all contexts.
    pub contexts: Contexts,
    /// What the CPU has.
    pub features: Features,
    ranges: &'static Ranges,
    platform: &'static Platform,
    pes: &'static Pes,
}

static SHARED: Once<&'static Shared> = Once::new();

/// From entry.S, on the boot tables: what EL3 handed over in x0 to x3, and the PE's index.
pub extern "C" fn boot(x0: u64, x1: u64, x2: u64, x3: u64, linear: u64) -> ! {
    let load = layout::load_address();
    let platform = platform::loaded_at(load).expect("the load address is that of a platform");
    console::start(platform);
    log::info!("{} for {}, build {BuildId}, loaded at {load:#x}", env!("CARGO_PKG_VERSION"), platform.name);
    let features = Features::read();
    let window = load..load + platform.own_limit;
    // SAFETY: the boot tables and the final ones map the memory behind the image; TF-A loads nothing else there.
    unsafe {
        heap::open(layout::virtual_address(layout::image_end_address()), layout::virtual_address(window.end));
    }

    let mut tables = map_own(platform);
    // SAFETY: `map_own` maps the image, its stacks and the heap in place.
    unsafe { tables.activate() };
    traps::start(&features);
    let spmc_manifest = handoff::spmc_manifest(&mut tables, [x0, x1, x2, x3], &window);
    let first = spmc_manifest.vms.iter().map(|vm| vm.memory.start()).filter(|start| *start > load).min();
    let end = first.map_or(window.end, |first| first.min(window.end));
    heap::limit(layout::virtual_address(end));
    let own = own(platform, load..end);

    let mut mapped = Vec::with_capacity(spmc_manifest.memory.len());
    for memory in spmc_manifest.memory.iter().filter(|memory| !memory.device) {
        let purpose = match memory.range.space() {
            Space::Secure => Use::Data,
            Space::Normal => Use::Normal,
        };
        tables.map_around_own(memory.range.start()..memory.range.end(), purpose);
        mapped.push(memory.range);
    }
    secondary::prepare(spmc_manifest.cpus.len(), &features, &mut tables);
    sysregs::publish_tables();
    sysregs::forget_own_translations();

    let ranges: &'static Ranges = Box::leak(Box::new(Ranges::new(mapped, own.memory)));
    let pes: &'static Pes = Box::leak(Box::new(Pes::new(spmc_manifest.cpus.len())));
    let mut machine = Machine::new(ranges, Gic::start(platform, pes, cpu(linear)));
    let (spmc, contexts) =
        build(platform, &features, &mut machine, &spmc_manifest, &own, tables.trampoline());
    // Leaked first: nothing of it is ever dropped, and so no code for that is in the image.
    let shared = Box::leak(Box::new(Shared { spmc, contexts, features, ranges, platform, pes }));
    let shared = SHARED.call_once(|| shared);
    if shared.spmc.partitions().any(|partition| partition.is_at_el0()) {
        log::info!("S-EL0 sees {:x?} of the SPMC", tables.seen_at_el0());
    }
    secondary::publish(&tables);
    // Frames of tables are never freed; the tables live as long as the machine.
    core::mem::forget(tables);
    log::info!("{} bytes of heap left; sealed", heap::left());
    heap::seal();
    run(shared, linear, machine)
}

/// What no partition and no caller gets: our memory, the GIC, and what ends the machine. A UART is not among it.
fn own(platform: &Platform, memory: Range<u64>) -> Own {
    let pages = |range: Range<u64>| {
        PageRange::from_bytes(Space::Secure, range.start, range.end - range.start).expect("whole pages")
    };
    let distributor = platform.distributor..platform.distributor + (64 << 10);
    let mut devices = Vec::from([distributor, platform.redistributors.clone()]);
    devices.extend(platform.reset.page().map(|page| page..page + 4096));
    Own { memory: pages(memory), devices: devices.into_iter().map(pages).collect() }
}

/// Maps the image W^X, the memory behind it and the devices.
fn map_own(platform: &Platform) -> Tables {
    let mut tables = Tables::new();
    let load = layout::load_address();
    tables.map_own(layout::text(), Use::Text);
    layout::read_only().into_iter().for_each(|range| tables.map_own(range, Use::ReadOnly));
    layout::writable().into_iter().for_each(|range| tables.map_own(range, Use::Data));
    tables.map_own(layout::image_end_address()..load + platform.own_limit, Use::Data);
    layout::guards().into_iter().for_each(|range| tables.map_own(range, Use::Guard));
    let mut devices = Vec::from([platform.own_uart, platform.distributor]);
    if platform.shared_uart != platform.own_uart {
        devices.push(platform.shared_uart);
    }
    devices.extend(platform.reset.page());
    devices.into_iter().for_each(|page| tables.map_own(page..page + 4096, Use::Device));
    tables.map_own(platform.distributor + 4096..platform.distributor + (64 << 10), Use::Device);
    tables.map_own(platform.redistributors.clone(), Use::Device);
    tables
}

/// Builds the manager and the contexts.
fn build(
    platform: &'static Platform,
    features: &Features,
    machine: &mut Machine,
    manifest: &SpmcManifest,
    own: &Own,
    trampoline: u64,
) -> (Spmc, Contexts) {
    let quotas = manifest.vms.iter().map(|vm| vm.quota).chain([manifest.normal_quota]);
    let transactions: usize = quotas.map(Transactions::footprint).sum();
    let pes = manifest.cpus.len();
    let vcpus: usize = manifest.vms.iter().map(|vm| usize::from(vm.vcpus).min(pes)).sum();
    let of_vcpus = (HEAP_PER_VCPU + size_of::<Context>()) * vcpus;
    let reserve = HEAP_BASE + HEAP_PER_PARTITION * manifest.vms.len() + of_vcpus + transactions;
    let pages = heap::left().saturating_sub(reserve) / 4096;
    assert!(pages > 0, "no memory for translation tables");
    let frames = heap::take_pages_from_top(pages);
    let first = core::ptr::with_exposed_provenance::<TableFrame>(frames);
    // SAFETY: the pages were taken from the heap for good and are zero, which is a table that maps nothing.
    let pool = Pool::new(unsafe { core::slice::from_raw_parts(first, pages) }, layout::physical(frames));
    log::info!("own memory {}, {pages} table frames", own.memory);

    let spmc = match Spmc::new(manifest, own, &pool, machine) {
        Ok(spmc) => spmc,
        Err(error) => panic!("manifests: {error}"),
    };
    // The rule for the console: a device that a partition claims is given up.
    let claimed = |page: u64| {
        let inside =
            |device: &Device| (device.region.range.start()..device.region.range.end()).contains(&page);
        spmc.partitions().any(|partition| partition.config().devices.iter().any(inside))
    };
    if claimed(platform.own_uart) {
        console::share(platform);
    }
    let context = |(id, view)| UnsafeCell::new(Context::new(id, view, features, trampoline));
    let cells: Vec<UnsafeCell<Context>> = spmc.contexts().map(context).collect();
    let contexts = Contexts::new(Box::leak(cells.into_boxed_slice()));
    let (vector, streaming) = simd::lengths(features);
    log::info!(
        "PAuth {}, MTE {}, SVE {vector} bytes, SME {streaming} bytes, {} bits of address",
        features.pauth,
        features.mte,
        features.physical_bits
    );
    sysregs::publish_tables();
    (spmc, contexts)
}

/// From entry.S, on the final tables: a PE that was turned on.
pub extern "C" fn secondary_main(linear: u64) -> ! {
    let shared = SHARED.get().expect("PEs come on after the boot");
    traps::start(&shared.features);
    let gic = Gic::start(shared.platform, shared.pes, cpu(linear));
    run(shared, linear, Machine::new(shared.ranges, gic))
}

/// The PE of this linear index.
fn cpu(linear: u64) -> CpuId {
    CpuId::new(linear as u16)
}

/// The life of a PE from here on.
fn run(shared: &'static Shared, linear: u64, machine: Machine) -> ! {
    #[cfg(feature = "fail-on-purpose")]
    assert_ne!(linear, failing_pe(), "this build fails on purpose");
    // SAFETY: this is PE `linear`, which comes here once each time it comes on.
    let area = unsafe { secondary::area(linear as usize) };
    crate::cpu::run(shared, cpu(linear), machine, area)
}

/// The PE that fails: the digit at the end, which the crash test changes in the flash.
#[cfg(feature = "fail-on-purpose")]
fn failing_pe() -> u64 {
    static PE: &[u8; 22] = b"fails on purpose: PE 0";
    u64::from(core::hint::black_box(PE)[21] - b'0')
}
