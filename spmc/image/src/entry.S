// Where TF-A enters: from the MMU off to Rust in the upper half of the address space.
//
// In: x0 = SPMC manifest, or as x1 to x3 by the register convention of firmware handoff; x4 = linear index of the PE;
// EL2h, all interrupts masked.
// The image is linked at 0. Its virtual address is its physical address with the upper 16 bits set, so one set of
// tables serves both halves: the lower one to turn the MMU on, the upper one to go on in.

.arch armv8.4-a

// Runs `dc \op` over [\start, \end), both changed; \line and \tmp are lost.
.macro cache_range op, start, end, line, tmp
    mrs     \tmp, ctr_el0
    ubfx    \tmp, \tmp, #16, #4             // log2 of the words in the smallest data cache line
    mov     \line, #4
    lsl     \line, \line, \tmp
    sub     \tmp, \line, #1
    bic     \start, \start, \tmp
1:  dc      \op, \start
    add     \start, \start, \line
    cmp     \start, \end
    b.lo    1b
    dsb     sy
.endm

// The registers that both kinds of entry set before the MMU goes on. \tcr: TCR_EL2. x9 is lost.
.macro common_registers tcr
    ldr     x9, ={HCR}
    msr     hcr_el2, x9
    isb                                     // the EL2&0 regime's register layouts hold from here on
    msr     cptr_el2, xzr                   // its layout changed: nothing is left enabled
    ldr     x9, ={MAIR}
    msr     mair_el2, x9
    msr     tcr_el2, \tcr
    adrp    x9, boot_tables
    msr     ttbr0_el2, x9
    tlbi    alle2
    tlbi    alle1
    ic      iallu
    dsb     nsh
    isb
.endm

// Turns the MMU on and goes on at \target in the upper half. x9 is lost.
.macro mmu_on target
    ldr     x9, ={SCTLR}
    msr     sctlr_el2, x9
    isb
    adr     x9, \target
    orr     x9, x9, #0xffff000000000000
    br      x9
.endm

.section .text.entry, "ax"
.global entry
entry:
    b       primary

.global secondary_entry
secondary_entry:
    b       secondary

primary:
    mov     x19, x0
    mov     x20, x1
    mov     x21, x4
    mov     x26, x2
    mov     x27, x3
    adrp    x22, image_begin
    adrp    x23, image_end
    orr     x24, x22, #0xffff000000000000

    // What the loader left in caches must not reappear over what is written here with the MMU off.
    mov     x0, x22
    mov     x1, x23
    cache_range civac, x0, x1, x2, x3

    adrp    x0, bss_begin
    add     x0, x0, :lo12:bss_begin
1:  stp     xzr, xzr, [x0], #16
    cmp     x0, x23
    b.lo    1b

    // R_AARCH64_RELATIVE: the word at base + offset is base + addend.
    adrp    x0, relocations_begin
    add     x0, x0, :lo12:relocations_begin
    adrp    x1, relocations_end
    add     x1, x1, :lo12:relocations_end
2:  cmp     x0, x1
    b.hs    3f
    ldp     x2, x3, [x0], #16
    ldr     x4, [x0], #8
    cmp     w3, #1027
    b.ne    2b
    add     x4, x4, x24
    str     x4, [x22, x2]
    b       2b
3:

    // Boot tables. Level 0: one entry. Level 1: 1 GB device blocks, and the GB of the image as a table.
    // Level 2: 2 MB device blocks, those of the image as normal memory. Enough to reach the console and the reset
    // device of every platform before the final tables exist.
    adrp    x0, boot_tables
    add     x1, x0, #0x1000
    add     x2, x0, #0x2000
    ubfx    x3, x22, #39, #9
    orr     x4, x1, #3
    str     x4, [x0, x3, lsl #3]
    ldr     x5, ={BOOT_DEVICE}
    mov     x6, xzr                         // the level-1 index
    and     x7, x22, #0xffffff8000000000    // the 512 GB of the image
4:  add     x4, x7, x6, lsl #30
    orr     x4, x4, x5
    str     x4, [x1, x6, lsl #3]
    add     x6, x6, #1
    cmp     x6, #512
    b.lo    4b
    ubfx    x3, x22, #30, #9
    orr     x4, x2, #3
    str     x4, [x1, x3, lsl #3]
    ldr     x8, ={BOOT_NORMAL}
    lsr     x7, x22, #30
    lsl     x7, x7, #30                     // the GB of the image
    lsr     x10, x22, #21                   // its first and last block
    sub     x11, x23, #1
    lsr     x11, x11, #21
    mov     x6, xzr
5:  add     x4, x7, x6, lsl #21
    lsr     x12, x4, #21
    cmp     x12, x10
    ccmp    x12, x11, #2, hs                // below the first: C set, Z clear, that is "higher"
    csel    x13, x8, x5, ls
    orr     x4, x4, x13
    str     x4, [x2, x6, lsl #3]
    add     x6, x6, #1
    cmp     x6, #512
    b.lo    5b
    dsb     sy

    // Lines that were fetched meanwhile hold old contents.
    mov     x0, x22
    mov     x1, x23
    cache_range ivac, x0, x1, x2, x3

    ldr     x25, ={TCR}
    mrs     x0, id_aa64mmfr0_el1
    and     x0, x0, #0xf                    // PARange, clamped to 48 bits
    mov     x1, #5
    cmp     x0, x1
    csel    x0, x0, x1, lo
    orr     x25, x25, x0, lsl #32
    common_registers x25
    adrp    x9, boot_tables
    msr     ttbr1_el2, x9
    isb
    mmu_on  primary_upper

primary_upper:
    adrp    x0, boot_stack
    mov     sp, x0
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el2, x0
    adrp    x0, {BOOT_RECORD}
    add     x0, x0, :lo12:{BOOT_RECORD}
    msr     tpidr_el2, x0
    isb
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    mov     x1, x20
    mov     x2, x26
    mov     x3, x27
    mov     x4, x21
    b       {boot}

// A PE that PSCI CPU_ON turned on. What it needs with the MMU off was cleaned to memory by `secondary::publish`.
secondary:
    mov     w21, w4
    adrp    x0, {SECONDARY}
    add     x0, x0, :lo12:{SECONDARY}
    ldp     x22, x23, [x0, #{SECONDARY_TTBR1}]
    orr     x24, x0, #0xffff000000000000
    common_registers x23
    msr     ttbr1_el2, x22
    isb
    mmu_on  secondary_upper

secondary_upper:
    bl      close_lower_half
    ldr     x1, [x24, #{SECONDARY_COUNT}]
    cmp     x21, x1
    b.hs    refuse
    ldr     x0, [x24, #{SECONDARY_AREAS}]
    ldr     x1, [x24, #{SECONDARY_AREA_SIZE}]
    madd    x0, x21, x1, x0
    ldr     x1, [x0, #{AREA_STACK}]
    mov     sp, x1
    add     x1, x0, #{AREA_RECORD}
    msr     tpidr_el2, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el2, x1
    isb
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x21
    b       {secondary_main}

// A PE that the SPMC manifest does not list: the SPMD goes on without us on it.
refuse:
    ldr     w0, =0x84000060                 // FFA_ERROR
    mov     x1, xzr
    mov     w2, #-6                         // DENIED
    mov     x3, xzr
    smc     #0
    b       refuse

// x23 = TCR_EL2. Nothing is mapped in the lower half, and writable pages are never executable from here on.
close_lower_half:
    adrp    x0, {EMPTY}
    and     x0, x0, #0x0000ffffffffffff
    msr     ttbr0_el2, x0
    msr     tcr_el2, x23
    mrs     x0, sctlr_el2
    orr     x0, x0, #(1 << 19)              // WXN
    msr     sctlr_el2, x0
    isb
    tlbi    alle2
    dsb     nsh
    isb
    ret

// activate_tables(x0 = TTBR1_EL2, x1 = final TCR_EL2): leaves the boot tables for good. The old and the new tables
// differ in block sizes, so the upper half is closed and forgotten while the PE runs in the lower one
// (break before make).
.global activate_tables
activate_tables:
    mov     x5, x23                         // callee-saved
    mov     x23, x1
    orr     x2, x1, #(1 << 23)              // EPD1
    adr     x3, 1f
    and     x3, x3, #0x0000ffffffffffff
    br      x3
1:  msr     tcr_el2, x2
    isb
    tlbi    alle2
    dsb     nsh
    isb
    msr     ttbr1_el2, x0
    bic     x2, x2, #(1 << 23)
    msr     tcr_el2, x2
    isb
    adr     x3, 2f
    orr     x3, x3, #0xffff000000000000
    br      x3
2:  mov     x4, x30
    bl      close_lower_half
    mov     x23, x5
    ret     x4

// go_off(x0-x3 = the last answer to the SPMD, x4 = linear index of the PE): SMC with the MMU off. EL3 turns this PE off;
// when it comes on again, in `secondary_entry`, it has the EL2 system registers and x4 of this moment.
.global go_off
go_off:
    mrs     x9, sctlr_el2
    bic     x9, x9, #(1 << 19)              // WXN: the boot tables are writable and executable
    msr     sctlr_el2, x9
    adrp    x10, boot_tables
    and     x10, x10, #0x0000ffffffffffff
    msr     ttbr0_el2, x10
    isb
    tlbi    alle2
    dsb     nsh
    isb
    adr     x10, 1f
    and     x10, x10, #0x0000ffffffffffff
    br      x10
1:  bic     x9, x9, #1                      // M
    msr     sctlr_el2, x9
    isb
    .irp n, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17
    mov     x\n, xzr
    .endr
    smc     #0
    b       .                               // EL3 does not come back from here

// clean_to_memory(x0 = start, x1 = end): what a PE with its MMU off may read.
.global clean_to_memory
clean_to_memory:
    cache_range cvac, x0, x1, x2, x3
    ret
