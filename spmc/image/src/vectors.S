// The exception vectors of EL2. From a partition: back to the caller of `enter_partition`, with the reason.
// From the SPMC itself: the crash path, except inside the guarded routines of guarded.S.

.arch armv8.4-a

.macro crash_entry
    .balign 128
    msr     sp_el0, x0                      // lost: nobody goes back
    mrs     x0, tpidr_el2
    b       crash_registers
.endm

.macro partition_exit reason
    .balign 128
    stp     x0, x1, [sp, #{SLOT_SCRATCH}]
    mov     w1, #\reason
    b       leave_partition
.endm

.section .text.vectors, "ax"
.balign 2048
.global vectors
vectors:
    .rept 8                                 // current EL with SP_EL0, current EL with SP_EL2
    crash_entry
    .endr
    partition_exit {REASON_SYNC}
    partition_exit {REASON_INTERRUPT}       // IRQ
    partition_exit {REASON_INTERRUPT}       // FIQ
    partition_exit {REASON_SERROR}
    .rept 4                                 // AArch32: no partition has it
    crash_entry
    .endr

// While a guarded routine runs: a synchronous exception ends the routine.
.balign 2048
.global guarded_vectors
guarded_vectors:
    .rept 4
    crash_entry
    .endr
    .balign 128
    b       guarded_fault
    .rept 11
    crash_entry
    .endr

// x0 = this PE's crash record; its x0 in SP_EL0. All registers go to the record, then the first PE to come takes
// the crash stack and reports.
.global crash_registers
crash_registers:
    stp     x1, x2, [x0, #8]
    mrs     x1, sp_el0
    str     x1, [x0]
    stp     x3, x4, [x0, #24]
    stp     x5, x6, [x0, #40]
    stp     x7, x8, [x0, #56]
    stp     x9, x10, [x0, #72]
    stp     x11, x12, [x0, #88]
    stp     x13, x14, [x0, #104]
    stp     x15, x16, [x0, #120]
    stp     x17, x18, [x0, #136]
    stp     x19, x20, [x0, #152]
    stp     x21, x22, [x0, #168]
    stp     x23, x24, [x0, #184]
    stp     x25, x26, [x0, #200]
    stp     x27, x28, [x0, #216]
    stp     x29, x30, [x0, #232]
    mov     x1, sp
    mrs     x2, elr_el2
    stp     x1, x2, [x0, #248]
    mrs     x1, spsr_el2
    mrs     x2, esr_el2
    stp     x1, x2, [x0, #264]
    mrs     x1, far_el2
    str     x1, [x0, #280]
    mov     x19, x0
    adrp    x2, {CRASHING}
    add     x2, x2, :lo12:{CRASHING}
    mov     w1, #1
    swpal   w1, w3, [x2]
    cbnz    w3, crashed_too
    str     x19, [x2, #8]
    adrp    x0, crash_stack
    mov     sp, x0
    mov     x0, x19
    mov     x30, xzr
    b       {crashed}

// crashed_too(x0 = this PE's crash record): somebody crashed before. It was this PE: no more reports. It was another:
// lets it finish, then resets anyway.
.global crashed_too
crashed_too:
    adrp    x2, {CRASHING}
    add     x2, x2, :lo12:{CRASHING}
    ldr     x3, [x2, #8]
    cmp     x3, x0
    b.eq    2f
    mrs     x4, cntfrq_el0
    mrs     x5, cntpct_el0
    add     x4, x5, x4, lsl #2              // four seconds
1:  mrs     x5, cntpct_el0
    cmp     x5, x4
    b.lo    1b
2:  adrp    x0, crash_stack
    mov     sp, x0
    b       {reset}
