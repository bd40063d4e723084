//! Indirect messages: FFA_MSG_SEND2 between the Normal world and partitions, and between partitions (FF-A 1.2, 7 and 15).

use core::sync::atomic::{AtomicBool, Ordering};

use arm_ffa::{FfaError, FuncId};

use super::{buffers, vms};
use crate::demo::{
    self, COURIER, ECHO, MAILMAN, PATIENT, PORTER, Partition, call_of, command, is_busy, run_until_it_waits,
    told,
};
use crate::ffa::{self, SPMC, expect_error, expect_success};
use crate::mail::{self, HEADER, PAGE, PAGES, Tx, WORDS, field, mapped};
use crate::notifications::{BY_SPM, DELAY_SRI, OWN, RX_FREE, Width, collect, create, destroy, expect_listed};
use crate::outcome::{Outcome, expect};
use crate::scheduler::load::expect_silence;
use crate::{gic, pe};

const NOBODY: u64 = 0x8011;
/// Words of a payload that fills a buffer of one page.
const FULL: usize = (PAGE - HEADER) / 8;

/// Empties what a receiver's log says of the Normal world.
fn forget(partition: &Partition) -> Outcome {
    told("the log is emptied", partition, &[command::LOG, OWN, 1]).map(drop)
}

/// What the receiver's log must say of a sender: how many, and that nothing was wrong.
fn expect_logged(partition: &Partition, sender: u64, count: u64) -> Outcome {
    let [seen, _, _, wrong] = told("the log", partition, &[command::LOG, sender])?;
    expect("messages that the receiver has seen", seen, count)?;
    expect("messages that were not as they had to be", wrong, 0)
}

/// Sends a message, and has it come back.
fn travels(partition: &Partition, words: usize, sequence: u64) -> Outcome {
    expect_success("FFA_MSG_SEND2", &mail::send(partition.id, words, sequence, 0))?;
    run_until_it_waits(partition)?;
    mail::expect_echo("the message comes back", partition.id, words, sequence)
}

/// Takes the SRIs, and whatever they announce.
fn settle() -> Outcome {
    gic::take();
    collect(Width::Wide, |_| Ok(())).map(drop)
}

pub fn a_message_comes_back() -> Outcome {
    mapped(1, || {
        for partition in [&MAILMAN, &COURIER, &PORTER] {
            forget(partition)?;
            let before = gic::sris(pe::index());
            expect_success("FFA_MSG_SEND2", &mail::send(partition.id, 5, 1, 0))?;
            gic::take();
            expect("SRIs", gic::sris(pe::index()), before + 1)?;
            expect_listed("who is to be run", partition.id, &[])?;
            mail::expect_none("before it is run")?;
            run_until_it_waits(partition)?;
            gic::take();
            expect("SRIs", gic::sris(pe::index()), before + 2)?;
            expect_listed("who has a message", OWN, &[])?;
            mail::expect_echo("the message comes back", partition.id, 5, 1)?;
            expect_logged(partition, OWN, 1)?;
        }
        Ok(())
    })
}

pub fn a_busy_receiver_keeps_the_earlier_message() -> Outcome {
    mapped(1, || {
        forget(&MAILMAN)?;
        for sequence in 1..20 {
            expect_success("FFA_MSG_SEND2", &mail::send(MAILMAN.id, 7, sequence, 0))?;
            for _ in 0..5 {
                let refused = mail::send(MAILMAN.id, 9, sequence + 1, 0);
                expect_error("the next one meanwhile", &refused, FfaError::Busy)?;
            }
            run_until_it_waits(&MAILMAN)?;
            mail::expect_echo("the first one comes back", MAILMAN.id, 7, sequence)?;
        }
        settle()?;
        expect_logged(&MAILMAN, OWN, 19)
    })
}

pub fn a_message_that_nobody_has_seen_cannot_be_released() -> Outcome {
    mapped(1, || {
        let release = [u32::from(FuncId::RxRelease).into()];
        forget(&MAILMAN)?;
        expect_success("FFA_MSG_SEND2", &mail::send(MAILMAN.id, 7, 1, 0))?;
        let answer = call_of(&MAILMAN, &release)?;
        let denied = u64::from(i32::from(FfaError::Denied) as u32);
        expect("a partition's FFA_RX_RELEASE", answer[2] & 0xffff_ffff, denied)?;
        // Nor is it lost when the partition waits.
        run_until_it_waits(&MAILMAN)?;
        let answer = ffa::call(FuncId::RxRelease, []);
        expect_error("FFA_RX_RELEASE of the answer", &answer, FfaError::Denied)?;
        mail::expect_echo("the message comes back", MAILMAN.id, 7, 1)?;
        mail::expect_none("and nothing else")?;
        settle()?;
        expect_logged(&MAILMAN, OWN, 1)
    })
}

pub fn msg_send2_is_judged() -> Outcome {
    let invalid = FfaError::InvalidParameters;
    expect_error("without buffers", &ffa::call(FuncId::MsgSend2, []), FfaError::Denied)?;
    mapped(1, || {
        let changed = |offset, word: u64| {
            let message = Tx::write(MAILMAN.id, WORDS, 1, 0);
            message.put(offset, word as u32);
            message.send(0, 0)
        };
        let to = |receiver| changed(field::ENDPOINTS, receiver);
        let placed = |offset: usize, size: usize| {
            let message = Tx::write(MAILMAN.id, WORDS, 1, 0);
            message.put(field::OFFSET, offset as u32);
            message.put(field::SIZE, size as u32);
            message.send(0, 0)
        };
        for (what, answer, code) in [
            ("to nobody", to(NOBODY), invalid),
            ("to oneself", to(OWN), invalid),
            ("to the SPMC", to(SPMC), invalid),
            ("in the name of a partition", to(COURIER.id << 16 | MAILMAN.id), invalid),
            ("in the name of a VM, but for the call", to(7 << 16 | MAILMAN.id), invalid),
            ("to who takes none", to(ECHO.id), FfaError::Denied),
            ("to who takes none and speaks 1.1", to(PATIENT.id), FfaError::Denied),
            ("to a service that there is not", changed(field::UUID, 0x1234_5678), invalid),
            ("a payload in the header", placed(0, 24), invalid),
            ("a payload that begins in the header", placed(HEADER - 1, 24), invalid),
            ("a payload that ends behind the buffer", placed(HEADER, PAGE - HEADER + 1), invalid),
            ("a payload that begins behind the buffer", placed(PAGE, 1), invalid),
            ("a size over all limits", placed(HEADER, 0xffff_ffff), invalid),
            ("an offset over all limits", placed(0xffff_fff8, 16), invalid),
        ] {
            expect_error(what, &answer, code)?;
        }
        for (what, vm, flags) in
            [("a delayed SRI", 0, DELAY_SRI), ("a flag that there is not", 0, 1), ("a partition", ECHO.id, 0)]
        {
            expect_error(what, &Tx::write(MAILMAN.id, WORDS, 1, 0).send(vm, flags), invalid)?;
        }
        let here = Tx::write(MAILMAN.id, WORDS, 1, 0);
        for (index, half) in MAILMAN.uuid.into_iter().enumerate() {
            here.put(field::UUID + 8 * index, half as u32);
            here.put(field::UUID + 8 * index + 4, (half >> 32) as u32);
        }
        forget(&MAILMAN)?;
        expect_success("to its own service", &here.send(0, 0))?;
        run_until_it_waits(&MAILMAN)?;
        mail::expect_echo("the message comes back", MAILMAN.id, WORDS, 1)?;
        settle()?;
        expect_silence()
    })
}

/// Has a partition map buffers of so many pages.
fn resize(partition: &Partition, pages: usize) -> Outcome {
    told("buffers of another size", partition, &[command::PAGES, pages as u64]).map(drop)
}

pub fn a_message_may_fill_the_buffers_and_no_more() -> Outcome {
    mapped(1, || travels(&COURIER, WORDS, 1).and(travels(&COURIER, FULL, 2)))?;
    resize(&COURIER, PAGES)?;
    let end = mapped(PAGES, || {
        const WHOLE: usize = (PAGES * PAGE - HEADER) / 8;
        for (sequence, words) in [(1, WORDS), (2, FULL), (3, FULL + 1), (4, WHOLE / 2), (5, WHOLE)] {
            travels(&COURIER, words, sequence)?;
        }
        let over = Tx::write(COURIER.id, WORDS, 6, 0);
        over.put(field::SIZE, (PAGES * PAGE - HEADER + 1) as u32);
        expect_error("one byte more", &over.send(0, 0), FfaError::InvalidParameters)
    });
    resize(&COURIER, 1)?;
    end.and(settle())
}

pub fn a_message_that_does_not_fit_the_receiver_is_refused() -> Outcome {
    mapped(PAGES, || {
        travels(&COURIER, FULL, 1)?;
        let answer = mail::send(COURIER.id, FULL + 1, 2, 0);
        expect_error("8 bytes more than its buffer holds", &answer, FfaError::NoMemory)?;
        travels(&COURIER, FULL, 2)?;
        settle()
    })
}

pub fn a_partition_sends_to_a_partition() -> Outcome {
    told("the log is emptied", &COURIER, &[command::LOG, MAILMAN.id, 1])?;
    told("the log is emptied", &MAILMAN, &[command::LOG, COURIER.id, 1])?;
    for (sequence, delay) in [(1, 0), (2, 2)] {
        let before = gic::sris(pe::index());
        told("a message", &MAILMAN, &[command::SEND, COURIER.id, 9, sequence, delay])?;
        gic::take();
        expect("SRIs", gic::sris(pe::index()), before + 1)?;
        expect_listed("who is to be run", COURIER.id, &[])?;
        run_until_it_waits(&COURIER)?;
        gic::take();
        expect_listed("who is to be run", MAILMAN.id, &[])?;
        run_until_it_waits(&MAILMAN)?;
        expect_logged(&COURIER, MAILMAN.id, sequence)?;
        expect_logged(&MAILMAN, COURIER.id, sequence)?;
    }
    settle()
}

pub fn a_vm_sends_and_receives_through_its_own_buffers() -> Outcome {
    const VM: u64 = 7;
    fn echoed() -> Outcome {
        told("the log is emptied", &MAILMAN, &[command::LOG, VM, 1])?;
        for named in [OWN, VM + 1] {
            let message = Tx::write(MAILMAN.id, 5, 1, 0);
            message.put(field::ENDPOINTS, (named << 16 | MAILMAN.id) as u32);
            expect_error("another sender", &message.send(VM, 0), FfaError::InvalidParameters)?;
        }
        let message = Tx::write(MAILMAN.id, 5, 1, 0);
        message.put(field::ENDPOINTS, (VM << 16 | MAILMAN.id) as u32);
        expect_success("FFA_MSG_SEND2 for the VM", &message.send(VM, 0))?;
        settle()?;
        run_until_it_waits(&MAILMAN)?;
        gic::take();
        expect_listed("who has a message", VM, &[])?;
        expect_logged(&MAILMAN, VM, 1)?;
        let echo = mail::receive_for(VM, 0)?;
        expect("the message comes back", echo.map_or(0, |echo| echo.sequence), 1)
    }
    buffers::mapped(|| {
        let [tx, rx] = mail::addresses();
        expect_success("FFA_NOTIFICATION_BITMAP_CREATE for the VM", &create(VM, 1))?;
        expect_success("FFA_RXTX_MAP for the VM", &vms::map_for(VM, tx, rx))?;
        let end = echoed();
        expect_success("FFA_RXTX_UNMAP for the VM", &vms::unmap(VM))?;
        let destroyed = destroy(VM);
        end.and(expect_success("FFA_NOTIFICATION_BITMAP_DESTROY for the VM", &destroyed))
    })
}

pub fn a_sender_learns_that_a_full_buffer_has_room_again() -> Outcome {
    let get = [u32::from(FuncId::NotificationGet).into(), COURIER.id, BY_SPM];
    let has_room = || call_of(&COURIER, &get).map(|answer| answer[6] & RX_FREE);
    mapped(1, || {
        forget(&MAILMAN)?;
        expect("a bit from before", has_room()?, 0)?;
        expect_success("FFA_MSG_SEND2", &mail::send(MAILMAN.id, 7, 1, 0))?;
        let form = demo::Form::Direct64;
        let words = [command::SEND, MAILMAN.id, 9, 1];
        let answer = demo::ask_to_the_end(form, COURIER.id, &words);
        let busy = u64::from(i32::from(FfaError::Busy) as u32);
        expect("courier's message meanwhile", answer[form.first()], busy)?;
        expect("the bit while the buffer is full", has_room()?, 0)?;
        settle()?;
        run_until_it_waits(&MAILMAN)?;
        mail::expect_echo("the first message comes back", MAILMAN.id, 7, 1)?;
        settle()?;
        expect("the bit when there is room", has_room()?, RX_FREE)?;
        expect("the bit once more", has_room()?, 0)
    })
}

/// Whether another PE is to go on with what it does meanwhile.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// Does `work` so often, while another PE does `disturbance` for as long as it lasts.
fn disturbed(disturbance: fn() -> Outcome, times: u64, mut work: impl FnMut(u64) -> Outcome) -> Outcome {
    GOES_ON.store(true, Ordering::Release);
    pe::start(1, disturbance);
    let end = (1..=times).try_for_each(&mut work);
    GOES_ON.store(false, Ordering::Release);
    end.and(pe::end(1))
}

pub fn a_header_that_is_rewritten_meanwhile_never_reaches_the_receiver() -> Outcome {
    const TIMES: u64 = 500;
    fn rewrite() -> Outcome {
        let forged = (ECHO.id << 16 | MAILMAN.id) as u32;
        let mut round = 0_u32;
        while GOES_ON.load(Ordering::Acquire) {
            let [endpoints, size, offset] = match round % 4 {
                0 => [forged, 0x7fff_ffff, 0],
                1 => [MAILMAN.id as u32, 24, HEADER as u32],
                2 => [forged, 24, 0xffff_fff0],
                _ => [MAILMAN.id as u32, 0xffff_fff0, HEADER as u32],
            };
            mail::disturb(field::ENDPOINTS, endpoints);
            mail::disturb(field::SIZE, size);
            mail::disturb(field::OFFSET, offset);
            round = round.wrapping_add(1);
        }
        Ok(())
    }
    if pe::count() == 1 {
        return Ok(());
    }
    mapped(1, || {
        forget(&MAILMAN)?;
        told("the log is emptied", &MAILMAN, &[command::LOG, ECHO.id, 1])?;
        let mut delivered = 0;
        disturbed(rewrite, TIMES, |_| {
            let answer = mail::send(MAILMAN.id, WORDS, delivered + 1, 0);
            if expect_error("", &answer, FfaError::InvalidParameters).is_ok() {
                return Ok(());
            }
            expect_success("FFA_MSG_SEND2", &answer)?;
            delivered += 1;
            run_until_it_waits(&MAILMAN)?;
            mail::expect_echo("what is delivered is whole", MAILMAN.id, WORDS, delivered)
        })?;
        settle()?;
        expect_logged(&MAILMAN, OWN, delivered)?;
        expect_logged(&MAILMAN, ECHO.id, 0)
    })
}

pub fn buffers_that_are_unmapped_meanwhile_harm_nobody() -> Outcome {
    const TIMES: u64 = 500;
    fn remap() -> Outcome {
        while GOES_ON.load(Ordering::Acquire) {
            // A copy may be in flight: then it is BUSY, or waits.
            let answer = mail::unmap();
            if !is_busy(&answer) {
                expect_success("FFA_RXTX_UNMAP", &answer)?;
                expect_success("FFA_RXTX_MAP", &mail::map(1))?;
            }
        }
        Ok(())
    }
    if pe::count() == 1 {
        return Ok(());
    }
    mapped(1, || {
        forget(&PORTER)?;
        let mut delivered = 0;
        disturbed(remap, TIMES, |_| {
            let answer = mail::send(PORTER.id, FULL, delivered + 1, 0);
            if expect_success("", &answer).is_ok() {
                delivered += 1;
                // Its answer may find no buffer.
                return run_until_it_waits(&PORTER);
            }
            let known = [FfaError::Denied, FfaError::Busy]
                .into_iter()
                .any(|code| expect_error("", &answer, code).is_ok());
            if known { Ok(()) } else { expect_success("FFA_MSG_SEND2", &answer) }
        })?;
        settle()?;
        // An answer that has found one may still be there.
        let _ = mail::receive();
        settle()?;
        expect_logged(&PORTER, OWN, delivered)
    })
}
