/*
 * Entry at NS-EL2, on the first PE, with the MMU off and all exceptions masked; and the way on to what was placed.
 */
	.arch	armv8-a
	.section .text.entry, "ax"

	.global	_start
_start:
	adrp	x0, _start
	add	x0, x0, :lo12:_start
	mov	x1, #{directory}
	add	x19, x0, x1
	ldr	x1, [x19]
	ldr	x2, ={magic}
	cmp	x1, x2
0:	b.ne	0b			/* A flash without a directory: there is nobody to tell. */
	ldr	x1, [x19, #{stack}]
	mov	sp, x1
	mov	x1, x19
	bl	{place}
	dsb	sy
	ic	iallu
	dsb	nsh
	isb
	ldr	x0, [x19, #{argument}]
	ldr	x16, [x19, #{entry}]
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	br	x16
	.ltorg
