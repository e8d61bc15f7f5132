// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random guests on random hosts: a step is one access, store to a table, register load or host
 * action, and after each the outcome is what the oracle says. One thread; vCPUs take turns and
 * keep their TLBs while others act. A run is repeated exactly by its seed.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "random.h"

#define NR_RECENT	8
#define MOVE_CPUS	5	/* that the thread moves over: two share what is one per CPU */
#define ONE_FAULT	4	/* shadow pages that one fault makes at most */

#define ALL_FORMATS	(BIT(O_OFF) | BIT(O_32) | BIT(O_PAE) | BIT(O_64))

struct config {
	int vcpus;
	u64 budget;
	u8 maxphyaddr;
	bool gbpages, pse36;
	u8 formats;			/* BIT(enum oracle_format) */
	int modes, slots, host;		/* weights of these actions */
	int eintr;
	int disturb;			/* percent of the places where others could run */
	int big_tables;			/* percent of the tables in memory that may be large */
};

static const struct config configs[NR_CONFIGS] = {
	{ .vcpus = 1, .budget = 2000, .maxphyaddr = 36, .gbpages = true,
	  .formats = BIT(O_OFF) | BIT(O_64), .modes = 4, .slots = 1, .host = 10, .big_tables = 2 },
	{ .vcpus = 2, .budget = 2000, .maxphyaddr = 40, .gbpages = true, .pse36 = true,
	  .formats = ALL_FORMATS, .modes = 4, .slots = 1, .host = 20, .eintr = 50, .disturb = 30,
	  .big_tables = 2 },
	{ .vcpus = 3, .budget = 64, .maxphyaddr = 36, .gbpages = false, .pse36 = true,
	  .formats = ALL_FORMATS, .modes = 4, .slots = 1, .host = 20, .disturb = 20,
	  .big_tables = 4 },
	{ .vcpus = 3, .budget = 2000, .maxphyaddr = 39, .gbpages = true,
	  .formats = BIT(O_64), .disturb = 50, .big_tables = 8 },
	{ .vcpus = 2, .budget = 300, .maxphyaddr = 52, .gbpages = true, .pse36 = true,
	  .formats = ALL_FORMATS, .modes = 40, .slots = 1, .host = 5 },
	{ .vcpus = 3, .budget = 64, .maxphyaddr = 36, .gbpages = true, .pse36 = true,
	  .formats = ALL_FORMATS, .modes = 10, .slots = 10, .host = 60, .eintr = 7,
	  .disturb = 60, .big_tables = 2 },
	{ .vcpus = 2, .budget = 2000, .maxphyaddr = 34, .pse36 = true,
	  .formats = BIT(O_32), .modes = 8, .slots = 1, .host = 10, .disturb = 20,
	  .big_tables = 5 },
	{ .vcpus = 2, .budget = 2000, .maxphyaddr = 40,
	  .formats = BIT(O_PAE), .modes = 8, .slots = 2, .host = 10, .disturb = 20,
	  .big_tables = 5 },
	{ .vcpus = 4, .budget = 150, .maxphyaddr = 32,
	  .formats = ALL_FORMATS, .modes = 100, .slots = 2, .host = 10, .disturb = 30,
	  .big_tables = 4 },
};

static struct {
	const struct random_options *opt;
	const struct config *c;
	u64 step;
	const struct vcpu *disturbed;
	u32 slack;			/* budget may be exceeded by: it became less in a fault */
	struct access recent[MAX_VCPUS][NR_RECENT];	/* what worked */
} r;

#define TRACE(fmt, ...) do {						\
	if (r.opt->trace)						\
		printf("# %llu: " fmt "\n", r.step, ##__VA_ARGS__);	\
} while (0)

/* An address that was of use to somebody, or one near it. */
static u64 pick_recent(const struct vcpu *v)
{
	u64 addr = r.recent[chance(60) ? v->id : rnd(machine->nr_vcpus)][rnd(NR_RECENT)].addr;

	if (chance(20))
		addr = (addr & ~0x1ff000ULL) | pick_index(1) << 12;
	return oracle_linear(&v->paging, addr) & ~0xfffULL;
}

static u64 pick_addr(const struct vcpu *v)
{
	if (oracle_format(&v->paging) == O_OFF)
		return (pick_page() << 12) & 0xffffffff;
	if (chance(30))
		return pick_recent(v);
	switch (oracle_format(&v->paging)) {
	case O_32:
		return pick_index_32() << 22 | pick_index_32() << 12;
	case O_PAE:
		return rnd(4) << 30 | pick_index(2) << 21 | pick_index(1) << 12;
	default:
		return pick_addr_64();
	}
}

static void do_access(struct vcpu *v, struct operation *op)
{
	struct outcome out;

	op->rnd = rnd_word();
	TRACE("vCPU %d %s%d %llx", v->id, op->a.user ? "user " : "", op->a.kind, op->a.addr);
	out = verified_access(v, op, r.opt->fail_alloc);
	TRACE("  outcome %d hfn %llx tlb %d", out.kind, out.hfn, out.from_tlb);
	if (out.kind == DONE && !out.from_tlb)
		r.recent[v->id][rnd(NR_RECENT)] = op->a;
}

/* --- actions --- */

static void act_access(struct vcpu *v)
{
	struct operation op = { .a.addr = pick_addr(v), .len = 1u << rnd(4) };
	struct oracle o;
	u64 value;

	op.a.kind = chance(45) ? READ : chance(65) ? WRITE : FETCH;
	op.a.user = (v->paging.cr0 & X86_CR0_PG) && chance(50);
	op.a.ac = chance(30);
	op.a.implicit = !op.a.user && op.a.kind != FETCH && chance(8);
	if (chance(50)) {
		op.a = r.recent[v->id][rnd(NR_RECENT)];
		op.a.user &= !!(v->paging.cr0 & X86_CR0_PG);
		op.a.addr = oracle_linear(&v->paging, op.a.addr);
	}
	op.a.addr = (op.a.addr & ~0xfffULL) | (rnd(4096) & ~(op.len - 1));
	value = rnd_word();
	oracle_walk(v, &op.a, &o);
	if (o.kind == O_OK && is_table(o.gfn) && chance(50)) {
		bool two_level = o.format == O_32 || (r.c->formats & BIT(O_32) && chance(15));

		op.len = two_level ? 4 : 8;
		op.a.addr = (op.a.addr & ~0xfffULL) |
			    (two_level ? pick_index_32() * 4 : pick_index(0) * 8);
		value = two_level ? make_entry_32(usual_level(o.gfn)) :
				    make_entry(usual_level(o.gfn));
	}
	memcpy(op.data, &value, 8);
	do_access(v, &op);
}

/* As an emulated instruction whose translation is known. */
static void store_directly(struct vcpu *v, u64 at, struct operation *op)
{
	u8 *mirror = &machine->mirror[page_of(at >> 12)][at & 0xfff];
	enum shvm_mem_result ret;

	vcpu_exit(v);
	if (op->old)
		ret = shvm_mmu_cmpxchg(&v->mv, gpa(at), op->old, op->data, op->len);
	else
		ret = shvm_mmu_write(&v->mv, gpa(at), op->data, op->len);
	use_read(at >> 12);
	if (r.opt->fail_alloc && ret == SHVM_MEM_NOMEM)
		return;
	if (!host_can(at >> 12, true)) {
		CHECK(ret == SHVM_MEM_FAULT, "store to %llx: result %d", at, ret);
		return;
	}
	op->lost = ret == SHVM_MEM_LOST;
	CHECK(ret == SHVM_MEM_OK || (op->old && op->lost), "store to %llx: result %d", at, ret);
	CHECK(!op->old || op->lost == !!memcmp(mirror, op->old, op->len), "lost is %d", op->lost);
	if (op->lost)
		return;
	history_store(page_of(at >> 12), at & 0xfff, op->len);
	memcpy(mirror, op->data, op->len);
}

/* An entry of a guest's tables, and what it is there. */
struct place {
	u64 at;
	int level;
	bool two_level;
};

/* One of a random table, or one that some vCPU has used. */
static struct place pick_place(const struct vcpu *v)
{
	u64 frame = chance(r.c->big_tables) ? BIG_TABLES + rnd(8) : TABLES + rnd(NR_TABLE_FRAMES);
	struct oracle o = { 0 };
	struct place p;
	int i;

	if (chance(35)) {
		i = rnd(machine->nr_vcpus);
		oracle_walk(&machine->vcpu[i], &r.recent[i][rnd(NR_RECENT)], &o);
	}
	if (o.nr_entries) {
		i = rnd(o.nr_entries);
		p = (struct place){ o.entry[i], o.levels - i, o.format == O_32 };
		if (is_table(p.at >> 12))
			return p;
	}
	p.level = usual_level(frame);
	p.two_level = oracle_format(&v->paging) == O_32 && chance(80);
	if (p.two_level)
		p.at = frame << 12 | pick_index_32() * 4;
	else
		p.at = frame << 12 | pick_index(chance(80) ? p.level : 0) * 8;
	return p;
}

/* 16 bytes around the entry, of which one entry becomes another, with the entry's neighbours. */
static u64 edit_window(const struct place *p, u8 window[16])
{
	u64 at = p->at, e;
	u32 size = p->two_level ? 4 : 8;

	if ((at & 0xfff) > 0xff0)
		at = (at & ~0xfffULL) | 0xff0;
	memcpy(window, &machine->mirror[page_of(at >> 12)][at & 0xfff], 16);
	e = p->two_level ? make_entry_32(p->level) : make_entry(p->level);
	memcpy(window + rnd(16 / size) * size, &e, size);
	return at;
}

/* A store of any width at any offset, so that two entries become what they could be. */
static void act_edit(struct vcpu *v)
{
	struct place p = pick_place(v);
	struct operation op = { .a.kind = WRITE, .len = p.two_level ? 4 : 8 };
	u8 window[16], old[16];
	u64 at, addr;
	u32 off;

	at = edit_window(&p, window);
	off = rnd(16 / op.len) * op.len;
	if (chance(30)) {
		op.len = 1u << rnd(5);
		off = rnd(17 - op.len);
		if (chance(50))
			off &= ~(op.len - 1);
	}
	memcpy(op.data, window + off, op.len);
	at += off;
	if (chance(20) && !(at & (op.len - 1)) && op.len < 16) {
		memcpy(old, &machine->mirror[page_of(at >> 12)][at & 0xfff], op.len);
		old[0] ^= chance(20);
		op.old = old;
	}
	TRACE("vCPU %d edits %llx len %u to %02x %02x %02x %02x...%s", v->id, at, op.len,
	      op.data[0], op.data[1], op.data[2], op.data[3], op.old ? " cas" : "");
	if (chance(70) && linear_works(v, at, &addr)) {
		op.a.addr = addr;
		op.a.ac = true;
		do_access(v, &op);
	} else {
		store_directly(v, at, &op);
	}
}

/* The last entry of an access that worked, if a page table has it. */
static bool pick_leaf_entry(const struct vcpu *v, struct place *p)
{
	struct oracle o = { 0 };

	oracle_walk(v, &r.recent[v->id][rnd(NR_RECENT)], &o);
	if (!o.levels || o.nr_entries != o.levels)
		return false;
	*p = (struct place){ o.entry[o.nr_entries - 1], 1, o.format == O_32 };
	return is_table(p->at >> 12);
}

/* Some stores to one page table in a row, then uses of it: between two flushes of the guest. */
static void act_burst(struct vcpu *v)
{
	struct operation op = { .a.kind = WRITE, .a.ac = true };
	u64 n = 3 + rnd(6), i, addr, e;
	struct place p;

	if (!pick_leaf_entry(v, &p))
		return;
	TRACE("vCPU %d: %llu stores to table %llx", v->id, n, p.at >> 12);
	for (i = 0; i < n; i++) {
		p.at = (p.at & ~0xfffULL) | (i < 2 ? p.at & 0xfff : p.two_level ?
					     pick_index_32() * 4 : pick_index(1) * 8);
		op.len = p.two_level ? 4 : 8;
		e = p.two_level ? make_entry_32(1) : make_entry(1);
		memcpy(op.data, &e, 8);
		if (!linear_works(v, p.at, &addr))
			return;
		op.a.addr = addr;
		do_access(v, &op);
	}
	for (i = 0; i < n; i++) {
		op = (struct operation){ .a = r.recent[v->id][rnd(NR_RECENT)], .len = 8 };
		op.a.addr = oracle_linear(&v->paging, op.a.addr & ~7ULL);
		if (op.a.kind == WRITE)
			op.a.kind = READ;
		op.a.user &= !!(v->paging.cr0 & X86_CR0_PG);
		do_access(v, &op);
	}
}

/* A change of PDPTEs in memory, which changes nothing until they are loaded. */
static void act_edit_pdpt(struct vcpu *v)
{
	u64 e = make_pdpte(), at = pick_pdpt() + rnd(4) * 8;
	struct operation op = { .len = 8 };

	if (slot_of(at >> 12)->readonly)
		return;
	TRACE("vCPU %d PDPTE at %llx: %llx", v->id, at, e);
	memcpy(op.data, &e, 8);
	store_directly(v, at, &op);
}

static void act_cr3(struct vcpu *v)
{
	u64 cr3 = pick_cr3(oracle_format(&v->paging));
	int err;

	bool keep = chance(60);

	if (v->paging.cr4 & X86_CR4_PCIDE)
		cr3 = (cr3 & ~0xfffULL) | rnd(3);
	if (chance(50))
		err = vcpu_load_cr3_fast(v, cr3, keep);
	else if (keep)
		err = vcpu_load_cr3_keep(v, cr3);
	else
		err = vcpu_load_cr3(v, cr3);
	TRACE("vCPU %d cr3 %llx: %d", v->id, cr3, err);
}

static void set_format(struct shvm_paging *p, enum oracle_format format)
{
	p->cr0 |= X86_CR0_PG;
	p->cr4 |= X86_CR4_PAE;
	p->efer &= ~(EFER_LMA | EFER_LME);
	if (format == O_64)
		p->efer |= EFER_LMA | EFER_LME;
	if (format != O_64)
		p->cr4 &= ~X86_CR4_PCIDE;
	if (format == O_OFF)
		p->cr0 &= ~X86_CR0_PG;
	if (format == O_32)
		p->cr4 &= ~X86_CR4_PAE;
}

static enum oracle_format pick_format(void)
{
	enum oracle_format format;

	/* Without paging there is little to see. */
	do
		format = rnd(O_NR_FORMATS);
	while (!(r.c->formats & BIT(format)) || (format == O_OFF && chance(60)));
	return format;
}

/* Another format, with the CR3 that is there or with one that suits. */
static void act_format(struct vcpu *v)
{
	enum oracle_format format = pick_format();
	struct shvm_paging p = v->paging;
	int err;

	set_format(&p, format);
	if (chance(10))
		p.cr4 ^= X86_CR4_PSE;
	if (chance(format == O_PAE ? 10 : 40))
		err = vcpu_set_paging(v, &p);
	else
		err = vcpu_set_registers(v, &p, pick_cr3(format));
	TRACE("vCPU %d format %d cr3 %llx: %d", v->id, format, v->cr3, err);
}

static void act_mode(struct vcpu *v)
{
	struct shvm_paging p = v->paging;
	int err;

	switch (rnd(10)) {
	case 0:
	case 1:
		p.cr0 ^= X86_CR0_WP;
		break;
	case 2:
		p.cr4 ^= X86_CR4_SMEP;
		break;
	case 3:
		p.cr4 ^= X86_CR4_SMAP;
		break;
	case 4:
		p.efer ^= EFER_NX;
		break;
	case 5:
	case 6:
		p.cr4 ^= X86_CR4_PSE;
		break;
	case 7:
		if (oracle_format(&p) == O_64 && chance(80))
			p.cr4 ^= X86_CR4_PCIDE;
		else
			p.cr4 ^= X86_CR4_PGE;
		break;
	default:
		act_format(v);
		return;
	}
	err = vcpu_set_paging(v, &p);
	TRACE("vCPU %d cr0 %llx cr4 %llx efer %llx: %d", v->id, p.cr0, p.cr4, p.efer, err);
}

static u64 pick_host_page(void)
{
	long page = page_of(pick_page());

	if (chance(15))
		page = page_of(pick_table(rnd(5)));
	return page < 0 ? page_of(DATA) : page;
}

/* What the host does with huge pages; often, as every action on a page of them splits them. */
static void act_block(void)
{
	u64 block = chance(80) ? BIG_BLOCK + rnd(2) : rnd(NR_BLOCKS), what = rnd(16);
	bool done;

	if (what == 1)
		done = host_split(block);
	else if (what == 2)
		done = host_migrate_block(block);
	else if (what == 3)
		done = host_protect_block(block);
	else
		done = host_collapse(block);
	TRACE("host: block %llu action %llu: %d", block, what, done);
	/* No table is there. */
	if (what == 4 && block == BIG_BLOCK + 1 && chance(40)) {
		TRACE("host drops block %llu", block);
		host_drop_block(block);
	}
}

static void act_host(void)
{
	u64 page = pick_host_page(), what = rnd(13);

	if (what >= 9) {
		act_block();
		return;
	}
	TRACE("host action %llu on page %llu", what, page);
	switch (what) {
	case 0:
	case 1:
		host_swap_out(page);
		break;
	case 2:
		if (page < TABLES || page >= TABLES + NR_TABLE_FRAMES || chance(5))
			host_drop(page);
		break;
	case 3:
	case 4:
		host_migrate(page);
		break;
	case 5:
	case 6:
		host_write_protect(page);
		break;
	case 7:
		host_set_vma(page, chance(50) ? VMA_RO : VMA_NONE);
		break;
	case 8:
		for (page = 0; page < HVA_PAGES; page++)
			if (machine->host[page].vma != VMA_RW)
				host_set_vma(page, VMA_RW);
		/* What has become small because of them. */
		host_collapse(BIG_BLOCK);
		host_collapse(BIG_BLOCK + 1);
		break;
	}
}

static void act_slots(void)
{
	static const u64 bases[] = { 0x7fd, 0xa05, 0x10c1, 0xffffd };
	u64 base = bases[rnd(4)];
	int err = 0;

	TRACE("slot %d: used %d base %llx to %llx", MOVING, machine->slot[MOVING].used,
	      machine->slot[MOVING].base, base);
	if (!machine->slot[MOVING].used)
		err = slot_add(MOVING, base, 30, 1100, false);
	else if (chance(50))
		err = slot_delete(MOVING);
	else if (machine->slot[MOVING].base != base)
		err = slot_move(MOVING, base);
	CHECK(!err || (err == -ENOMEM && r.opt->fail_alloc), "slot update: %d", err);
}

static void act_working_set(void)
{
	static u32 answers[BLOCK];
	u64 first = chance(50) ? rnd(192) : chance(50) ? BIG + rnd(BIG_PAGES) : rnd(0x1000);

	TRACE("working set from %llx", first);
	use_working_set(first, 1 + rnd(chance(10) ? BLOCK : 64), rnd(3), answers);
}

static void act_rest(struct vcpu *v)
{
	switch (rnd(12)) {
	case 8:
		act_edit_pdpt(v);
		break;
	case 9:
	case 10:
		act_working_set();
		break;
	case 11:
		host_age(BIG_PAGE + rnd(BIG_PAGES), rnd(64), chance(80));
		break;
	case 0:
		TRACE("unshadow");
		shvm_mmu_unshadow(&machine->mmu, gfn(pick_table(rnd(5))));
		break;
	case 1:
		if (chance(20)) {
			TRACE("zap all");
			zap_all(machine->mmu.era & 1);
		}
		break;
	case 2:
		TRACE("budget");
		CHECK(!shvm_mmu_set_budget(&machine->mmu, chance(20) ? 64 : r.c->budget), "budget");
		break;
	case 3:
		vcpu_exit(v);
		break;
	default:
		host_age(rnd(128), rnd(64), chance(80));
	}
}

/* The emulator reads an instruction, or looks for an operand. */
static void act_translate(struct vcpu *v)
{
	struct access a = { .addr = pick_addr(v) | rnd(4096), .kind = rnd(3), .ac = chance(30) };

	a.user = (v->paging.cr0 & X86_CR0_PG) && chance(50);
	TRACE("vCPU %d translates %llx", v->id, a.addr);
	verified_translation(v, &a);
}

static void act(struct vcpu *v)
{
	const struct config *c = r.c;
	u64 n = rnd(1000 + c->modes + c->slots + c->host);

	if (n < 30)
		act_translate(v);
	else if (n < 700)
		act_access(v);
	else if (n < 760)
		act_burst(v);
	else if (n < 900)
		act_edit(v);
	else if (n < 950)
		act_cr3(v);
	else if (n < 985)
		vcpu_invlpg_fast(v, pick_addr(v));
	else if (n < 1000)
		act_rest(v);
	else if (n < 1000 + c->modes)
		act_mode(v);
	else if (n < 1000 + c->modes + c->host)
		act_host();
	else
		act_slots();
}

/* Another vCPU or the host acts in the middle of an access. */
static void disturb_now(void)
{
	int other = (r.disturbed->id + 1 + rnd(machine->nr_vcpus - 1)) % machine->nr_vcpus;

	TRACE("  meanwhile:");
	act(&machine->vcpu[other]);
	r.slack = ONE_FAULT;
}

static void disturb(void)
{
	r.disturbed = verify_now();
	if (r.disturbed && chance(r.c->disturb))
		verify_disturb(disturb_now);
}

/* --- a run --- */

static bool make_slots(void)
{
	u64 block;

	if (slot_add(0, 0, 192, 0, false) || slot_add(1, 0x200, 600, 256, false) ||
	    slot_add(2, RO_BASE, 40, 1024, true) || slot_add(MOVING, 0x7fd, 30, 1100, false) ||
	    slot_add(4, BIG, BIG_PAGES, BIG_PAGE, false) ||
	    slot_add(5, BIG_RO, BLOCK, BIG_RO_BLOCK * BLOCK, true))
		return false;
	machine->thp = true;
	for (block = BIG_BLOCK; block < NR_BLOCKS; block++)
		host_poke(block * BLOCK, 0, &block, sizeof(block));
	CHECK(!shvm_mmu_set_budget(&machine->mmu, r.c->budget), "budget");
	return true;
}

static void make_vcpus(void)
{
	struct shvm_paging p = {
		.cr0 = X86_CR0_PE | X86_CR0_WP, .cr4 = X86_CR4_PAE | X86_CR4_PSE,
		.efer = EFER_NX, .maxphyaddr = r.c->maxphyaddr, .gbpages = r.c->gbpages,
		.pse36 = r.c->pse36,
	};
	enum oracle_format format;
	int i;

	for (i = 0; i < machine->nr_vcpus; i++) {
		format = pick_format();
		set_format(&p, format);
		while (vcpu_set_registers(&machine->vcpu[i], &p, pick_cr3(format)))
			;
	}
}

static void check_step(void)
{
	u32 used = shvm_sp_count(&machine->mmu);

	CHECK(used <= shvm_mmu_budget(&machine->mmu) + r.slack, "%u pages, budget %llu", used,
	      shvm_mmu_budget(&machine->mmu));
	if (used <= shvm_mmu_budget(&machine->mmu))
		r.slack = 0;
	check_tlbs();
	if (r.opt->audit && !(r.step % r.opt->audit))
		check_all();
	if (!(r.step % 5000))
		check_mirror();
}

void random_repeat(void)
{
	if (!r.opt)
		return;
	printf("# repeat: --seed %llu --config %d --steps %llu --direct %d --off %u%s\n",
	       r.opt->seed, r.opt->config, r.step, r.opt->direct, r.opt->off,
	       r.opt->tags ? " --tags" : "");
}

static void run_steps(void)
{
	u32 i;

	if (!machine_create(r.c->vcpus))
		return;
	machine->inject_eintr = r.c->eintr;
	machine->disturb = r.c->disturb ? disturb : NULL;
	if (make_slots()) {
		make_tables();
		machine->poked = false;
		make_vcpus();
		for (r.step = 1; r.step <= r.opt->steps; r.step++) {
			shim_move(r.step / 3 % MOVE_CPUS);
			act(&machine->vcpu[rnd(r.c->vcpus)]);
			check_step();
		}
		check_all();
		check_mirror();
	}
	verdicts.opens = atomic64_read(&machine->mmu.stats.oos_opens);
	verdicts.changes = atomic64_read(&machine->mmu.stats.oos_changes);
	for (i = 0; i < r.c->vcpus; i++)
		verdicts.kept += machine->vcpu[i].look.kept;
	machine_destroy();
}

static void print_verdicts(const struct random_options *opt)
{
	printf("# config %d seed %llu: %llu steps, ", opt->config, opt->seed, opt->steps);
	printf("%llu done (%llu emulated; no paging %llu, 32-bit %llu, PAE %llu, ",
	       verdicts.done, verdicts.emulated, verdicts.by_format[O_OFF],
	       verdicts.by_format[O_32], verdicts.by_format[O_PAE]);
	printf("64-bit %llu), %llu faults (%llu direct), %llu mmio (%llu known), ",
	       verdicts.by_format[O_64], verdicts.faults, verdicts.direct, verdicts.mmio,
	       verdicts.known);
	printf("%llu TLB hits (%llu stale), %llu by large pages, ", verdicts.hits,
	       verdicts.stale, verdicts.large);
	printf("%llu tables out of sync: %llu changes, %llu uses of old entries, ",
	       verdicts.opens, verdicts.changes, verdicts.old);
	printf("%llu kept looks at the kernel's pages\n", verdicts.kept);
}

/* What such a run is there to reach, it has reached. */
static void check_verdicts(const struct random_options *opt)
{
	if (opt->steps < 5000)
		return;
	CHECK(verdicts.large, "no access was served by a large page");
	CHECK(!verdicts.direct == (opt->direct != DIRECT_ON), "%llu faults without an exit",
	      verdicts.direct);
	CHECK(verdicts.kept || verdicts.by_format[O_64] < 1000,
	      "no look at the kernel's page was kept");
}

bool random_run(const struct random_options *opt)
{
	bool fired;

	memset(&r, 0, sizeof(r));
	memset(&verdicts, 0, sizeof(verdicts));
	r.opt = opt;
	r.c = &configs[opt->config];
	shvm_mmu_oos = !(opt->off & OFF_OOS);
	shvm_mmu_prefetch = !(opt->off & OFF_PREFETCH);
	shvm_mmu_last_entry = !(opt->off & OFF_LAST_ENTRY);
	guest_start(opt->seed, r.c->big_tables);
	shim_alloc_countdown = opt->fail_alloc;
	machine_direct = opt->direct;
	machine_tagged = opt->tags;
	if (!machine_module_init()) {
		run_steps();
		machine_module_exit();
	}
	CHECK(!shim_alloc_live, "%ld objects are left", shim_alloc_live);
	if (!opt->fail_alloc) {
		print_verdicts(opt);
		check_verdicts(opt);
	}
	fired = opt->fail_alloc && !shim_alloc_countdown;
	shim_alloc_countdown = 0;
	shvm_mmu_oos = true;
	shvm_mmu_prefetch = true;
	shvm_mmu_last_entry = true;
	r.opt = NULL;
	return fired;
}

/* A fixed story, in which each allocation fails once. */
void alloc_run(u64 seed)
{
	struct random_options opt = { .seed = seed, .steps = 80, .audit = 40 };
	u64 runs = 0;
	bool fired;

	for (opt.config = 0; opt.config < NR_CONFIGS; opt.config++) {
		opt.fail_alloc = 0;
		do {
			opt.fail_alloc++;
			fired = random_run(&opt);
			runs++;
		} while (fired);
	}
	printf("# %llu runs\n", runs);
}
