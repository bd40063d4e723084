/*
 * sandbox_hold(x0 = pattern) -> x0 = how many registers do not hold the pattern any more after the PE was given away: both
 * halves of V0-V31, and TPIDR_EL0. Compiled code uses neither.
 */
	.arch	armv8-a
	.section .text, "ax"

	.macro	held vector
	umov	x2, \vector\().d[0]
	cmp	x2, x1
	cinc	x0, x0, ne
	umov	x2, \vector\().d[1]
	cmp	x2, x1
	cinc	x0, x0, ne
	.endm

	.global	sandbox_hold
sandbox_hold:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	dup	v\n\().2d, x0
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	dup	v\n\().2d, x0
	.endr
	msr	tpidr_el0, x0
	wfi
	mov	x1, x0
	mov	x0, xzr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	held	v\n
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	held	v\n
	.endr
	mrs	x2, tpidr_el0
	cmp	x2, x1
	cinc	x0, x0, ne
	ret
