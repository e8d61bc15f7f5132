/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the instruction emulator share. Not for others.
 *
 * Order of one run: decode (prefixes, table entry, operands, addresses; no side effect), checks
 * (LOCK, privilege, expected write), execution. A handler may change shvm_emul.regs at any time:
 * the caller restores them if the handler does not end with EMUL_OK. What leaves the emulator
 * cannot be restored, so a handler does all that can fail before its last write operation.
 */
#ifndef SHVM_X86_EMUL_INTERNAL_H
#define SHVM_X86_EMUL_INTERNAL_H

#include "emulate.h"

#define EFL_CF		BIT_ULL(0)
#define EFL_FIXED	BIT_ULL(1)
#define EFL_PF		BIT_ULL(2)
#define EFL_AF		BIT_ULL(4)
#define EFL_ZF		BIT_ULL(6)
#define EFL_SF		BIT_ULL(7)
#define EFL_TF		BIT_ULL(8)
#define EFL_IF		BIT_ULL(9)
#define EFL_DF		BIT_ULL(10)
#define EFL_OF		BIT_ULL(11)
#define EFL_IOPL	(3ULL << 12)
#define EFL_NT		BIT_ULL(14)
#define EFL_RF		BIT_ULL(16)
#define EFL_VM		BIT_ULL(17)
#define EFL_AC		BIT_ULL(18)
#define EFL_VIF		BIT_ULL(19)
#define EFL_VIP		BIT_ULL(20)
#define EFL_ID		BIT_ULL(21)
#define EFL_ARITH	(EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)

#define CR0_PE_BIT	BIT_ULL(0)
#define CR0_EM_BIT	BIT_ULL(2)
#define CR0_TS_BIT	BIT_ULL(3)
#define CR0_AM_BIT	BIT_ULL(18)
#define CR4_PVI_BIT	BIT_ULL(1)
#define CR4_DE_BIT	BIT_ULL(3)
#define CR4_OSFXSR_BIT	BIT_ULL(9)
#define CR4_UMIP_BIT	BIT_ULL(11)
#define CR4_LA57_BIT	BIT_ULL(12)

#define SEG_AR_CODE	BIT_ULL(3)
#define SEG_AR_DOWN	BIT_ULL(2)	/* data: expands down */
#define SEG_AR_RW	BIT_ULL(1)	/* data: writable, code: readable */
#define SEG_AR_S	BIT_ULL(4)
#define SEG_AR_P	BIT_ULL(7)
#define SEG_AR_DB	BIT_ULL(14)
#define SEG_AR_UNUSABLE	BIT_ULL(16)

enum emul_vector {
	VEC_DE = 0,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_AC = 17,
};

/* Where the operands of an instruction are. E: ModRM.rm, G: ModRM.reg, as in the SDM's map. */
enum emul_form {
	FORM_NONE,	/* nothing, or an immediate only, as source */
	FORM_R,		/* register in the opcode */
	FORM_R_A,	/* likewise, with the accumulator */
	FORM_A,		/* accumulator */
	FORM_A_O,	/* accumulator from absolute address */
	FORM_O_A,
	FORM_MODRM,	/* those from here on have a ModRM byte */
	FORM_E = FORM_MODRM,
	FORM_E_G,
	FORM_G_E,
	FORM_CRDR,	/* ModRM names two registers, whatever its mod says */
};

enum emul_imm {
	IMM_NONE,
	IMM_8,		/* all immediates are sign-extended, users cut them */
	IMM_16,
	IMM_Z,		/* 16 or 32 bits */
	IMM_V,		/* 16, 32 or 64 bits */
};

/* The prefix that tells SSE instructions with one opcode apart. F2 and F3 outdo 66. */
enum emul_prefix {
	PREFIX_NONE,
	PREFIX_66,
	PREFIX_F3,
	PREFIX_F2,
	NR_PREFIX,
};

#define INSN_BYTE	BIT_ULL(0)	/* byte operands */
#define INSN_W		BIT_ULL(1)	/* writes its first operand */
#define INSN_LOCK	BIT_ULL(2)	/* LOCK is legal with a memory destination */
#define INSN_PRIV	BIT_ULL(3)	/* #GP(0) unless CPL is 0 */
#define INSN_D64	BIT_ULL(4)	/* 64-bit mode: operand size is 64 or 16 bits */
#define INSN_ONLY64	BIT_ULL(6)	/* another instruction outside 64-bit mode: refuse */
#define INSN_MEM	BIT_ULL(7)	/* #UD with a register operand */
#define INSN_MEMREF	BIT_ULL(8)	/* with a register operand it is another one: refuse */
#define INSN_NOACC	BIT_ULL(9)	/* memory operand is not accessed */
#define INSN_PUSH	BIT_ULL(10)	/* writes below the stack pointer */
#define INSN_STRING	BIT_ULL(11)	/* string instruction */
#define INSN_STRDST	BIT_ULL(12)	/* that writes to ES:rDI */
#define INSN_NOREP	BIT_ULL(13)	/* F2 and F3 may make it another instruction: refuse */
#define INSN_NO66	BIT_ULL(14)	/* likewise the operand-size prefix */
#define INSN_MEM16	BIT_ULL(15)	/* memory operand has 16 bits */
#define INSN_SRC8	BIT_ULL(16)	/* source has 8 bits */
#define INSN_SRC16	BIT_ULL(17)	/* source has 16 bits */
#define INSN_SRC32	BIT_ULL(18)	/* source has 32 bits */
#define INSN_PAIR	BIT_ULL(19)	/* memory operand has twice the operand size */
#define INSN_BITREG	BIT_ULL(20)	/* source is a bit offset that moves the address */
#define INSN_POP	BIT_ULL(21)	/* address is formed after the stack pointer has moved */
#define INSN_BRANCH	BIT_ULL(22)	/* CPUs differ on 66h in 64-bit mode: refuse it */
#define INSN_MAX32	BIT_ULL(23)	/* there is no 64-bit form */
#define INSN_MIN32	BIT_ULL(24)	/* there is no 16-bit form */
#define INSN_MEM32	BIT_ULL(25)	/* memory operand has 32 bits */
#define INSN_MEM64	BIT_ULL(26)	/* memory operand has 64 bits */
#define INSN_MEM128	BIT_ULL(27)	/* memory operand has 128 bits */
#define INSN_ALIGNED	BIT_ULL(28)	/* #GP(0) unless the memory operand is 16-byte aligned */
#define INSN_HIGH	BIT_ULL(29)	/* stores the upper half of an XMM register */

typedef enum shvm_emul_result (*emul_exec_fn)(struct shvm_emul *e);

struct emul_opcode {
	emul_exec_fn exec;			/* NULL: not modelled */
	const struct emul_opcode *group;	/* eight entries chosen by ModRM.reg */
	const struct emul_opcode *prefix;	/* entries chosen by a prefix: enum emul_prefix */
	u32 flags;
	u8 form;
	u8 imm;
};

extern const struct emul_opcode emul_table_1b[256];
extern const struct emul_opcode emul_table_0f[256];
extern const struct emul_opcode emul_table_alu[6];
extern const struct emul_opcode emul_table_cmp[6];

static inline u64 emul_mask(unsigned int size)
{
	return size >= 8 ? ~0ULL : BIT_ULL(size * 8) - 1;
}

static inline u64 emul_sign(unsigned int size)
{
	return BIT_ULL(size * 8 - 1);
}

static inline u64 emul_sext(u64 val, unsigned int size)
{
	u64 sign = emul_sign(size);

	return ((val & emul_mask(size)) ^ sign) - sign;
}

static inline bool emul_canonical(const struct shvm_emul *e, u64 la)
{
	u64 half = e->cr4 & CR4_LA57_BIT ? BIT_ULL(56) : BIT_ULL(47);

	return la + half < 2 * half;
}

/* emul_decode.c */
enum shvm_emul_result emul_decode(struct shvm_emul *e);

/* emul_mem.c */
enum shvm_emul_result emul_ud(struct shvm_emul *e);
enum shvm_emul_result emul_gp(struct shvm_emul *e);
enum shvm_emul_result emul_linear(struct shvm_emul *e, u8 seg, u64 off, unsigned int size,
				  bool write, u64 *la);
enum shvm_emul_result emul_mem_read(struct shvm_emul *e, u8 seg, u64 off, void *buf,
				    unsigned int size, u64 access);
enum shvm_emul_result emul_mem_write(struct shvm_emul *e, u8 seg, u64 off, const void *buf,
				     unsigned int size);
u64 emul_reg_read(const struct shvm_emul *e, u8 reg, unsigned int size);
void emul_reg_write(struct shvm_emul *e, u8 reg, unsigned int size, u64 val);
enum shvm_emul_result emul_get(struct shvm_emul *e, const struct emul_operand *o,
			       unsigned int size, u64 access, u64 *val);
enum shvm_emul_result emul_put(struct shvm_emul *e, const struct emul_operand *o,
			       unsigned int size, u64 val);
enum shvm_emul_result emul_replace(struct shvm_emul *e, const void *old, const void *new,
				   unsigned int size);
enum shvm_emul_result emul_update(struct shvm_emul *e, u64 old, u64 val);

/* emul_alu.c: arithmetic, no CPU state but the flags that are passed */
enum emul_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
u64 emul_alu(enum emul_alu op, unsigned int size, u64 a, u64 b, u64 *rflags);
u64 emul_shift(u8 op, unsigned int size, u64 a, u8 count, u64 *rflags);
u64 emul_shift_double(bool right, unsigned int size, u64 a, u64 b, u8 count, u64 *rflags);
void emul_mul(bool is_signed, unsigned int size, u64 a, u64 b, u64 *lo, u64 *hi, u64 *rflags);
bool emul_div(bool is_signed, unsigned int size, u64 *lo, u64 *hi, u64 divisor);
bool emul_condition(u8 cc, u64 rflags);

/* emul_exec.c */
enum shvm_emul_result emul_exec_alu(struct shvm_emul *e);
enum shvm_emul_result emul_exec_test(struct shvm_emul *e);
enum shvm_emul_result emul_exec_not(struct shvm_emul *e);
enum shvm_emul_result emul_exec_neg(struct shvm_emul *e);
enum shvm_emul_result emul_exec_inc(struct shvm_emul *e);
enum shvm_emul_result emul_exec_dec(struct shvm_emul *e);
enum shvm_emul_result emul_exec_mul(struct shvm_emul *e);
enum shvm_emul_result emul_exec_div(struct shvm_emul *e);
enum shvm_emul_result emul_exec_imul(struct shvm_emul *e);
enum shvm_emul_result emul_exec_bt(struct shvm_emul *e);
enum shvm_emul_result emul_exec_shift(struct shvm_emul *e);
enum shvm_emul_result emul_exec_shift_double(struct shvm_emul *e);
enum shvm_emul_result emul_exec_flag(struct shvm_emul *e);

/* emul_move.c */
enum shvm_emul_result emul_exec_mov(struct shvm_emul *e);
enum shvm_emul_result emul_exec_movzx(struct shvm_emul *e);
enum shvm_emul_result emul_exec_movsx(struct shvm_emul *e);
enum shvm_emul_result emul_exec_mov_from_seg(struct shvm_emul *e);
enum shvm_emul_result emul_exec_lea(struct shvm_emul *e);
enum shvm_emul_result emul_exec_nop(struct shvm_emul *e);
enum shvm_emul_result emul_exec_nop90(struct shvm_emul *e);
enum shvm_emul_result emul_exec_bswap(struct shvm_emul *e);
enum shvm_emul_result emul_exec_setcc(struct shvm_emul *e);
enum shvm_emul_result emul_exec_cmov(struct shvm_emul *e);
enum shvm_emul_result emul_exec_widen(struct shvm_emul *e);
enum shvm_emul_result emul_exec_xchg(struct shvm_emul *e);
enum shvm_emul_result emul_exec_xadd(struct shvm_emul *e);
enum shvm_emul_result emul_exec_cmpxchg(struct shvm_emul *e);
enum shvm_emul_result emul_exec_cmpxchg_pair(struct shvm_emul *e);

/* emul_stack.c */
u8 emul_stack_size(const struct shvm_emul *e);
enum shvm_emul_result emul_exec_push(struct shvm_emul *e);
enum shvm_emul_result emul_exec_pop(struct shvm_emul *e);
enum shvm_emul_result emul_exec_pushf(struct shvm_emul *e);
enum shvm_emul_result emul_exec_popf(struct shvm_emul *e);
enum shvm_emul_result emul_exec_jcc(struct shvm_emul *e);
enum shvm_emul_result emul_exec_loop(struct shvm_emul *e);
enum shvm_emul_result emul_exec_jmp_rel(struct shvm_emul *e);
enum shvm_emul_result emul_exec_jmp_abs(struct shvm_emul *e);
enum shvm_emul_result emul_exec_call_rel(struct shvm_emul *e);
enum shvm_emul_result emul_exec_call_abs(struct shvm_emul *e);
enum shvm_emul_result emul_exec_ret(struct shvm_emul *e);

/* emul_string.c */
u64 emul_rep_count(const struct shvm_emul *e);
enum shvm_emul_result emul_io_check(struct shvm_emul *e, u16 port, unsigned int size);
enum shvm_emul_result emul_exec_string(struct shvm_emul *e);

/* emul_sys.c */
enum shvm_emul_result emul_exec_in(struct shvm_emul *e);
enum shvm_emul_result emul_exec_out(struct shvm_emul *e);
enum shvm_emul_result emul_exec_mov_from_cr(struct shvm_emul *e);
enum shvm_emul_result emul_exec_mov_to_cr(struct shvm_emul *e);
enum shvm_emul_result emul_exec_mov_from_dr(struct shvm_emul *e);
enum shvm_emul_result emul_exec_mov_to_dr(struct shvm_emul *e);
enum shvm_emul_result emul_exec_smsw(struct shvm_emul *e);
enum shvm_emul_result emul_exec_lmsw(struct shvm_emul *e);
enum shvm_emul_result emul_exec_clts(struct shvm_emul *e);
enum shvm_emul_result emul_exec_invlpg(struct shvm_emul *e);
enum shvm_emul_result emul_exec_hlt(struct shvm_emul *e);
enum shvm_emul_result emul_exec_cli(struct shvm_emul *e);
enum shvm_emul_result emul_exec_sti(struct shvm_emul *e);
enum shvm_emul_result emul_exec_store_table(struct shvm_emul *e);

/* emul_simd.c */
enum shvm_emul_result emul_exec_store_xmm(struct shvm_emul *e);

#endif /* SHVM_X86_EMUL_INTERNAL_H */
