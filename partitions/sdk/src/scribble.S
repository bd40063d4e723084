/*
 * Writes over every register that a partition at S-EL1 may write and still come back from: so that a test of the
 * Normal world can see that none of it shows there.
 *
 * x0: how long to hold it. Results: x0 how many system and vector registers took the value, x1 how many registers did
 * not hold it any more after that time, interruptions included.
 * An instruction that the CPU lacks is skipped with the one behind it (see the vectors).
 */
	.arch	armv9-a+sve+sme+memtag+ras
	.section .text.skippable, "ax"

	/* Writes the pattern to a system register, and counts it. */
	.macro	set register
	msr	\register, x2
	add	x1, x1, #1
	.endm

	/* Counts the halves of a vector that do not hold the pattern. */
	.macro	kept vector
	umov	x3, \vector\().d[0]
	cmp	x3, x2
	cinc	x0, x0, ne
	umov	x3, \vector\().d[1]
	cmp	x3, x2
	cinc	x0, x0, ne
	.endm

	/* Counts those of V0-V31. */
	.macro	all_kept
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	kept	v\n
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	kept	v\n
	.endr
	.endm

	.global	demo_scribble
demo_scribble:
	stp	x29, x30, [sp, #-112]!
	stp	x27, x28, [sp, #16]
	stp	x25, x26, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x21, x22, [sp, #64]
	stp	x19, x20, [sp, #80]
	str	x18, [sp, #96]
	mov	x1, xzr
	ldr	x2, =0x5c815c815c815c81

	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	dup	v\n\().2d, x2
	add	x1, x1, #1
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	dup	v\n\().2d, x2
	add	x1, x1, #1
	.endr
	set	fpsr
	mov	x3, #(3 << 22)		/* FPCR.RMode */
	msr	fpcr, x3
	add	x1, x1, #1
	.irp	register, sp_el0, tpidr_el0, tpidrro_el0, tpidr_el1, ttbr1_el1, amair_el1, contextidr_el1
	set	\register
	.endr
	.irp	register, afsr0_el1, afsr1_el1, esr_el1, far_el1, elr_el1, par_el1, csselr_el1, mdscr_el1, disr_el1
	set	\register
	.endr
	.irp	register, cntkctl_el1, cntv_cval_el0, cntp_cval_el0, scxtnum_el0, scxtnum_el1
	set	\register
	.endr
	mov	x3, #2			/* IMASK: no interrupt is to come of it */
	msr	cntv_ctl_el0, x3
	add	x1, x1, #1
	msr	cntp_ctl_el0, x3
	add	x1, x1, #1
	.irp	key, apia, apib, apda, apdb, apga
	set	\key\()keylo_el1
	set	\key\()keyhi_el1
	.endr
	.irp	register, gcr_el1, rgsr_el1, tfsr_el1, tfsre0_el1
	set	\register
	.endr

	/* SVE and SME, if the SPMC lets a partition have them. */
	mrs	x3, cpacr_el1
	orr	x4, x3, #(3 << 16)
	orr	x4, x4, #(3 << 24)
	msr	cpacr_el1, x4
	isb
	.irp	n, 0, 7, 15, 23, 31
	dup	z\n\().d, x2
	add	x1, x1, #1
	.endr
	ptrue	p0.b
	add	x1, x1, #1
	wrffr	p0.b
	add	x1, x1, #1
	smstart	za
	add	x1, x1, #1
	msr	cpacr_el1, x3
	isb

	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	mov	x\n, x2
	.endr
1:	subs	x0, x0, #1
	b.ne	1b

	/* x0 is 0 now. */
	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	cmp	x\n, x2
	cinc	x0, x0, ne
	.endr
	all_kept
	.irp	register, sp_el0, tpidr_el0, tpidrro_el0, tpidr_el1
	mrs	x3, \register
	cmp	x3, x2
	cinc	x0, x0, ne
	.endr

	msr	fpcr, xzr
	mov	x3, x0
	mov	x0, x1
	mov	x1, x3
	ldr	x18, [sp, #96]
	ldp	x19, x20, [sp, #80]
	ldp	x21, x22, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #32]
	ldp	x27, x28, [sp, #16]
	ldp	x29, x30, [sp], #112
	ret
	.ltorg

/*
 * demo_hold(x0 = pattern) -> x0 = how many registers do not hold the pattern any more after a WFI, at which the PE may be
 * another one's for a while: both halves of V0-V31, and TPIDR_EL0. Compiled code uses neither.
 */
	.section .text, "ax"
	.global	demo_hold
demo_hold:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	dup	v\n\().2d, x0
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	dup	v\n\().2d, x0
	.endr
	msr	tpidr_el0, x0
	wfi
	mov	x2, x0
	mov	x0, xzr
	all_kept
	mrs	x3, tpidr_el0
	cmp	x3, x2
	cinc	x0, x0, ne
	ret
