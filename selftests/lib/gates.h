/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points of an IDT. They leave the vector and the error code, 0 where the CPU pushes none, on
 * the stack for the handler that they jump to.
 */
#ifndef SHVM_SELFTESTS_GATES_H
#define SHVM_SELFTESTS_GATES_H

#define GATE_SIZE	16	/* bytes of each */

#ifdef __ASSEMBLER__
.macro gates nr, handler
	.set vector, 0
	.rept \nr
	.balign GATE_SIZE
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push $0
	.endif
	push $vector
	jmp \handler
	.set vector, vector + 1
	.endr
.endm
#endif

#endif
