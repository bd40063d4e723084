/*
 * Entry at NS-EL2, and exception vectors.
 *
 * TF-A enters the first PE at the image's first byte; PSCI CPU_ON enters every other one at `secondary_entry` with
 * its number in x0. MMU off, all exceptions masked.
 */
	.arch	armv8-a
	.section .text.entry, "ax"

	.global	_start
_start:
	bl	tables
	bl	translation_on
	adrp	x0, __bss_start
	add	x0, x0, :lo12:__bss_start
	adrp	x1, __bss_end
	add	x1, x1, :lo12:__bss_end
0:	cmp	x0, x1
	b.hs	1f
	stp	xzr, xzr, [x0], #16
	b	0b

	/* A static PIE has relocations of type R_AARCH64_RELATIVE only. */
1:	adrp	x2, _start
	ldr	x3, ={linked}
	sub	x2, x2, x3
	adrp	x0, __rela_start
	add	x0, x0, :lo12:__rela_start
	adrp	x1, __rela_end
	add	x1, x1, :lo12:__rela_end
2:	cmp	x0, x1
	b.hs	3f
	ldr	x3, [x0], #16
	ldr	x4, [x0], #8
	add	x4, x4, x2
	str	x4, [x3, x2]
	b	2b

3:	mov	x0, xzr
	bl	stack_of
	b	{primary}

	.global	secondary_entry
secondary_entry:
	mov	x19, x0
	bl	translation_on
	mov	x0, x19
	bl	stack_of
	mov	x0, x19
	b	{secondary}

/* Sets sp to the top of the stack of PE x0, and TPIDR_EL2 to its number. */
stack_of:
	msr	tpidr_el2, x0
	adrp	x1, {stacks}
	add	x1, x1, :lo12:{stacks}
	add	x0, x0, #1
	add	x1, x1, x0, lsl #{stack_shift}
	mov	sp, x1
	ret

/* Writes the table of level 0, which knows the machine by where the image is. */
tables:
	adrp	x0, _start
	lsr	x2, x0, #30
	adrp	x1, {devices}
	cmp	x2, #512
	b.hs	0f
	adrp	x1, {low_above_devices}
	cmp	x2, #2
	b.hs	0f
	adrp	x1, {low}
0:	orr	x1, x1, #3		/* A table */
	adrp	x0, {root}
	str	x1, [x0]
	adrp	x1, {high}
	orr	x1, x1, #3
	str	x1, [x0, #16]
	dsb	sy
	ret
	.ltorg

/* Takes interrupts at EL2, untraps FP, SIMD, SVE and SME, turns on stage 1. */
translation_on:
	ldr	x0, ={hcr}
	msr	hcr_el2, x0
	mov	x0, #{cptr}
	msr	cptr_el2, x0
	adrp	x0, {root}
	msr	ttbr0_el2, x0
	mov	x0, #{mair}
	msr	mair_el2, x0
	ldr	x0, ={tcr}
	mrs	x1, id_aa64mmfr0_el1
	and	x1, x1, #0xf		/* PARange, as TCR_EL2.PS has it */
	mov	x2, #5			/* 48 bits: more needs another descriptor format */
	cmp	x1, x2
	csel	x1, x1, x2, lo
	bfi	x0, x1, #16, #3
	msr	tcr_el2, x0
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el2, x0
	tlbi	alle2
	ic	iallu
	dsb	nsh
	isb
	ldr	x0, ={sctlr}
	msr	sctlr_el2, x0
	isb
	ret
	.ltorg

	.macro	vector kind
	.balign	0x80
	open_frame
	mov	x0, #\kind
	b	exception
	.endm

	.section .text, "ax"
	.balign	0x800
vectors:
	.irp	kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\kind
	.endr

exception:
	save_frame 2
	mov	x1, sp
	bl	{exception}
	leave_frame 2

/* Loads from address x0, which may fault: the value in x0, and in x1 0 or the syndrome of the fault. */
	.global	probe_read
probe_read:
	mov	x1, xzr
	.global	probe_load
probe_load:
	ldr	x0, [x0]
	ret
