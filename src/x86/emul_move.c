// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of the instructions that move data, and of the exchanges. XCHG with memory is locked
 * with or without the prefix.
 */
#include "emul_internal.h"

enum shvm_emul_result emul_exec_mov(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 val;

	r = emul_get(e, &d->src, d->opsize, 0, &val);
	return r == EMUL_OK ? emul_put(e, &d->dst, d->opsize, val) : r;
}

/* The source, in memory or not, has the size of the memory operand. */
enum shvm_emul_result emul_exec_movzx(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 val;

	r = emul_get(e, &d->src, d->msize, 0, &val);
	if (r == EMUL_OK)
		emul_reg_write(e, d->reg, d->opsize, val);
	return r;
}

enum shvm_emul_result emul_exec_movsx(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 val;

	r = emul_get(e, &d->src, d->msize, 0, &val);
	if (r == EMUL_OK)
		emul_reg_write(e, d->reg, d->opsize, emul_sext(val, d->msize));
	return r;
}

enum shvm_emul_result emul_exec_mov_from_seg(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u8 seg = d->reg & 7;
	enum shvm_emul_result r;
	u16 selector;

	if (seg >= EMUL_NR_SEG)
		return emul_ud(e);
	seg = array_index_nospec(seg, EMUL_NR_SEG);
	r = e->ops->get_selector(e, seg, &selector);
	return r == EMUL_OK ? emul_put(e, &d->dst, d->opsize, selector) : r;
}

enum shvm_emul_result emul_exec_lea(struct shvm_emul *e)
{
	emul_reg_write(e, e->d.reg, e->d.opsize, e->d.ea);
	return EMUL_OK;
}

enum shvm_emul_result emul_exec_nop(struct shvm_emul *e)
{
	return EMUL_OK;
}

/* 90 is NOP, with F3 PAUSE; with REX.B it exchanges R8, where CPUs differ on F3. */
enum shvm_emul_result emul_exec_nop90(struct shvm_emul *e)
{
	if (e->d.dst.reg == EMUL_RAX)
		return EMUL_OK;
	return e->d.rep == 0xf3 ? EMUL_UNHANDLED : emul_exec_xchg(e);
}

/* With 16-bit operands the result is undefined. */
enum shvm_emul_result emul_exec_bswap(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u64 val = emul_reg_read(e, d->dst.reg, d->opsize);

	if (d->opsize == 2)
		return EMUL_UNHANDLED;
	val = __builtin_bswap64(val) >> (64 - d->opsize * 8);
	emul_reg_write(e, d->dst.reg, d->opsize, val);
	return EMUL_OK;
}

enum shvm_emul_result emul_exec_setcc(struct shvm_emul *e)
{
	return emul_put(e, &e->d.dst, 1, emul_condition(e->d.opcode & 0xf, e->regs.rflags));
}

/* The source is read, and a 32-bit destination cleared above, whatever the condition. */
enum shvm_emul_result emul_exec_cmov(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 val;

	r = emul_get(e, &d->src, d->opsize, 0, &val);
	if (r != EMUL_OK)
		return r;
	if (!emul_condition(d->opcode & 0xf, e->regs.rflags))
		val = emul_reg_read(e, d->reg, d->opsize);
	emul_reg_write(e, d->reg, d->opsize, val);
	return EMUL_OK;
}

/* 98: cbw, cwde, cdqe. 99: cwd, cdq, cqo. */
enum shvm_emul_result emul_exec_widen(struct shvm_emul *e)
{
	u8 size = e->d.opsize;
	u64 val = e->regs.gpr[EMUL_RAX];

	if (e->d.opcode == 0x98)
		emul_reg_write(e, EMUL_RAX, size, emul_sext(val, size / 2));
	else
		emul_reg_write(e, EMUL_RDX, size, val & emul_sign(size) ? ~0ULL : 0);
	return EMUL_OK;
}

enum shvm_emul_result emul_exec_xchg(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 a, b;

	d->lock = true;
	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	b = emul_reg_read(e, d->src.reg, d->opsize);
	emul_reg_write(e, d->src.reg, d->opsize, a);
	return emul_update(e, a, b);
}

/* The sum is written last: it is what remains if both operands are one register. */
enum shvm_emul_result emul_exec_xadd(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 a, b;

	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &a);
	if (r != EMUL_OK)
		return r;
	b = emul_reg_read(e, d->src.reg, d->opsize);
	b = emul_alu(ALU_ADD, d->opsize, a, b, &e->regs.rflags);
	emul_reg_write(e, d->src.reg, d->opsize, a);
	return emul_update(e, a, b);
}

/*
 * Memory is written whether or not it compares equal (SDM vol. 2, CMPXCHG); a register is not
 * even zero-extended if it is not.
 */
enum shvm_emul_result emul_exec_cmpxchg(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u64 acc = emul_reg_read(e, EMUL_RAX, d->opsize);
	enum shvm_emul_result r;
	u64 old, val;

	r = emul_get(e, &d->dst, d->opsize, EMUL_ACC_RMW, &old);
	if (r != EMUL_OK)
		return r;
	val = emul_reg_read(e, d->src.reg, d->opsize);
	emul_alu(ALU_CMP, d->opsize, acc, old, &e->regs.rflags);
	if (acc == old)
		return emul_update(e, old, val);
	emul_reg_write(e, EMUL_RAX, d->opsize, old);
	return d->dst.kind == OPND_MEM ? emul_update(e, old, old) : EMUL_OK;
}

/* Put the two halves of a register pair side by side as memory has them. */
static void pair_pack(u8 *buf, u64 lo, u64 hi, u8 size)
{
	memcpy(buf, &lo, size);
	memcpy(buf + size, &hi, size);
}

/* CMPXCHG8B and CMPXCHG16B; only the latter insists on alignment, with #GP in any segment. */
enum shvm_emul_result emul_exec_cmpxchg_pair(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u64 *gpr = e->regs.gpr;
	u8 half = d->msize / 2;
	u8 old[16], want[16], val[16];
	enum shvm_emul_result r;
	u64 la, lo = 0, hi = 0;

	r = emul_linear(e, d->seg, d->ea, d->msize, true, &la);
	if (r != EMUL_OK)
		return r;
	if (half == 8 && la & 15)
		return emul_gp(e);
	r = e->ops->read(e, la, old, d->msize, EMUL_ACC_RMW);
	if (r != EMUL_OK)
		return r;
	pair_pack(want, gpr[EMUL_RAX], gpr[EMUL_RDX], half);
	pair_pack(val, gpr[EMUL_RBX], gpr[EMUL_RCX], half);
	if (!memcmp(old, want, d->msize)) {
		e->regs.rflags |= EFL_ZF;
		return emul_replace(e, old, val, d->msize);
	}
	e->regs.rflags &= ~EFL_ZF;
	memcpy(&lo, old, half);
	memcpy(&hi, old + half, half);
	emul_reg_write(e, EMUL_RAX, half, lo);
	emul_reg_write(e, EMUL_RDX, half, hi);
	return emul_replace(e, old, old, d->msize);
}
