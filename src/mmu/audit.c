// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of the debug build: recompute what the shadow MMU should be, compare, name the first
 * difference. vCPUs are stopped; mmu->lock is held for writing; the caller runs in the VMM's
 * address space. Host invalidations go on, so a leaf may vanish at any moment, but not appear.
 *
 *  A1 every leaf is once in the chain of its frame, and a chain holds nothing else
 *  A2 every table entry is once among its child's parents, and those hold nothing else
 *  A3 tracked counts equal the shadow pages of the frame; no SPTE of a tracked frame is writable;
 *     those of a group are the sum of its frames', and no large SPTE maps one that is not 0
 *  A4 a leaf or table entry has no right that the guest's entry does not give
 *  A5 a leaf maps what the host maps there now
 *  A6 every page is hashed under its key; the counters equal the lists
 *  A7 what the guest's entry says (out of sync: said) is what the shadow rests on
 *  A8 a non-live entry is one of the constants
 *
 * Nobody has written to memory that was freed lately (src/poison.h).
 */
#include "../poison.h"
#include "shadow.h"

#ifdef SHVM_DEBUG

struct audit {
	struct shvm_mmu *mmu;
	u64 leaves, tables;		/* found in shadow pages */
	u64 chained, parents;		/* found in chains */
	u32 pages;
	u32 broken;
};

static void audit_fail(struct audit *a, const char *rule, const char *what,
		       const struct shvm_sp *sp, unsigned int index)
{
	if (a->broken++ >= 8)
		return;
	if (sp)
		pr_err("shvm: audit %s: %s: gfn %llx role %08x entry %u = %016llx\n", rule, what,
		       sp->gfn.v, sp->role.word, index, READ_ONCE(sp->spt[index]));
	else
		pr_err("shvm: audit %s: %s: %u\n", rule, what, index);
}

static u32 chain_count_of(unsigned long word, const u64 *sptep)
{
	struct shvm_chain_iter it = shvm_chain_iter(word);
	const u64 *p;
	u32 n = 0;

	while ((p = shvm_chain_next(&it)))
		n += p == sptep;
	return n;
}

static u8 spte_access(u64 spte)
{
	return (spte & (SPTE_W | SPTE_GUESTW) ? GPT_ACC_W : 0) | (spte & SPTE_U ? GPT_ACC_U : 0) |
	       (spte & SPTE_NX ? 0 : GPT_ACC_X);
}

/* A4: rights of an entry against the guest's; without CR0.WP they are judged by the role. */
static bool rights_exceed(const struct shvm_sp *sp, u64 spte, u64 gpte, bool is_clean_leaf)
{
	u8 allowed = gpte_access(gpte, sp->role.nx);

	if (!sp->role.wp)
		return is_clean_leaf && spte_is_leaf(spte) && (spte & SPTE_W);
	if (is_clean_leaf)
		allowed &= ~GPT_ACC_W;
	return spte_access(spte) & ~allowed;
}

/* Can D be set in the table? If not, stores are let through without it. */
static bool table_is_writable(struct shvm_mmu *mmu, const struct shvm_sp *sp)
{
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), sp->gfn);
	struct shvm_host_frame host;

	return slot && !(slot->flags & SHVM_SLOT_READONLY) &&
	       shvm_arch_host_frame_atomic(slot_hva(slot, gfn_to_gpa(sp->gfn)), true, &host);
}

static void audit_against_gpte(struct audit *a, struct shvm_sp *sp, unsigned int index, u64 spte)
{
	const struct shvm_gpt *g = &shvm_gpt_formats[sp->role.format];
	bool maps_page = sp->role.level == 1;
	struct shvm_sp *child;
	unsigned int part;
	gfn_t frame;
	u64 gpte;

	if (sp->oos)
		gpte = shvm_oos_known(sp, index);
	else if (!shvm_entry_read_gpte(a->mmu, sp, index, &gpte))
		return;
	if (!(gpte & GPTE_P)) {
		if (spte_is_live(spte))
			audit_fail(a, "A7", "guest entry is not present", sp, index);
		return;
	}
	if (spte == SPTE_NOTRAP)
		audit_fail(a, "A7", "notrap, but the guest entry is present", sp, index);
	if (!spte_is_live(spte))
		return;
	maps_page |= gpte_is_large(gpte, sp->role.level, gpt_large(g, sp->role.pse));
	if (rights_exceed(sp, spte, gpte, maps_page && !(gpte & GPTE_D)) &&
	    (rights_exceed(sp, spte, gpte, false) || table_is_writable(a->mmu, sp)))
		audit_fail(a, "A4", "more rights than the guest entry", sp, index);
	frame = gpte_frame(g, gpte, sp->role.level, maps_page && sp->role.level > 1);
	/* Which of our entries for the guest's one. */
	part = index & ((1u << sp->index_shift) - 1);
	if (maps_page && sp->role.level > 1)
		frame = gfn_add(frame, part * level_frames(sp->role.level));
	if (spte_is_leaf(spte)) {
		if (!maps_page || sp->gfns[index] != frame.v)
			audit_fail(a, "A7", "leaf of another guest frame", sp, index);
		return;
	}
	child = shvm_arch_table_owner(hpa(spte & SPTE_FRAME));
	if (!gfn_eq(child->gfn, frame) || child->role.direct != maps_page ||
	    child->role.quadrant != (maps_page ? 0 : part))
		audit_fail(a, "A7", "child of another guest frame", sp, index);
}

static bool must_not_write(const struct shvm_gfn_state *state)
{
	return state->tracked && !state->loose;
}

/* A1, A3, A4: under the lock of its head. Returns the SPTE as it is there, or 0: gone. */
static u64 audit_leaf_locked(struct audit *a, struct shvm_sp *sp, unsigned int index,
			     const struct shvm_slot *slot, gfn_t f)
{
	struct shvm_large *large = sp->role.level > 1 ? slot_large(slot, f, sp->role.level) : NULL;
	unsigned long *head = large ? &large->head : slot_rmap_head(slot, f);
	u64 spte;

	shvm_lock_rmap(head);
	spte = READ_ONCE(sp->spt[index]);
	if (spte_is_leaf(spte)) {
		a->leaves++;
		if (chain_count_of(READ_ONCE(*head), &sp->spt[index]) != 1)
			audit_fail(a, "A1", "leaf is not once in its chain", sp, index);
		if (large ? large->tracked :
			    (spte & SPTE_W) && must_not_write(slot_gfn_state(slot, f)))
			audit_fail(a, "A3", "tracked frame is writable", sp, index);
		if ((spte & (SPTE_W | SPTE_GUESTW)) && !(spte & SPTE_HOSTW))
			audit_fail(a, "A4", "writable without the host's leave", sp, index);
	}
	shvm_unlock_rmap(head);
	return spte_is_leaf(spte) ? spte : 0;
}

static void audit_leaf(struct audit *a, struct shvm_sp *sp, unsigned int index, u64 spte)
{
	gfn_t f = sp->role.direct ? sp_direct_gfn(sp, index) : gfn(sp->gfns[index]);
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(a->mmu), f);
	struct shvm_host_frame host;
	hva_t at;

	if (!slot || (sp->role.level > 1 && !slot_large(slot, f, sp->role.level))) {
		audit_fail(a, "A1", "leaf without a slot", sp, index);
		return;
	}
	if (sp->role.level > 1 ? !(spte & SPTE_PS) : spte & SPTE_PS)
		audit_fail(a, "A8", "size does not fit the level", sp, index);
	spte = audit_leaf_locked(a, sp, index, slot, f);
	at = slot_hva(slot, gfn_to_gpa(f));
	if (shvm_arch_host_frame_atomic(at, false, &host) &&
	    (host.hfn.v != spte_to_hfn(spte).v ||
	     shvm_arch_host_level(a->mmu, at, &host) < sp->role.level) &&
	    spte && spte_is_leaf(READ_ONCE(sp->spt[index])) && !atomic_read(&a->mmu->inval.active))
		audit_fail(a, "A5", "leaf of another host frame", sp, index);
}

static void audit_table(struct audit *a, struct shvm_sp *sp, unsigned int index, u64 spte)
{
	struct shvm_sp *child = shvm_arch_table_owner(hpa(spte & SPTE_FRAME));

	a->tables++;
	if (child->role.level + 1 != sp->role.level)
		audit_fail(a, "A2", "child of a wrong level", sp, index);
	if (chain_count_of(child->parents, &sp->spt[index]) != 1)
		audit_fail(a, "A2", "entry is not once among the child's parents", sp, index);
}

static void audit_entry(struct audit *a, struct shvm_sp *sp, unsigned int index)
{
	u64 spte = READ_ONCE(sp->spt[index]);

	if (!spte_is_live(spte) && spte != SPTE_NOTRAP && spte != shvm_spte_trap &&
	    !(spte_was_large(spte) && sp->role.level > 1))
		audit_fail(a, "A8", "non-live entry is not a constant", sp, index);
	if (spte == SPTE_NOTRAP && (sp->role.direct || sp->oos))
		audit_fail(a, "A8", "notrap in a direct page, or out of sync", sp, index);
	if (spte_is_leaf(spte))
		audit_leaf(a, sp, index, spte);
	else if (spte_is_table(spte))
		audit_table(a, sp, index, spte);
	if (!sp->role.direct)
		audit_against_gpte(a, sp, index, READ_ONCE(sp->spt[index]));
}

static u32 pages_out_of_sync(struct shvm_mmu *mmu, gfn_t f)
{
	struct shvm_sp *sp;
	u32 n = 0;

	hlist_for_each_entry(sp, shvm_sp_bucket(mmu, f), hash)
		n += gfn_eq(sp->gfn, f) && sp->oos;
	return n;
}

static u32 pages_of(struct shvm_mmu *mmu, gfn_t f, const struct shvm_sp *find)
{
	struct shvm_sp *sp;
	u32 n = 0;

	hlist_for_each_entry(sp, shvm_sp_bucket(mmu, f), hash)
		if (find ? sp == find : gfn_eq(sp->gfn, f) && !sp->role.direct)
			n++;
	return n;
}

static void audit_page(struct audit *a, struct shvm_sp *sp)
{
	unsigned int i;

	a->pages++;
	a->parents += shvm_chain_count(sp->parents);
	if (pages_of(a->mmu, sp->gfn, sp) != 1)
		audit_fail(a, "A6", "page is not once in the hash", sp, 0);
	for (i = 0; sp->filled && i < SHVM_SPT_ENTRIES; i++)
		audit_entry(a, sp, i);
}

static void audit_frame(struct audit *a, struct shvm_slot *slot, gfn_t f)
{
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_gfn_state *state = slot_gfn_state(slot, f);

	shvm_lock_rmap(head);
	a->chained += shvm_chain_count(READ_ONCE(*head));
	if (shvm_chain_count(READ_ONCE(*head)) > SHVM_CHAIN_MAX)
		audit_fail(a, "A1", "chain is too long at gfn", NULL, f.v);
	shvm_unlock_rmap(head);
	if (state->tracked != pages_of(a->mmu, f, NULL))
		audit_fail(a, "A3", "tracked count is wrong at gfn", NULL, f.v);
	if (state->loose && pages_out_of_sync(a->mmu, f) != state->tracked)
		audit_fail(a, "A3", "a table may be written, but is in sync at gfn", NULL,
			   f.v);
}

/* All slots are quiet: tracked counts change under mmu->lock only. */
static void audit_group(struct audit *a, struct shvm_slot *slot, gfn_t first, int level)
{
	struct shvm_large *large = slot_large(slot, first, level);
	u64 i, n = 0;

	for (i = 0; i < level_frames(level); i++)
		n += slot_gfn_state(slot, gfn_add(first, i))->tracked;
	shvm_lock_rmap(&large->head);
	a->chained += shvm_chain_count(READ_ONCE(large->head));
	if (large->tracked != n)
		audit_fail(a, "A3", "tracked count of a group is wrong at gfn", NULL, first.v);
	shvm_unlock_rmap(&large->head);
}

static void audit_groups(struct audit *a, struct shvm_slot *slot)
{
	u64 f, end = slot->base.v + slot->npages;
	int level;

	for (level = 2; level <= SHVM_LARGE_TOP; level++)
		for (f = level_first(slot->base, level).v; f < end; f += level_frames(level))
			if (slot_large(slot, gfn(f), level))
				audit_group(a, slot, gfn(f), level);
}

static void audit_run(struct audit *a)
{
	const struct shvm_slots *slots = mmu_slots(a->mmu);
	struct shvm_sp *sp;
	u32 i;
	u64 n;

	shvm_for_each_sp(a->mmu, sp)
		audit_page(a, sp);
	for (i = 0; i < slots->nr; i++) {
		for (n = 0; n < slots->slot[i]->npages; n++)
			audit_frame(a, slots->slot[i], gfn_add(slots->slot[i]->base, n));
		audit_groups(a, slots->slot[i]);
	}
	for (i = 0; i < ARRAY_SIZE(a->mmu->writers); i++)
		if (atomic_read(&a->mmu->writers[i]))
			audit_fail(a, "A3", "a store is under way though all is stopped", NULL, i);
	/* The host may take leaves away while we count: then there are fewer in the chains. */
	if (a->chained > a->leaves)
		audit_fail(a, "A1", "chains hold more than there are leaves", NULL, a->chained);
	if (a->parents != a->tables)
		audit_fail(a, "A2", "parents are not as many as entries", NULL, a->parents);
	if (a->pages != shvm_sp_count(a->mmu))
		audit_fail(a, "A6", "count of pages is wrong", NULL, a->pages);
	if ((u32)atomic_read(&a->mmu->sps_bound) - a->pages >= SHVM_STRIPES * SHVM_SPS_STEP)
		audit_fail(a, "A6", "bound of the count is wrong", NULL, a->pages);
	if (shvm_poison_check())
		audit_fail(a, "poison", "freed memory was written to", NULL, 0);
}

/**
 * shvm_mmu_audit - check every invariant of the shadow MMU
 * @mmu: of a VM whose vCPUs are stopped
 *
 * Return: 0; -EUCLEAN with a report in the kernel log.
 */
int shvm_mmu_audit(struct shvm_mmu *mmu)
{
	struct audit a = { .mmu = mmu };
	int idx;

	idx = srcu_read_lock(&mmu->srcu);
	shvm_lock_mmu_write(mmu);
	audit_run(&a);
	shvm_unlock_mmu_write(mmu);
	srcu_read_unlock(&mmu->srcu, idx);
	return a.broken ? -EUCLEAN : 0;
}

#endif
