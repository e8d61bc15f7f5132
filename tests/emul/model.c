// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine of the directed tests.
 */
#include <stdlib.h>

#include "model.h"

static struct model *model_of(struct shvm_emul *e)
{
	return e->ctx;
}

static enum shvm_emul_result note(struct shvm_emul *e, enum op_kind kind, u64 addr,
				  unsigned int len, const void *val, u64 access)
{
	struct model *m = model_of(e);
	unsigned int nth = m->count[kind]++;
	struct op_log *l = &m->log[m->nr_log % LOG_MAX];

	m->nr_log++;
	*l = (struct op_log){ .kind = kind, .addr = addr, .len = len, .access = access };
	if (val)
		memcpy(&l->val, val, len < 8 ? len : 8);
	if (m->fail_kind != kind || m->fail_after < 0 || nth != (unsigned int)m->fail_after)
		return EMUL_OK;
	if (m->fail_with == EMUL_FAULT)
		return shvm_emul_fault_pf(e, addr, 0);
	return m->fail_with;
}

static u8 *memory_at(struct model *m, u64 la, unsigned int len)
{
	if (la < MEM_BASE || la + len > MEM_BASE + MEM_BYTES)
		return NULL;
	return m->mem + (la - MEM_BASE);
}

static enum shvm_emul_result op_fetch(struct shvm_emul *e, u64 la, void *buf, unsigned int len)
{
	struct model *m = model_of(e);
	enum shvm_emul_result r = note(e, OP_FETCH, la, len, NULL, 0);

	if (r != EMUL_OK)
		return r;
	if (m->code_end && la >= m->code_end)
		return shvm_emul_fault_pf(e, la, 0x14);
	if (la < CODE_AT || la + len > CODE_AT + sizeof(m->code))
		return shvm_emul_fault_pf(e, la, 0x10);
	memcpy(buf, m->code + (la - CODE_AT), len);
	return EMUL_OK;
}

static enum shvm_emul_result op_read(struct shvm_emul *e, u64 la, void *buf, unsigned int len,
				     u64 access)
{
	enum shvm_emul_result r = note(e, OP_READ, la, len, NULL, access);
	u8 *p = memory_at(model_of(e), la, len);

	if (r != EMUL_OK)
		return r;
	if (!p)
		return shvm_emul_fault_pf(e, la, access & EMUL_ACC_RMW ? 2 : 0);
	memcpy(buf, p, len);
	return EMUL_OK;
}

static enum shvm_emul_result op_write(struct shvm_emul *e, u64 la, const void *buf,
				      unsigned int len)
{
	enum shvm_emul_result r = note(e, OP_WRITE, la, len, buf, 0);
	u8 *p = memory_at(model_of(e), la, len);

	if (r != EMUL_OK)
		return r;
	if (!p)
		return shvm_emul_fault_pf(e, la, 2);
	memcpy(p, buf, len);
	return EMUL_OK;
}

static enum shvm_emul_result op_cmpxchg(struct shvm_emul *e, u64 la, const void *old,
					const void *new, unsigned int len, bool *done)
{
	enum shvm_emul_result r = note(e, OP_CMPXCHG, la, len, new, 0);
	struct model *m = model_of(e);
	u8 *p = memory_at(m, la, len);

	if (r != EMUL_OK)
		return r;
	if (!p)
		return shvm_emul_fault_pf(e, la, 2);
	*done = !m->lose_race && !memcmp(p, old, len);
	if (*done)
		memcpy(p, new, len);
	return EMUL_OK;
}

static enum shvm_emul_result op_check_write(struct shvm_emul *e, u64 la, unsigned int len)
{
	return note(e, OP_CHECK_WRITE, la, len, NULL, 0);
}

/* Ports give the bytes 1, 2, 3, ... */
static enum shvm_emul_result op_pio_in(struct shvm_emul *e, u16 port, unsigned int size,
				       unsigned int count, void *buf)
{
	unsigned int i;

	for (i = 0; i < size * count; i++)
		((u8 *)buf)[i] = i + 1;
	return note(e, OP_PIO_IN, port, size * count, NULL, size);
}

static enum shvm_emul_result op_pio_out(struct shvm_emul *e, u16 port, unsigned int size,
					unsigned int count, const void *buf)
{
	return note(e, OP_PIO_OUT, port, size * count, buf, size);
}

/* The bitmap allows port 0x80 and nothing else. */
static enum shvm_emul_result op_io_allowed(struct shvm_emul *e, u16 port, unsigned int size)
{
	enum shvm_emul_result r = note(e, OP_IO_ALLOWED, port, size, NULL, 0);

	if (r != EMUL_OK)
		return r;
	if (port == 0x80 && size == 1 && !model_of(e)->no_ports)
		return EMUL_OK;
	return shvm_emul_fault(e, VEC_GP, true, 0);
}

static enum shvm_emul_result op_get_cr(struct shvm_emul *e, unsigned int nr, u64 *val)
{
	*val = model_of(e)->cr[nr];
	return note(e, OP_GET_CR, nr, 0, NULL, 0);
}

static enum shvm_emul_result op_set_cr(struct shvm_emul *e, unsigned int nr, u64 val)
{
	enum shvm_emul_result r = note(e, OP_SET_CR, nr, 8, &val, 0);

	if (r == EMUL_OK)
		model_of(e)->cr[nr] = val;
	return r;
}

static enum shvm_emul_result op_get_dr(struct shvm_emul *e, unsigned int nr, u64 *val)
{
	*val = model_of(e)->dr[nr];
	return note(e, OP_GET_DR, nr, 0, NULL, 0);
}

static enum shvm_emul_result op_set_dr(struct shvm_emul *e, unsigned int nr, u64 val)
{
	enum shvm_emul_result r = note(e, OP_SET_DR, nr, 8, &val, 0);

	if (r == EMUL_OK)
		model_of(e)->dr[nr] = val;
	return r;
}

static enum shvm_emul_result op_get_selector(struct shvm_emul *e, unsigned int seg, u16 *val)
{
	*val = model_of(e)->selector[seg];
	return note(e, OP_GET_SELECTOR, seg, 0, NULL, 0);
}

static enum shvm_emul_result op_read_xmm(struct shvm_emul *e, unsigned int nr, u8 val[16])
{
	memcpy(val, model_of(e)->xmm[nr], 16);
	return note(e, OP_READ_XMM, nr, 0, NULL, 0);
}

static enum shvm_emul_result op_invlpg(struct shvm_emul *e, u64 la)
{
	return note(e, OP_INVLPG, la, 0, NULL, 0);
}

static enum shvm_emul_result op_halt(struct shvm_emul *e)
{
	return note(e, OP_HALT, 0, 0, NULL, 0);
}

static void op_commit(struct shvm_emul *e)
{
	note(e, OP_COMMIT, 0, 0, NULL, 0);
}

static const struct shvm_emul_ops model_ops = {
	.fetch = op_fetch,
	.read = op_read,
	.write = op_write,
	.compare_exchange = op_cmpxchg,
	.check_write = op_check_write,
	.pio_in = op_pio_in,
	.pio_out = op_pio_out,
	.io_allowed = op_io_allowed,
	.get_cr = op_get_cr,
	.set_cr = op_set_cr,
	.get_dr = op_get_dr,
	.set_dr = op_set_dr,
	.get_selector = op_get_selector,
	.read_xmm = op_read_xmm,
	.invlpg = op_invlpg,
	.halt = op_halt,
	.commit = op_commit,
};

/* Flat segments, DPL as CPL, all memory zero, SSE enabled. */
void model_reset(struct model *m, enum shvm_emul_mode mode, u8 cpl)
{
	static const u32 code_ar[] = { 0x009b, 0xc09b, 0xa09b };
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->fail_after = -1;
	m->e.ctx = m;
	m->e.ops = &model_ops;
	m->e.mode = mode;
	m->e.cpl = cpl;
	m->e.cr0 = CR0_PE_BIT;
	m->e.cr4 = CR4_OSFXSR_BIT;
	m->cr[0] = 0x80000011;
	for (i = 0; i < EMUL_NR_SEG; i++)
		m->e.seg[i] = (struct shvm_emul_seg){ 0, ~0u, 0xc093 | cpl << 5, i << 3 | cpl };
	m->e.seg[EMUL_CS].ar = code_ar[mode] | cpl << 5;
	m->e.regs.rip = CODE_AT;
	m->e.regs.rflags = EFL_FIXED;
	*model_gpr(m, EMUL_RSP) = MEM_BASE + 2 * PAGE_BYTES;
}

/* Freed by the caller with free(). */
struct model *model_new(enum shvm_emul_mode mode, u8 cpl)
{
	struct model *m = malloc(sizeof(*m));

	if (!m)
		abort();
	model_reset(m, mode, cpl);
	return m;
}

static unsigned int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Put an instruction, as hexadecimal bytes, at RIP; breakpoints follow. */
void model_code(struct model *m, const char *hex)
{
	u8 *p = m->code + (m->e.regs.rip + m->e.seg[EMUL_CS].base - CODE_AT);

	memset(p, 0xcc, 16);
	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		*p++ = hex_digit(hex[0]) << 4 | hex_digit(hex[1]);
		hex += 2;
	}
}

enum shvm_emul_result model_again(struct model *m)
{
	m->nr_log = 0;
	memset(m->count, 0, sizeof(m->count));
	return shvm_emul_run(&m->e);
}

/* Run one instruction at the place where code begins. */
enum shvm_emul_result model_run(struct model *m, const char *hex)
{
	m->e.regs.rip = CODE_AT - m->e.seg[EMUL_CS].base;
	model_code(m, hex);
	return model_again(m);
}

/* The last operation of a kind in the last run, NULL if there was none. */
const struct op_log *model_last(const struct model *m, enum op_kind kind)
{
	unsigned int i;

	for (i = 1; i <= m->nr_log && i <= LOG_MAX; i++) {
		const struct op_log *l = &m->log[(m->nr_log - i) % LOG_MAX];

		if (l->kind == kind)
			return l;
	}
	return NULL;
}

bool model_fault(const struct model *m, enum shvm_emul_result r, u8 vector)
{
	return r == EMUL_FAULT && m->e.exc.vector == vector;
}
