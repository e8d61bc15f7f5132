// SPDX-License-Identifier: GPL-2.0-only
/*
 * One access and the verdict on it: outcome, data, and A and D of every entry on the way must be
 * what the oracle says, unless a TLB that nobody had to flush served it.
 */
#include "machine.h"

struct verdicts verdicts;

static const char *const outcome_name[] = {
	"done", "fault", "mmio", "user", "nomem", "noroot", "stuck",
};

static void describe(const struct vcpu *v, const struct operation *op, const struct oracle *o,
		     const struct outcome *out)
{
	u64 e;
	int i;

	printf("# vCPU %d %s%s%s%s %llx len %u cr0 %llx cr3 %llx cr4 %llx efer %llx\n", v->id,
	       op->a.user ? "user " : "", op->a.kind == READ ? "read" :
	       op->a.kind == WRITE ? "write" : "fetch", op->a.ac ? " ac" : "",
	       op->a.implicit ? " implicit" : "", op->a.addr, op->len, v->paging.cr0, v->cr3,
	       v->paging.cr4, v->paging.efer);
	printf("# shvm: %s error %x gpa %llx hfn %llx hardware %d tlb %d exits %d\n",
	       outcome_name[out->kind], out->error, out->gpa, out->hfn, out->hardware,
	       out->from_tlb, out->exits);
	if (o->format == O_PAE)
		printf("# PDPTEs %llx %llx %llx %llx\n", v->guest_pdpte[0], v->guest_pdpte[1],
		       v->guest_pdpte[2], v->guest_pdpte[3]);
	for (i = 0; i < o->nr_entries; i++) {
		e = 0;
		if (page_of(o->entry[i] >> 12) >= 0)
			host_peek(page_of(o->entry[i] >> 12), o->entry[i] & 0xfff, &e, o->bytes);
		printf("# entry at %llx: %llx\n", o->entry[i], e);
	}
	printf("# oracle: format %d kind %d error %x gfn %llx marks %d\n", o->format, o->kind,
	       o->error, o->gfn, o->nr_marks);
}

static void apply(struct operation *op, u64 page, u32 off)
{
	u8 *at = &machine->mirror[page][off];

	if (op->a.kind != WRITE) {
		CHECK(!memcmp(at, op->data, op->len), "the guest reads something else");
		return;
	}
	if (op->old) {
		CHECK(op->lost == !!memcmp(at, op->old, op->len), "compare-exchange: lost is %d",
		      op->lost);
		if (op->lost)
			return;
	}
	history_store(page, off, op->len);
	memcpy(at, op->data, op->len);
}

/* Can the host serve the access to this frame? */
bool host_can(u64 f, bool write)
{
	enum vma vma = machine->host[page_of(f)].vma;

	return vma == VMA_RW || (vma == VMA_RO && !write);
}

/* What the oracle expects of the module. */
static enum outcome_kind expectation(const struct operation *op, const struct oracle *o)
{
	bool write = op->a.kind == WRITE;

	switch (o->kind) {
	case O_FAULT:
		return FAULT;
	case O_HOST:
		return USER;
	case O_NOROOT:
		return NOROOT;
	case O_OK:
		break;
	}
	if (page_of(o->gfn) < 0 || (write && slot_of(o->gfn)->readonly))
		return MMIO;
	return host_can(o->gfn, write) ? DONE : USER;
}

static void verify_tables(const struct oracle *o)
{
	int i;

	for (i = 0; i < o->nr_entries; i++) {
		long page = page_of(o->entry[i] >> 12);
		u64 off = o->entry[i] & 0xfff, now = 0, must = 0;

		if (page < 0)
			continue;
		host_peek(page, off, &now, o->bytes);
		memcpy(&must, &machine->mirror[page][off], o->bytes);
		CHECK(now == must, "guest entry at %llx is %llx, must be %llx", o->entry[i], now,
		      must);
	}
}

/* The hardware did not do what the tables say, but what they said: may it? */
static bool is_old(const struct vcpu *v, const struct operation *op, const struct oracle *o,
		   struct outcome *out)
{
	if (out->kind == expectation(op, o) && (!o->nr_marks || out->exits) &&
	    out->hfn == FRAME_BASE + machine->host[page_of(o->gfn)].frame)
		return false;
	return history_explains(v, &op->a, out);
}

static void verify(struct vcpu *v, struct operation *op, struct oracle *o,
		   struct outcome *out)
{
	u32 off = op->a.addr & 0xfff;

	if (out->from_tlb) {
		apply(op, page_of(out->tlb->gfn + out->nth), off);
		verdicts.hits++;
		verdicts.stale += o->kind != O_OK || o->gfn != out->tlb->gfn + out->nth;
		verdicts.large += out->tlb->level > 1;
		return;
	}
	if (out->hardware && is_old(v, op, o, out)) {
		apply(op, page_of(out->tlb->gfn + out->nth), off);
		verdicts.old++;
		return;
	}
	CHECK(out->kind == expectation(op, o), "%s, must be %s", outcome_name[out->kind],
	      outcome_name[expectation(op, o)]);
	if (o->kind == O_FAULT) {
		history_flush_page(v, op->a.addr);
		CHECK(out->error == o->error, "error code %x, must be %x", out->error, o->error);
		verdicts.faults++;
		verdicts.direct += out->direct;
	}
	if (o->kind == O_OK) {
		CHECK(!o->nr_marks || out->exits, "no exit, but A or D had to be set");
		oracle_commit(o);
	}
	if (out->kind == MMIO || (out->kind == DONE && !out->hardware))
		CHECK(out->gpa == (o->gfn << 12 | off), "gpa %llx", out->gpa);
	verdicts.mmio += out->kind == MMIO;
	verdicts.known += out->known;
	if (out->kind == DONE) {
		if (!out->hardware && !out->in_loop)
			use_by_software(o->gfn);
		verdicts.done++;
		verdicts.by_format[o->format]++;
		verdicts.emulated += !out->hardware;
		if (out->hardware) {
			CHECK(out->hfn == FRAME_BASE + machine->host[page_of(o->gfn)].frame,
			      "a wrong host frame");
			out->tlb->gfn = o->gfn - out->nth;
			verdicts.large += out->tlb->level > 1;
		}
		apply(op, page_of(o->gfn), off);
	}
	verify_tables(o);
}

/* An entry may serve two levels of a walk. */
static u64 marks_of(const struct oracle *o, u64 gpa)
{
	u64 bits = 0;
	int i;

	for (i = 0; i < o->nr_marks; i++)
		if (o->mark[i].gpa == gpa)
			bits |= o->mark[i].bits;
	return bits;
}

/* Out of memory half way: A and D may be set or not. */
static void resync_marks(const struct oracle *o)
{
	u64 was = 0, is = 0;
	int i;

	for (i = 0; i < o->nr_marks; i++) {
		long page = page_of(o->mark[i].gpa >> 12);
		u32 off = o->mark[i].gpa & 0xfff;

		host_peek(page, off, &is, o->bytes);
		memcpy(&was, &machine->mirror[page][off], o->bytes);
		CHECK(!((is ^ was) & ~marks_of(o, o->mark[i].gpa)),
		      "entry at %llx is %llx, was %llx", o->mark[i].gpa, is, was);
		history_store(page, off, o->bytes);
		memcpy(&machine->mirror[page][off], &is, o->bytes);
	}
}

/* What is going on, for a failure. */
static struct {
	struct vcpu *v;
	const struct operation *op;
	struct oracle *o;
	const struct outcome *out;
	bool disturbed;
} now;

static bool disturbing;		/* what is going on disturbs something else */

void verify_failed(void)
{
	if (now.v)
		describe(now.v, now.op, now.o, now.out);
}

bool verify_runs(void)
{
	return now.v;
}

const struct vcpu *verify_now(void)
{
	return now.disturbed || disturbing ? NULL : now.v;
}

void verify_disturb(void (*fn)(void))
{
	typeof(now) outer = now;

	/* The walk may have set A and D, or may not have begun. */
	oracle_walk(now.v, &now.op->a, now.o);
	resync_marks(now.o);
	now.v = NULL;
	disturbing = true;
	fn();
	disturbing = false;
	now = outer;
	now.disturbed = true;
}

/* A tick after a fault without an exit finds nothing to mend. */
static void verify_no_rescue(struct vcpu *v, u64 addr)
{
	s64 before = atomic64_read(&machine->mmu.stats.pf_rescued);

	vcpu_exit(v);
	shvm_mmu_rescue(&v->mv, gva(addr));
	CHECK(atomic64_read(&machine->mmu.stats.pf_rescued) == before,
	      "vCPU %d had a stale fault at %llx", v->id, addr);
}

struct outcome verified_access(struct vcpu *v, struct operation *op, bool may_lack_memory)
{
	enum outcome_kind want_before;
	struct oracle o, before;
	struct outcome out = { 0 };

	oracle_walk(v, &op->a, &o);
	before = o;
	want_before = expectation(op, &o);	/* slots may change meanwhile, too */
	now.v = v;
	now.op = op;
	now.o = &o;
	now.out = &out;
	now.disturbed = false;
	/* The host may ask in the middle of it. */
	use_tried(&o, machine->disturb);
	out = vcpu_access(v, op);
	if (now.disturbed)
		oracle_walk(v, &op->a, &o);
	if (out.exits) {
		/* What the exit has mapped is marked as used, though it may not be walked after. */
		use_tried(&before, now.disturbed || !out.walked);
		use_tried(&o, now.disturbed || !out.walked);
	}
	if (may_lack_memory && (out.kind == NOMEM || out.kind == USER)) {
		resync_marks(&o);
	} else if (now.disturbed && out.kind == USER && want_before == USER) {
		/* The host had no memory before: the walk need not have seen what came then. */
		resync_marks(&before);
		resync_marks(&o);
	} else {
		verify(v, op, &o, &out);
	}
	now.v = NULL;
	if (out.direct && !machine->poked && (op->rnd >> 8 & 15) == 1)
		verify_no_rescue(v, op->a.addr);
	return out;
}

void verified_translation(struct vcpu *v, const struct access *a)
{
	struct oracle o;
	u32 error = 0;
	gpa_t at;
	int ret;

	oracle_walk(v, a, &o);
	if (o.kind == O_NOROOT)
		return;
	use_tried(&o, false);
	vcpu_exit(v);
	ret = shvm_mmu_translate(&v->mv, gva(a->addr), access_flags(a), &at, &error);
	CHECK(ret == (o.kind == O_HOST ? -EFAULT : o.kind == O_FAULT),
	      "vCPU %d translates %llx: result %d, oracle %d", v->id, a->addr, ret, o.kind);
	if (o.kind == O_FAULT)
		CHECK(error == o.error, "vCPU %d translates %llx: error %x, must be %x", v->id,
		      a->addr, error, o.error);
	if (o.kind != O_OK)
		return;
	CHECK(at.v == (o.gfn << 12 | (a->addr & 0xfff)), "vCPU %d translates %llx: %llx, not %llx",
	      v->id, a->addr, at.v, o.gfn << 12);
	oracle_commit(&o);
	verify_tables(&o);
}
