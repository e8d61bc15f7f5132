// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests' own audit: everything that must hold between two steps, worked out from the data of
 * src/mmu and from guest and host memory, without the helpers of src/mmu. The vCPUs stand still.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "machine.h"
#include "sdm.h"

bool check_behind;
bool check_dead;
u64 check_large_seen;

#define MAX_SPS		NR_TABLES

/* The module's own audit; it is not there in every build. */
#pragma weak shvm_mmu_audit

struct census {
	struct shvm_sp *sp[MAX_SPS];
	u32 nr;
	u64 leaves, large, tables;
};

static struct census census;

static void sp_fail(const struct shvm_sp *sp, int i, const char *what)
{
	fail("%s: gfn %llx level %d role %x%s entry %d = %llx", what, sp->gfn.v, sp->role.level,
	     sp->role.word, sp->role.direct ? " direct" : "", i, i < 0 ? 0 : sp->spt[i]);
}

#define SP_CHECK(cond, sp, i, what)	do { if (!(cond)) sp_fail(sp, i, what); } while (0)

static bool is_listed(const struct shvm_sp *sp)
{
	u32 i;

	for (i = 0; i < census.nr; i++)
		if (census.sp[i] == sp)
			return true;
	return false;
}

static u32 chain_find(unsigned long word, const u64 *sptep)
{
	struct shvm_chain_iter it = shvm_chain_iter(word);
	u32 n = 0;
	u64 *p;

	while ((p = shvm_chain_next(&it)))
		n += p == sptep;
	return n;
}

static struct shvm_slot *module_slot(u64 f)
{
	return shvm_slots_find(machine->mmu.slots, gfn(f));
}

static u64 pages_of(int level)
{
	return 1ULL << (9 * (level - 1));
}

static u64 frame_of(const struct shvm_sp *sp, int i)
{
	if (sp->role.direct)
		return sp->gfn.v + ((u64)i << (9 * (sp->role.level - 1)));
	return sp->gfns[i];
}

static bool host_writable(u64 f)
{
	const struct mslot *s = slot_of(f);

	return !s->readonly && machine->host[page_of(f)].vma == VMA_RW &&
	       machine->host[page_of(f)].writable;
}

/* May one entry map the frames from f on, for all that the slot says? */
static bool group_fits(u64 f, int level)
{
	const struct mslot *s = slot_of(f);
	u64 n = pages_of(level);

	return s && !(f & (n - 1)) && slot_of(f + n - 1) == s && !((s->base ^ s->first) & (n - 1));
}

/* The chain that a leaf of a level belongs to. NULL: there must be no such leaf. */
static const unsigned long *head_of(const struct shvm_slot *slot, u64 f, int level)
{
	struct shvm_large *large;

	if (level == 1)
		return slot_rmap_head(slot, gfn(f));
	large = slot_large(slot, gfn(f), level);
	return large ? &large->head : NULL;
}

/* A1, A3, A5 for one leaf. */
static void check_leaf(const struct shvm_sp *sp, int i)
{
	u64 spte = sp->spt[i], f = frame_of(sp, i), n;
	struct shvm_slot *slot = module_slot(f);
	int level = sp->role.level;
	const unsigned long *head;
	u64 host;

	census.leaves++;
	census.large += level > 1;
	SP_CHECK(!!(spte & 0x80) == (level > 1) && level < 4, sp, i, "leaf without its size");
	SP_CHECK(slot && page_of(f) >= 0, sp, i, "leaf without a slot");
	SP_CHECK(group_fits(f, level), sp, i, "large leaf that does not fit the slot");
	SP_CHECK(host_level(page_of(f)) >= level, sp, i, "large leaf over small host pages");
	head = head_of(slot, f, level);
	SP_CHECK(head && chain_find(*head, &sp->spt[i]) == 1, sp, i,
		 "leaf is not once in its chain");
	host = machine->host[page_of(f)].frame;
	SP_CHECK((spte & E_ADDR) >> 12 == FRAME_BASE + host, sp, i, "leaf of a wrong host frame");
	if (level > 1)
		for (n = 0; n < pages_of(level); n++)
			SP_CHECK(!slot_gfn_state(slot, gfn(f + n))->tracked, sp, i,
				 "a tracked frame in a large leaf");
	/* What may not be written may not be made writable by the end of tracking either. */
	SP_CHECK(!(spte & SPTE_GUESTW) || (spte & SPTE_HOSTW), sp, i, "GUESTW without HOSTW");
	SP_CHECK((spte & (SPTE_GUESTW | SPTE_W)) != SPTE_GUESTW ||
		 (slot_gfn_state(slot, gfn(f))->tracked && !slot_gfn_state(slot, gfn(f))->loose),
		 sp, i, "no W, but nothing takes it away");
	if (!(spte & (SPTE_GUESTW | SPTE_W)))
		return;
	SP_CHECK(!sp->role.direct || !sp->role.clean, sp, i, "writable below a clean entry");
	SP_CHECK(!(spte & SPTE_W) || !slot_gfn_state(slot, gfn(f))->tracked ||
		 slot_gfn_state(slot, gfn(f))->loose, sp, i,
		 "a tracked frame is writable");
	for (n = 0; n < pages_of(level); n++)
		SP_CHECK(host_writable(f + n), sp, i, "writable, but not for the host");
	SP_CHECK(spte & SPTE_HOSTW, sp, i, "writable without HOSTW");
}

static struct shvm_sp *check_child(const struct shvm_sp *sp, int i)
{
	struct shvm_sp *child = shvm_arch_table_owner(hpa(sp->spt[i] & E_ADDR));

	census.tables++;
	SP_CHECK(is_listed(child), sp, i, "child is not a live page");
	SP_CHECK(child->role.level + 1 == sp->role.level, sp, i, "child of a wrong level");
	SP_CHECK(child->filled, sp, i, "child is not filled");
	SP_CHECK(chain_find(child->parents, &sp->spt[i]) == 1, sp, i,
		 "entry is not once among the parents of its child");
	SP_CHECK(!sp->role.direct || child->role.direct, sp, i, "table below a direct page");
	SP_CHECK(!sp->role.direct || child->gfn.v == frame_of(sp, i), sp, i,
		 "direct child of a wrong frame");
	return child;
}

/*
 * The guest entry that a shadow entry stands for. A two-level guest has 1024 entries of 4 bytes in
 * a table: four page directories of the host shadow a guest one, two of their entries for each of
 * its entries; two page tables shadow one of the guest.
 */
static u64 guest_entry(const struct shvm_sp *sp, int i, const u8 *table)
{
	u64 e = 0;

	if (sp->role.format != SHVM_GPT_32)
		memcpy(&e, table + 8 * i, 8);
	else if (sp->role.level == 2)
		memcpy(&e, table + 4 * (sp->role.quadrant * 256 + i / 2), 4);
	else
		memcpy(&e, table + 4 * (sp->role.quadrant * 512 + i), 4);
	return e;
}

static u64 reserved_pse(const struct shvm_paging *p)
{
	u64 address = 0, bit;

	for (bit = 32; p->pse36 && bit < 40 && bit < p->maxphyaddr; bit++)
		address |= 1ULL << (bit - 19);
	return 0x3fe000 & ~address;
}

static u64 gpte_reserved(const struct shvm_sp *sp, u64 e)
{
	const struct shvm_paging *p = &machine->vcpu[0].paging;
	bool pae = sp->role.format == SHVM_GPT_PAE;
	u64 bits = (E_ADDR | (pae ? E_HIGH : 0)) & ~((1ULL << p->maxphyaddr) - 1);

	if (sp->role.format == SHVM_GPT_32)
		return sp->role.level == 2 && sp->role.pse && (e & E_PS) ? reserved_pse(p) : 0;
	if (!sp->role.nx)
		bits |= E_NX;
	if (sp->role.level == 4)
		bits |= E_PS;
	if (sp->role.level == 3 && (e & E_PS))
		bits |= 0x3fffe000;
	if (sp->role.level == 2 && (e & E_PS))
		bits |= 0x1fe000;
	return bits;
}

static bool is_large(const struct shvm_sp *sp, u64 e)
{
	if (sp->role.level == 1 || !(e & E_PS))
		return false;
	return sp->role.format != SHVM_GPT_32 || sp->role.pse;
}

/* The first frame behind a live entry, page or table. */
static u64 frame_behind(const struct shvm_sp *sp, int i, u64 e)
{
	if (!is_large(sp, e))
		return (e & E_ADDR) >> 12;
	if (sp->role.format == SHVM_GPT_32)
		return (e & 0xffc00000) >> 12 | (e >> 13 & 0xff) << 20 | (u64)(i & 1) << 9;
	return (e & E_ADDR) >> 12 & ~((1ULL << (9 * (sp->role.level - 1))) - 1);
}

/* Never more than the guest's entry gives; with CR0.WP = 0 the leaf carries all of it. */
static void check_rights(const struct shvm_sp *sp, int i, u64 e, bool leaf, bool frozen)
{
	u64 spte = sp->spt[i];
	bool writable = spte & (SPTE_W | SPTE_GUESTW);

	if (leaf && ((spte & SPTE_LEAF) || sp->role.wp))
		SP_CHECK(!writable || (e & E_D) || frozen, sp, i, "writable but clean");
	if (!sp->role.wp)
		return;
	SP_CHECK(!writable || (e & E_W), sp, i, "more W than the guest");
	SP_CHECK(!(spte & SPTE_U) || (e & E_U), sp, i, "more U than the guest");
	SP_CHECK((spte & SPTE_NX) || !(e & E_NX), sp, i, "more X than the guest");
}

/* A table is shadowed for the mode in which it was reached, and for its part of the addresses. */
static void check_child_role(const struct shvm_sp *sp, int i, const struct shvm_sp *child)
{
	union shvm_role must = sp->role, is = child->role;

	must.level--;
	must.quadrant = must.format == SHVM_GPT_32 ? i & 1 : 0;
	must.access = is.access;
	SP_CHECK(is.word == must.word, sp, i, "child of a wrong role");
}

/* A4 and A7 for one entry of a page that shadows a guest table. */
static void check_gpte(const struct shvm_sp *sp, int i, const u8 *table, bool frozen)
{
	u64 spte = sp->spt[i], e = guest_entry(sp, i, table);
	struct shvm_sp *child;
	bool large;

	if (spte == SPTE_NOTRAP) {
		SP_CHECK(!(e & E_P), sp, i, "notrap for a present guest entry");
		return;
	}
	if (!spte_is_live(spte))
		return;
	SP_CHECK(e & E_P, sp, i, "live, but the guest entry is not present");
	SP_CHECK(!(e & gpte_reserved(sp, e)), sp, i, "live, but the guest entry is reserved");
	SP_CHECK((e & E_A) || frozen, sp, i, "live, but the guest entry has A = 0");
	large = is_large(sp, e);
	check_rights(sp, i, e, sp->role.level == 1 || large, frozen);
	if (spte & SPTE_LEAF) {
		SP_CHECK(sp->role.level == 1 || large, sp, i, "large, but not for the guest");
		SP_CHECK(frame_behind(sp, i, e) == sp->gfns[i], sp, i,
			 "leaf of a wrong guest frame");
		return;
	}
	child = shvm_arch_table_owner(hpa(spte & E_ADDR));
	SP_CHECK(child->role.direct == large, sp, i, "direct or not");
	SP_CHECK(child->gfn.v == frame_behind(sp, i, e), sp, i, "child of a wrong guest frame");
	if (!large)
		check_child_role(sp, i, child);
}

static void check_entry(const struct shvm_sp *sp, int i)
{
	u64 spte = sp->spt[i];

	if (spte == SPTE_NOTRAP) {
		SP_CHECK(!sp->role.direct && !sp->oos, sp, i,
			 "notrap in a direct page or out of sync");
		return;
	}
	if (spte == shvm_spte_trap)
		return;
	if (spte == (shvm_spte_trap | SPTE_LEAF)) {
		SP_CHECK(sp->role.level == 2 || sp->role.level == 3, sp, i, "was never large");
		return;
	}
	SP_CHECK(spte & SPTE_P, sp, i, "not present, but not a constant");
	SP_CHECK(!(spte & E_ADDR & ~((1ULL << MAXPHYADDR) - 1)), sp, i, "address too high");
	SP_CHECK(!(spte & E_HIGH), sp, i, "bits 62:52");
	SP_CHECK(!(spte & E_PS) || (spte & SPTE_LEAF), sp, i, "bit 7");
	SP_CHECK(sp->used >> (i / SHVM_USED_GROUP) & 1, sp, i, "live in a group that is not used");
	if (spte & SPTE_LEAF)
		check_leaf(sp, i);
	else
		check_child(sp, i);
}

void check_dead_table(const struct shvm_sp *sp)
{
	int i;

	for (i = 0; i < SHVM_SPT_ENTRIES; i++)
		SP_CHECK(sp->spt[i] != SPTE_NOTRAP, sp, i, "notrap in a table that is dead");
}

static u32 hash_count(const struct shvm_sp *want)
{
	struct shvm_sp *sp;
	u32 i, n = 0;

	for (i = 0; i < 1 << SHVM_HASH_BITS; i++)
		hlist_for_each_entry(sp, &machine->mmu.hash[i].head, hash) {
			n += !want || sp == want;
			SP_CHECK(is_listed(sp), sp, -1, "hashed, but not in the list");
		}
	return n;
}

/* Out of sync a page rests on what the table was; where its part of the table would begin. */
static const u8 *known_table(const struct shvm_sp *sp)
{
	return (const u8 *)sp->oos->known - sp->role.quadrant * (SHVM_PAGE_SIZE / 2);
}

static void check_sp(struct shvm_sp *sp)
{
	struct shvm_tlb *tlb = &machine->mmu.tlb;
	const struct mslot *s = slot_of(sp->gfn.v);
	u8 table[SHVM_PAGE_SIZE];
	bool frozen;
	int i;

	SP_CHECK(shvm_arch_table_owner(shvm_arch_table_hpa(sp->spt)) == sp, sp, -1, "owner");
	SP_CHECK(shvm_chain_count(sp->parents) <= SHVM_CHAIN_MAX, sp, -1, "too many parents");
	if (!sp->filled) {
		SP_CHECK(!sp->parents, sp, -1, "linked, but not filled");
		return;
	}
	for (i = 0; i < SHVM_SPT_ENTRIES; i++)
		check_entry(sp, i);
	if (sp->role.direct)
		return;
	SP_CHECK(s, sp, -1, "shadow of a table without a slot");
	SP_CHECK(sp->tlb_owed <= (u64)atomic64_read(&tlb->done), sp, -1,
		 "filled before its flush");
	frozen = s->readonly || machine->host[page_of(sp->gfn.v)].vma != VMA_RW;
	if (check_behind)
		return;
	host_peek(page_of(sp->gfn.v), 0, table, sizeof(table));
	for (i = 0; i < SHVM_SPT_ENTRIES; i++)
		check_gpte(sp, i, sp->oos ? known_table(sp) : table, frozen);
}

/* What the PDPTE of the hardware must lead to. False: to no shadow. */
static bool root_wanted(const struct vcpu *v, int i, union shvm_role *role, u64 *f)
{
	enum oracle_format format = oracle_format(&v->paging);

	role->level = 2;
	role->pae_host = 1;
	*f = (u64)i << 18;
	if (format == O_OFF) {
		role->direct = 1;
		return true;
	}
	role->format = format == O_32 ? SHVM_GPT_32 : SHVM_GPT_PAE;
	role->quadrant = format == O_32 ? i : 0;
	*f = (format == O_32 ? v->cr3 & 0xfffff000 : v->guest_pdpte[i] & E_ADDR) >> 12;
	return format == O_32 || ((v->guest_pdpte[i] & E_P) && slot_of(*f));
}

/* It leads to traps if the guest has a directory there, which is not in memory. */
static u64 root_without_shadow(const struct vcpu *v, int i)
{
	const u64 *trap = v->mv.pae_trap;
	int n;

	if (!(v->guest_pdpte[i] & E_P))
		return 0;
	for (n = 0; n < SHVM_SPT_ENTRIES; n++)
		CHECK(trap[n] == shvm_spte_trap, "no trap: %llx", trap[n]);
	return shvm_arch_table_hpa(trap).v | E_P;
}

/* Four page directories under the registers of a vCPU outside long mode. */
static void check_roots(const struct vcpu *v)
{
	const struct shvm_mmu_vcpu *mv = &v->mv;
	int i;

	if (!mv->root_role.pae_host || !mv->root_is_loaded ||
	    mv->roots_gen != machine->mmu.root_gen)
		return;
	for (i = 0; i < 4; i++) {
		union shvm_role role = { .word = 0 };
		const struct shvm_sp *sp;
		u64 f;

		if (!root_wanted(v, i, &role, &f)) {
			CHECK(mv->pae_root[i] == root_without_shadow(v, i),
			      "vCPU %d: PDPTE %d is %llx, must be %llx", v->id, i, mv->pae_root[i],
			      root_without_shadow(v, i));
			continue;
		}
		/* Memory that came after the load: a fault will load it. */
		if (role.format == SHVM_GPT_PAE && mv->pae_root[i] == root_without_shadow(v, i))
			continue;
		CHECK((mv->pae_root[i] & ~E_ADDR) == E_P, "vCPU %d: PDPTE %d is %llx", v->id, i,
		      mv->pae_root[i]);
		sp = shvm_arch_table_owner(hpa(mv->pae_root[i] & E_ADDR));
		SP_CHECK(is_listed(sp) && sp->filled && sp->gfn.v == f, sp, -1, "a wrong PDPTE");
		SP_CHECK(sp->role.level == 2 && sp->role.pae_host &&
			 sp->role.format == role.format && sp->role.direct == role.direct &&
			 sp->role.quadrant == role.quadrant, sp, -1, "a PDPTE of a wrong role");
	}
}

static u32 shadows_of(u64 f)
{
	u32 i, n = 0;

	for (i = 0; i < census.nr; i++)
		n += census.sp[i]->gfn.v == f && !census.sp[i]->role.direct;
	return n;
}

/* The other side of A1: a chain holds only live leaves of its frame, or of its group of frames. */
static u64 check_chain(unsigned long word, u64 f, int level)
{
	struct shvm_chain_iter it = shvm_chain_iter(word);
	u64 n = 0;
	u64 *p;

	CHECK(!(word & 1), "head of gfn %llx, level %d, is locked", f, level);
	while ((p = shvm_chain_next(&it))) {
		const struct shvm_sp *sp = shvm_arch_table_owner(shvm_arch_table_hpa(p));
		int i = ((uintptr_t)p & (SHVM_PAGE_SIZE - 1)) / 8;

		CHECK(is_listed(sp), "chain of gfn %llx leads to a dead page", f);
		SP_CHECK(spte_is_leaf(*p), sp, i, "in a chain, but no leaf");
		SP_CHECK(sp->role.level == level, sp, i, "in a chain of a wrong level");
		SP_CHECK(frame_of(sp, i) == f, sp, i, "in the chain of a wrong frame");
		n++;
	}
	CHECK(n == shvm_chain_count(word), "gfn %llx: count %u, entries %llu", f,
	      shvm_chain_count(word), n);
	CHECK(n <= SHVM_CHAIN_MAX, "gfn %llx: %llu entries", f, n);
	return n;
}

static u64 check_frame(struct shvm_slot *slot, u64 f)
{
	unsigned long *head = slot_rmap_head(slot, gfn(f));
	const struct shvm_gfn_state *state = slot_gfn_state(slot, gfn(f));

	if (*head || state->tracked)
		CHECK(state->tracked == shadows_of(f), "gfn %llx: tracked %u, shadows %u", f,
		      state->tracked, shadows_of(f));
	return check_chain(*head, f, 1);
}

/* A group of frames, of which f is the first that is in the slot. */
static u64 check_group(struct shvm_slot *slot, u64 f, int level)
{
	u64 first = f & ~(pages_of(level) - 1), i, tracked = 0;
	struct shvm_large *large = slot_large(slot, gfn(f), level);

	CHECK(!!large == group_fits(first, level), "gfn %llx: a group of level %d: %d", f, level,
	      !!large);
	if (!large)
		return 0;
	for (i = 0; i < pages_of(level); i++)
		tracked += slot_gfn_state(slot, gfn(first + i))->tracked;
	CHECK(large->tracked == tracked, "group of gfn %llx, level %d: tracked %u, must be %llu",
	      first, level, large->tracked, tracked);
	return check_chain(large->head, first, level);
}

static u64 check_slot(struct shvm_slot *slot)
{
	u64 end = slot->base.v + slot->npages, n = 0, f;
	int level;

	for (f = slot->base.v; f < end; f++)
		n += check_frame(slot, f);
	for (level = 2; level <= 3; level++)
		for (f = slot->base.v; f < end; f = (f | (pages_of(level) - 1)) + 1)
			n += check_group(slot, f, level);
	return n;
}

static u64 check_frames(void)
{
	struct shvm_slots *slots = machine->mmu.slots;
	u64 n = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(machine->mmu.writers); i++)
		CHECK(!atomic_read(&machine->mmu.writers[i]), "a store is under way");
	for (i = 0; i < slots->nr; i++)
		n += check_slot(slots->slot[i]);
	return n;
}

/* The host itself: one entry can map what it says it maps by one. */
static void check_host(void)
{
	const struct host_page *p;
	u64 block, i;

	for (block = 0; block < NR_BLOCKS; block++) {
		p = &machine->host[block * BLOCK];
		CHECK(!machine->absent[block], "block %llu is not mapped", block);
		CHECK(!machine->huge[block] || !(p->frame % BLOCK), "block %llu", block);
		for (i = 0; machine->huge[block] && i < BLOCK; i++)
			CHECK(p[i].frame == p->frame + i && p[i].writable == p->writable &&
			      p[i].vma == VMA_RW && !p[i].swap, "block %llu page %llu", block, i);
	}
}

/* Never too low, or the budget is exceeded; and tight, or all pages are counted too often. */
static void check_bound(const struct shvm_mmu *mmu)
{
	u32 bound = -mmu->sps_gone;
	int i;

	for (i = 0; i < SHVM_STRIPES; i++)
		bound += (mmu->sps[i].added + SHVM_SPS_STEP - 1) & ~(SHVM_SPS_STEP - 1u);
	CHECK(bound == (u32)atomic_read(&mmu->sps_bound), "at most %u pages, not %u",
	      bound, (u32)atomic_read(&mmu->sps_bound));
}

void check_all(void)
{
	struct shvm_mmu *mmu = &machine->mmu;
	u64 parents = 0, chained;
	struct shvm_sp *sp;
	u32 i;

	CHECK(!machine->broken, "the VM is marked as broken");
	memset(&census, 0, sizeof(census));
	shvm_for_each_sp(mmu, sp) {
		CHECK(census.nr < MAX_SPS, "the list of pages has no end");
		census.sp[census.nr++] = sp;
	}
	CHECK(census.nr == shvm_sp_count(mmu), "%u pages, but %u are counted", census.nr,
	      shvm_sp_count(mmu));
	check_bound(mmu);
	CHECK(hash_count(NULL) == census.nr, "hash and list differ in length");
	for (i = 0; i < census.nr; i++) {
		parents += shvm_chain_count(census.sp[i]->parents);
		check_sp(census.sp[i]);
	}
	CHECK(parents == census.tables, "%llu parents, %llu entries", parents, census.tables);
	for (i = 0; i < machine->nr_vcpus; i++)
		check_roots(&machine->vcpu[i]);
	check_host();
	chained = check_frames();
	check_large_seen += census.large;
	CHECK(chained == census.leaves, "%llu chained, %llu leaves", chained, census.leaves);
	CHECK(chained == (u64)shvm_striped_sum(&mmu->leaves),
	      "rmap_entries is %lld, not %llu", shvm_striped_sum(&mmu->leaves), chained);
	CHECK(!atomic_read(&mmu->inval.active), "an invalidation never ended");
	if (shvm_mmu_audit && !check_behind)
		CHECK(!shvm_mmu_audit(mmu), "shvm_mmu_audit() is not satisfied");
	if (!machine->threads)
		check_tlbs();
}

/* One whose stores must trap. */
static bool has_filled_shadow(u64 f)
{
	struct shvm_sp *sp;

	hlist_for_each_entry(sp, shvm_sp_bucket(&machine->mmu, gfn(f)), hash)
		if (sp->gfn.v == f && !sp->role.direct && sp->filled && !sp->oos)
			return true;
	return false;
}

/* Is a table among the frames? A group of frames says so by its count, which check_all() checks. */
static bool has_table(u64 f, int level)
{
	const struct shvm_large *large;
	u64 i;

	if (level == 1)
		return has_filled_shadow(f);
	large = slot_large(module_slot(f), gfn(f), level);
	for (i = 0; (!large || large->tracked) && i < pages_of(level); i++)
		if (has_filled_shadow(f + i))
			return true;
	return false;
}

static void check_tlb_entry(int vcpu, const struct tlb_entry *e)
{
	long page = page_of(e->gfn);

	CHECK(page >= 0 && e->hfn == FRAME_BASE + machine->host[page].frame,
	      "vCPU %d: the TLB holds host frame %llx for gfn %llx", vcpu, e->hfn, e->gfn);
	CHECK(host_level(page) >= e->level,
	      "vCPU %d: gfn %llx is large in the TLB, but not for the host", vcpu, e->gfn);
	CHECK(!e->w || host_writable(e->gfn), "vCPU %d: gfn %llx is writable in the TLB only",
	      vcpu, e->gfn);
	CHECK(!e->w || !has_table(e->gfn, e->kept),
	      "vCPU %d: gfn %llx is a table, but writable in the TLB", vcpu, e->gfn);
}

void check_tlbs(void)
{
	int i, j;

	for (i = 0; i < machine->nr_vcpus; i++)
		for (j = 0; j < TLB_ALL; j++)
			if (vcpu_may_use(&machine->vcpu[i], &machine->vcpu[i].tlb[j]))
				check_tlb_entry(i, &machine->vcpu[i].tlb[j]);
}

void check_mirror(void)
{
	static const u8 zero[SHVM_PAGE_SIZE];
	const u8 *now;
	u64 page, i;

	for (page = 0; page < HVA_PAGES; page++) {
		if (machine->host[page].frame < 0 && !machine->host[page].swap)
			continue;
		now = host_contents(page) ?: zero;
		if (!memcmp(now, machine->mirror[page], SHVM_PAGE_SIZE))
			continue;
		for (i = 0; now[i] == machine->mirror[page][i]; i++)
			;
		fail("page %llu byte %llx is %02x, must be %02x", page, i, now[i],
		     machine->mirror[page][i]);
	}
}
