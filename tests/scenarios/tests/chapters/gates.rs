//! The table of calls: every row with each of its gates violated.

use manager::calls::{CALLS, Instances, Models};
use scenarios::{ECHO, Pe, Place, Sources, World, code, id, pair};

/// A PE on which `echo` works by this runtime model.
fn in_model(model: Models) -> Pe {
    let mut pe = if model == Models::INIT { World::new().pe(0) } else { World::booted() };
    let place = match model {
        Models::INIT => pe.turn_on(),
        Models::RUN => pe.normal(&[id::RUN, pair(ECHO, 0)]),
        _ => pe.normal(&[id::REQUEST, pair(0, ECHO)]),
    };
    assert_eq!(place, Place::Partition((ECHO, 0)));
    pe
}

const MODELS: [Models; 3] = [Models::INIT, Models::RUN, Models::DIRECT];

#[test]
fn a_call_of_the_other_side_is_not_supported() {
    for call in CALLS {
        if !call.instances.contains(Instances::NORMAL) && call.function as u64 != id::INTERRUPT {
            World::booted().normal_refused(&[call.function as u64], code::NOT_SUPPORTED);
        }
        if !call.instances.contains(Instances::PARTITION) {
            in_model(Models::DIRECT).call_refused(&[call.function as u64], code::NOT_SUPPORTED);
        }
    }
}

#[test]
fn a_call_of_a_later_version_is_not_supported() {
    for version in [0x1_0000, 0x1_0001] {
        for call in CALLS.iter().filter(|call| call.since > version) {
            if call.instances.contains(Instances::NORMAL) {
                let mut pe = World::booted();
                pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0008, version.into()]);
                pe.normal_refused(&[call.function as u64], code::NOT_SUPPORTED);
                pe.normal_refused(&[id::FEATURES, call.function as u64], code::NOT_SUPPORTED);
            }
            let mut sources = Sources::new();
            Sources::change(&mut sources.echo, "0x00010002", &format!("{version:#x}"));
            Sources::change(&mut sources.echo, "messaging-method = <0x603>", "messaging-method = <0x3>");
            let mut pe = World::of(&sources).pe(0);
            assert_eq!(pe.turn_on(), Place::Partition((ECHO, 0)));
            pe.call_refused(&[call.function as u64], code::NOT_SUPPORTED);
        }
    }
}

#[test]
fn a_call_in_the_wrong_runtime_model_is_denied() {
    for call in CALLS.iter().filter(|call| call.instances.contains(Instances::PARTITION)) {
        for model in MODELS.into_iter().filter(|model| !call.models.contains(*model)) {
            in_model(model).call_refused(&[call.function as u64], code::DENIED);
        }
    }
}

#[test]
fn a_register_that_must_be_zero_is_checked() {
    for call in CALLS {
        let masks = call.zero.unwrap_or_default();
        for (register, mask) in masks.into_iter().enumerate() {
            for bit in [0, 31, 63] {
                let mut x = [0; 8];
                x[0] = call.function as u64;
                x[register] |= 1 << bit;
                // What the gate does not see is for the handler to judge.
                if mask >> bit & 1 == 0 {
                    continue;
                }
                if call.instances.contains(Instances::NORMAL) {
                    World::booted().normal_refused(&x, code::INVALID);
                }
                if call.instances.contains(Instances::PARTITION) {
                    let model = MODELS.into_iter().find(|model| call.models.contains(*model));
                    in_model(model.expect("a call has a model")).call_refused(&x, code::INVALID);
                }
            }
        }
    }
}

#[test]
fn unknown_function_is_not_supported() {
    for function in [0x8400_00FF, 0x8400_0060 + 0x31, 0xC400_0069, 0xC400_0060, 0x8400_008B] {
        World::booted().normal_refused(&[function], code::NOT_SUPPORTED);
        in_model(Models::RUN).call_refused(&[function], code::NOT_SUPPORTED);
    }
}

#[test]
fn calls_of_later_features_are_not_supported() {
    // Permissions, EL3's interrupts.
    for number in [0x88, 0x89, 0x8C] {
        for function in [0x8400_0000 + number, 0xC400_0000 + number] {
            let mut pe = World::booted();
            pe.normal_refused(&[function], code::NOT_SUPPORTED);
            pe.normal_refused(&[id::FEATURES, function], code::NOT_SUPPORTED);
            let mut pe = in_model(Models::RUN);
            pe.call_refused(&[function], code::NOT_SUPPORTED);
            pe.call_refused(&[id::FEATURES, function], code::NOT_SUPPORTED);
        }
    }
}
