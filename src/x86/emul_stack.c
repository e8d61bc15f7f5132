// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of the stack and of near branches. A branch checks its target before it is taken, so
 * that the fault is that of the branch (SDM vol. 2) and the guest never gets a RIP that VM entry
 * would refuse.
 */
#include "emul_internal.h"

/* Bytes of the stack pointer that count. */
u8 emul_stack_size(const struct shvm_emul *e)
{
	if (e->mode == EMUL_MODE64)
		return 8;
	return e->seg[EMUL_SS].ar & SEG_AR_DB ? 4 : 2;
}

static enum shvm_emul_result stack_push(struct shvm_emul *e, u64 val)
{
	u8 size = emul_stack_size(e);
	u64 sp = (e->regs.gpr[EMUL_RSP] - e->d.opsize) & emul_mask(size);

	emul_reg_write(e, EMUL_RSP, size, sp);
	return emul_mem_write(e, EMUL_SS, sp, &val, e->d.opsize);
}

static enum shvm_emul_result stack_pop(struct shvm_emul *e, u64 *val)
{
	u8 size = emul_stack_size(e);
	u64 sp = e->regs.gpr[EMUL_RSP] & emul_mask(size);

	*val = 0;
	emul_reg_write(e, EMUL_RSP, size, sp + e->d.opsize);
	return emul_mem_read(e, EMUL_SS, sp, val, e->d.opsize, 0);
}

enum shvm_emul_result emul_exec_push(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u64 val;

	r = emul_get(e, d->op->form == FORM_NONE ? &d->src : &d->dst, d->opsize, 0, &val);
	return r == EMUL_OK ? stack_push(e, val) : r;
}

/* The destination is written after the stack pointer: POP rSP keeps what was popped. */
enum shvm_emul_result emul_exec_pop(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 val;

	r = stack_pop(e, &val);
	return r == EMUL_OK ? emul_put(e, &e->d.dst, e->d.opsize, val) : r;
}

enum shvm_emul_result emul_exec_pushf(struct shvm_emul *e)
{
	return stack_push(e, e->regs.rflags & ~(EFL_VM | EFL_RF));
}

/* SDM editions differ on what becomes of VIF and VIP: refuse if one is set. */
enum shvm_emul_result emul_exec_popf(struct shvm_emul *e)
{
	u64 mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_AC | EFL_ID;
	u64 iopl = (e->regs.rflags & EFL_IOPL) >> 12;
	enum shvm_emul_result r;
	u64 val;

	if (e->regs.rflags & (EFL_VIF | EFL_VIP))
		return EMUL_UNHANDLED;
	r = stack_pop(e, &val);
	if (r != EMUL_OK)
		return r;
	if (e->cpl == 0)
		mask |= EFL_IOPL;
	if (e->cpl <= iopl)
		mask |= EFL_IF;
	mask &= emul_mask(e->d.opsize);
	e->regs.rflags = (e->regs.rflags & ~mask) | (val & mask);
	return EMUL_OK;
}

static enum shvm_emul_result jump(struct shvm_emul *e, u64 target)
{
	if (e->mode == EMUL_MODE64) {
		if (!emul_canonical(e, target))
			return emul_gp(e);
	} else {
		target &= emul_mask(e->d.opsize);
		if (target > e->seg[EMUL_CS].limit)
			return emul_gp(e);
	}
	e->regs.rip = target;
	return EMUL_OK;
}

static enum shvm_emul_result call(struct shvm_emul *e, u64 target)
{
	u64 ret = e->regs.rip;
	enum shvm_emul_result r;

	r = jump(e, target);
	return r == EMUL_OK ? stack_push(e, ret) : r;
}

enum shvm_emul_result emul_exec_jcc(struct shvm_emul *e)
{
	if (!emul_condition(e->d.opcode & 0xf, e->regs.rflags))
		return EMUL_OK;
	return jump(e, e->regs.rip + e->d.imm);
}

/* e0 loopne, e1 loope, e2 loop, e3 jrcxz */
enum shvm_emul_result emul_exec_loop(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u64 count = emul_reg_read(e, EMUL_RCX, d->adsize);
	bool zf = e->regs.rflags & EFL_ZF;
	bool taken;

	if (d->opcode == 0xe3) {
		taken = !count;
	} else {
		count = (count - 1) & emul_mask(d->adsize);
		emul_reg_write(e, EMUL_RCX, d->adsize, count);
		taken = count && (d->opcode == 0xe2 || zf == (d->opcode & 1));
	}
	return taken ? jump(e, e->regs.rip + d->imm) : EMUL_OK;
}

enum shvm_emul_result emul_exec_jmp_rel(struct shvm_emul *e)
{
	return jump(e, e->regs.rip + e->d.imm);
}

enum shvm_emul_result emul_exec_jmp_abs(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 target;

	r = emul_get(e, &e->d.dst, e->d.opsize, 0, &target);
	return r == EMUL_OK ? jump(e, target) : r;
}

enum shvm_emul_result emul_exec_call_rel(struct shvm_emul *e)
{
	return call(e, e->regs.rip + e->d.imm);
}

enum shvm_emul_result emul_exec_call_abs(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 target;

	r = emul_get(e, &e->d.dst, e->d.opsize, 0, &target);
	return r == EMUL_OK ? call(e, target) : r;
}

enum shvm_emul_result emul_exec_ret(struct shvm_emul *e)
{
	u8 size = emul_stack_size(e);
	enum shvm_emul_result r;
	u64 target;

	r = stack_pop(e, &target);
	if (r != EMUL_OK)
		return r;
	emul_reg_write(e, EMUL_RSP, size, e->regs.gpr[EMUL_RSP] + (e->d.imm & 0xffff));
	return jump(e, target);
}
