// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU on the hardware: walks the shadow tables as a CPU with VT-x does (CR0.WP and EFER.NXE
 * always 1), caches what it finds in a TLB, and hands its faults to the module. Nothing here knows
 * how the module works, but for the address of the root and the frames of the tables.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "machine.h"
#include "sdm.h"

#define MAX_ROUNDS	64

/* What is reserved in shadow entries. */
#define E_TOO_HIGH	(E_ADDR & ~((1ULL << MAXPHYADDR) - 1))
#define PDPTE_RSVD	(0xfff00000000001e6ULL | E_TOO_HIGH)

struct walk {
	bool w, u, nx, dirty;
	u8 level;
	u64 hfn;		/* of the first page of the translation */
	u32 fault;		/* reason bits, with bit 31: there is a fault */
};

#define FAULTED		(1u << 31)

static bool is_64(const struct vcpu *v)
{
	return (v->paging.cr0 & X86_CR0_PG) && (v->paging.efer & EFER_LMA);
}

static bool is_paging(const struct vcpu *v)
{
	return v->paging.cr0 & X86_CR0_PG;
}

/* The rights of a translation against an access; the hardware runs with CR0.WP = 1. */
static bool refused(const struct vcpu *v, const struct access *a, bool w, bool u, bool nx)
{
	/* The module turns SMEP and SMAP off where the guest has paging off. */
	bool smep = is_paging(v) && (v->paging.cr4 & X86_CR4_SMEP);
	bool smap = is_paging(v) && (v->paging.cr4 & X86_CR4_SMAP);

	if (a->user && !u)
		return true;
	if (a->kind == FETCH)
		return nx || (smep && !a->user && u);
	if (!a->user && u && smap && (a->implicit || !a->ac))
		return true;
	return a->kind == WRITE && !w;
}

/* Set A or D as the CPU does, atomically. False: the entry is another one now. */
static bool mark(u64 *entry, u64 seen, u64 bits)
{
	u64 old = seen;

	if ((seen & bits) == bits)
		return true;
	return __atomic_compare_exchange_n(entry, &old, seen | bits, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static u64 first_table(const struct vcpu *v, u64 addr, int *level, u32 *fault)
{
	u64 pdpte;

	if (is_64(v)) {
		*level = 4;
		return v->root;
	}
	*level = 2;
	pdpte = v->pdpte[addr >> 30 & 3];
	if (!(pdpte & E_P))
		*fault = FAULTED;
	return pdpte & E_ADDR;
}

static u64 pages_of(int level)
{
	return 1ULL << (9 * (level - 1));
}

static bool is_large(int level, u64 e)
{
	return level > 1 && level < 4 && (e & E_PS);
}

/* SDM 4.4.2, 4.5.4: below the frame of a large page only PAT, bit 12, is not reserved. */
static u64 entry_reserved(int level, u64 e)
{
	if (level == 4)
		return E_TOO_HIGH | E_PS;
	if (is_large(level, e))
		return E_TOO_HIGH | ((pages_of(level) << 12) - 1 - 0x1fff);
	return E_TOO_HIGH;
}

/* One try. False: an entry changed under the walk, try again. */
static bool walk_once(const struct vcpu *v, const struct access *a, struct walk *out)
{
	struct walk r = { .w = true, .u = true };
	u64 *entry, e, table;
	int level;

	table = first_table(v, a->addr, &level, &r.fault);
	for (; !r.fault; level--) {
		entry = machine_table(table) + (a->addr >> (12 + 9 * (level - 1)) & 511);
		e = __atomic_load_n(entry, __ATOMIC_SEQ_CST);
		if (!(e & E_P)) {
			r.fault = FAULTED;
			break;
		}
		CHECK(is_64(v) || !(e & E_HIGH), "PAE shadow entry %llx", e);
		if (e & entry_reserved(level, e)) {
			r.fault = FAULTED | PF_P | PF_RSVD;
			break;
		}
		r.w &= !!(e & E_W);
		r.u &= !!(e & E_U);
		r.nx |= !!(e & E_NX);
		if (level == 1 || is_large(level, e))
			break;
		if (!mark(entry, e, E_A))
			return false;
		table = e & E_ADDR;
	}
	if (!r.fault && refused(v, a, r.w, r.u, r.nx))
		r.fault = FAULTED | PF_P;
	if (!r.fault) {
		r.dirty = a->kind == WRITE || (e & E_D);
		if (!mark(entry, e, E_A | (a->kind == WRITE ? E_D : 0)))
			return false;
		r.level = level;
		r.hfn = (e & E_ADDR) >> 12 & ~(pages_of(level) - 1);
	}
	*out = r;
	return true;
}

static u32 error_code(const struct access *a, u32 fault)
{
	return (fault & ~FAULTED) | (a->kind == WRITE ? PF_W : 0) | (a->user ? PF_U : 0) |
	       (a->kind == FETCH ? PF_I : 0);
}

static struct tlb_entry *tlb_slot(struct vcpu *v, u64 addr, int level)
{
	u64 page = addr >> 12 >> (9 * (level - 1));

	page ^= page >> 9 ^ page >> 18 ^ page >> 27 ^ v->tag;
	return level > 1 ? &v->tlb[TLB_SIZE + page % TLB_LARGE] : &v->tlb[page % TLB_SIZE];
}

/* What serves the address, or NULL. */
static struct tlb_entry *tlb_find(struct vcpu *v, u64 addr)
{
	int level;

	for (level = 1; level <= 3; level++) {
		struct tlb_entry *t = tlb_slot(v, addr, level);

		if (t->valid && t->tag == v->tag && t->kept == level &&
		    (addr >> 12) - t->page < pages_of(level))
			return t;
	}
	return NULL;
}

/*
 * The instruction TLB of many CPUs must never have an address in two sizes (machine check, "iTLB
 * multihit"): before a translation changes its size, the old one has to be out of all TLBs.
 */
static void tlb_check_sizes(const struct vcpu *v, u64 page, int level)
{
	const struct tlb_entry *t;

	for (t = v->tlb; t < v->tlb + TLB_ALL; t++) {
		u64 mask = ~(pages_of(max_t(int, level, t->level)) - 1);

		CHECK(!t->valid || t->tag != v->tag || t->level == level ||
		      ((t->page ^ page) & mask),
		      "vCPU %d has page %llx in its TLB in sizes %d and %d", v->id, page, t->level,
		      level);
	}
}

static struct tlb_entry *tlb_add(struct vcpu *v, const struct operation *op, const struct walk *w)
{
	u8 kept = op->rnd & RND_PARTS ? 1 : w->level;
	u64 page = op->a.addr >> 12, nth = page & (pages_of(w->level) - 1);
	struct tlb_entry *t = tlb_slot(v, op->a.addr, kept);

	tlb_check_sizes(v, page, w->level);
	*t = (struct tlb_entry){
		.valid = true, .w = w->w, .u = w->u, .nx = w->nx, .dirty = w->dirty,
		.level = w->level, .kept = kept, .tag = v->tag,
		.page = kept > 1 ? page - nth : page, .hfn = kept > 1 ? w->hfn : w->hfn + nth,
	};
	return t;
}

static void tlb_exit(struct vcpu *v)
{
	if (!machine_tagged)
		memset(v->tlb, 0, sizeof(v->tlb));
}

/* The tag for the root: as a VMM with VPIDs chooses them. */
static void tlb_enter(struct vcpu *v)
{
	unsigned int slot;

	if (!machine_tagged || (v->root == shvm_mmu_root(&v->mv).v && v->tag &&
				!shvm_mmu_tag_is_stale(&v->mv)))
		return;
	if (!shvm_mmu_use_tag(&v->mv, &slot))
		v->tags[slot] = ++v->last_tag;
	v->tag = v->tags[slot];
}

bool vcpu_may_use(const struct vcpu *v, const struct tlb_entry *e)
{
	int i;

	if (!e->valid || (v->in_guest && e->tag == v->tag))
		return e->valid;
	for (i = 0; i < SHVM_NR_TLB_TAGS; i++)
		if (e->tag == v->tags[i] && v->mv.tags[i].root != SHVM_NO_TABLE &&
		    v->mv.tags[i].epoch == shvm_mmu_tlb_epoch(&v->mv))
			return true;
	return false;
}

void vcpu_exit(struct vcpu *v)
{
	tlb_exit(v);
	__atomic_fetch_add(&v->exits, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->in_guest, 0, __ATOMIC_SEQ_CST);
}

bool vcpu_must_exit(struct vcpu *v)
{
	return __atomic_load_n(&v->kick, __ATOMIC_SEQ_CST);
}

/* The CR3 field of the VMCS, and with PAE tables the registers that the CPU loads by it. */
static void load_root(struct vcpu *v)
{
	int i;

	tlb_enter(v);
	v->root = shvm_mmu_root(&v->mv).v;
	if (is_64(v))
		return;
	CHECK(v->root < 1ULL << 32, "PAE root at %llx", v->root);
	for (i = 0; i < 4; i++) {
		v->pdpte[i] = machine_table(v->root)[i];
		CHECK(!(v->pdpte[i] & E_P) || !(v->pdpte[i] & PDPTE_RSVD),
		      "VM entry fails: PDPTE %d is %llx", i, v->pdpte[i]);
	}
}

/* VM entry: requests, root, then "in guest", then the last look at requests. 0 or -errno. */
static int vcpu_enter(struct vcpu *v)
{
	int tries, err;

	for (tries = 0; ; tries++) {
		__atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&v->reload, 0, __ATOMIC_SEQ_CST))
			shvm_mmu_root_obsolete(&v->mv);
		err = shvm_mmu_prepare(&v->mv);
		if (err && (err != -EAGAIN || (!machine->threads && tries == MAX_ROUNDS)))
			return err;
		if (err) {
			sched_yield();
			continue;
		}
		__atomic_store_n(&v->in_guest, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&v->kick, __ATOMIC_SEQ_CST) &&
		    !__atomic_load_n(&v->reload, __ATOMIC_SEQ_CST))
			break;
		__atomic_store_n(&v->in_guest, 0, __ATOMIC_SEQ_CST);
	}
	load_root(v);
	return 0;
}

/* Through TLB and tables. 0: *e is the translation; else FAULTED and the reason. */
static u32 translate(struct vcpu *v, const struct operation *op, struct tlb_entry **e,
		     bool *from_tlb)
{
	const struct access *a = &op->a;
	struct tlb_entry *t = tlb_find(v, a->addr);
	struct walk w;

	*e = t;
	*from_tlb = false;
	if (t) {
		/* Stale rights may fault, or the CPU may look again: both are allowed. */
		if (refused(v, a, t->w, t->u, t->nx)) {
			/* It may forget what made it fault (SDM 4.10.4.1), or not at an exit. */
			if (op->rnd & 2)
				t->valid = false;
			if (op->rnd & 1)
				return FAULTED | PF_P;
		} else if (a->kind != WRITE || t->dirty) {
			*from_tlb = true;
			return 0;
		}
	}
	while (!walk_once(v, a, &w))
		;
	if (w.fault)
		return w.fault;
	*e = tlb_add(v, op, &w);
	return 0;
}

/* The data of an access that the hardware does. */
static void perform(struct operation *op, u64 frame, u32 off)
{
	u8 *at = host_frame_memory(frame) + off;
	u32 i;

	CHECK(host_frame_is_live(frame), "the guest uses host frame %llx, which is free", frame);
	if (op->a.kind != WRITE) {
		for (i = 0; i < op->len; i++)
			op->data[i] = __atomic_load_n(at + i, __ATOMIC_RELAXED);
		return;
	}
	if (op->old) {
		op->lost = memcmp(at, op->old, op->len);
		if (op->lost)
			return;
	}
	if (op->len == 8 && !((uintptr_t)at & 7)) {
		u64 v;

		memcpy(&v, op->data, 8);
		__atomic_store_n((u64 *)at, v, __ATOMIC_RELAXED);
		return;
	}
	for (i = 0; i < op->len; i++)
		__atomic_store_n(at + i, op->data[i], __ATOMIC_RELAXED);
}

u32 access_flags(const struct access *a)
{
	return (a->kind == WRITE ? SHVM_ACCESS_WRITE : 0) |
	       (a->kind == FETCH ? SHVM_ACCESS_FETCH : 0) | (a->user ? SHVM_ACCESS_USER : 0) |
	       (a->ac ? SHVM_ACCESS_AC : 0) | (a->implicit ? SHVM_ACCESS_IMPLICIT : 0);
}

/*
 * What the instruction emulator does: for the access that faulted it has the address, for others
 * of the same instruction it walks. False: enter again.
 */
static bool emulate(struct vcpu *v, struct operation *op, struct outcome *out, gpa_t fault)
{
	enum shvm_mem_result ret;
	gpa_t at = fault;
	int err = 0;

	if (op->rnd & 64)
		err = shvm_mmu_translate(&v->mv, gva(op->a.addr), access_flags(&op->a), &at,
					 &out->error);
	if (err == -EAGAIN)
		return false;
	if (err) {
		out->kind = err == 1 ? FAULT : USER;
		return true;
	}
	out->gpa = at.v;
	out->hardware = false;
	if (op->a.kind != WRITE)
		ret = shvm_mmu_read(&machine->mmu, at, op->data, op->len);
	else if (op->old)
		ret = shvm_mmu_cmpxchg(&v->mv, at, op->old, op->data, op->len);
	else
		ret = shvm_mmu_write(&v->mv, at, op->data, op->len);
	op->lost = ret == SHVM_MEM_LOST;
	if (ret == SHVM_MEM_RETRY)
		return false;
	out->kind = ret == SHVM_MEM_MMIO ? MMIO :
		    ret == SHVM_MEM_FAULT || ret == SHVM_MEM_NOMEM ? USER : DONE;
	return true;
}

static struct shvm_pf fault_of(const struct operation *op, u32 fault)
{
	return (struct shvm_pf) {
		.addr = gva(op->a.addr),
		.error = error_code(&op->a, fault),
		.flags = (op->a.ac ? SHVM_ACCESS_AC : 0) |
			 (op->a.implicit ? SHVM_ACCESS_IMPLICIT : 0),
	};
}

/* What the small decoder does for a trapped store of the guest's kernel. */
static bool store_short(struct vcpu *v, struct operation *op, struct outcome *out, gpa_t at)
{
	enum shvm_mem_result ret;
	int idx;

	if (op->len != 8 || (at.v & 7) || !shvm_mmu_try_begin(&v->mv, &idx))
		return false;
	ret = shvm_mmu_table_store_now(&v->mv, at, op->old, op->data, op->len);
	shvm_mmu_end(&v->mv, idx);
	if (ret != SHVM_MEM_OK)
		return false;
	out->kind = DONE;
	out->gpa = at.v;
	out->hardware = false;
	out->in_loop = true;
	op->lost = false;
	return true;
}

enum short_exit { SHORT_NOTHING, SHORT_AGAIN, SHORT_DONE };

/* A #PF exit in the entry loop: interrupts are off, so nobody can have waited for us in between. */
static enum short_exit exit_fault_short(struct vcpu *v, struct operation *op, u32 fault,
					struct outcome *out)
{
	struct shvm_pf pf = fault_of(op, fault);

	if ((op->rnd >> 12 & 7) == 7 || vcpu_must_exit(v) ||
	    __atomic_load_n(&v->reload, __ATOMIC_SEQ_CST))
		return SHORT_NOTHING;
	tlb_exit(v);
	__atomic_fetch_add(&v->exits, 1, __ATOMIC_SEQ_CST);
	switch (shvm_mmu_try_fault(&v->mv, &pf)) {
	case SHVM_PF_FIXED:
		tlb_enter(v);
		return SHORT_AGAIN;
	case SHVM_PF_REFLECT:
		out->kind = FAULT;
		out->error = pf.guest_error;
		tlb_enter(v);
		return SHORT_DONE;
	case SHVM_PF_EMULATE:
		if (!pf.tracked) {
			vcpu_exit(v);
			if (!emulate(v, op, out, pf.gpa))
				return SHORT_AGAIN;
			out->known = out->kind == MMIO;
			return SHORT_DONE;
		}
		if (!store_short(v, op, out, pf.gpa))
			return SHORT_NOTHING;
		tlb_enter(v);
		return SHORT_DONE;
	case SHVM_PF_UNKNOWN:
		return SHORT_NOTHING;
	default:
		fail("shvm_mmu_try_fault() returned nonsense");
	}
}

/* A #PF exit. False: enter the guest again. */
static bool exit_fault(struct vcpu *v, struct operation *op, u32 fault, struct outcome *out)
{
	struct shvm_pf pf = fault_of(op, fault);

	switch (shvm_mmu_fault(&v->mv, &pf)) {
	case SHVM_PF_FIXED:
	case SHVM_PF_RETRY:
		out->kind = NOMEM;
		return shvm_mmu_starves(&v->mv, v->accesses);
	case SHVM_PF_REFLECT:
		out->kind = FAULT;
		out->error = pf.guest_error;
		return true;
	case SHVM_PF_EMULATE:
		/* An instruction that cannot be emulated: the other way out, which may not help. */
		if (pf.tracked && out->exits == 1 && (op->rnd >> 1 & 31) == 31 &&
		    shvm_mmu_unshadow(&machine->mmu, gpa_to_gfn(pf.gpa)))
			return false;
		return emulate(v, op, out, pf.gpa);
	case SHVM_PF_USER:
		out->kind = USER;
		out->gpa = pf.gpa.v;
		return true;
	case SHVM_PF_NOMEM:
		out->kind = NOMEM;
		return true;
	case SHVM_PF_UNKNOWN:
		break;
	}
	fail("shvm_mmu_fault() returned nonsense");
}

/* Does the CPU deliver the fault without an exit? The mask is that of src/vmx/direct.c. */
static bool is_direct(const struct vcpu *v, const struct access *a, u32 fault)
{
	return machine_direct == DIRECT_ON && !(fault & PF_P) &&
	       (a->kind != FETCH || shvm_mmu_fetch_is_told(v->paging.cr4, v->paging.efer));
}

/*
 * The guest's handler runs. If the fault is stale its instruction faults again and again, until the
 * tick of a timer: true.
 */
static bool deliver(struct vcpu *v, const struct operation *op, u32 fault, struct outcome *out)
{
	s64 before = atomic64_read(&machine->mmu.stats.pf_rescued);

	out->kind = FAULT;
	out->direct = true;
	out->error = error_code(&op->a, fault);
	if (!machine->poked && (!machine->threads || op->rnd >> 8 & 15))
		return false;
	vcpu_exit(v);
	shvm_mmu_rescue(&v->mv, gva(op->a.addr));
	return machine->poked && atomic64_read(&machine->mmu.stats.pf_rescued) != before;
}

struct outcome vcpu_access(struct vcpu *v, struct operation *op)
{
	struct outcome out = { .kind = STUCK };
	struct tlb_entry *e;
	u32 fault;
	int round, err;

	v->accesses++;
	if (!verify_runs())
		use_unknown();
	for (round = 0; round < MAX_ROUNDS; round++) {
		if (machine->threads && v->in_guest && vcpu_must_exit(v))
			vcpu_exit(v);
		err = v->in_guest ? 0 : vcpu_enter(v);
		if (err) {
			out.kind = err == -EFAULT ? NOROOT : err == -ENOMEM ? NOMEM : STUCK;
			return out;
		}
		e = vcpu_look(v, op);
		fault = e ? 0 : translate(v, op, &e, &out.from_tlb);
		if (!fault) {
			out.kind = DONE;
			out.hardware = true;
			out.tlb = e;
			out.nth = (op->a.addr >> 12) - e->page;
			out.hfn = e->hfn + out.nth;
			perform(op, out.hfn, op->a.addr & (SHVM_PAGE_SIZE - 1));
			out.walked = !out.from_tlb && e != &v->look.entry;
			if (out.walked)
				use_walked(out.hfn, e->level);
			return out;
		}
		if (is_direct(v, &op->a, fault)) {
			if (!deliver(v, op, fault, &out))
				return out;
			out.direct = false;
			continue;
		}
		out.exits++;
		switch (exit_fault_short(v, op, fault, &out)) {
		case SHORT_DONE:
			return out;
		case SHORT_AGAIN:
			continue;
		case SHORT_NOTHING:
			break;
		}
		vcpu_exit(v);
		if (exit_fault(v, op, fault, &out))
			return out;
	}
	out.kind = STUCK;
	return out;
}

/* SDM 4.4.1: which changes of CR0, CR4 and EFER load the PDPTEs again. */
static bool pdptes_reload(const struct shvm_paging *old, const struct shvm_paging *new)
{
	const u64 cr0 = X86_CR0_PG | X86_CR0_CD | X86_CR0_NW;
	const u64 cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP;

	return oracle_format(old) != O_PAE || ((old->cr0 ^ new->cr0) & cr0) ||
	       ((old->cr4 ^ new->cr4) & cr4);
}

/* 0: done, or there is nothing to do in this mode. */
static int load_pdptes(struct vcpu *v, const struct shvm_paging *p, u64 cr3)
{
	u64 pdpte[4], must[4];
	enum oracle_kind kind;
	int err;

	if (oracle_format(p) != O_PAE)
		return 0;
	use_read(cr3 >> 12);
	err = shvm_mmu_read_pdptes(&v->mv, p, cr3, pdpte);
	if (!machine->threads) {
		kind = oracle_pdptes(p, cr3, must);
		CHECK(err == (kind == O_HOST ? -EFAULT : kind == O_FAULT),
		      "PDPTEs at %llx: result %d, oracle %d", cr3, err, kind);
		CHECK(err || !memcmp(pdpte, must, sizeof(must)), "PDPTEs at %llx are others", cr3);
	}
	if (err)
		return err;
	memcpy(v->guest_pdpte, pdpte, sizeof(pdpte));
	shvm_mmu_set_pdptes(&v->mv, pdpte);
	return 0;
}

static void set_paging(struct vcpu *v, const struct shvm_paging *p)
{
	history_flush(v);
	v->paging = *p;
	shvm_mmu_set_paging(&v->mv, p);
	shvm_mmu_flush_all(&v->mv);
}

int vcpu_set_paging(struct vcpu *v, const struct shvm_paging *p)
{
	int err = 0;

	vcpu_exit(v);
	if (pdptes_reload(&v->paging, p))
		err = load_pdptes(v, p, v->cr3);
	if (!err)
		set_paging(v, p);
	return err;
}

static void load_cr3(struct vcpu *v, u64 cr3, bool keep)
{
	history_leave(v);
	v->cr3 = cr3;
	history_load(v, keep);
	shvm_mmu_load_cr3(&v->mv, cr3, keep);
}

int vcpu_load_cr3(struct vcpu *v, u64 cr3)
{
	int err;

	vcpu_exit(v);
	err = load_pdptes(v, &v->paging, cr3);
	if (err)
		return err;
	load_cr3(v, cr3, false);
	return 0;
}

int vcpu_load_cr3_keep(struct vcpu *v, u64 cr3)
{
	if (!(v->paging.cr4 & X86_CR4_PCIDE))
		return vcpu_load_cr3(v, cr3);
	vcpu_exit(v);
	load_cr3(v, cr3, true);
	return 0;
}

int vcpu_set_registers(struct vcpu *v, const struct shvm_paging *p, u64 cr3)
{
	int err;

	vcpu_exit(v);
	err = load_pdptes(v, p, cr3);
	if (err)
		return err;
	set_paging(v, p);
	load_cr3(v, cr3, false);
	return 0;
}

/* The short exit path: interrupts are off, so nobody can have waited for us in between. */
int vcpu_load_cr3_fast(struct vcpu *v, u64 cr3, bool keep)
{
	if (oracle_format(&v->paging) == O_PAE || !v->in_guest || vcpu_must_exit(v) ||
	    __atomic_load_n(&v->reload, __ATOMIC_SEQ_CST))
		return keep ? vcpu_load_cr3_keep(v, cr3) : vcpu_load_cr3(v, cr3);
	keep &= !!(v->paging.cr4 & X86_CR4_PCIDE);
	tlb_exit(v);
	__atomic_fetch_add(&v->exits, 1, __ATOMIC_SEQ_CST);
	if (!shvm_mmu_try_load_cr3(&v->mv, cr3, keep))
		return keep ? vcpu_load_cr3_keep(v, cr3) : vcpu_load_cr3(v, cr3);
	history_leave(v);
	v->cr3 = cr3;
	history_load(v, keep);
	load_root(v);
	return 0;
}

void vcpu_invlpg(struct vcpu *v, u64 addr)
{
	vcpu_exit(v);
	history_flush_page(v, addr);
	shvm_mmu_invlpg(&v->mv, gva(addr));
}

/* In the entry loop, as vcpu_load_cr3_fast(). */
void vcpu_invlpg_fast(struct vcpu *v, u64 addr)
{
	if (!v->in_guest || vcpu_must_exit(v) || __atomic_load_n(&v->reload, __ATOMIC_SEQ_CST)) {
		vcpu_invlpg(v, addr);
		return;
	}
	tlb_exit(v);
	__atomic_fetch_add(&v->exits, 1, __ATOMIC_SEQ_CST);
	history_flush_page(v, addr);
	if (!shvm_mmu_try_invlpg(&v->mv, gva(addr)))
		vcpu_invlpg(v, addr);
	else
		tlb_enter(v);
}
