//! Notifications: who may bind, set and get them, and how the scheduler hears of them (FF-A 1.2, chapters 10 and 16).

use core::sync::atomic::{AtomicBool, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, COURIER, ECHO, Form, HOSTILE, MAILMAN, PORTER, Partition, call_of, command, told};
use crate::ffa::{Registers, SPMC, expect_error, expect_function, expect_success};
use crate::notifications::{
    BY_PARTITIONS, BY_SPM, BY_VMS, DELAY_SRI, OWN, PER_VCPU, Width, arguments, bind, bitmaps, collect,
    create, destroy, expect_listed, expect_nothing_listed, get, set, signalled, unbind,
};
use crate::outcome::{Failure, Outcome, expect};
use crate::{ffa, gic, pe, timer};

/// VMs, and an id of nobody.
const VM: u64 = 5;
const NOBODY: u64 = 0x8011;
/// A notification in each half, and one that nobody uses.
const BITS: u64 = 1 << 40 | 1 << 3;
const OTHER: u64 = 1 << 7;
/// Long enough to be signalled in, in nanoseconds.
const LONG: u64 = 2_000_000_000;

/// A partition makes a call about notifications; x0-x7 of what came of it.
fn made(partition: &Partition, function: FuncId, arguments: [u64; 4]) -> Result<Registers, Failure> {
    let mut call = [0; 5];
    call[0] = u32::from(function).into();
    call[1..].copy_from_slice(&arguments);
    let mut registers = [0; 18];
    registers[..8].copy_from_slice(&call_of(partition, &call)?);
    Ok(registers)
}

/// A partition lets `sender` signal it.
fn bound(partition: &Partition, sender: u64, flags: u64, bitmap: u64) -> Outcome {
    let call = arguments(sender, partition.id, flags, bitmap);
    expect_success("a partition's BIND", &made(partition, FuncId::NotificationBind, call)?)
}

fn unbound(partition: &Partition, sender: u64, bitmap: u64) -> Outcome {
    let call = arguments(sender, partition.id, 0, bitmap);
    expect_success("a partition's UNBIND", &made(partition, FuncId::NotificationUnbind, call)?)
}

/// What pends for a vCPU of a partition, which gets it: of partitions, of VMs, of the framework.
fn got(partition: &Partition, vcpu: u64) -> Result<[u64; 3], Failure> {
    let call = [vcpu << 16 | partition.id, BY_PARTITIONS | BY_VMS | BY_SPM, 0, 0];
    let answer = made(partition, FuncId::NotificationGet, call)?;
    expect_success("a partition's GET", &answer)?;
    Ok(bitmaps(&answer))
}

pub fn bitmaps_of_vms_are_created_and_destroyed_once() -> Outcome {
    expect_error("DESTROY before CREATE", &destroy(VM), FfaError::Denied)?;
    expect_success("CREATE", &create(VM, 4))?;
    expect_error("CREATE again", &create(VM, 4), FfaError::Denied)?;
    expect_success("DESTROY", &destroy(VM))?;
    expect_error("DESTROY again", &destroy(VM), FfaError::Denied)?;
    for id in [MAILMAN.id, SPMC, NOBODY] {
        expect_error("CREATE of the secure world", &create(id, 1), FfaError::InvalidParameters)?;
    }
    // What pends keeps it.
    expect_success("CREATE", &create(VM, 1))?;
    expect_success("BIND for the VM", &bind(MAILMAN.id, VM, 0, 1))?;
    let signal = arguments(MAILMAN.id, VM, 0, 1);
    expect_success("a partition's SET", &made(&MAILMAN, FuncId::NotificationSet, signal)?)?;
    expect_error("DESTROY of a pending one", &destroy(VM), FfaError::Denied)?;
    let pending = get(VM, 0, BY_PARTITIONS);
    expect_success("GET for the VM", &pending)?;
    expect("its bit", bitmaps(&pending)[0], 1)?;
    expect_success("UNBIND for the VM", &unbind(MAILMAN.id, VM, 1))?;
    expect_success("DESTROY", &destroy(VM))?;
    gic::take();
    expect_nothing_listed("behind it")
}

pub fn a_receiver_binds_and_unbinds_its_notifications() -> Outcome {
    for function in [FuncId::NotificationBind, FuncId::NotificationUnbind] {
        let judge = |what, partition, call, code| expect_error(what, &made(partition, function, call)?, code);
        let invalid = FfaError::InvalidParameters;
        let own = MAILMAN.id;
        judge("for somebody else", &MAILMAN, arguments(OWN, COURIER.id, 0, BITS), invalid)?;
        judge("for a VM", &MAILMAN, arguments(OWN, VM, 0, BITS), invalid)?;
        judge("from oneself", &MAILMAN, arguments(own, own, 0, BITS), invalid)?;
        judge("of no bit", &MAILMAN, arguments(OWN, own, 0, 0), invalid)?;
        judge("with a flag that there is not", &MAILMAN, arguments(OWN, own, 2, BITS), invalid)?;
        judge("a receiver that takes none", &ECHO, arguments(OWN, ECHO.id, 0, BITS), FfaError::NotSupported)?;
    }
    let nobody = arguments(NOBODY, MAILMAN.id, 0, BITS);
    let answer = made(&MAILMAN, FuncId::NotificationBind, nobody)?;
    expect_error("from nobody", &answer, FfaError::InvalidParameters)?;
    for receiver in [MAILMAN.id, ECHO.id] {
        let answer = bind(COURIER.id, receiver, 0, BITS);
        expect_error("the Normal world for a partition", &answer, FfaError::InvalidParameters)?;
    }

    bound(&MAILMAN, OWN, 0, BITS)?;
    for sender in [OWN, VM] {
        let again = arguments(sender, MAILMAN.id, 0, BITS | OTHER);
        let answer = made(&MAILMAN, FuncId::NotificationBind, again)?;
        expect_error("one of them is bound", &answer, FfaError::Denied)?;
    }
    let others = arguments(COURIER.id, MAILMAN.id, 0, BITS);
    let answer = made(&MAILMAN, FuncId::NotificationUnbind, others)?;
    expect_error("UNBIND from another sender", &answer, FfaError::Denied)?;
    let more = arguments(OWN, MAILMAN.id, 0, BITS | OTHER);
    let answer = made(&MAILMAN, FuncId::NotificationUnbind, more)?;
    expect_error("UNBIND of one that is not bound", &answer, FfaError::Denied)?;

    expect_success("SET", &set(OWN, MAILMAN.id, 0, BITS))?;
    let pending = arguments(OWN, MAILMAN.id, 0, BITS);
    let answer = made(&MAILMAN, FuncId::NotificationUnbind, pending)?;
    expect_error("UNBIND of a pending one", &answer, FfaError::Denied)?;
    expect("what the VM signalled", got(&MAILMAN, 0)?[1], BITS)?;
    unbound(&MAILMAN, OWN, BITS)?;
    gic::take();
    expect_nothing_listed("behind it")
}

pub fn only_what_is_bound_can_be_set() -> Outcome {
    bound(&MAILMAN, OWN, 0, BITS)?;
    bound(&MAILMAN, OWN, PER_VCPU, OTHER)?;
    let invalid = FfaError::InvalidParameters;
    for (what, answer, code) in [
        ("of no bit", set(OWN, MAILMAN.id, 0, 0), invalid),
        ("a flag that there is not", set(OWN, MAILMAN.id, 4, BITS), invalid),
        ("delayed, from the Normal world", set(OWN, MAILMAN.id, DELAY_SRI, BITS), invalid),
        ("a vCPU of a global one", set(OWN, MAILMAN.id, 1 << 16, BITS), invalid),
        ("a vCPU that there is not", set(OWN, MAILMAN.id, PER_VCPU | 99 << 16, OTHER), invalid),
        ("in the name of a partition", set(COURIER.id, MAILMAN.id, 0, BITS), invalid),
        ("one that is not bound", set(OWN, MAILMAN.id, 0, 1), FfaError::Denied),
        ("one of two that is not bound", set(OWN, MAILMAN.id, 0, BITS | 1), FfaError::Denied),
        ("by a sender that it is not bound to", set(VM, MAILMAN.id, 0, BITS), FfaError::Denied),
        ("a global one for a vCPU", set(OWN, MAILMAN.id, PER_VCPU, BITS), FfaError::Denied),
        ("one of a vCPU for all", set(OWN, MAILMAN.id, 0, OTHER), FfaError::Denied),
        ("a receiver that takes none", set(OWN, ECHO.id, 0, BITS), FfaError::Denied),
    ] {
        expect_error(what, &answer, code)?;
    }
    let own = arguments(COURIER.id, MAILMAN.id, 0, BITS);
    let answer = made(&COURIER, FuncId::NotificationSet, own)?;
    expect_error("a partition that it is not bound to", &answer, FfaError::Denied)?;
    expect("nothing has been set", got(&MAILMAN, 0)?[1], 0)?;
    expect_nothing_listed("nothing has been set")?;
    unbound(&MAILMAN, OWN, BITS)?;
    let per_vcpu = arguments(OWN, MAILMAN.id, PER_VCPU, OTHER);
    let answer = made(&MAILMAN, FuncId::NotificationUnbind, per_vcpu)?;
    // The flag is BIND's (FF-A 1.2, 16.4).
    expect_error("UNBIND with BIND's flag", &answer, invalid)?;
    unbound(&MAILMAN, OWN, OTHER)
}

pub fn get_is_judged() -> Outcome {
    let invalid = FfaError::InvalidParameters;
    let own = MAILMAN.id;
    for (what, arguments) in [
        ("of somebody else", [COURIER.id, BY_VMS, 0, 0]),
        ("of a VM", [OWN, BY_VMS, 0, 0]),
        ("a vCPU that there is not", [99 << 16 | own, BY_VMS, 0, 0]),
        ("a flag that there is not", [own, 1 << 4, 0, 0]),
    ] {
        expect_error(what, &made(&MAILMAN, FuncId::NotificationGet, arguments)?, invalid)?;
    }
    expect_error("of a partition", &get(own, 0, BY_VMS), invalid)?;
    for function in [FuncId::NotificationInfoGet32, FuncId::NotificationInfoGet64] {
        let answer = made(&MAILMAN, function, [0; 4])?;
        expect_error("INFO_GET of a partition", &answer, FfaError::NotSupported)?;
    }
    expect_nothing_listed("nothing pends")
}

pub fn a_notification_that_is_set_is_announced_and_got_once() -> Outcome {
    bound(&MAILMAN, OWN, 0, BITS)?;
    let before = gic::sris(pe::index());
    expect_success("SET", &set(OWN, MAILMAN.id, 0, BITS))?;
    gic::take();
    expect("SRIs on this PE", gic::sris(pe::index()), before + 1)?;
    expect_listed("who is to be run", MAILMAN.id, &[])?;
    expect_nothing_listed("it is listed once")?;
    let here = pe::index() as u64;
    expect("what the VM signalled", got(&MAILMAN, here)?[1], BITS)?;
    expect("and again", got(&MAILMAN, here)?[1], 0)?;
    unbound(&MAILMAN, OWN, BITS)
}

pub fn a_set_notification_that_is_set_again_raises_no_sri() -> Outcome {
    bound(&MAILMAN, OWN, 0, BITS)?;
    expect_success("SET", &set(OWN, MAILMAN.id, 0, BITS))?;
    gic::take();
    expect_listed("who is to be run", MAILMAN.id, &[])?;
    let before = gic::sris(pe::index());
    for _ in 0..10 {
        expect_success("SET again", &set(OWN, MAILMAN.id, 0, BITS))?;
    }
    gic::take();
    expect("SRIs", gic::sris(pe::index()), before)?;
    expect_nothing_listed("it has been listed")?;
    expect("what the VM signalled", got(&MAILMAN, 0)?[1], BITS)?;
    unbound(&MAILMAN, OWN, BITS)
}

/// A partition signals the Normal world, and then works for long: what the Normal world sees first, and whether an SRI
/// pended then.
fn signal_and_work(flags: u64) -> Result<(Registers, bool), Failure> {
    // hostile asks mailman, so that somebody is working when mailman has long answered.
    let form = Form::Direct2;
    let function = u32::from(FuncId::NotificationSet).into();
    let [endpoints, flags, low, high] = arguments(MAILMAN.id, OWN, flags, BITS);
    let words = [command::ASK, MAILMAN.id, command::CALL, function, endpoints, flags, low, high];
    let before = gic::sris(pe::index());
    let answer = demo::ask(form, HOSTILE.id, &words);
    gic::take();
    Ok((answer, gic::sris(pe::index()) != before))
}

pub fn an_sri_comes_at_once_where_it_is_not_delayed() -> Outcome {
    signalled(|| {
        expect_success("BIND", &bind(MAILMAN.id, OWN, 0, BITS))?;
        let (left, sri) = signal_and_work(0)?;
        expect("an SRI", u64::from(sri), 1)?;
        expect_function("FFA_INTERRUPT", &left, FuncId::Interrupt32)?;
        expect("whom the SRI preempted", left[1], HOSTILE.here())?;
        let answer = ffa::call(FuncId::Run32, [left[1]]);
        expect_function("the answer in the end", &answer, FuncId::MsgSendDirectResp64_2)?;
        normal_world_has_got_it()
    })
}

pub fn a_delayed_sri_comes_when_the_partition_has_left() -> Outcome {
    signalled(|| {
        expect_success("BIND", &bind(MAILMAN.id, OWN, 0, BITS))?;
        let (left, sri) = signal_and_work(DELAY_SRI)?;
        expect_function("the answer at once", &left, FuncId::MsgSendDirectResp64_2)?;
        expect("an SRI", u64::from(sri), 1)?;
        normal_world_has_got_it()
    })
}

fn normal_world_has_got_it() -> Outcome {
    expect_listed("who is to be run", OWN, &[])?;
    let pending = get(OWN, 0, BY_PARTITIONS);
    expect_success("GET", &pending)?;
    expect("what the partition signalled", bitmaps(&pending)[0], BITS)?;
    expect_success("UNBIND", &unbind(MAILMAN.id, OWN, BITS))
}

pub fn an_sri_for_a_pinned_vcpu_comes_on_its_pe() -> Outcome {
    fn take() -> Outcome {
        gic::take();
        Ok(())
    }
    bound(&MAILMAN, OWN, PER_VCPU, OTHER)?;
    for target in 0..pe::count() {
        let before: [u64; pe::MAX] = core::array::from_fn(gic::sris);
        let vcpu = target as u64;
        expect_success("SET", &set(OWN, MAILMAN.id, PER_VCPU | vcpu << 16, OTHER))?;
        // An SGI to another PE takes its time.
        timer::wait(1000);
        pe::on_all(take)?;
        for (pe, before) in before.into_iter().enumerate().take(pe::count()) {
            expect("SRIs of a PE", gic::sris(pe), before + u64::from(pe == target))?;
        }
        expect_listed("who is to be run", MAILMAN.id, &[vcpu])?;
        for other in (0..pe::count() as u64).filter(|other| *other != vcpu) {
            expect("what pends for another vCPU", got(&MAILMAN, other)?[1], 0)?;
        }
        expect("what pends for the vCPU", got(&MAILMAN, vcpu)?[1], OTHER)?;
    }
    unbound(&MAILMAN, OWN, OTHER)
}

/// Every vCPU of the receivers, and many VMs, are signalled: each must be listed once.
fn all_are_listed(width: Width) -> Outcome {
    const VMS: core::ops::Range<u64> = 10..40;
    let receivers = [&HOSTILE, &MAILMAN, &COURIER, &PORTER];
    let vcpus = |partition: &Partition| 0..partition.contexts().min(pe::count() as u64);
    for partition in receivers {
        bound(partition, OWN, PER_VCPU, OTHER)?;
        for vcpu in vcpus(partition) {
            expect_success("SET", &set(OWN, partition.id, PER_VCPU | vcpu << 16, OTHER))?;
        }
    }
    for vm in VMS {
        expect_success("CREATE", &create(vm, 1))?;
        expect_success("BIND for a VM", &bind(COURIER.id, vm, 0, 1))?;
        let signal = arguments(COURIER.id, vm, DELAY_SRI, 1);
        expect_success("a partition's SET", &made(&COURIER, FuncId::NotificationSet, signal)?)?;
    }
    gic::take();

    let mut seen_vms = 0_u64;
    let mut seen_vcpus = [0_u64; 4];
    let calls = collect(width, |listed| {
        if let Some(place) = receivers.iter().position(|partition| partition.id == listed.endpoint) {
            for vcpu in listed.vcpus() {
                expect("a vCPU that is listed again", seen_vcpus[place] >> vcpu & 1, 0)?;
                seen_vcpus[place] |= 1 << vcpu;
            }
            return expect("vCPUs of a partition", u64::from(listed.vcpus().is_empty()), 0);
        }
        expect("a VM", u64::from(VMS.contains(&listed.endpoint)), 1)?;
        expect("a VM that is listed again", seen_vms >> listed.endpoint & 1, 0)?;
        seen_vms |= 1 << listed.endpoint;
        expect("vCPUs of a VM's global notification", listed.vcpus().len() as u64, 0)
    })?;
    expect("calls, more than one", u64::from(calls > 1), 1)?;
    expect("VMs", seen_vms, (1 << VMS.end) - (1 << VMS.start))?;
    for (partition, seen) in receivers.into_iter().zip(seen_vcpus) {
        expect("vCPUs", seen, (1 << vcpus(partition).end) - 1)?;
    }
    expect_nothing_listed("all are listed")?;

    for partition in receivers {
        for vcpu in vcpus(partition) {
            expect("what pends for a vCPU", got(partition, vcpu)?[1], OTHER)?;
        }
        unbound(partition, OWN, OTHER)?;
    }
    for vm in VMS {
        let pending = get(vm, 0, BY_PARTITIONS);
        expect("what pends for a VM", bitmaps(&pending)[0], 1)?;
        expect_success("UNBIND for a VM", &unbind(COURIER.id, vm, 1))?;
        expect_success("DESTROY", &destroy(vm))?;
    }
    Ok(())
}

pub fn info_get_in_32_bits_is_continued_until_all_are_listed() -> Outcome {
    all_are_listed(Width::Narrow)
}

pub fn info_get_in_64_bits_is_continued_until_all_are_listed() -> Outcome {
    all_are_listed(Width::Wide)
}

/// Whether the partition of the test below is about to work.
static IS_WORKING: AtomicBool = AtomicBool::new(false);

pub fn a_running_partition_is_interrupted_by_its_notifications() -> Outcome {
    /// The interrupt of pending notifications.
    const NPI: u64 = 5;
    fn work() -> Outcome {
        IS_WORKING.store(true, Ordering::Release);
        // Nothing pends when it begins, and it looks at once when something has come.
        let [before, after, ..] = told("it works", &MAILMAN, &[command::HEED, NPI, LONG])?;
        expect("interrupts for notifications while it works", after, before + 1)
    }
    fn enable() -> Outcome {
        told("the interrupt is enabled", &MAILMAN, &[command::ENABLE, NPI, 1, 0]).map(drop)
    }
    fn disable() -> Outcome {
        told("the interrupt is disabled", &MAILMAN, &[command::ENABLE, NPI, 0, 0]).map(drop)
    }
    if pe::count() == 1 {
        return Ok(());
    }
    bound(&MAILMAN, OWN, 0, BITS)?;
    IS_WORKING.store(false, Ordering::Release);
    pe::on_all(enable)?;
    pe::start(1, work);
    while !IS_WORKING.load(Ordering::Acquire) {
        core::hint::spin_loop();
    }
    timer::wait(2000);
    let signal = set(OWN, MAILMAN.id, 0, BITS);
    let end = pe::end(1);
    pe::on_all(disable)?;
    expect_success("SET", &signal)?;
    end?;
    gic::take();
    collect(Width::Wide, |_| Ok(()))?;
    expect("what the VM signalled", got(&MAILMAN, 0)?[1], BITS)?;
    unbound(&MAILMAN, OWN, BITS)
}
