/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction forms that are compared with the CPU, for the generator of samples.
 */
#ifndef EMUL_FORMS_H
#define EMUL_FORMS_H

#include "emul_test.h"

#define M64	BIT_ULL(0)
#define M32	BIT_ULL(1)	/* and 16 */
#define MALL	(M64 | M32)

enum form_imm { I_NONE, I_8, I_16, I_Z, I_V, I_MOFFS };

/* Flags that the architecture leaves undefined. */
enum form_undef { U_NONE, U_ALU, U_LOGIC, U_SHIFT, U_SHIFTD, U_MUL, U_DIV, U_BT };

#define F_BYTE		BIT_ULL(0)
#define F_LOCK		BIT_ULL(1)	/* LOCK is legal */
#define F_D64		BIT_ULL(2)
#define F_OPREG		BIT_ULL(3)	/* low three bits of the opcode are random */
#define F_CC		BIT_ULL(4)	/* low four bits of the opcode are random */
#define F_ALU		BIT_ULL(5)	/* bits 5:3 of the opcode are random */
#define F_MEM		BIT_ULL(6)	/* memory operand only */
#define F_STRING	BIT_ULL(7)
#define F_STACK		BIT_ULL(8)
#define F_REL		BIT_ULL(9)	/* immediate is a branch distance */
#define F_TARGET	BIT_ULL(10)	/* operand is a branch target */
#define F_RET		BIT_ULL(11)
#define F_POPF		BIT_ULL(12)
#define F_BITREG	BIT_ULL(13)	/* register operand is a bit offset */
#define F_NOREP		BIT_ULL(14)
#define F_NO66		BIT_ULL(15)
#define F_CL		BIT_ULL(16)	/* shift count in CL */
#define F_NOACC		BIT_ULL(17)
#define F_REGFORM	BIT_ULL(18)	/* ModRM always names a register */
#define F_CMPXCHG	BIT_ULL(19)	/* often equal */
#define F_ANY_FAULT	BIT_ULL(21)	/* CPUs differ on which of several faults comes first */
#define F_OP32		BIT_ULL(22)	/* there is no 16-bit form */
#define F_P66		BIT_ULL(23)	/* this prefix belongs to the opcode */
#define F_PF3		BIT_ULL(24)	/* likewise; 66h makes no difference */
#define F_PF2		BIT_ULL(25)
#define F_XMM		BIT_ULL(26)	/* ModRM.reg names an XMM register */
#define F_ALIGN16	BIT_ULL(27)	/* memory operand is mostly aligned to 16 bytes */
#define F_NOAC		BIT_ULL(28)	/* CPUs differ on alignment checking */
#define F_MEM16		BIT_ULL(20)	/* 66h may be used, memory operand has 16 bits */

#define REG_ANY		(-1)	/* ModRM.reg is an operand */
#define REG_NONE	(-2)	/* no ModRM */

struct form {
	const char *name;
	u8 two_byte;
	u8 opcode;
	s8 reg;
	u8 modes;
	u8 imm;
	u8 undef;
	u32 flags;
};

extern const struct form forms[];
extern const unsigned int nr_forms;

#endif /* EMUL_FORMS_H */
