/*
 * What a partition may not touch: every attempt is to be undefined, and is then skipped with the instruction behind it
 * (see the SDK's vectors).
 *
 * x0: bytes, one for each attempt, beginning with number 0 which is none; those of attempts that are not refused
 * become 1. Result in x0: how many attempts there were.
 */
	.arch	armv9.4-a+sve+sme+memtag+ras+lor+profile+ras
	.section .text.skippable, "ax"

	.macro	attempt instruction:vararg
	add	x1, x1, #1
	\instruction
	strb	w3, [x0, x1]
	.endm

	.global	hostile_system
hostile_system:
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, #1

	/* 1 to 20: EL2, by its own names and by those that a host has for EL1's. */
	.irp	register, hcr_el2, vttbr_el2, vtcr_el2, vbar_el2, sctlr_el2, tcr_el2, ttbr0_el2, esr_el2, elr_el2, spsr_el2
	attempt	mrs x2, \register
	.endr
	.irp	register, hcr_el2, vttbr_el2, S3_4_C2_C6_0, S3_4_C2_C6_2, vbar_el2, tpidr_el2, cnthctl_el2, cntvoff_el2, S3_5_C1_C0_0, S3_5_C12_C0_0
	attempt	msr \register, x2
	.endr
	/* 21 to 28: EL3. */
	.irp	register, scr_el3, sctlr_el3, vbar_el3, ttbr0_el3, tpidr_el3, esr_el3
	attempt	mrs x2, \register
	.endr
	attempt	msr scr_el3, x2
	attempt	msr vbar_el3, x2

	/* 29 to 38: maintenance and translation for other regimes. */
	attempt	tlbi alle1
	attempt	tlbi alle2
	attempt	tlbi alle3
	attempt	tlbi vmalls12e1
	attempt	tlbi ipas2e1, x2
	attempt	at s1e2r, x2
	attempt	at s12e1r, x2
	attempt	at s1e3r, x2
	attempt	tlbi vae2, x2
	attempt	tlbi vae3, x2

	/*
	 * 39 to 42: the GIC's virtual interface. Of its CPU interface none is here: QEMU (10.0) has no traps of a
	 * hypervisor for it at secure EL1, and an access that is not trapped can cost this PE its interrupts.
	 */
	attempt	mrs x2, S3_4_C12_C11_0
	attempt	mrs x2, S3_4_C12_C11_1
	attempt	mrs x2, S3_4_C12_C9_5
	attempt	msr S3_4_C12_C12_0, x2

	/* 43 to 48: timers other than those of EL1. */
	.irp	register, cnthp_ctl_el2, S3_4_C14_C5_1, cntps_ctl_el1
	attempt	mrs x2, \register
	attempt	msr \register, x2
	.endr

	/* 49 to 58: performance monitors, profiling and trace. */
	.irp	register, pmcr_el0, pmcntenset_el0, pmccntr_el0, pmuserenr_el0, pmselr_el0, pmccfiltr_el0
	attempt	mrs x2, \register
	.endr
	attempt	msr pmcr_el0, x2
	attempt	msr pmuserenr_el0, x2
	attempt	mrs x2, S3_0_C9_C9_0
	attempt	mrs x2, S3_0_C1_C2_1

	/* 59 to 68: debug. */
	.irp	register, mdscr_el1, oslsr_el1, dbgprcr_el1, dbgauthstatus_el1, dbgbvr0_el1, mdrar_el1
	attempt	mrs x2, \register
	.endr
	.irp	register, mdscr_el1, oslar_el1, osdlr_el1, dbgbcr0_el1
	attempt	msr \register, x2
	.endr

	/* 69 to 80: what is newer than the SPMC, or shared with others. */
	.irp	register, S3_0_C13_C0_7, S3_3_C13_C0_7, S3_0_C2_C0_3, S3_0_C10_C2_2, S3_0_C10_C2_3, S3_0_C1_C0_3
	attempt	mrs x2, \register
	.endr
	.irp	register, S3_0_C13_C0_7, S3_3_C13_C0_7, S3_0_C2_C0_3, S3_0_C10_C2_3, S3_0_C11_C0_0, S3_0_C15_C0_0
	attempt	msr \register, x2
	.endr
	mov	x0, x1
	ret
