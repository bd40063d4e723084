/*
 * Entry at NS-EL2, the way down to NS-EL1 if the image is for that (LEVEL), and exception vectors.
 *
 * TF-A enters the first PE at the image's first byte; PSCI CPU_ON enters every other one at `secondary_entry` with
 * its number in x0. MMU off, all exceptions masked.
 */
	.arch	armv8-a

	/* Writes this level's register. */
	.macro	own register, source
	.if	LEVEL == 1
	msr	\register\()_el1, \source
	.else
	msr	\register\()_el2, \source
	.endif
	.endm

	.section .text.entry, "ax"

	.global	_start
_start:
	bl	arrive
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
	bl	arrive
	bl	translation_on
	mov	x0, x19
	bl	stack_of
	mov	x0, x19
	b	{secondary}

/* Sets sp to the top of the stack of PE x0, and TPIDR to its number. */
stack_of:
	own	tpidr, x0
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

/* Takes interrupts at this level, untraps FP, SIMD, SVE and SME, and returns at this level. */
arrive:
	ldr	x0, ={hcr}
	msr	hcr_el2, x0
	mov	x0, #{cptr}
	msr	cptr_el2, x0
	isb
	.if	LEVEL == 1
	/* The counters are EL1's to read, without an offset, and the ID registers are the PE's own. */
	msr	cntvoff_el2, xzr
	mov	x0, #3
	msr	cnthctl_el2, x0
	mrs	x0, midr_el1
	msr	vpidr_el2, x0
	mrs	x0, mpidr_el1
	msr	vmpidr_el2, x0
	mov	x0, #0xf
	msr	S3_4_C12_C9_5, x0	/* ICC_SRE_EL2 */
	mrs	x1, id_aa64pfr0_el1
	ubfx	x1, x1, #32, #4
	cbz	x1, 0f
	msr	S3_4_C1_C2_0, x0	/* ZCR_EL2: the longest vectors */
0:	mrs	x1, id_aa64pfr1_el1
	ubfx	x1, x1, #24, #4
	cbz	x1, 1f
	msr	S3_4_C1_C2_6, x0	/* SMCR_EL2 */
	mrs	x1, id_aa64mmfr0_el1
	ubfx	x1, x1, #56, #4
	cbz	x1, 1f
	mov	x0, #3 << 54		/* nTPIDR2_EL0, nSMPRI_EL1: no fine-grained traps */
	msr	S3_4_C1_C1_4, x0	/* HFGRTR_EL2 */
	msr	S3_4_C1_C1_5, x0	/* HFGWTR_EL2 */
1:	ldr	x0, ={sctlr_off}
	msr	sctlr_el1, x0
	mov	x0, #{spsr}
	msr	spsr_el2, x0
	msr	elr_el2, x30
	eret
	.endif
	ret

/* Turns on stage 1. */
translation_on:
	.if	LEVEL == 1
	ldr	x0, ={cpacr}
	msr	cpacr_el1, x0
	.endif
	adrp	x0, {root}
	own	ttbr0, x0
	mov	x0, #{mair}
	own	mair, x0
	ldr	x0, ={tcr}
	mrs	x1, id_aa64mmfr0_el1
	and	x1, x1, #0xf		/* PARange, as TCR has it */
	mov	x2, #5			/* 48 bits: more needs another descriptor format */
	cmp	x1, x2
	csel	x1, x1, x2, lo
	bfi	x0, x1, #{tcr_size}, #3
	own	tcr, x0
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	own	vbar, x0
	.if	LEVEL == 1
	tlbi	vmalle1
	.else
	tlbi	alle2
	.endif
	ic	iallu
	dsb	nsh
	isb
	ldr	x0, ={sctlr}
	own	sctlr, x0
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
	.if	LEVEL == 1
	save_frame 1
	mov	x1, sp
	bl	{exception}
	leave_frame 1
	.else
	save_frame 2
	mov	x1, sp
	bl	{exception}
	leave_frame 2
	.endif

/* Loads from address x0, which may fault: the value in x0, and in x1 0 or the syndrome of the fault. */
	.global	probe_read
probe_read:
	mov	x1, xzr
	.global	probe_load
probe_load:
	ldr	x0, [x0]
	ret
