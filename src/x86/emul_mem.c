// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operand access: registers, segmentation, memory. One operation per operand, so that "all or
 * nothing" of the operation is all or nothing of the operand.
 */
#include "emul_internal.h"

/**
 * shvm_emul_fault - raise an exception that is not a page fault
 * @e:		the CPU
 * @vector:	vector
 * @has_error:	it pushes an error code
 * @error:	error code
 *
 * Return: EMUL_FAULT, for an operation to return at once.
 */
enum shvm_emul_result shvm_emul_fault(struct shvm_emul *e, u8 vector, bool has_error, u32 error)
{
	e->exc = (struct shvm_emul_exc){
		.vector = vector, .has_error = has_error, .error_code = error,
	};
	return EMUL_FAULT;
}

/**
 * shvm_emul_fault_pf - raise a page fault
 * @e:		the CPU
 * @linear:	first byte that could not be accessed
 * @error:	error code
 *
 * Return: EMUL_FAULT, for an operation to return at once.
 */
enum shvm_emul_result shvm_emul_fault_pf(struct shvm_emul *e, u64 linear, u32 error)
{
	shvm_emul_fault(e, VEC_PF, true, error);
	e->exc.cr2 = linear;
	return EMUL_FAULT;
}

enum shvm_emul_result emul_ud(struct shvm_emul *e)
{
	return shvm_emul_fault(e, VEC_UD, false, 0);
}

enum shvm_emul_result emul_gp(struct shvm_emul *e)
{
	return shvm_emul_fault(e, VEC_GP, true, 0);
}

static enum shvm_emul_result segment_fault(struct shvm_emul *e, u8 seg)
{
	return shvm_emul_fault(e, seg == EMUL_SS ? VEC_SS : VEC_GP, true, 0);
}

/* SDM vol. 3, 5.3 to 5.5: presence, type, limit. */
static bool segment_allows(const struct shvm_emul_seg *s, u64 off, unsigned int size, bool write)
{
	u64 last = off + size - 1;
	u32 ar = s->ar;

	if (ar & SEG_AR_UNUSABLE || !(ar & SEG_AR_P) || !(ar & SEG_AR_S))
		return false;
	if (ar & SEG_AR_CODE)
		return !write && ar & SEG_AR_RW && last <= s->limit;
	if (write && !(ar & SEG_AR_RW))
		return false;
	if (ar & SEG_AR_DOWN)
		return off > s->limit && last <= (ar & SEG_AR_DB ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

static enum shvm_emul_result linear_legacy(struct shvm_emul *e, u8 seg, u64 off, unsigned int size,
					   bool write, u64 *la)
{
	const struct shvm_emul_seg *s = &e->seg[seg];

	if (!segment_allows(s, off, size, write))
		return segment_fault(e, seg);
	*la = (u32)(s->base + off);
	return *la + size - 1 > 0xffffffffu ? EMUL_UNHANDLED : EMUL_OK;
}

static enum shvm_emul_result linear_64(struct shvm_emul *e, u8 seg, u64 off, unsigned int size,
				       u64 *la)
{
	u64 last;

	*la = off;
	if (seg >= EMUL_FS)
		*la += e->seg[seg].base;
	last = *la + size - 1;
	if (!emul_canonical(e, *la) || !emul_canonical(e, last))
		return segment_fault(e, seg);
	return last < *la ? EMUL_UNHANDLED : EMUL_OK;
}

/*
 * A 16-byte operand has a check of its own, which comes first. MOVUPS and MOVDQU have none, and
 * only some CPUs raise #AC for them: there the instruction never gets here.
 */
static bool misaligned(const struct shvm_emul *e, u64 la, unsigned int size)
{
	return e->cpl == 3 && e->cr0 & CR0_AM_BIT && e->regs.rflags & EFL_AC && size < 16 &&
	       la & (size - 1);
}

/*
 * Linear address of @size bytes at @seg:@off, with the checks that come before paging. Refuses an
 * operand that wraps around the end of the address space.
 */
enum shvm_emul_result emul_linear(struct shvm_emul *e, u8 seg, u64 off, unsigned int size,
				  bool write, u64 *la)
{
	enum shvm_emul_result r;

	if (e->mode == EMUL_MODE64)
		r = linear_64(e, seg, off, size, la);
	else
		r = linear_legacy(e, seg, off, size, write, la);
	if (r == EMUL_OK && misaligned(e, *la, size))
		return shvm_emul_fault(e, VEC_AC, true, 0);
	return r;
}

enum shvm_emul_result emul_mem_read(struct shvm_emul *e, u8 seg, u64 off, void *buf,
				    unsigned int size, u64 access)
{
	enum shvm_emul_result r;
	u64 la;

	r = emul_linear(e, seg, off, size, access & EMUL_ACC_RMW, &la);
	return r == EMUL_OK ? e->ops->read(e, la, buf, size, access) : r;
}

enum shvm_emul_result emul_mem_write(struct shvm_emul *e, u8 seg, u64 off, const void *buf,
				     unsigned int size)
{
	enum shvm_emul_result r;
	u64 la;

	r = emul_linear(e, seg, off, size, true, &la);
	return r == EMUL_OK ? e->ops->write(e, la, buf, size) : r;
}

/* AH, CH, DH, BH: byte registers 4 to 7 of an instruction without REX. */
static bool is_high_byte(const struct shvm_emul *e, u8 reg, unsigned int size)
{
	return size == 1 && !e->d.rex && reg >= 4 && reg < 8;
}

u64 emul_reg_read(const struct shvm_emul *e, u8 reg, unsigned int size)
{
	if (is_high_byte(e, reg, size))
		return (e->regs.gpr[reg - 4] >> 8) & 0xff;
	return e->regs.gpr[reg] & emul_mask(size);
}

/* 32-bit results clear the upper half, narrower ones leave the rest. */
void emul_reg_write(struct shvm_emul *e, u8 reg, unsigned int size, u64 val)
{
	u64 keep = size >= 4 ? 0 : ~emul_mask(size);

	if (is_high_byte(e, reg, size)) {
		e->regs.gpr[reg - 4] &= ~0xff00ULL;
		e->regs.gpr[reg - 4] |= (val & 0xff) << 8;
		return;
	}
	e->regs.gpr[reg] = (e->regs.gpr[reg] & keep) | (val & emul_mask(size));
}

/* @size is that of a register or an immediate; memory has its own in e->d.msize. */
enum shvm_emul_result emul_get(struct shvm_emul *e, const struct emul_operand *o,
			       unsigned int size, u64 access, u64 *val)
{
	*val = 0;
	switch (o->kind) {
	case OPND_REG:
		*val = emul_reg_read(e, o->reg, size);
		return EMUL_OK;
	case OPND_MEM:
		return emul_mem_read(e, e->d.seg, e->d.ea, val, e->d.msize, access);
	default:
		*val = e->d.imm & emul_mask(size);
		return EMUL_OK;
	}
}

enum shvm_emul_result emul_put(struct shvm_emul *e, const struct emul_operand *o,
			       unsigned int size, u64 val)
{
	if (o->kind == OPND_MEM)
		return emul_mem_write(e, e->d.seg, e->d.ea, &val, e->d.msize);
	emul_reg_write(e, o->reg, size, val);
	return EMUL_OK;
}

/*
 * Second half of a read-modify-write of the memory operand. Without LOCK a plain store is all
 * that the architecture promises.
 */
enum shvm_emul_result emul_replace(struct shvm_emul *e, const void *old, const void *new,
				   unsigned int size)
{
	enum shvm_emul_result r;
	bool done = false;
	u64 la;

	if (!e->d.lock)
		return emul_mem_write(e, e->d.seg, e->d.ea, new, size);
	r = emul_linear(e, e->d.seg, e->d.ea, size, true, &la);
	if (r != EMUL_OK)
		return r;
	r = e->ops->compare_exchange(e, la, old, new, size, &done);
	if (r == EMUL_OK && !done)
		return EMUL_RETRY;
	return r;
}

/* Write the first operand, which held @old. */
enum shvm_emul_result emul_update(struct shvm_emul *e, u64 old, u64 val)
{
	struct emul_insn *d = &e->d;

	if (d->dst.kind == OPND_MEM)
		return emul_replace(e, &old, &val, d->msize);
	emul_reg_write(e, d->dst.reg, d->opsize, val);
	return EMUL_OK;
}
