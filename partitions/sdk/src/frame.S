/*
 * What compiled code may change, on the stack while an exception is handled: x0 to x18 and x30, ELR and SPSR, 176 bytes.
 * Such code has no FP or SIMD. Partitions and the Normal-world test image share it.
 */

/* Makes room, in a vector; x0 and x1 are free afterwards. */
	.macro	open_frame
	sub	sp, sp, #176
	stp	x0, x1, [sp]
	.endm

/* Saves the rest; x2 and x3 are lost. */
	.macro	save_frame el
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	mrs	x2, elr_el\el
	mrs	x3, spsr_el\el
	stp	x2, x3, [sp, #160]
	.endm

/* Goes on where the exception was taken. */
	.macro	leave_frame el
	ldp	x2, x3, [sp, #160]
	msr	elr_el\el, x2
	msr	spsr_el\el, x3
	ldp	x18, x30, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp], #176
	eret
	.endm
