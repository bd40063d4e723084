// Routines in which a synchronous exception is an answer: they return 0 when all went well, and else which access it
// was, 1 a load and 2 a store. Convention: x9 = the vectors to go back to; no stack.

.arch armv8.4-a

.macro guard
    mrs     x9, vbar_el2
    adrp    x10, guarded_vectors
    add     x10, x10, :lo12:guarded_vectors
    msr     vbar_el2, x10
    isb
.endm

.macro unguard
    msr     vbar_el2, x9
    isb
    ret
.endm

.section .text.guarded, "ax"

// The exception masked what was masked already and kept the stack, so there is nothing to return from.
.global guarded_fault
guarded_fault:
    mrs     x0, esr_el2
    ubfx    x0, x0, #6, #1                  // WnR, for what is a data abort
    add     x0, x0, #1
    unguard

// guarded_copy(x0 = to, x1 = from, x2 = length) -> 0, 1 or 2. Any alignment; each byte is read once and written once.
.global guarded_copy
guarded_copy:
    guard
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x3, x4, [x1]
    ldp     x5, x6, [x1, #16]
    ldp     x7, x8, [x1, #32]
    ldp     x10, x11, [x1, #48]
    add     x1, x1, #64
    stp     x3, x4, [x0]
    stp     x5, x6, [x0, #16]
    stp     x7, x8, [x0, #32]
    stp     x10, x11, [x0, #48]
    add     x0, x0, #64
    subs    x2, x2, #64
    b.hs    1b
2:  adds    x2, x2, #64 - 8
    b.mi    4f
3:  ldr     x3, [x1], #8
    str     x3, [x0], #8
    subs    x2, x2, #8
    b.hs    3b
4:  adds    x2, x2, #8
    b.eq    6f
5:  ldrb    w3, [x1], #1
    strb    w3, [x0], #1
    subs    x2, x2, #1
    b.ne    5b
6:  mov     x0, xzr
    unguard

// guarded_zero(x0 = to, x1 = unused, x2 = length) -> 0 or 2
.global guarded_zero
guarded_zero:
    guard
1:  cmp     x2, #32
    b.lo    2f
    stp     xzr, xzr, [x0]
    stp     xzr, xzr, [x0, #16]
    add     x0, x0, #32
    sub     x2, x2, #32
    b       1b
2:  cbz     x2, 3f
    strb    wzr, [x0], #1
    sub     x2, x2, #1
    b       2b
3:  mov     x0, xzr
    unguard

// Writes of EL2 registers that the CPU may lack, or that EL3 may not have enabled for S-EL2: 0 when it was possible.
// probe_NAME(x0 = value) -> 0, or anything else
.macro probe name, register
.global probe_\name
probe_\name:
    guard
    msr     \register, x0
    isb
    mov     x0, xzr
    unguard
.endm

    probe   hcrx, S3_4_C1_C2_2
    probe   hfgrtr, S3_4_C1_C1_4
    probe   hfgwtr, S3_4_C1_C1_5
    probe   hfgitr, S3_4_C1_C1_6
    probe   hdfgrtr, S3_4_C3_C1_4
    probe   hdfgwtr, S3_4_C3_C1_5
    probe   hafgrtr, S3_4_C3_C1_6
    probe   hdfgrtr2, S3_4_C3_C1_0
    probe   hdfgwtr2, S3_4_C3_C1_1
    probe   hfgrtr2, S3_4_C3_C1_2
    probe   hfgwtr2, S3_4_C3_C1_3
    probe   hfgitr2, S3_4_C3_C1_7
    probe   mpam2, S3_4_C10_C5_0

// probe_keys() and probe_tags(): whether EL3 lets S-EL2 at the registers of PAuth and MTE: 0 when it does.
.macro probe_read name, register
.global probe_\name
probe_\name:
    guard
    mrs     x0, \register
    mov     x0, xzr
    unguard
.endm

    probe_read keys, S3_0_C2_C1_0
    probe_read tags, S3_0_C1_C0_6
