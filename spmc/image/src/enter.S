// Into a partition and back, and to the Normal world and back: general registers only.

.arch armv8.4-a

.section .text.enter, "ax"

// enter_partition(x0 = registers: *mut General, x1 = frame: *mut Frame) -> x0 = reason.
// x0-x17 come from the frame and go there; x18-x30, ELR and SPSR are the context's. One at S-EL0 goes by trampoline.S.
.global enter_partition
enter_partition:
    stp     x29, x30, [sp, #-{SLOTS}]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     x0, x1, [sp, #{SLOT_POINTERS}]
    ldp     x2, x3, [x0, #{GENERAL_ELR}]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    ldp     x18, x19, [x0, #{GENERAL_X18}]
    ldp     x20, x21, [x0, #{GENERAL_X18} + 16]
    ldp     x22, x23, [x0, #{GENERAL_X18} + 32]
    ldp     x24, x25, [x0, #{GENERAL_X18} + 48]
    ldp     x26, x27, [x0, #{GENERAL_X18} + 64]
    ldp     x28, x29, [x0, #{GENERAL_X18} + 80]
    ldp     x30, x0, [x0, #{GENERAL_X18} + 96]
    ldp     x2, x3, [x1, #16]
    ldp     x4, x5, [x1, #32]
    ldp     x6, x7, [x1, #48]
    ldp     x8, x9, [x1, #64]
    ldp     x10, x11, [x1, #80]
    ldp     x12, x13, [x1, #96]
    ldp     x14, x15, [x1, #112]
    ldp     x16, x17, [x1, #128]
    cbnz    x0, 1f
    ldp     x0, x1, [x1]
    eret
    dsb     nsh                             // nothing behind ERET is run ahead of it
    isb
1:  ldr     x0, [x1]
    msr     tpidr_el1, x0
    ldr     x1, [x1, #8]
    b       enter_trampoline

// From the vectors: w1 = reason, the partition's x0 and x1 in the scratch slot.
.global leave_partition
leave_partition:
    ldr     x0, [sp, #{SLOT_POINTERS} + 8]
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    ldp     x2, x3, [sp, #{SLOT_SCRATCH}]
    stp     x2, x3, [x0]
    ldr     x0, [sp, #{SLOT_POINTERS}]
    stp     x18, x19, [x0, #{GENERAL_X18}]
    stp     x20, x21, [x0, #{GENERAL_X18} + 16]
    stp     x22, x23, [x0, #{GENERAL_X18} + 32]
    stp     x24, x25, [x0, #{GENERAL_X18} + 48]
    stp     x26, x27, [x0, #{GENERAL_X18} + 64]
    stp     x28, x29, [x0, #{GENERAL_X18} + 80]
    str     x30, [x0, #{GENERAL_X18} + 96]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [x0, #{GENERAL_ELR}]
    mov     w0, w1
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #{SLOTS}
    ret

// monitor_call(x0 = frame: *mut Frame): SMC with x0-x17 of the frame; the results go there.
// EL3 preserves x18-x30, and the stack is ours when it returns.
.global monitor_call
monitor_call:
    stp     x19, x30, [sp, #-16]!
    mov     x19, x0
    ldp     x2, x3, [x19, #16]
    ldp     x4, x5, [x19, #32]
    ldp     x6, x7, [x19, #48]
    ldp     x8, x9, [x19, #64]
    ldp     x10, x11, [x19, #80]
    ldp     x12, x13, [x19, #96]
    ldp     x14, x15, [x19, #112]
    ldp     x16, x17, [x19, #128]
    ldp     x0, x1, [x19]
    smc     #0
    stp     x0, x1, [x19]
    stp     x2, x3, [x19, #16]
    stp     x4, x5, [x19, #32]
    stp     x6, x7, [x19, #48]
    stp     x8, x9, [x19, #64]
    stp     x10, x11, [x19, #80]
    stp     x12, x13, [x19, #96]
    stp     x14, x15, [x19, #112]
    stp     x16, x17, [x19, #128]
    ldp     x19, x30, [sp], #16
    ret
