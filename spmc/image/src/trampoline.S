// The one page of the SPMC that is mapped while a partition at S-EL0 runs (R16): how it is entered, and its vectors.
//
// Its EL1 set is what no code of it uses, so the set holds what is needed here: TTBR0_EL1 and TTBR1_EL1 are those of EL2
// for the partition, and TPIDR_EL1 carries x0. The table in TTBR1_EL1 lies in the page below the SPMC's own (see
// translation.rs); its ASID, under TCR_EL2.A1, is that of both halves, and the SPMC's own is 0.

.arch armv8.4-a

.section .trampoline, "ax"

// Back to the SPMC's own tables. x0 is lost.
.macro own_tables
    adrp    x0, {EMPTY}
    and     x0, x0, #0x0000ffffffffffff
    msr     ttbr0_el2, x0
    mrs     x0, ttbr1_el2
    ubfx    x0, x0, #0, #48
    add     x0, x0, #0x1000
    msr     ttbr1_el2, x0
    mrs     x0, hcr_el2
    bic     x0, x0, #{TGE}
    msr     hcr_el2, x0
    isb
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el2, x0
.endm

.macro el0_exit reason
    .balign 128
    msr     tpidr_el1, x0
    own_tables
    mrs     x0, tpidr_el1
    stp     x0, x1, [sp, #{SLOT_SCRATCH}]
    mov     w1, #\reason
    b       leave_partition
.endm

// The exception is one of the SPMC itself: its tables may be those of either side.
.macro trampoline_crash
    .balign 128
    msr     sp_el0, x0
    mrs     x0, ttbr1_el2
    lsr     x0, x0, #48
    cbz     x0, 1f
    own_tables
1:  isb
    mrs     x0, tpidr_el2
    b       crash_registers
.endm

.balign 2048
trampoline_vectors:
    .rept 8
    trampoline_crash
    .endr
    el0_exit {REASON_SYNC}
    el0_exit {REASON_INTERRUPT}             // IRQ
    el0_exit {REASON_INTERRUPT}             // FIQ
    el0_exit {REASON_SERROR}
    .rept 4
    trampoline_crash
    .endr

// From enter.S: all registers but x0 are the partition's, and x0 is in TPIDR_EL1.
.global enter_trampoline
enter_trampoline:
    mrs     x0, ttbr1_el12
    msr     ttbr1_el2, x0
    isb
    mrs     x0, ttbr0_el12
    msr     ttbr0_el2, x0
    mrs     x0, hcr_el2
    orr     x0, x0, #{TGE}
    msr     hcr_el2, x0
    adr     x0, trampoline_vectors
    msr     vbar_el2, x0
    mrs     x0, tpidr_el1
    eret
    dsb     nsh                             // nothing behind ERET is run ahead of it
    isb
