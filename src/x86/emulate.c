// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry points of the instruction emulator: decode, check, execute, commit. This is where an
 * instruction becomes all or nothing.
 */
#include "emul_internal.h"

/* Forms that are another instruction, or one on which CPUs differ. */
static bool insn_refused(const struct shvm_emul *e)
{
	const struct emul_insn *d = &e->d;
	u32 flags = d->op->flags;
	bool long_mode = e->mode == EMUL_MODE64;

	return (flags & INSN_ONLY64 && !long_mode) ||
	       (flags & INSN_NOREP && d->rep) ||
	       (flags & INSN_NO66 && d->opsize_prefix) ||
	       (flags & INSN_BRANCH && long_mode && d->opsize_prefix) ||
	       (flags & INSN_MEMREF && d->mod == 3);
}

/* Faults of the instruction itself, before its operands are looked at. */
static enum shvm_emul_result insn_check(struct shvm_emul *e)
{
	const struct emul_insn *d = &e->d;
	u32 flags = d->op->flags;

	if (insn_refused(e))
		return EMUL_UNHANDLED;
	if (d->lock && !(flags & INSN_LOCK && d->dst.kind == OPND_MEM))
		return emul_ud(e);
	if (flags & INSN_MEM && d->mod == 3)
		return emul_ud(e);
	if (flags & INSN_PRIV && e->cpl)
		return emul_gp(e);
	return d->op->exec ? EMUL_OK : EMUL_UNHANDLED;
}

/* Where the instruction writes. False: nowhere, or to an address that faults before paging. */
static bool insn_writes(struct shvm_emul *e, u64 *la, u8 *size)
{
	const struct emul_insn *d = &e->d;
	u64 off = d->ea;
	u8 seg = d->seg;

	*size = d->msize;
	if (d->op->flags & INSN_PUSH) {
		seg = EMUL_SS;
		off = (e->regs.gpr[EMUL_RSP] - d->opsize) & emul_mask(emul_stack_size(e));
		*size = d->opsize;
	} else if (d->op->flags & INSN_STRDST) {
		if (!emul_rep_count(e))
			return false;
		seg = EMUL_ES;
		off = emul_reg_read(e, EMUL_RDI, d->adsize);
	} else if (!(d->op->flags & INSN_W) || d->dst.kind != OPND_MEM) {
		return false;
	}
	return emul_linear(e, seg, off, *size, true, la) == EMUL_OK;
}

/* Where an instruction that does not write reads. Of the two places of CMPS, the first. */
static bool insn_reads(struct shvm_emul *e, u64 *la, u8 *size)
{
	const struct emul_insn *d = &e->d;
	u64 off = d->ea;
	u8 seg = d->seg;

	*size = d->msize;
	if (d->op->flags & INSN_STRING) {
		bool scas = (d->opcode & ~1) == 0xae;

		seg = scas ? EMUL_ES : d->seg;
		off = emul_reg_read(e, scas ? EMUL_RDI : EMUL_RSI, d->adsize);
	} else if (d->op->flags & INSN_NOACC ||
		   (d->dst.kind != OPND_MEM && d->src.kind != OPND_MEM)) {
		return false;
	}
	return emul_linear(e, seg, off, *size, false, la) == EMUL_OK;
}

/* Another CPU may have replaced the instruction since it made this one exit. */
static bool insn_as_expected(struct shvm_emul *e)
{
	u64 la;
	u8 size;

	if (!e->must_write)
		return true;
	return insn_writes(e, &la, &size) && e->must_write_gla - la < size;
}

/* EIP wraps at 32 bits; running past the end of the canonical range is not modelled. */
static bool insn_next(struct shvm_emul *e)
{
	u64 next = e->regs.rip + e->d.len;

	if (e->mode != EMUL_MODE64)
		next = (u32)next;
	else if (!emul_canonical(e, next))
		return false;
	e->regs.rip = next;
	return true;
}

static enum shvm_emul_result emul_execute(struct shvm_emul *e)
{
	enum shvm_emul_result r;

	e->old = e->regs;
	r = insn_next(e) ? e->d.op->exec(e) : EMUL_UNHANDLED;
	if (r != EMUL_OK) {
		e->regs = e->old;
		e->int_shadow = false;
		return r;
	}
	e->single_step = e->old.rflags & EFL_TF;
	if (e->regs.rip != e->old.rip)
		e->regs.rflags &= ~EFL_RF;
	return EMUL_OK;
}

static enum shvm_emul_result insn_decode(struct shvm_emul *e)
{
	enum shvm_emul_result r = emul_decode(e);

	return r == EMUL_OK ? insn_check(e) : r;
}

/**
 * shvm_emul_run - decode and execute one instruction
 * @e:	the CPU; see struct shvm_emul for what goes in and comes out
 *
 * A repeated string instruction is executed for at most SHVM_EMUL_REP_MAX iterations, one if
 * RFLAGS.TF is set; if some are left, the result is EMUL_OK and RIP is where it was.
 */
enum shvm_emul_result shvm_emul_run(struct shvm_emul *e)
{
	enum shvm_emul_result r;

	e->int_shadow = false;
	e->single_step = false;
	r = e->insn_decoded ? EMUL_OK : insn_decode(e);
	e->insn_decoded = false;
	e->insn_cached = false;
	if (r != EMUL_OK)
		return r;
	if (!insn_as_expected(e))
		return EMUL_RETRY;
	return emul_execute(e);
}

/**
 * shvm_emul_decode - what would shvm_emul_run() do to memory?
 * @e:		the CPU; registers are not changed
 * @info:	filled in if the result is EMUL_OK
 *
 * Only @fetch of the operations is used. The decision may be carried over to the run by setting
 * shvm_emul.insn_decoded.
 */
enum shvm_emul_result shvm_emul_decode(struct shvm_emul *e, struct shvm_emul_info *info)
{
	enum shvm_emul_result r;

	memset(info, 0, sizeof(*info));
	r = insn_decode(e);
	if (r != EMUL_OK)
		return r;
	info->len = e->d.len;
	info->is_string = e->d.op->flags & INSN_STRING;
	info->is_rep = info->is_string && e->d.rep;
	info->writes = insn_writes(e, &info->linear, &info->size);
	if (!info->writes && !insn_reads(e, &info->linear, &info->size)) {
		info->linear = 0;
		info->size = 0;
	}
	return EMUL_OK;
}
