// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator against the CPU it runs on: same registers, same memory, one instruction, compare
 * everything that is defined.
 */
#include "emul_test.h"

#define READ_ONLY_BYTE	0x5a

/* The emulator's copy of the writable pages, and the contents both start from. */
static u8 copy[DATA_RW_BYTES];
static u8 pattern[DATA_RW_BYTES];
static bool outside;		/* the instruction left the known world: do not run it */

enum place { PLACE_CODE, PLACE_RO, PLACE_RW, PLACE_HOLE, PLACE_OUTSIDE };

static enum place place_of(u64 la)
{
	if (la >= CODE_BASE && la < CODE_BASE + CODE_BYTES)
		return PLACE_CODE;
	if (la < DATA_BASE || la >= DATA_END)
		return PLACE_OUTSIDE;
	if (la < DATA_RW)
		return PLACE_RO;
	return la < DATA_HOLE ? PLACE_RW : PLACE_HOLE;
}

/* What the page tables would say, page by page. */
static enum shvm_emul_result check_access(struct shvm_emul *e, u64 la, unsigned int len, bool write)
{
	u64 at = la;

	while (at - la < len) {
		enum place p = place_of(at);
		u32 error = 4 | (write ? 2 : 0);

		if (p == PLACE_OUTSIDE || (write && p == PLACE_CODE))
			outside = true;
		if (p == PLACE_RO && write)
			return shvm_emul_fault_pf(e, at, error | 1);
		if (p == PLACE_HOLE || p == PLACE_OUTSIDE)
			return shvm_emul_fault_pf(e, at, error);
		at = (at | (PAGE_BYTES - 1)) + 1;
	}
	return EMUL_OK;
}

static u8 byte_at(u64 la)
{
	switch (place_of(la)) {
	case PLACE_CODE:
		return *(u8 *)la;
	case PLACE_RW:
		return copy[la - DATA_RW];
	default:
		return READ_ONLY_BYTE;
	}
}

static enum shvm_emul_result op_fetch(struct shvm_emul *e, u64 la, void *buf, unsigned int len)
{
	CHECK(place_of(la) == PLACE_CODE && place_of(la + len - 1) == PLACE_CODE);
	memcpy(buf, (void *)la, len);
	return EMUL_OK;
}

static enum shvm_emul_result op_read(struct shvm_emul *e, u64 la, void *buf, unsigned int len,
				     u64 access)
{
	enum shvm_emul_result r = check_access(e, la, len, access & EMUL_ACC_RMW);
	unsigned int i;

	for (i = 0; r == EMUL_OK && i < len; i++)
		((u8 *)buf)[i] = byte_at(la + i);
	return r;
}

static enum shvm_emul_result op_write(struct shvm_emul *e, u64 la, const void *buf,
				      unsigned int len)
{
	enum shvm_emul_result r = check_access(e, la, len, true);
	unsigned int i;

	for (i = 0; r == EMUL_OK && i < len; i++)
		if (place_of(la + i) == PLACE_RW)
			copy[la + i - DATA_RW] = ((const u8 *)buf)[i];
	return r;
}

static enum shvm_emul_result op_cmpxchg(struct shvm_emul *e, u64 la, const void *old,
					const void *new, unsigned int len, bool *done)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		CHECK(byte_at(la + i) == ((const u8 *)old)[i]);
	*done = true;
	return op_write(e, la, new, len);
}

static enum shvm_emul_result op_get_selector(struct shvm_emul *e, unsigned int seg, u16 *val)
{
	const struct sample *s = e->ctx;

	*val = setup_selector(s->setup, seg);
	return EMUL_OK;
}

static enum shvm_emul_result op_read_xmm(struct shvm_emul *e, unsigned int nr, u8 val[16])
{
	const struct sample *s = e->ctx;

	memcpy(val, s->xmm[nr], 16);
	return EMUL_OK;
}

static enum shvm_emul_result op_io_allowed(struct shvm_emul *e, u16 port, unsigned int size)
{
	return shvm_emul_fault(e, VEC_GP, true, 0);
}

/* At CPL 3 without I/O permission nothing else can be reached. */
static const struct shvm_emul_ops diff_ops = {
	.fetch = op_fetch,
	.read = op_read,
	.write = op_write,
	.compare_exchange = op_cmpxchg,
	.get_selector = op_get_selector,
	.read_xmm = op_read_xmm,
	.io_allowed = op_io_allowed,
};

static enum shvm_emul_result run_emulator(const struct sample *s, struct outcome *out)
{
	static struct shvm_emul e;
	enum shvm_emul_result r;

	memset(&e, 0, sizeof(e));
	setup_segments(&e, s->setup);
	e.regs = s->regs;
	e.cr0 = CR0_PE_BIT | CR0_AM_BIT;
	e.cr4 = CR4_OSFXSR_BIT;
	e.cpl = 3;
	e.ops = &diff_ops;
	e.ctx = (void *)s;
	outside = false;
	do {
		r = shvm_emul_run(&e);
	} while (r == EMUL_OK && e.regs.rip == s->regs.rip);
	memset(out, 0, sizeof(*out));
	out->regs = e.regs;
	out->vector = 3;
	if (r == EMUL_FAULT) {
		out->vector = e.exc.vector;
		out->error_code = e.exc.error_code;
		out->cr2 = e.exc.cr2;
	}
	return r;
}

static void load_memory(const struct sample *s)
{
	unsigned int i;

	memcpy(copy, pattern, sizeof(copy));
	for (i = 0; s->poke_at && i < 8; i++)
		if (place_of(s->poke_at + i) == PLACE_RW)
			copy[s->poke_at + i - DATA_RW] = s->poke_val >> (8 * i);
	memcpy((void *)DATA_RW, copy, sizeof(copy));
}

static void load_code(const struct sample *s)
{
	u64 at = s->regs.rip + (s->setup == SETUP_16 ? CODE_BASE : 0);

	memset((void *)at, 0xcc, SHVM_EMUL_INSN_MAX + 1);
	memcpy((void *)at, s->insn, s->len);
}

/* A branch may only go where there are breakpoints. */
static bool lands_well(const struct sample *s, const struct outcome *emul)
{
	u64 la = emul->regs.rip + (s->setup == SETUP_16 ? CODE_BASE : 0);

	return emul->vector != 3 || (place_of(la) == PLACE_CODE && *(u8 *)la == 0xcc);
}

static u64 compared_flags(const struct sample *s, const struct outcome *o)
{
	u64 mask = EFL_ARITH | EFL_DF | EFL_IF | EFL_IOPL | EFL_NT | EFL_AC | EFL_ID;

	if (o->vector == 3)
		mask |= EFL_TF;
	/* A fault, or an end by it, leaves no undefined flags behind. */
	if (o->vector == 3)
		mask &= ~s->undefined;
	return mask;
}

static bool same_fault(const struct outcome *a, const struct outcome *b)
{
	if (a->vector != b->vector)
		return false;
	if (a->vector == VEC_PF)
		return a->cr2 == b->cr2 && !((a->error_code ^ b->error_code) & 7);
	return a->vector == 3 || a->error_code == b->error_code;
}

static bool same(const struct sample *s, const struct outcome *a, const struct outcome *b)
{
	bool both_fault = a->vector != 3 && b->vector != 3;

	if (!same_fault(a, b) && !(s->any_fault && both_fault))
		return false;
	if (a->regs.rip != b->regs.rip)
		return false;
	if (memcmp(a->regs.gpr, b->regs.gpr, sizeof(a->regs.gpr)))
		return false;
	if ((a->regs.rflags ^ b->regs.rflags) & compared_flags(s, a))
		return false;
	return !memcmp(copy, (void *)DATA_RW, sizeof(copy));
}

static void print_outcome(const char *who, const struct sample *s, const struct outcome *o)
{
	unsigned int i;

	tap_note("  %s: vector %u error %#x cr2 %#llx rip %#llx rflags %#llx", who, o->vector,
		 o->error_code, o->cr2, o->regs.rip, o->regs.rflags);
	for (i = 0; i < EMUL_NR_GPR; i++)
		if (o->regs.gpr[i] != s->regs.gpr[i])
			tap_note("    r%u %#llx -> %#llx", i, s->regs.gpr[i], o->regs.gpr[i]);
}

static void print_memory(void)
{
	unsigned int i, shown = 0;

	for (i = 0; i < sizeof(copy) && shown < 4; i++) {
		u8 native = *(u8 *)(DATA_RW + i);

		if (copy[i] != native && ++shown)
			tap_note("    memory %#llx: cpu %#x emulator %#x", DATA_RW + i, native,
				 copy[i]);
	}
}

static void report(const struct sample *s, const struct outcome *cpu, const struct outcome *emul)
{
	static unsigned int reports;
	char hex[3 * sizeof(s->insn) + 1];
	unsigned int i;

	for (i = 0; i < s->len; i++)
		sprintf(hex + 3 * i, "%02x ", s->insn[i]);
	tap_fail("%s, setup %u: %s, rflags %#llx", s->name, s->setup, hex, s->regs.rflags);
	if (reports++ >= 6)
		return;
	print_outcome("cpu     ", s, cpu);
	print_outcome("emulator", s, emul);
	print_memory();
}

struct tally {
	u64 compared;
	u64 faults;
	u64 refused;
	u64 skipped;
};

static void compare_one(const struct sample *s, struct tally *t)
{
	struct outcome cpu, emul;
	enum shvm_emul_result r;

	load_memory(s);
	load_code(s);
	r = run_emulator(s, &emul);
	if (r == EMUL_UNHANDLED) {
		t->refused++;
		return;
	}
	if (r != EMUL_OK && r != EMUL_FAULT)
		tap_fail("%s: result %d", s->name, r);
	if (outside || !lands_well(s, &emul)) {
		t->skipped++;
		return;
	}
	native_run(s->setup, &s->regs, s->xmm, &cpu);
	t->compared++;
	t->faults += emul.vector != 3;
	if (!s->no_compare && !same(s, &cpu, &emul))
		report(s, &cpu, &emul);
}

/* Every form gets its share, and most of it must have been comparable. */
static void compare_form(unsigned int form, enum cpu_setup setup, u64 rounds, struct tally *total)
{
	struct tally t = { 0 };
	struct sample s;
	u64 i;

	for (i = 0; i < rounds; i++)
		if (sample_make(&s, form, setup))
			compare_one(&s, &t);
	if (t.compared + t.refused + t.skipped && t.compared < rounds / 3)
		tap_fail("%s: of %llu only %llu compared, %llu refused, %llu skipped",
			 sample_form_name(form), rounds, t.compared, t.refused, t.skipped);
	total->compared += t.compared;
	total->faults += t.faults;
	total->refused += t.refused;
	total->skipped += t.skipped;
}

static bool diff_setup(enum cpu_setup setup, u64 count)
{
	struct tally total = { 0 };
	unsigned int form, i;

	if (!native_has(setup))
		return false;
	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = rnd_percent(30) ? 0 : rnd();
	for (form = 0; form < sample_forms(); form++)
		compare_form(form, setup, count / sample_forms() + 1, &total);
	tap_note("%llu compared, %llu of them faults; %llu refused, %llu could not be run",
		 total.compared, total.faults, total.refused, total.skipped);
	return true;
}

bool test_diff_64(void)
{
	return diff_setup(SETUP_64, opt_count / 2);
}

bool test_diff_32(void)
{
	return diff_setup(SETUP_32, opt_count / 5);
}

bool test_diff_segments(void)
{
	return diff_setup(SETUP_32_RO, opt_count / 20) &&
	       diff_setup(SETUP_32_DOWN, opt_count / 20);
}

bool test_diff_16(void)
{
	return diff_setup(SETUP_16, opt_count / 5);
}
