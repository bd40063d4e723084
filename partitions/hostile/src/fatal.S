/*
 * Accesses that stage 2 judges. The address is in x0.
 */
	.section .text, "ax"

	.global	hostile_read
hostile_read:
	ldr	x0, [x0]
	ret

	.global	hostile_write
hostile_write:
	str	x0, [x0]
	ret

	/* Comes back from there if there is a RET. */
	.global	hostile_execute
hostile_execute:
	br	x0

	/* With the MMU off every address is a physical one, and every access to Device memory. */
	.global	hostile_read_untranslated
hostile_read_untranslated:
	mrs	x1, sctlr_el1
	bic	x2, x1, #1
	dsb	sy
	msr	sctlr_el1, x2
	isb
	ldr	x0, [x0]
	msr	sctlr_el1, x1
	isb
	ret

	/* Goes down page by page until something stops it. */
	.global	hostile_overflow
hostile_overflow:
	sub	sp, sp, #4096
	str	xzr, [sp]
	b	hostile_overflow
