// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random bytes, registers, modes and answers of the operations. Whatever comes, the result is one
 * of the five, no byte beyond the fifteenth is asked for, addresses are sane, and nothing is half
 * done: once memory, a port or a control register has changed, the instruction completes.
 */
#include <stdlib.h>

#include "emul_test.h"

static struct shvm_emul_regs before;
static u64 code_at;		/* linear address of the first byte */
static bool changed;		/* something irreversible since the last commit */
static bool wrote_expected;
static bool wrote;
static u64 first_write;		/* address, if wrote */
static bool write_allowed;	/* by check_write, at check_at */
static u64 check_at;
static unsigned int commits;
static u8 sink;			/* all that was written has been looked at */

static enum shvm_emul_result answer(struct shvm_emul *e)
{
	unsigned int n = rnd_below(40);

	CHECK(!changed);
	if (n == 0)
		return shvm_emul_fault_pf(e, rnd(), rnd() & 7);
	if (n == 1)
		return EMUL_USER;
	if (n == 2)
		return EMUL_RETRY;
	return EMUL_OK;
}

static void check_address(struct shvm_emul *e, u64 la, unsigned int len)
{
	CHECK(len > 0 && len <= SHVM_EMUL_IO_BYTES);
	CHECK(la + len - 1 >= la);
	if (e->mode == EMUL_MODE64)
		CHECK(emul_canonical(e, la) && emul_canonical(e, la + len - 1));
	else
		CHECK(la + len - 1 <= 0xffffffffu);
	if (len > 16)
		CHECK(la / PAGE_BYTES == (la + len - 1) / PAGE_BYTES);
}

static enum shvm_emul_result op_fetch(struct shvm_emul *e, u64 la, void *buf, unsigned int len)
{
	u64 off = la - code_at;
	u8 *p = buf;

	if (e->mode != EMUL_MODE64)
		off = (u32)off;
	CHECK(off + len <= SHVM_EMUL_INSN_MAX);
	CHECK(la / PAGE_BYTES == (la + len - 1) / PAGE_BYTES);
	if (rnd_percent(1))
		return answer(e);
	while (len--)
		*p++ = rnd();
	return EMUL_OK;
}

static enum shvm_emul_result op_read(struct shvm_emul *e, u64 la, void *buf, unsigned int len,
				     u64 access)
{
	u8 *p = buf;

	check_address(e, la, len);
	CHECK(!(access & ~EMUL_ACC_RMW));
	while (len--)
		*p++ = rnd_percent(40) ? 0 : rnd();
	return answer(e);
}

static void note_write(struct shvm_emul *e, u64 la, unsigned int len)
{
	changed = true;
	if (!wrote)
		first_write = la;
	wrote = true;
	if (e->must_write_gla - la < len)
		wrote_expected = true;
}

static enum shvm_emul_result op_write(struct shvm_emul *e, u64 la, const void *buf,
				      unsigned int len)
{
	enum shvm_emul_result r = answer(e);
	unsigned int i;

	check_address(e, la, len);
	for (i = 0; i < len; i++)
		sink ^= ((const u8 *)buf)[i];
	if (write_allowed && check_at == la)
		r = EMUL_OK;
	if (r == EMUL_OK)
		note_write(e, la, len);
	return r;
}

static enum shvm_emul_result op_cmpxchg(struct shvm_emul *e, u64 la, const void *old,
					const void *new, unsigned int len, bool *done)
{
	enum shvm_emul_result r = answer(e);

	check_address(e, la, len);
	*done = r == EMUL_OK && rnd_percent(80);
	if (*done)
		note_write(e, la, len);
	return r;
}

static enum shvm_emul_result op_check_write(struct shvm_emul *e, u64 la, unsigned int len)
{
	enum shvm_emul_result r = answer(e);

	check_address(e, la, len);
	write_allowed = r == EMUL_OK;
	check_at = la;
	return r;
}

static enum shvm_emul_result op_pio_in(struct shvm_emul *e, u16 port, unsigned int size,
				       unsigned int count, void *buf)
{
	CHECK(size == 1 || size == 2 || size == 4);
	CHECK(count > 0 && size * count <= SHVM_EMUL_IO_BYTES);
	memset(buf, 0xa5, size * count);
	return answer(e);
}

static enum shvm_emul_result op_pio_out(struct shvm_emul *e, u16 port, unsigned int size,
					unsigned int count, const void *buf)
{
	enum shvm_emul_result r = answer(e);

	CHECK(size == 1 || size == 2 || size == 4);
	CHECK(count > 0 && size * count <= SHVM_EMUL_IO_BYTES);
	changed |= r == EMUL_OK;
	return r;
}

static enum shvm_emul_result op_io_allowed(struct shvm_emul *e, u16 port, unsigned int size)
{
	CHECK(e->cpl > 0);
	return answer(e);
}

static enum shvm_emul_result op_get_selector(struct shvm_emul *e, unsigned int seg, u16 *val)
{
	CHECK(seg < EMUL_NR_SEG);
	*val = rnd();
	return answer(e);
}

static enum shvm_emul_result op_read_xmm(struct shvm_emul *e, unsigned int nr, u8 val[16])
{
	CHECK(nr < (e->mode == EMUL_MODE64 ? 16 : 8));
	memset(val, 0x3c, 16);
	return answer(e);
}

static enum shvm_emul_result op_get(struct shvm_emul *e, unsigned int nr, u64 *val)
{
	CHECK(nr <= 8);
	*val = rnd();
	return answer(e);
}

static enum shvm_emul_result op_set(struct shvm_emul *e, unsigned int nr, u64 val)
{
	enum shvm_emul_result r = answer(e);

	CHECK(nr <= 8 && e->cpl == 0);
	changed |= r == EMUL_OK;
	return r;
}

static enum shvm_emul_result op_invlpg(struct shvm_emul *e, u64 la)
{
	return op_set(e, 0, la);
}

static enum shvm_emul_result op_halt(struct shvm_emul *e)
{
	return op_set(e, 0, 0);
}

static void op_commit(struct shvm_emul *e)
{
	commits++;
	changed = false;
	write_allowed = false;
}

static const struct shvm_emul_ops fuzz_ops = {
	.fetch = op_fetch,
	.read = op_read,
	.write = op_write,
	.compare_exchange = op_cmpxchg,
	.check_write = op_check_write,
	.pio_in = op_pio_in,
	.pio_out = op_pio_out,
	.io_allowed = op_io_allowed,
	.get_cr = op_get,
	.set_cr = op_set,
	.get_dr = op_get,
	.set_dr = op_set,
	.get_selector = op_get_selector,
	.read_xmm = op_read_xmm,
	.invlpg = op_invlpg,
	.halt = op_halt,
	.commit = op_commit,
};

static void random_segments(struct shvm_emul *e)
{
	unsigned int i;

	for (i = 0; i < EMUL_NR_SEG; i++) {
		struct shvm_emul_seg *s = &e->seg[i];

		s->base = rnd_percent(50) ? 0 : e->mode == EMUL_MODE64 ? rnd_value() : (u32)rnd();
		s->limit = rnd_percent(70) ? ~0u : rnd_value();
		s->ar = rnd_percent(80) ? 0xc093 : rnd() & 0x1f0ff;
	}
	if (e->mode != EMUL_MODE64)
		e->seg[EMUL_CS].limit |= 0xffff;
}

static void random_cpu(struct shvm_emul *e)
{
	static const u64 addresses[] = { 0x1000, 0x7ff0, 0xffff880000000ff8ull, 0x7fffffffffe0ull };
	unsigned int i;

	memset(e, 0, sizeof(*e));
	e->ops = &fuzz_ops;
	e->mode = rnd_below(3);
	e->cpl = rnd_percent(60) ? 0 : rnd_below(4);
	e->cr0 = rnd_percent(98) ? rnd() | CR0_PE_BIT : rnd();
	e->cr4 = rnd_percent(50) ? 0 : rnd();
	for (i = 0; i < EMUL_NR_GPR; i++) {
		e->regs.gpr[i] = rnd_percent(60) ? 0x10000 + rnd_below(0x4000) : rnd_value();
		if (e->mode != EMUL_MODE64)
			e->regs.gpr[i] = (u32)e->regs.gpr[i];
	}
	e->regs.rip = addresses[rnd_below(4)] + rnd_below(16);
	if (e->mode != EMUL_MODE64)
		e->regs.rip = (u16)e->regs.rip;
	e->regs.rflags = (rnd() & 0x3f7fd5) | EFL_FIXED;
	if (rnd_percent(98))
		e->regs.rflags &= ~EFL_VM;
	if (rnd_percent(80))
		e->regs.rflags &= ~(EFL_AC | EFL_VIF | EFL_VIP);
	random_segments(e);
	e->must_write = rnd_percent(10);
	e->must_write_gla = 0x10000 + rnd_below(0x4000);
}

/* Prefixes, then a table row: pure noise would spend its time on a few instructions. */
static void random_insn(struct shvm_emul *e)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x2e, 0x36, 0x48, 0x4f };
	unsigned int i, n = 0;

	for (i = 0; i < SHVM_EMUL_INSN_MAX; i++)
		e->insn[i] = rnd();
	while (n < 13 && rnd_percent(40))
		e->insn[n++] = prefixes[rnd_below(sizeof(prefixes))];
	if (rnd_percent(35))
		e->insn[n++] = 0x0f;
	e->insn_cached = rnd_percent(95);
	e->insn_len = rnd_percent(95) ? SHVM_EMUL_INSN_MAX : rnd_below(SHVM_EMUL_INSN_MAX + 1);
}

static bool same_regs(const struct shvm_emul_regs *a, const struct shvm_emul_regs *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void check_result(struct shvm_emul *e, enum shvm_emul_result r)
{
	CHECK(r <= EMUL_RETRY);
	CHECK(e->insn_len <= SHVM_EMUL_INSN_MAX);
	if (r == EMUL_OK) {
		CHECK(!e->must_write || wrote_expected || commits);
		CHECK(e->mode != EMUL_MODE64 || emul_canonical(e, e->regs.rip));
		CHECK(e->mode == EMUL_MODE64 || e->regs.rip <= 0xffffffffu);
		CHECK(e->single_step == !!(before.rflags & EFL_TF));
		return;
	}
	CHECK(!changed);
	CHECK(!e->int_shadow && !e->single_step);
	CHECK(e->regs.rip == before.rip);
	if (!commits)
		CHECK(same_regs(&e->regs, &before));
	if (r == EMUL_FAULT)
		CHECK(e->exc.vector < 32);
}

/* What was announced is what was done. */
static void check_info(enum shvm_emul_result decoded, const struct shvm_emul_info *info,
		       enum shvm_emul_result r)
{
	CHECK(decoded == EMUL_OK || decoded == r);
	if (r != EMUL_OK)
		return;
	CHECK(info->writes == wrote);
	CHECK(!wrote || first_write == info->linear);
}

static void fuzz_one(struct shvm_emul *e, u64 results[])
{
	enum shvm_emul_result r, decoded = EMUL_OK;
	struct shvm_emul_info info;
	bool announced = false;

	random_cpu(e);
	random_insn(e);
	before = e->regs;
	code_at = e->regs.rip;
	if (e->mode != EMUL_MODE64)
		code_at = (u32)(code_at + e->seg[EMUL_CS].base);
	changed = false;
	wrote_expected = false;
	wrote = false;
	write_allowed = false;
	commits = 0;
	if (rnd_percent(20)) {
		announced = e->insn_cached && e->insn_len == SHVM_EMUL_INSN_MAX;
		decoded = shvm_emul_decode(e, &info);
		CHECK(decoded <= EMUL_RETRY && info.len <= SHVM_EMUL_INSN_MAX && info.size <= 16);
		CHECK(same_regs(&e->regs, &before));
	}
	r = shvm_emul_run(e);
	check_result(e, r);
	if (announced)
		check_info(decoded, &info, r);
	results[r]++;
}

bool test_fuzz(void)
{
	struct shvm_emul *e = malloc(sizeof(*e));
	u64 results[EMUL_RETRY + 1] = { 0 };
	u64 i;

	if (!e)
		return false;
	for (i = 0; i < opt_count; i++)
		fuzz_one(e, results);
	tap_note("done %llu, fault %llu, refused %llu, user %llu, retry %llu", results[EMUL_OK],
		 results[EMUL_FAULT], results[EMUL_UNHANDLED], results[EMUL_USER],
		 results[EMUL_RETRY]);
	for (i = 0; i <= EMUL_RETRY; i++)
		CHECK(results[i] > opt_count / 1000);
	free(e);
	return true;
}
