//! Framework messages: the hypervisor tells subscribed partitions which VMs come and go (FF-A 1.2, 18.3).

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, PATIENT, command, expect_answer};
use crate::ffa::{self, Registers, expect_error, expect_function};
use crate::outcome::{Outcome, expect};
use crate::random;

/// What a framework message says in w2; each answer's number is one above its request's.
const CREATED: u64 = 0x8000_0004;
const DESTROYED: u64 = 0x8000_0006;
/// A VM, and the hypervisor's handle of it.
const VM: u64 = 5;
const HANDLE: [u64; 2] = [0x1234_5678, 0x9abc_def0];

fn tell(form: Form, endpoints: u64, message: u64, vm: u64) -> Registers {
    ffa::call(form.functions().0, [endpoints, message, HANDLE[0], HANDLE[1], vm])
}

/// Tells `patient`; it must answer with this status.
fn told(message: u64, vm: u64, status: Result<(), FfaError>) -> Outcome {
    let answer = tell(Form::Direct32, PATIENT.id, message, vm);
    expect_function("the answer", &answer, FuncId::MsgSendDirectResp32)?;
    expect("endpoints of the answer", answer[1], PATIENT.id << 16)?;
    expect("what is answered", answer[2], message + 1)?;
    let status = status.map_or_else(|code| u64::from(i32::from(code) as u32), |()| 0);
    expect("its status", answer[3], status)
}

pub fn a_subscriber_is_told_of_vms() -> Outcome {
    told(CREATED, VM, Ok(()))?;
    told(CREATED, VM + 1, Ok(()))?;
    // What the partition thinks of it reaches the hypervisor.
    told(CREATED, VM, Err(FfaError::Denied))?;
    told(DESTROYED, VM, Ok(()))?;
    told(DESTROYED, VM, Err(FfaError::InvalidParameters))?;
    told(DESTROYED, VM + 1, Ok(()))?;
    let value = random::next();
    let answer = demo::ask(Form::Direct64, PATIENT.id, &[command::ECHO, value]);
    expect_answer("it takes requests as before", Form::Direct64, PATIENT.id, &answer, !value)
}

pub fn only_the_hypervisor_tells_and_only_subscribers_are_told() -> Outcome {
    for (what, form, endpoints, message, vm) in [
        ("no subscriber", Form::Direct32, ECHO.id, CREATED, VM),
        ("a VM instead of the hypervisor", Form::Direct32, VM << 16 | PATIENT.id, CREATED, VM),
        ("the 64-bit form", Form::Direct64, PATIENT.id, CREATED, VM),
        ("a partition as the VM", Form::Direct32, PATIENT.id, CREATED, ECHO.id),
        ("an answer as a request", Form::Direct32, PATIENT.id, CREATED + 1, VM),
        ("a PSCI message", Form::Direct32, PATIENT.id, 0x8000_0000, VM),
        ("a version message", Form::Direct32, PATIENT.id, 0x8000_0008, VM),
        ("an unknown message", Form::Direct32, PATIENT.id, 0x8000_00ff, VM),
        ("no framework message", Form::Direct32, PATIENT.id, 4, VM),
    ] {
        expect_error(what, &tell(form, endpoints, message, vm), FfaError::InvalidParameters)?;
    }
    Ok(())
}

pub fn a_subscriber_that_works_is_busy_for_messages_about_vms() -> Outcome {
    let form = Form::Direct64;
    let yielded = demo::ask(form, PATIENT.id, &[command::YIELD, 0]);
    expect_function("FFA_YIELD", &yielded, FuncId::Yield32)?;
    let refused = tell(Form::Direct32, PATIENT.id, CREATED, VM);
    let resumed = ffa::call(FuncId::Run32, [yielded[1]]);
    expect_error("a message meanwhile", &refused, FfaError::Busy)?;
    expect_answer("the answer in the end", form, PATIENT.id, &resumed, 1)
}
