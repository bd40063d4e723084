//! What a hypervisor does for its VMs: their buffers, mapped and passed on (FF-A 1.2, 7.2 and 13.5-13.7).

use arm_ffa::{FfaError, FuncId};

use super::buffers::{PAGE, mapped, pool, write_tx};
use crate::demo::{ECHO, Form, command};
use crate::ffa::{self, Registers, expect_error, expect_function, expect_success};
use crate::outcome::{Outcome, expect};

/// A VM.
const VM: u64 = 7;

/// FFA_RXTX_MAP on behalf of a VM: the descriptor is in the hypervisor's TX buffer.
pub fn map_for(vm: u64, tx: u64, rx: u64) -> Registers {
    // The VM; where the two regions are; for each: pages, one constituent, nothing, and its address and pages.
    let descriptor = [vm | 16 << 32, 48, 1 | 1 << 32, 0, rx, 1, 1 | 1 << 32, 0, tx, 1];
    for (index, word) in descriptor.into_iter().enumerate() {
        write_tx(index, word);
    }
    ffa::call(FuncId::RxTxMap64, [0, 0, 0])
}

pub fn unmap(vm: u64) -> Registers {
    ffa::call(FuncId::RxTxUnmap, [vm << 16])
}

fn acquire(vm: u64) -> Registers {
    ffa::call(FuncId::RxAcquire, [vm])
}

fn release(vm: u64) -> Registers {
    ffa::call(FuncId::RxRelease, [vm])
}

pub fn a_hypervisor_maps_buffers_of_its_vms() -> Outcome {
    expect_error("without a TX buffer", &ffa::call(FuncId::RxTxMap64, [0; 3]), FfaError::InvalidParameters)?;
    mapped(|| {
        let [tx, rx] = [pool(), pool() + PAGE as u64];
        expect_success("FFA_RXTX_MAP for the VM", &map_for(VM, tx, rx))?;
        expect_error("again", &map_for(VM, tx, rx), FfaError::Denied)?;
        expect_success("FFA_RXTX_UNMAP for the VM", &unmap(VM))?;
        expect_error("again", &unmap(VM), FfaError::InvalidParameters)?;
        expect_error("one page for both", &map_for(VM, tx, tx), FfaError::InvalidParameters)?;
        expect_error("unaligned", &map_for(VM, tx + 8, rx), FfaError::InvalidParameters)?;
        expect_error("a partition's memory", &map_for(VM, ECHO.memory(), rx), FfaError::Denied)?;
        expect_error("for the hypervisor itself", &map_for(0, tx, rx), FfaError::InvalidParameters)?;
        expect_error("for a partition", &map_for(ECHO.id, tx, rx), FfaError::InvalidParameters)
    })?;
    expect_error("the VM's is not mapped", &unmap(VM), FfaError::InvalidParameters)?;
    // What is mapped for a VM is nobody else's to unmap.
    expect_error("a partition's buffers", &unmap(ECHO.id), FfaError::InvalidParameters)
}

pub fn a_hypervisor_acquires_and_releases_rx_buffers_of_its_vms() -> Outcome {
    expect_error("FFA_RX_ACQUIRE, unmapped", &acquire(VM), FfaError::InvalidParameters)?;
    expect_error("of the hypervisor", &acquire(0), FfaError::InvalidParameters)?;
    expect_error("of a partition", &acquire(ECHO.id), FfaError::InvalidParameters)?;
    expect_error("FFA_RX_RELEASE, unmapped", &release(VM), FfaError::InvalidParameters)?;
    mapped(|| {
        expect_success("FFA_RXTX_MAP for the VM", &map_for(VM, pool(), pool() + PAGE as u64))?;
        expect_error("release before acquire", &release(VM), FfaError::Denied)?;
        expect_success("FFA_RX_ACQUIRE", &acquire(VM))?;
        expect_error("again", &acquire(VM), FfaError::Denied)?;
        expect_success("FFA_RX_RELEASE", &release(VM))?;
        expect_error("again", &release(VM), FfaError::Denied)?;
        expect_success("FFA_RXTX_UNMAP for the VM", &unmap(VM))
    })
}

pub fn a_vm_may_be_the_source_of_a_request() -> Outcome {
    let form = Form::Direct64;
    let request = [VM << 16 | ECHO.id, 0, command::ECHO, VM];
    let answer = ffa::call(form.functions().0, request);
    expect_function("the answer", &answer, form.functions().1)?;
    expect("endpoints of the answer", answer[1], ECHO.id << 16 | VM)?;
    expect("word 1", answer[4], !VM)
}
