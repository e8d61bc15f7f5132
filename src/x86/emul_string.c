// SPDX-License-Identifier: GPL-2.0-only
/*
 * String instructions. Every iteration is an instruction of its own as far as faults, user space
 * and interrupts are concerned: its registers are committed before the next one begins, with RIP
 * still at the instruction. A run is bounded, the caller comes back for the rest.
 */
#include "emul_internal.h"

#define PAGE_BYTES	4096u

/* Iterations that are left, 1 for an instruction without repeat prefix. */
u64 emul_rep_count(const struct shvm_emul *e)
{
	return e->d.rep ? emul_reg_read(e, EMUL_RCX, e->d.adsize) : 1;
}

/* SDM vol. 1, 19.5: the bitmap is asked only if IOPL does not allow the access. */
enum shvm_emul_result emul_io_check(struct shvm_emul *e, u16 port, unsigned int size)
{
	if (e->cpl <= (e->regs.rflags & EFL_IOPL) >> 12)
		return EMUL_OK;
	return e->ops->io_allowed(e, port, size);
}

static u64 index_read(const struct shvm_emul *e, u8 reg)
{
	return emul_reg_read(e, reg, e->d.adsize);
}

static void index_move(struct shvm_emul *e, u8 reg, u64 count)
{
	u64 bytes = count * e->d.opsize;
	u64 index = index_read(e, reg);

	index = e->regs.rflags & EFL_DF ? index - bytes : index + bytes;
	emul_reg_write(e, reg, e->d.adsize, index);
}

static enum shvm_emul_result read_source(struct shvm_emul *e, u64 *val)
{
	*val = 0;
	return emul_mem_read(e, e->d.seg, index_read(e, EMUL_RSI), val, e->d.opsize, 0);
}

static enum shvm_emul_result read_destination(struct shvm_emul *e, u64 *val)
{
	*val = 0;
	return emul_mem_read(e, EMUL_ES, index_read(e, EMUL_RDI), val, e->d.opsize, 0);
}

static enum shvm_emul_result string_store(struct shvm_emul *e, u64 val)
{
	u64 off = index_read(e, EMUL_RDI);

	index_move(e, EMUL_RDI, 1);
	return emul_mem_write(e, EMUL_ES, off, &val, e->d.opsize);
}

static enum shvm_emul_result string_movs(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 val;

	r = read_source(e, &val);
	if (r != EMUL_OK)
		return r;
	index_move(e, EMUL_RSI, 1);
	return string_store(e, val);
}

static enum shvm_emul_result string_cmps(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 a, b;

	r = read_source(e, &a);
	if (r != EMUL_OK)
		return r;
	r = read_destination(e, &b);
	if (r != EMUL_OK)
		return r;
	emul_alu(ALU_CMP, e->d.opsize, a, b, &e->regs.rflags);
	index_move(e, EMUL_RSI, 1);
	index_move(e, EMUL_RDI, 1);
	return EMUL_OK;
}

static enum shvm_emul_result string_lods(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 val;

	r = read_source(e, &val);
	if (r != EMUL_OK)
		return r;
	index_move(e, EMUL_RSI, 1);
	emul_reg_write(e, EMUL_RAX, e->d.opsize, val);
	return EMUL_OK;
}

static enum shvm_emul_result string_scas(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 acc = emul_reg_read(e, EMUL_RAX, e->d.opsize);
	u64 val;

	r = read_destination(e, &val);
	if (r != EMUL_OK)
		return r;
	emul_alu(ALU_CMP, e->d.opsize, acc, val, &e->regs.rflags);
	index_move(e, EMUL_RDI, 1);
	return EMUL_OK;
}

/*
 * Elements that can go through a port in one operation: upwards, within one page, and the offset
 * must not wrap. One, if the whole is not plain sailing.
 */
static u64 io_batch(struct shvm_emul *e, u8 seg, u64 off, bool write)
{
	u64 max = min_t(u64, emul_rep_count(e), SHVM_EMUL_IO_BYTES / e->d.opsize);
	u64 la, n;

	if (e->regs.rflags & (EFL_DF | EFL_TF | EFL_AC) || max <= 1)
		return 1;
	if (emul_linear(e, seg, off, e->d.opsize, write, &la) != EMUL_OK)
		return 1;
	n = min_t(u64, max, (PAGE_BYTES - la % PAGE_BYTES) / e->d.opsize);
	if (n <= 1 || off + n * e->d.opsize - 1 > emul_mask(e->d.adsize))
		return 1;
	if (emul_linear(e, seg, off, n * e->d.opsize, write, &la) != EMUL_OK)
		return 1;
	return n;
}

/* The destination is known to be writable before the port is read: that cannot be undone. */
static enum shvm_emul_result string_ins(struct shvm_emul *e, u64 *count)
{
	u64 off = index_read(e, EMUL_RDI);
	u16 port = e->regs.gpr[EMUL_RDX];
	enum shvm_emul_result r;
	unsigned int bytes;
	u64 la;

	*count = io_batch(e, EMUL_ES, off, true);
	bytes = *count * e->d.opsize;
	r = emul_linear(e, EMUL_ES, off, bytes, true, &la);
	if (r != EMUL_OK)
		return r;
	r = e->ops->check_write(e, la, bytes);
	if (r != EMUL_OK)
		return r;
	r = e->ops->pio_in(e, port, e->d.opsize, *count, e->io_buf);
	if (r != EMUL_OK)
		return r;
	index_move(e, EMUL_RDI, *count);
	return e->ops->write(e, la, e->io_buf, bytes);
}

static enum shvm_emul_result string_outs(struct shvm_emul *e, u64 *count)
{
	u64 off = index_read(e, EMUL_RSI);
	u16 port = e->regs.gpr[EMUL_RDX];
	enum shvm_emul_result r;

	*count = io_batch(e, e->d.seg, off, false);
	r = emul_mem_read(e, e->d.seg, off, e->io_buf, *count * e->d.opsize, 0);
	if (r != EMUL_OK)
		return r;
	index_move(e, EMUL_RSI, *count);
	return e->ops->pio_out(e, port, e->d.opsize, *count, e->io_buf);
}

/* One iteration, or @count of them for a port. */
static enum shvm_emul_result string_step(struct shvm_emul *e, u64 *count)
{
	*count = 1;
	switch (e->d.opcode & ~1) {
	case 0x6c:
		return string_ins(e, count);
	case 0x6e:
		return string_outs(e, count);
	case 0xa4:
		return string_movs(e);
	case 0xa6:
		return string_cmps(e);
	case 0xaa:
		return string_store(e, e->regs.gpr[EMUL_RAX]);
	case 0xac:
		return string_lods(e);
	case 0xae:
		return string_scas(e);
	}
	return EMUL_UNHANDLED;
}

/* CMPS and SCAS end when ZF is not what the prefix waits for. */
static bool string_ends(const struct shvm_emul *e)
{
	u8 op = e->d.opcode & ~1;

	if (op != 0xa6 && op != 0xae)
		return false;
	return !(e->regs.rflags & EFL_ZF) == (e->d.rep == 0xf3);
}

/* From here on, whatever happens, this much of the instruction is done. */
static void string_commit(struct shvm_emul *e)
{
	u64 start = e->old.rip;

	e->old = e->regs;
	e->old.rip = start;
	if (e->ops->commit)
		e->ops->commit(e);
}

static enum shvm_emul_result string_repeat(struct shvm_emul *e)
{
	unsigned int budget = e->regs.rflags & EFL_TF ? 1 : SHVM_EMUL_REP_MAX;
	u64 left = emul_rep_count(e);
	enum shvm_emul_result r;
	u64 count;

	while (left) {
		r = string_step(e, &count);
		if (r != EMUL_OK)
			return r;
		left -= count;
		emul_reg_write(e, EMUL_RCX, e->d.adsize, left);
		if (!left || string_ends(e))
			break;
		budget -= min_t(u64, budget, count);
		if (!budget) {
			e->regs.rip = e->old.rip;
			break;
		}
		string_commit(e);
	}
	return EMUL_OK;
}

/* Permission for the port is checked even if there is nothing to do. */
enum shvm_emul_result emul_exec_string(struct shvm_emul *e)
{
	enum shvm_emul_result r = EMUL_OK;
	bool is_io = e->d.opcode < 0x70;
	u64 count;

	if (is_io)
		r = emul_io_check(e, e->regs.gpr[EMUL_RDX], e->d.opsize);
	if (r != EMUL_OK)
		return r;
	return e->d.rep ? string_repeat(e) : string_step(e, &count);
}
