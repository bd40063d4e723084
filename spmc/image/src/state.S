// The register sets that world switches and partition switches move. A set belongs to one context at a time; who may
// call what is decided in loaded.rs. Under E2H the EL1 registers have the names *_EL12.
// ACTLR_EL1 stays: no partition reaches it (HCR_EL2.TACR).

.arch armv8.5-a

// save_el1(x0 = set: *mut El1)
.section .text.state, "ax"
.global save_el1
save_el1:
    mrs     x1, sctlr_el12
    mrs     x2, tcr_el12
    stp     x1, x2, [x0, #0]
    mrs     x1, ttbr0_el12
    mrs     x2, ttbr1_el12
    stp     x1, x2, [x0, #16]
    mrs     x1, mair_el12
    mrs     x2, amair_el12
    stp     x1, x2, [x0, #32]
    mrs     x1, vbar_el12
    mrs     x2, contextidr_el12
    stp     x1, x2, [x0, #48]
    mrs     x1, cpacr_el12
    mrs     x2, cntkctl_el12
    stp     x1, x2, [x0, #64]
    mrs     x1, esr_el12
    mrs     x2, far_el12
    stp     x1, x2, [x0, #80]
    mrs     x1, afsr0_el12
    mrs     x2, afsr1_el12
    stp     x1, x2, [x0, #96]
    mrs     x1, elr_el12
    mrs     x2, spsr_el12
    stp     x1, x2, [x0, #112]
    mrs     x1, sp_el1
    mrs     x2, sp_el0
    stp     x1, x2, [x0, #128]
    mrs     x1, tpidr_el0
    mrs     x2, tpidrro_el0
    stp     x1, x2, [x0, #144]
    mrs     x1, tpidr_el1
    mrs     x2, par_el1
    stp     x1, x2, [x0, #160]
    mrs     x1, csselr_el1
    mrs     x2, vdisr_el2                   // what EL1 reads and writes as DISR_EL1 (HCR_EL2.AMO)
    stp     x1, x2, [x0, #176]
    ret

// load_el1(x0 = set: *const El1)
.global load_el1
load_el1:
    ldp     x1, x2, [x0, #0]
    msr     sctlr_el12, x1
    msr     tcr_el12, x2
    ldp     x1, x2, [x0, #16]
    msr     ttbr0_el12, x1
    msr     ttbr1_el12, x2
    ldp     x1, x2, [x0, #32]
    msr     mair_el12, x1
    msr     amair_el12, x2
    ldp     x1, x2, [x0, #48]
    msr     vbar_el12, x1
    msr     contextidr_el12, x2
    ldp     x1, x2, [x0, #64]
    msr     cpacr_el12, x1
    msr     cntkctl_el12, x2
    ldp     x1, x2, [x0, #80]
    msr     esr_el12, x1
    msr     far_el12, x2
    ldp     x1, x2, [x0, #96]
    msr     afsr0_el12, x1
    msr     afsr1_el12, x2
    ldp     x1, x2, [x0, #112]
    msr     elr_el12, x1
    msr     spsr_el12, x2
    ldp     x1, x2, [x0, #128]
    msr     sp_el1, x1
    msr     sp_el0, x2
    ldp     x1, x2, [x0, #144]
    msr     tpidr_el0, x1
    msr     tpidrro_el0, x2
    ldp     x1, x2, [x0, #160]
    msr     tpidr_el1, x1
    msr     par_el1, x2
    ldp     x1, x2, [x0, #176]
    msr     csselr_el1, x1
    msr     vdisr_el2, x2
    ret

// save_virtual_timer(x0 = set: *mut [u64; 2]), for CPUs on which EL1's virtual timer cannot be trapped (no FEAT_ECV)
.global save_virtual_timer
save_virtual_timer:
    mrs     x1, cntv_ctl_el02
    mrs     x2, cntv_cval_el02
    stp     x1, x2, [x0]
    ret

// load_virtual_timer(x0 = set: *const [u64; 2])
.global load_virtual_timer
load_virtual_timer:
    ldp     x1, x2, [x0]
    msr     cntv_cval_el02, x2
    msr     cntv_ctl_el02, x1
    ret

// save_keys(x0 = keys: *mut [u64; 10]): pointer authentication
.global save_keys
save_keys:
    mrs     x1, apiakeylo_el1
    mrs     x2, apiakeyhi_el1
    stp     x1, x2, [x0, #0]
    mrs     x1, apibkeylo_el1
    mrs     x2, apibkeyhi_el1
    stp     x1, x2, [x0, #16]
    mrs     x1, apdakeylo_el1
    mrs     x2, apdakeyhi_el1
    stp     x1, x2, [x0, #32]
    mrs     x1, apdbkeylo_el1
    mrs     x2, apdbkeyhi_el1
    stp     x1, x2, [x0, #48]
    mrs     x1, apgakeylo_el1
    mrs     x2, apgakeyhi_el1
    stp     x1, x2, [x0, #64]
    ret

// load_keys(x0 = keys: *const [u64; 10])
.global load_keys
load_keys:
    ldp     x1, x2, [x0, #0]
    msr     apiakeylo_el1, x1
    msr     apiakeyhi_el1, x2
    ldp     x1, x2, [x0, #16]
    msr     apibkeylo_el1, x1
    msr     apibkeyhi_el1, x2
    ldp     x1, x2, [x0, #32]
    msr     apdakeylo_el1, x1
    msr     apdakeyhi_el1, x2
    ldp     x1, x2, [x0, #48]
    msr     apdbkeylo_el1, x1
    msr     apdbkeyhi_el1, x2
    ldp     x1, x2, [x0, #64]
    msr     apgakeylo_el1, x1
    msr     apgakeyhi_el1, x2
    ret

.arch_extension memtag
// save_tags(x0 = set: *mut [u64; 4]): memory tagging
.global save_tags
save_tags:
    mrs     x1, gcr_el1
    mrs     x2, rgsr_el1
    stp     x1, x2, [x0]
    mrs     x1, tfsr_el12
    mrs     x2, tfsre0_el1
    stp     x1, x2, [x0, #16]
    ret

// load_tags(x0 = set: *const [u64; 4])
.global load_tags
load_tags:
    ldp     x1, x2, [x0]
    msr     gcr_el1, x1
    msr     rgsr_el1, x2
    ldp     x1, x2, [x0, #16]
    msr     tfsr_el12, x1
    msr     tfsre0_el1, x2
    ret
