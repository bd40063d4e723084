/*
 * A call with every general register filled.
 */
	.section .text, "ax"

	/* x0: 31 words that x0-x30 hold at the call; x1: 31 words for what it leaves in them. */
	.macro	filled name, conduit
	.global	\name
\name:
	stp	x29, x30, [sp, #-112]!
	stp	x27, x28, [sp, #16]
	stp	x25, x26, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x21, x22, [sp, #64]
	stp	x19, x20, [sp, #80]
	stp	x18, x1, [sp, #96]
	mov	x30, x0
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	ldr	x\n, [x30, #8 * \n]
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	ldr	x\n, [x30, #8 * \n]
	.endr
	\conduit	#0
	str	x30, [sp, #-16]!
	ldr	x30, [sp, #120]
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	str	x\n, [x30, #8 * \n]
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
	str	x\n, [x30, #8 * \n]
	.endr
	ldr	x0, [sp], #16
	str	x0, [x30, #240]
	ldr	x18, [sp, #96]
	ldp	x19, x20, [sp, #80]
	ldp	x21, x22, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #32]
	ldp	x27, x28, [sp, #16]
	ldp	x29, x30, [sp], #112
	ret
	.endm

	filled	hostile_smc, smc
	filled	hostile_hvc, hvc
