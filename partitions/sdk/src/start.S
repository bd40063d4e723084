/*
 * Entry, and exception vectors at S-EL1.
 *
 * The SPMC enters the primary vCPU at the image's first byte, with the address of the boot information in x0, and
 * every other one at `partition_secondary_entry`, or, under FF-A 1.0, at the first byte too; each with its index in x4,
 * MMU off, all exceptions masked. At S-EL0 there is one vCPU, on any PE, and the MMU is on: all of the image can be read
 * and executed, and none of it written.
 */
	.arch	armv8-a
	.section .text.entry, "ax"

	.global	_start
_start:
	adrp	x5, partition_is_at_el0
	add	x5, x5, :lo12:partition_is_at_el0
	ldrb	w5, [x5]
	cbnz	w5, start_at_el0
	cbnz	x4, partition_secondary_entry
	mov	x19, x0
	bl	tables
	bl	translation_on

start:
	adrp	x0, __bss_start
	add	x0, x0, :lo12:__bss_start
	adrp	x1, __bss_end
	add	x1, x1, :lo12:__bss_end
0:	cmp	x0, x1
	b.hs	1f
	stp	xzr, xzr, [x0], #16
	b	0b

	/* The image is linked at 0, and a static PIE has relocations of type R_AARCH64_RELATIVE only. */
1:	adrp	x0, __rela_start
	add	x0, x0, :lo12:__rela_start
	adrp	x1, __rela_end
	add	x1, x1, :lo12:__rela_end
	adrp	x2, _start
2:	cmp	x0, x1
	b.hs	3f
	ldr	x3, [x0], #16
	ldr	x4, [x0], #8
	add	x4, x4, x2
	str	x4, [x3, x2]
	b	2b

3:	mov	x4, xzr
	bl	stack_of
	mov	x0, x19
	b	partition_primary

	/* Pages from \from to \to are for \permissions from now on (FFA_MEM_PERM_SET). */
	.macro	permit from, to, permissions
	ldr	w0, ={mem_perm_set}
	adrp	x1, \from
	adrp	x2, \to
	sub	x2, x2, x1
	lsr	x2, x2, #12
	mov	x3, #\permissions
	.irp	n, 4, 5, 6, 7
	mov	x\n, xzr
	.endr
	svc	#0
	cmp	w0, w20
	b.ne	give_up
	.endm

start_at_el0:
	mov	x19, x0
	ldr	w20, ={success}
	permit	__read_only_start, __writable_start, {read_only}
	permit	__writable_start, __writable_end, {read_write}
	b	start

give_up:
	ldr	w0, ={error}
	mov	x1, xzr
	mov	w2, #{aborted}
	.irp	n, 3, 4, 5, 6, 7
	mov	x\n, xzr
	.endr
	svc	#0
	b	.
	.ltorg

	.global	partition_secondary_entry
partition_secondary_entry:
	mov	x19, x4
	cmp	x4, #{max_vcpus}
	b.hs	.
	bl	translation_on
	mov	x4, x19
	bl	stack_of
	mov	x0, x19
	b	partition_secondary

/* Sets sp to the top of the stack of vCPU x4. */
stack_of:
	adrp	x0, {stacks}
	add	x0, x0, :lo12:{stacks}
	add	x4, x4, #1
	add	x0, x0, x4, lsl #{stack_shift}
	mov	sp, x0
	ret

/* Writes the table of level 0. */
tables:
	adrp	x0, {root}
	adrp	x1, {secure}
	orr	x1, x1, #3		/* A table */
	str	x1, [x0]
	adrp	x1, {secure_high}
	orr	x1, x1, #3
	str	x1, [x0, #{secure_high_at}]
	adrp	x1, {normal_low}
	orr	x1, x1, #3
	str	x1, [x0, #{normal_at}]
	adrp	x1, {normal_high}
	orr	x1, x1, #3
	str	x1, [x0, #{normal_high_at}]
	dsb	sy
	ret

/* Turns on stage 1, caches, FP and SIMD, and sets the vectors. */
translation_on:
	adrp	x0, {root}
	msr	ttbr0_el1, x0
	mov	x0, #{mair}
	msr	mair_el1, x0
	ldr	x0, ={tcr}
	mrs	x1, id_aa64mmfr0_el1
	and	x1, x1, #0xf		/* PARange, as TCR_EL1.IPS has it */
	mov	x2, #5			/* 48 bits: more needs another descriptor format */
	cmp	x1, x2
	csel	x1, x1, x2, lo
	bfi	x0, x1, #32, #3
	msr	tcr_el1, x0
	mov	x0, #(3 << 20)		/* CPACR_EL1.FPEN */
	msr	cpacr_el1, x0
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el1, x0
	tlbi	vmalle1
	ic	iallu
	dsb	nsh
	isb
	ldr	x0, ={sctlr}
	msr	sctlr_el1, x0
	isb
	ret
	.ltorg

/*
 * Two kinds of exceptions are expected: virtual interrupts, IRQ and FIQ alike, where the service lets them come; and an
 * instruction in a section `.text.skippable` that the CPU does not have or the SPMC refuses (ESR_EL1.EC 0), which is
 * skipped together with the one behind it. That code leaves x16-x18 free.
 */
	.macro	vector kind
	.balign	0x80
	mov	x17, #\kind
	b	exception
	.endm

	.macro	interrupt_vector
	.balign	0x80
	open_frame
	b	interrupt
	.endm

	.section .text, "ax"
	.balign	0x800
vectors:
	.irp	kind, 0, 1, 2, 3, 4
	vector	\kind
	.endr
	interrupt_vector
	interrupt_vector
	.irp	kind, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\kind
	.endr

interrupt:
	save_frame 1
	mov	x0, sp
	bl	{interrupt}
	leave_frame 1

exception:
	mrs	x16, esr_el1
	lsr	x16, x16, #26
	cbnz	x16, 1f
	mrs	x16, elr_el1
	adrp	x18, skippable_begin
	add	x18, x18, :lo12:skippable_begin
	cmp	x16, x18
	b.lo	1f
	adrp	x18, skippable_end
	add	x18, x18, :lo12:skippable_end
	cmp	x16, x18
	b.hs	1f
	add	x16, x16, #8
	msr	elr_el1, x16
	eret
1:	mov	x0, x17
	b	partition_exception
