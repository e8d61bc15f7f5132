// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of the arithmetic instructions: fetch operands, compute in emul_alu.c, store. Flags are
 * set after the store, for neatness only: the caller restores all registers of an instruction
 * that does not finish.
 */
#include "emul_internal.h"

enum shvm_emul_result emul_exec_alu(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum emul_alu op = d->opcode < 0x40 ? d->opcode >> 3 : d->reg & 7;
	u64 flags = e->regs.rflags;
	enum shvm_emul_result r;
	u64 a, b, val;

	r = emul_get(e, &d->dst, d->opsize, d->op->flags & INSN_W ? EMUL_ACC_RMW : 0, &a);
	if (r != EMUL_OK)
		return r;
	r = emul_get(e, &d->src, d->opsize, 0, &b);
	if (r != EMUL_OK)
		return r;
	val = emul_alu(op, d->opsize, a, b, &flags);
	if (op != ALU_CMP)
		r = emul_update(e, a, val);
	e->regs.rflags = flags;
	return r;
}

enum shvm_emul_result emul_exec_test(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 a, b;

	r = emul_get(e, &d->dst, d->opsize, 0, &a);
	if (r != EMUL_OK)
		return r;
	r = emul_get(e, &d->src, d->opsize, 0, &b);
	if (r != EMUL_OK)
		return r;
	emul_alu(ALU_AND, d->opsize, a, b, &e->regs.rflags);
	return EMUL_OK;
}

enum shvm_emul_result emul_exec_not(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 a;

	r = emul_get(e, &e->d.dst, e->d.opsize, EMUL_ACC_RMW, &a);
	return r == EMUL_OK ? emul_update(e, a, ~a) : r;
}

enum shvm_emul_result emul_exec_neg(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 a, val;

	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	val = emul_alu(ALU_SUB, d->opsize, 0, a, &e->regs.rflags);
	return emul_update(e, a, val);
}

/* INC and DEC are ADD and SUB of one that leave CF alone. */
static enum shvm_emul_result exec_step(struct shvm_emul *e, enum emul_alu op)
{
	struct emul_insn *d = &e->d;
	u64 flags = e->regs.rflags;
	enum shvm_emul_result r;
	u64 a, val;

	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	val = emul_alu(op, d->opsize, a, 1, &flags);
	e->regs.rflags = (flags & ~EFL_CF) | (e->regs.rflags & EFL_CF);
	return emul_update(e, a, val);
}

enum shvm_emul_result emul_exec_inc(struct shvm_emul *e)
{
	return exec_step(e, ALU_ADD);
}

enum shvm_emul_result emul_exec_dec(struct shvm_emul *e)
{
	return exec_step(e, ALU_SUB);
}

/* The pair that MUL and DIV work on: AH:AL for bytes, else rDX:rAX. */
static void pair_read(const struct shvm_emul *e, u64 *lo, u64 *hi)
{
	u8 size = e->d.opsize;

	*lo = e->regs.gpr[EMUL_RAX] & emul_mask(size);
	if (size == 1)
		*hi = (e->regs.gpr[EMUL_RAX] >> 8) & 0xff;
	else
		*hi = e->regs.gpr[EMUL_RDX] & emul_mask(size);
}

static void pair_write(struct shvm_emul *e, u64 lo, u64 hi)
{
	u8 size = e->d.opsize;

	if (size == 1) {
		emul_reg_write(e, EMUL_RAX, 2, hi << 8 | lo);
		return;
	}
	emul_reg_write(e, EMUL_RAX, size, lo);
	emul_reg_write(e, EMUL_RDX, size, hi);
}

enum shvm_emul_result emul_exec_mul(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 lo, hi, src;

	r = emul_get(e, &d->dst, d->opsize, 0, &src);
	if (r != EMUL_OK)
		return r;
	pair_read(e, &lo, &hi);
	emul_mul(d->reg & 1, d->opsize, lo, src, &lo, &hi, &e->regs.rflags);
	pair_write(e, lo, hi);
	return EMUL_OK;
}

enum shvm_emul_result emul_exec_div(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 lo, hi, src;

	r = emul_get(e, &d->dst, d->opsize, 0, &src);
	if (r != EMUL_OK)
		return r;
	pair_read(e, &lo, &hi);
	if (!emul_div(d->reg & 1, d->opsize, &lo, &hi, src))
		return shvm_emul_fault(e, VEC_DE, false, 0);
	pair_write(e, lo, hi);
	return EMUL_OK;
}

/* Two and three operands: the product is cut to the operand size. */
enum shvm_emul_result emul_exec_imul(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 a, b, hi;

	r = emul_get(e, &d->src, d->opsize, 0, &a);
	if (r != EMUL_OK)
		return r;
	b = d->op->imm != IMM_NONE ? d->imm : emul_reg_read(e, d->reg, d->opsize);
	emul_mul(true, d->opsize, a, b, &a, &hi, &e->regs.rflags);
	emul_reg_write(e, d->reg, d->opsize, a);
	return EMUL_OK;
}

/* The decoder has moved the address to the operand that holds the bit. */
enum shvm_emul_result emul_exec_bt(struct shvm_emul *e)
{
	enum { BT, BTS, BTR, BTC };
	struct emul_insn *d = &e->d;
	u8 op = (d->opcode == 0xba ? d->reg : d->opcode >> 3) & 3;
	enum shvm_emul_result r;
	u64 a, offset, bit;

	r = emul_get(e, &d->dst, d->opsize, op == BT ? 0 : EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	r = emul_get(e, &d->src, d->opsize, 0, &offset);
	if (r != EMUL_OK)
		return r;
	bit = BIT_ULL(offset & (d->opsize * 8 - 1));
	e->regs.rflags &= ~EFL_CF;
	if (a & bit)
		e->regs.rflags |= EFL_CF;
	switch (op) {
	case BTS:
		return emul_update(e, a, a | bit);
	case BTR:
		return emul_update(e, a, a & ~bit);
	case BTC:
		return emul_update(e, a, a ^ bit);
	}
	return EMUL_OK;
}

enum shvm_emul_result emul_exec_shift(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u8 count = d->imm;
	u64 a, val;

	if (d->opcode >= 0xd2)
		count = e->regs.gpr[EMUL_RCX];
	else if (d->opcode >= 0xd0)
		count = 1;
	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	val = emul_shift(d->reg & 7, d->opsize, a, count, &e->regs.rflags);
	return emul_update(e, a, val);
}

enum shvm_emul_result emul_exec_shift_double(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u8 count = d->opcode & 1 ? e->regs.gpr[EMUL_RCX] : d->imm;
	enum shvm_emul_result r;
	u64 a, b, val;

	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	b = emul_reg_read(e, d->reg, d->opsize);
	val = emul_shift_double(d->opcode & 8, d->opsize, a, b, count, &e->regs.rflags);
	return emul_update(e, a, val);
}

/* cmc, clc, stc, cld, std */
enum shvm_emul_result emul_exec_flag(struct shvm_emul *e)
{
	u64 flag = e->d.opcode >= 0xfc ? EFL_DF : EFL_CF;

	if (e->d.opcode == 0xf5)
		e->regs.rflags ^= flag;
	else if (e->d.opcode & 1)
		e->regs.rflags |= flag;
	else
		e->regs.rflags &= ~flag;
	return EMUL_OK;
}
