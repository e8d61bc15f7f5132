// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry of a shadow page: what its value should be, and the only code that stores it. The
 * page's lock is held (or mmu->lock for writing); leaves also take the rmap lock of their frame.
 */
#include "shadow.h"

u64 shvm_spte_table(const struct shvm_sp *child, u8 acc)
{
	u64 spte = shvm_arch_table_hpa(child->spt).v | SPTE_P | SPTE_A;

	/* With CR0.WP = 0 the leaf carries all rights: supervisors may write what it denies. */
	if (!child->role.wp)
		return spte | SPTE_W | SPTE_U;
	if (acc & GPT_ACC_W)
		spte |= SPTE_W;
	if (acc & GPT_ACC_U)
		spte |= SPTE_U;
	if (!(acc & GPT_ACC_X))
		spte |= SPTE_NX;
	return spte;
}

/*
 * CR0.WP = 0 and the guest entry is read-only: the supervisor may write all the same, the user
 * may not. The hardware runs with WP = 1, so a user page alternates between two forms, by who
 * touched it last: readable for both, or writable for the supervisor alone (and then not
 * executable for it, if SMEP would have said so).
 */
static u64 leaf_without_wp(union shvm_role role, u8 acc, bool may_write, u32 access)
{
	bool store = (access & SHVM_ACCESS_WRITE) && !(access & SHVM_ACCESS_USER);
	u64 spte = 0;

	if (!(acc & GPT_ACC_U))
		return may_write ? SPTE_W : 0;
	if (!store || !may_write)
		return SPTE_U;
	spte = SPTE_W;
	if (role.smep_nowp)
		spte |= SPTE_NX;
	return spte;
}

u64 shvm_spte_leaf(union shvm_role role, u8 acc, bool dirty, const struct shvm_host_frame *host,
		   u32 access)
{
	bool may_write = dirty && host->writable;
	u64 spte = host->hfn.v << SHVM_PAGE_SHIFT | SPTE_P | SPTE_LEAF;

	if (role.level > 1)
		spte |= SPTE_PS;
	if (host->writable)
		spte |= SPTE_HOSTW;
	if (!(acc & GPT_ACC_X))
		spte |= SPTE_NX;
	if (!role.wp && !(acc & GPT_ACC_W))
		return spte | leaf_without_wp(role, acc, may_write, access);
	if (acc & GPT_ACC_U)
		spte |= SPTE_U;
	if ((acc & GPT_ACC_W) && may_write)
		spte |= SPTE_W | SPTE_GUESTW;
	return spte;
}

static gfn_t leaf_gfn(const struct shvm_sp *sp, unsigned int index)
{
	return sp->role.direct ? sp_direct_gfn(sp, index) : gfn(sp->gfns[index]);
}

/* Where a leaf of a level is accounted. */
struct leaf_home {
	unsigned long *head;
	struct shvm_age *age;
	struct shvm_large *large;	/* levels 2 and 3 */
	struct shvm_gfn_state *state;	/* level 1 */
};

static bool leaf_home(const struct shvm_slot *slot, gfn_t f, int level, struct leaf_home *home)
{
	*home = (struct leaf_home){ };
	if (level == 1) {
		home->head = slot_rmap_head(slot, f);
		home->state = slot_gfn_state(slot, f);
		home->age = &home->state->age;
		return true;
	}
	home->large = slot_large(slot, f, level);
	if (!home->large)
		return false;
	home->head = &home->large->head;
	home->age = &home->large->age;
	return true;
}

static void drop_leaf(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index)
{
	gfn_t f = leaf_gfn(sp, index);
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), f);
	struct leaf_home home;

	if (SHVM_MMU_BROKEN_IF(mmu, !slot || !leaf_home(slot, f, sp->role.level, &home)))
		return;
	shvm_lock_rmap(home.head);
	/* The host may have taken it meanwhile: the head's lock decides. */
	if (spte_is_leaf(READ_ONCE(sp->spt[index]))) {
		shvm_rmap_remove(&mmu->tlb, home.head, home.age, &sp->spt[index]);
		shvm_striped_add(&mmu->leaves, -1);
	}
	shvm_unlock_rmap(home.head);
}

static void drop_table(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index)
{
	u64 old = xchg(&sp->spt[index], shvm_spte_trap);
	struct shvm_sp *child = shvm_arch_table_owner(hpa(old & SPTE_FRAME));

	shvm_lock_sp_child(child);
	SHVM_MMU_BROKEN_IF(mmu, !shvm_chain_del(&child->parents, &sp->spt[index],
						&mmu->tlb.chain_blocks));
	shvm_unlock_sp(child);
	shvm_tlb_owe(&mmu->tlb);
	sp->table_owed = shvm_tlb_owed(&mmu->tlb);
}

void shvm_entry_drop(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 new)
{
	u64 *sptep = &sp->spt[index], old = READ_ONCE(*sptep);

	if (spte_is_leaf(old))
		drop_leaf(mmu, sp, index);
	else if (spte_is_table(old))
		drop_table(mmu, sp, index);
	/*
	 * Who dropped a large page may not have raised the debt yet, nor held sp->lock: a debt of
	 * our own is younger than the drop.
	 */
	if (spte_was_large(READ_ONCE(*sptep))) {
		shvm_tlb_owe(&mmu->tlb);
		sp->large_owed = shvm_tlb_owed(&mmu->tlb);
	}
	/* Only sp->lock holders turn non-live into anything, so a plain store is enough. */
	if (!spte_is_live(READ_ONCE(*sptep)))
		WRITE_ONCE(*sptep, new);
}

/* One debt for all that were large, so that one flush is enough for them. */
static void forget_large(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	int i;

	for (i = 0; i < SHVM_SPT_ENTRIES; i++)
		if (spte_was_large(READ_ONCE(sp->spt[i])))
			WRITE_ONCE(sp->spt[i], shvm_spte_trap);
	shvm_tlb_owe(&mmu->tlb);
	sp->large_owed = shvm_tlb_owed(&mmu->tlb);
}

/*
 * Break before make: no TLB may hold an address in two sizes, whatever the guest does. So an entry
 * becomes large only when every table that was linked here is out of the TLBs, and the reverse.
 * From level 3 up two tables may map an address in different sizes. The entry is not live.
 */
static bool size_is_settled(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index,
			    bool large)
{
	if (spte_was_large(READ_ONCE(sp->spt[index])))
		forget_large(mmu, sp);
	if ((large || sp->role.level > 2) && !shvm_tlb_is_settled(mmu, sp->table_owed))
		return false;
	return large || shvm_tlb_is_settled(mmu, sp->large_owed);
}

bool shvm_entry_table(struct shvm_mmu *mmu, const struct shvm_sp *sp, hva_t *table)
{
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), sp->gfn);

	if (!slot || READ_ONCE(slot->invalid))
		return false;
	*table = slot_hva(slot, gfn_to_gpa(sp->gfn));
	/* A store by software is under way: it will refresh the entry itself when it is done. */
	return !atomic_read(mmu_writers(mmu, sp->gfn));
}

bool shvm_entry_read(hva_t table, const struct shvm_sp *sp, unsigned int index, u64 *gpte)
{
	u32 bytes = shvm_gpt_formats[sp->role.format].entry_bytes;

	*gpte = 0;
	return !shvm_arch_read_user_atomic(hva(table.v + sp_guest_index(sp, index) * bytes), gpte,
					   bytes);
}

bool shvm_entry_read_gpte(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 *gpte)
{
	hva_t table;

	*gpte = 0;
	return shvm_entry_table(mmu, sp, &table) && shvm_entry_read(table, sp, index, gpte);
}

/* Replace a live entry by one for the same frame, keeping A and D. */
static void entry_update(struct shvm_mmu *mmu, u64 *sptep, u64 new)
{
	u64 old = READ_ONCE(*sptep), seen, want;

	for (;;) {
		want = new | (old & (SPTE_A | SPTE_D));
		if (want == old)
			return;
		seen = cmpxchg64(sptep, old, want);
		if (seen == old)
			break;
		old = seen;
	}
	if (spte_lost_rights(old, want))
		shvm_tlb_owe(&mmu->tlb);
}

enum shvm_map_result shvm_entry_link(struct shvm_mmu_vcpu *mv, struct shvm_sp *parent,
				     unsigned int index, struct shvm_sp *child, u64 spte)
{
	struct shvm_mmu *mmu = mv->mmu;
	u64 *sptep = &parent->spt[index];
	u64 old = READ_ONCE(*sptep);
	bool filled;

	if (spte_is_table(old) && !((old ^ spte) & SPTE_FRAME)) {
		entry_update(mmu, sptep, spte);
		return SHVM_MAP_DONE;
	}
	/* What was large stays so for size_is_settled(), which sees to all that were. */
	if (spte_is_live(old))
		shvm_entry_drop(mmu, parent, index, shvm_spte_trap);
	if (!size_is_settled(mmu, parent, index, false))
		return SHVM_MAP_FLUSH;
	shvm_lock_sp_child(child);
	filled = shvm_sp_fill(mmu, child);
	if (filled) {
		sp_note_used(parent, index);
		shvm_chain_add(&child->parents, sptep, shvm_cache_chain(&mv->cache));
		xchg(sptep, spte);
	}
	shvm_unlock_sp(child);
	shvm_cache_chain_put(&mv->cache);
	return filled ? SHVM_MAP_DONE : SHVM_MAP_RETRY;
}

/* A full chain makes room for one more; the other mappings come back by faults. */
static void chain_make_room(struct shvm_mmu *mmu, const struct leaf_home *home)
{
	u32 n = shvm_chain_count(READ_ONCE(*home->head));

	if (n == SHVM_CHAIN_LONG)	/* each that becomes longer passes here */
		WRITE_ONCE(mmu->long_chains, true);
	if (n < SHVM_CHAIN_MAX)
		return;
	shvm_striped_add(&mmu->leaves, -(s64)shvm_rmap_zap(&mmu->tlb, home->head, home->age));
}

/* The head is locked; others change theirs. */
static void chain_note_length(struct shvm_mmu *mmu, unsigned long word)
{
	u32 n = shvm_chain_count(word), most = READ_ONCE(mmu->chain_longest), seen;

	while (unlikely(n > most)) {
		seen = cmpxchg(&mmu->chain_longest, most, n);
		if (seen == most)
			break;
		most = seen;
	}
}

static void install_locked(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index,
			   const struct shvm_leaf *leaf, const struct leaf_home *home)
{
	struct shvm_mmu *mmu = mv->mmu;
	u64 *sptep = &sp->spt[index];
	u64 spte = leaf->spte;

	if (home->state && home->state->tracked && !home->state->loose)
		spte &= ~SPTE_W;
	if (spte_is_leaf(READ_ONCE(*sptep))) {
		entry_update(mmu, sptep, spte);
		return;
	}
	if (leaf->optional && shvm_chain_count(READ_ONCE(*home->head)) >= SHVM_CHAIN_MAX)
		return;
	chain_make_room(mmu, home);
	if (!sp->role.direct)
		WRITE_ONCE(sp->gfns[index], leaf->frame.v);	/* see lookup_leaf() */
	sp_note_used(sp, index);
	shvm_rmap_add(home->head, sptep, spte, shvm_cache_chain(&mv->cache));
	chain_note_length(mmu, READ_ONCE(*home->head));
	shvm_striped_add(&mmu->leaves, 1);
	if (home->large)
		shvm_large_mapped(mmu, home->large);
}

/* Another guest frame, another host frame, or a table: the old entry goes first. */
static bool must_drop(const struct shvm_sp *sp, unsigned int index, const struct shvm_leaf *leaf)
{
	u64 old = READ_ONCE(sp->spt[index]);

	if (spte_is_table(old))
		return true;
	return spte_is_leaf(old) && (((old ^ leaf->spte) & SPTE_FRAME) ||
				     !gfn_eq(leaf_gfn(sp, index), leaf->frame));
}

enum shvm_map_result shvm_entry_install(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp,
					unsigned int index, const struct shvm_leaf *leaf)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), leaf->frame);
	struct leaf_home home;
	bool ok;

	if (!slot || READ_ONCE(slot->invalid) || leaf->frame.v >= SHVM_MAX_GFN ||
	    !leaf_home(slot, leaf->frame, sp->role.level, &home))
		return SHVM_MAP_RETRY;
	if (must_drop(sp, index, leaf))
		shvm_entry_drop(mmu, sp, index, shvm_spte_trap);
	if (home.large && !spte_is_leaf(READ_ONCE(sp->spt[index])) &&
	    !size_is_settled(mmu, sp, index, true))
		return SHVM_MAP_FLUSH;
	shvm_lock_rmap(home.head);
	ok = !shvm_inval_is_stale(mmu, leaf->seq) && !(home.large && home.large->tracked);
	if (ok)
		install_locked(mv, sp, index, leaf, &home);
	shvm_unlock_rmap(home.head);
	shvm_cache_chain_put(&mv->cache);
	return ok ? SHVM_MAP_DONE : SHVM_MAP_RETRY;
}

/* Does the guest's entry say that the page was used, in the mode that the table serves? */
static bool gpte_may_prefetch(const struct shvm_mmu_vcpu *mv, const struct shvm_sp *sp, u64 gpte)
{
	if ((gpte & (GPTE_P | GPTE_A)) != (GPTE_P | GPTE_A))
		return false;
	/* The page may serve another mode than this vCPU's, in which other bits are reserved. */
	if (sp->role.format != mv->root_role.format || (!sp->role.nx && (gpte & GPTE_NX)))
		return false;
	return !(gpte & mv->gpt_mode.reserved[1][false]);
}

bool shvm_entry_adapt(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index, u64 gpte)
{
	struct shvm_leaf leaf = {
		.frame = gpte_frame(&shvm_gpt_formats[sp->role.format], gpte, 1, false),
	};
	u64 old;

	/* Without CR0.WP the form of an entry depends on who used it last. */
	if (!mv->cache.nr_chain || !sp->role.wp || !gpte_may_prefetch(mv, sp, gpte) ||
	    !shvm_inval_begin_read(mv->mmu, &leaf.seq))
		return false;
	old = READ_ONCE(sp->spt[index]);
	if (!spte_is_leaf(old) || !gfn_eq(gfn(sp->gfns[index]), leaf.frame))
		return false;
	leaf.host.hfn = spte_to_hfn(old);
	leaf.host.writable = old & SPTE_HOSTW;
	leaf.spte = shvm_spte_leaf(sp->role, gpte_access(gpte, sp->role.nx), gpte & GPTE_D,
				   &leaf.host, 0);
	return shvm_entry_install(mv, sp, index, &leaf) == SHVM_MAP_DONE;
}

static bool prefetch_frame(const struct shvm_slot *slot, gfn_t f, bool write,
			   struct shvm_host_frame *host)
{
	if (shvm_lookup_frame(slot, f, host) && (host->writable || !write))
		return true;
	return shvm_arch_host_frame_atomic(slot_hva(slot, gfn_to_gpa(f)), write, host);
}

void shvm_entry_prefetch(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index,
			 u64 gpte)
{
	struct shvm_leaf leaf = {
		.frame = gfn((gpte & GENMASK_ULL(51, 12)) >> 12),
		.optional = true,
	};
	bool dirty = gpte & GPTE_D, write = dirty && (gpte & GPTE_W);
	u8 acc = gpte_access(gpte, sp->role.nx);
	struct shvm_slot *slot;

	if (sp->role.direct) {
		leaf.frame = sp_direct_gfn(sp, index);
		dirty = !sp->role.clean;
		write = dirty;
		acc = GPT_ACC_ALL;
	} else if (!gpte_may_prefetch(mv, sp, gpte)) {
		return;
	}
	slot = shvm_slots_find(mmu_slots(mv->mmu), leaf.frame);
	if (!mv->cache.nr_chain || !slot || READ_ONCE(slot->invalid) ||
	    !shvm_inval_begin_read(mv->mmu, &leaf.seq))
		return;
	write &= !(slot->flags & SHVM_SLOT_READONLY);
	/* A direct table does not know whether stores are wanted: writable if that is for free. */
	if (!prefetch_frame(slot, leaf.frame, write && !sp->role.direct, &leaf.host))
		return;
	leaf.host.writable &= write;
	if (!sp->role.wp)
		acc &= sp->role.access;
	leaf.spte = shvm_spte_leaf(sp->role, acc, dirty, &leaf.host, 0);
	shvm_entry_install(mv, sp, index, &leaf);
}
