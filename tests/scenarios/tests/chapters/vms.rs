//! Buffers of VMs, for which a hypervisor speaks: FFA_RXTX_MAP forwarded, FFA_RX_ACQUIRE, and ids in other calls.

use scenarios::{ECHO, ECHO_MEMORY, Pe, V1_0, V1_1, V1_2, VERSIONS, World, code, id, pair};

const MAP: u64 = 0xC400_0066;
const MAP32: u64 = 0x8400_0066;
const UNMAP: u64 = 0x8400_0067;
const RELEASE: u64 = 0x8400_0065;
const ACQUIRE: u64 = 0x8400_0084;
/// A VM, and its buffers.
const VM: u64 = 3;
const TX: u64 = 0x5000_0000;
const RX: u64 = 0x5001_0000;
/// Where the buffers' regions lie in the descriptor.
const RX_REGION: usize = 16;
const TX_REGION: usize = 48;

/// The descriptor that a hypervisor puts into its TX buffer.
fn descriptor(vm: u64, tx: (u64, u32), rx: (u64, u32)) -> Vec<u8> {
    let mut bytes = vec![0; 80];
    bytes[..2].copy_from_slice(&(vm as u16).to_le_bytes());
    bytes[4] = RX_REGION as u8;
    bytes[8] = TX_REGION as u8;
    for (at, (address, pages)) in [(RX_REGION, rx), (TX_REGION, tx)] {
        bytes[at..at + 4].copy_from_slice(&pages.to_le_bytes());
        bytes[at + 4] = 1;
        bytes[at + 16..at + 24].copy_from_slice(&address.to_le_bytes());
        bytes[at + 24..at + 28].copy_from_slice(&pages.to_le_bytes());
    }
    bytes
}

/// A hypervisor that has buffers of its own.
fn hypervisor() -> Pe {
    let mut pe = World::booted();
    pe.map(1);
    pe
}

/// One that has registered those of its VM.
fn with_vm() -> Pe {
    let mut pe = hypervisor();
    pe.send(&descriptor(VM, (TX, 1), (RX, 1)));
    pe.done(&[MAP]);
    pe
}

#[test]
fn a_hypervisor_registers_the_buffers_of_a_vm_once() {
    for function in [MAP, MAP32] {
        for version in VERSIONS {
            let mut pe = World::booted();
            pe.normal_version(version);
            pe.map(1);
            for vm in [1, VM, 0x7FFF] {
                pe.send(&descriptor(vm, (TX, 16), (RX, 16)));
                assert_eq!(pe.done(&[function])[1..], [0; 7]);
                pe.refused(&[function], code::DENIED);
                pe.done(&[UNMAP, vm << 16]);
                pe.done(&[function]);
                pe.done(&[UNMAP, vm << 16]);
            }
        }
    }
}

#[test]
fn a_page_is_in_one_buffer_of_one_endpoint() {
    let mut pe = with_vm();
    let (own, free) = (pe.tx().address, TX + 0x10_0000);
    for (tx, rx) in [(TX, free), (RX, free), (free, TX), (free, RX), (own, free), (free, own)] {
        pe.send(&descriptor(VM + 1, (tx, 1), (rx, 1)));
        pe.refused(&[MAP], code::DENIED);
    }
    pe.send(&descriptor(VM + 1, (free, 1), (free + 0x1000, 1)));
    pe.done(&[MAP]);
    pe.done(&[UNMAP, VM << 16]);
    pe.send(&descriptor(VM + 2, (TX, 1), (RX, 1)));
    pe.done(&[MAP]);
}

#[test]
fn a_descriptor_needs_the_hypervisors_buffer() {
    for function in [MAP, MAP32] {
        World::booted().refused(&[function], code::INVALID);
    }
}

#[test]
fn a_descriptor_names_a_vm() {
    let mut pe = hypervisor();
    for vm in [0, 0x8000, ECHO, 0xFFFF] {
        pe.send(&descriptor(vm, (TX, 1), (RX, 1)));
        pe.refused(&[MAP], code::INVALID);
    }
}

#[test]
fn a_damaged_descriptor_is_invalid() {
    let mut pe = hypervisor();
    let sound = descriptor(VM, (TX, 1), (RX, 1));
    // Offsets that are not a multiple of 8, that point at the header, or behind what a descriptor can hold; several
    // constituents or none; page counts that differ.
    let damage = [
        (4, 20),
        (4, 8),
        (4, 0),
        (8, 49),
        (5, 0x10),
        (10, 1),
        (11, 0xFF),
        (RX_REGION + 4, 0),
        (RX_REGION + 4, 2),
        (TX_REGION + 7, 1),
        (RX_REGION, 2),
        (TX_REGION, 0),
        (TX_REGION + 24, 9),
    ];
    for (at, value) in damage {
        let mut bytes = sound.clone();
        bytes[at] = value;
        pe.send(&bytes);
        pe.refused(&[MAP], code::INVALID);
    }
    pe.send(&sound);
    pe.done(&[MAP]);
}

#[test]
fn buffers_of_a_vm_obey_the_rules_of_buffers() {
    let mut pe = hypervisor();
    let cases = [
        ((TX + 8, 1), (RX, 1), code::INVALID),
        ((TX, 1), (RX + 0x800, 1), code::INVALID),
        ((TX, 2), (TX + 0x1000, 2), code::INVALID),
        ((TX, 17), (RX, 1), code::INVALID),
        ((TX, 0), (RX, 1), code::INVALID),
        ((TX, 1), (u64::MAX << 12, 1), code::INVALID),
        ((ECHO_MEMORY, 1), (RX, 1), code::DENIED),
        ((TX, 1), (0xe10_0000, 1), code::DENIED),
        ((TX, 1), (0x1_0000_0000, 1), code::DENIED),
    ];
    for (tx, rx, code) in cases {
        pe.send(&descriptor(VM, tx, rx));
        pe.refused(&[MAP], code);
    }
    pe.send(&descriptor(VM, (TX, 1), (RX, 1)));
    pe.done(&[MAP]);
}

#[test]
fn a_partition_speaks_for_no_vm() {
    for version in VERSIONS {
        for mut pe in World::callers(version).into_iter().skip(1) {
            pe.map(1);
            pe.send(&descriptor(VM, (TX, 1), (RX, 1)));
            pe.refused(&[MAP], code::INVALID);
            pe.refused(&[UNMAP, VM << 16], code::INVALID);
            pe.refused(&[RELEASE, VM], code::INVALID);
            pe.refused(&[ACQUIRE, VM], code::NOT_SUPPORTED);
        }
    }
}

#[test]
fn rx_acquire_is_of_1_1() {
    for (version, refusal) in [(V1_0, code::NOT_SUPPORTED), (V1_1, code::INVALID), (V1_2, code::INVALID)] {
        let mut pe = World::booted();
        pe.normal_version(version);
        pe.refused(&[ACQUIRE, VM], refusal);
    }
}

#[test]
fn a_hypervisor_acquires_rx_and_gives_it_back() {
    let mut pe = with_vm();
    pe.refused(&[RELEASE, VM], code::DENIED);
    for _ in 0..2 {
        assert_eq!(pe.done(&[ACQUIRE, VM])[1..], [0; 7]);
        pe.refused(&[ACQUIRE, VM], code::DENIED);
        pe.done(&[RELEASE, VM]);
        pe.refused(&[RELEASE, VM], code::DENIED);
    }
    // Its own buffer is another one.
    pe.done(&[0x8400_0068]);
    pe.refused(&[RELEASE, VM], code::DENIED);
    pe.done(&[ACQUIRE, VM]);
    pe.done(&[RELEASE]);
}

#[test]
fn a_vm_without_buffers_has_none_to_acquire_release_or_forget() {
    let mut pe = with_vm();
    for vm in [1, 0x7FFF] {
        pe.refused(&[ACQUIRE, vm], code::INVALID);
        pe.refused(&[RELEASE, vm], code::INVALID);
        pe.refused(&[UNMAP, vm << 16], code::INVALID);
    }
    for nobody in [0x8000, ECHO, 0xFFFF] {
        pe.refused(&[ACQUIRE, nobody], code::INVALID);
        pe.refused(&[RELEASE, nobody], code::INVALID);
        pe.refused(&[UNMAP, nobody << 16], code::INVALID);
    }
    pe.refused(&[ACQUIRE, 0], code::INVALID);
    pe.refused(&[ACQUIRE, VM | 1 << 16], code::INVALID);
    pe.refused(&[ACQUIRE, VM, 1], code::INVALID);
    pe.refused(&[UNMAP, VM << 16 | 1], code::INVALID);
    pe.done(&[UNMAP, VM << 16]);
    pe.refused(&[UNMAP, VM << 16], code::INVALID);
    pe.refused(&[ACQUIRE, VM], code::INVALID);
}

#[test]
fn more_vms_than_there_are_places_have_no_memory() {
    let mut pe = hypervisor();
    let mut vm = 0;
    loop {
        vm += 1;
        let tx = TX + vm * 0x2000;
        pe.send(&descriptor(vm, (tx, 1), (tx + 0x1000, 1)));
        pe.normal(&[MAP]);
        if pe.low()[0] == id::ERROR {
            break;
        }
        assert!(vm < 0x7FFF, "there is an end");
    }
    pe.expect_error(code::NO_MEMORY);
    pe.done(&[UNMAP, (vm - 1) << 16]);
    pe.done(&[MAP]);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), super::direct::IN_ECHO);
}
