// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages: look-up, creation with write-protection of the guest table, first fill, death.
 * Owns the hash, mmu->sps with its counts and the tracked counts. A page is added under mmu->lock
 * for reading (locks of bucket and list inside) and removed under mmu->lock for writing only.
 */

#include "shadow.h"

/* The sum of all VMs' counts. */
static struct shvm_striped pages_of_all;

#define KILL_ORPHANS	512	/* most pages that fall with one; others wait for the reclaimer */
#define BUCKET_FACTOR	(0xb504f333f9de6484ULL >> (SHVM_HASH_BITS - 1))	/* 2^(64 - bits) sqrt(2) */

/*
 * The next frame has the next bucket or the one behind it: tables beside each other belong to one
 * address space, mostly, so what a vCPU adds is seldom in a cache line of another's. An irrational
 * factor spreads frames of any distance.
 */
static struct shvm_bucket *bucket_of(struct shvm_mmu *mmu, gfn_t f)
{
	return &mmu->hash[f.v * BUCKET_FACTOR >> (64 - SHVM_HASH_BITS)];
}

struct hlist_head *shvm_sp_bucket(struct shvm_mmu *mmu, gfn_t f)
{
	return &bucket_of(mmu, f)->head;
}

struct shvm_sp *shvm_sp_find(struct shvm_mmu *mmu, gfn_t f, union shvm_role role)
{
	struct shvm_sp *sp;

	/* Nothing is removed while mmu->lock is held; additions publish with release. */
	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(mmu, f), hash)
		if (gfn_eq(sp->gfn, f) && sp->role.word == role.word)
			return sp;
	return NULL;
}

/* From here on no SPTE of the guest table may be writable; TLBs may, until tlb_owed is done. */
static void sp_track(struct shvm_mmu *mmu, struct shvm_sp *sp, struct shvm_slot *slot)
{
	unsigned long *head = slot_rmap_head(slot, sp->gfn);
	struct shvm_gfn_state *state = slot_gfn_state(slot, sp->gfn);

	shvm_large_forbid(mmu, slot, sp->gfn);
	shvm_lock_rmap(head);
	SHVM_MMU_BROKEN_IF(mmu, state->tracked == U16_MAX);
	WRITE_ONCE(state->tracked, state->tracked + 1);
	WRITE_ONCE(state->loose, false);
	shvm_rmap_write_protect(&mmu->tlb, head);
	/* Also what others took away and have not flushed yet: "not writable" is not "no entry". */
	WRITE_ONCE(sp->tlb_owed, shvm_tlb_owed(&mmu->tlb));
	shvm_unlock_rmap(head);
}

static void sp_untrack(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), sp->gfn);
	struct shvm_gfn_state *state;
	unsigned long *head;

	if (SHVM_MMU_BROKEN_IF(mmu, !slot))
		return;
	head = slot_rmap_head(slot, sp->gfn);
	state = slot_gfn_state(slot, sp->gfn);
	shvm_lock_rmap(head);
	WRITE_ONCE(state->tracked, state->tracked - 1);
	if (!state->tracked) {
		WRITE_ONCE(state->loose, false);
		shvm_rmap_write_allow(head);
	}
	shvm_unlock_rmap(head);
	shvm_large_allow(slot, sp->gfn);
}

/* Levels are 1 to 4 here, formats up to SHVM_NR_GPT_FORMATS. */
static unsigned int sp_kind(union shvm_role role)
{
	static_assert(SHVM_NR_GPT_FORMATS <= 8);
	return ((role.level - 1) & 3) | role.format << 2 | role.direct << 5;
}

/* One writer at a time. */
static void count_up(u32 *n)
{
	WRITE_ONCE(*n, *n + 1);
}

/* The list of any CPU is right: preemption is on until its lock is held. */
static void sps_add(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	struct shvm_sps *sps = &mmu->sps[raw_smp_processor_id() % SHVM_STRIPES];

	shvm_lock_leaf(&sps->lock);
	if (!(sps->added % SHVM_SPS_STEP))
		atomic_add(SHVM_SPS_STEP, &mmu->sps_bound);
	count_up(&sps->added);
	count_up(&sps->added_kind[sp_kind(sp->role)]);
	shvm_striped_add(&pages_of_all, 1);
	sp->born = mmu->era;
	list_add_tail(&sp->link, &sps->list);
	shvm_unlock_leaf(&sps->lock);
}

s64 shvm_mmu_pages_of_all(void)
{
	return shvm_striped_sum(&pages_of_all);
}

u32 shvm_sp_count(const struct shvm_mmu *mmu)
{
	u32 n = -READ_ONCE(mmu->sps_gone);	/* first: who comes and goes now counts as here */
	int i;

	for (i = 0; i < SHVM_STRIPES; i++)
		n += READ_ONCE(mmu->sps[i].added);
	return n;
}

/* Pages are added only while nobody removes one: most of them are here before the first goes. */
static void sps_note_max(struct shvm_mmu *mmu)
{
	WRITE_ONCE(mmu->sps_max, max_t(u32, mmu->sps_max, shvm_sp_count(mmu)));
}

void shvm_mmu_count_pages(const struct shvm_mmu *mmu, u64 *now, u64 *most)
{
	*now = shvm_sp_count(mmu);
	*most = max_t(u64, READ_ONCE(mmu->sps_max), *now);
}

void shvm_mmu_reset_peaks(struct shvm_mmu *mmu)
{
	shvm_lock_mmu_write(mmu);
	WRITE_ONCE(mmu->sps_max, 0);
	shvm_unlock_mmu_write(mmu);
	WRITE_ONCE(mmu->chain_longest, 0);
}

u32 shvm_mmu_count_kind(const struct shvm_mmu *mmu, unsigned int kind, union shvm_role *role)
{
	u32 n = -READ_ONCE(mmu->gone_kind[kind]);	/* first, as in shvm_sp_count() */
	int i;

	for (i = 0; i < SHVM_STRIPES; i++)
		n += READ_ONCE(mmu->sps[i].added_kind[kind]);
	*role = (union shvm_role){
		.level = kind % 4 + 1,
		.format = kind >> 2 & 7,
		.direct = kind >> 5,
	};
	return n;
}

/* Insert, unless another vCPU was faster. The page's lock is held: it is not ready yet. */
static struct shvm_sp *sp_insert(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	struct shvm_bucket *bucket = bucket_of(mmu, sp->gfn);
	struct shvm_sp *other;

	shvm_lock_leaf(&bucket->lock);
	other = shvm_sp_find(mmu, sp->gfn, sp->role);
	if (!other)
		hlist_add_head_rcu(&sp->hash, &bucket->head);
	shvm_unlock_leaf(&bucket->lock);
	return other;
}

struct shvm_sp *shvm_sp_get(struct shvm_mmu_vcpu *mv, gfn_t f, union shvm_role role)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_sp *sp = shvm_sp_find(mmu, f, role), *other;
	struct shvm_slot *slot = NULL;

	if (sp)
		return sp;
	if (!role.direct) {
		slot = shvm_slots_find(mmu_slots(mmu), f);
		if (!slot || READ_ONCE(slot->invalid))
			return NULL;
	}
	if (SHVM_MMU_BROKEN_IF(mmu, !mv->cache.nr_sp))
		return NULL;
	sp = mv->cache.sp[--mv->cache.nr_sp];
	sp->gfn = f;
	sp->role = role;
	sp->index_shift = sp_index_shift(role);
	sp_stamp(mv, sp);
	shvm_lock_sp(sp);
	other = sp_insert(mmu, sp);
	if (other) {
		shvm_unlock_sp(sp);
		mv->cache.sp[mv->cache.nr_sp++] = sp;
		return other;
	}
	if (slot)
		sp_track(mmu, sp, slot);
	sps_add(mmu, sp);
	shvm_unlock_sp(sp);
	return sp;
}

/* table: at the end of spt, so that an entry of ours never reaches those still to be looked at. */
static void classify_32(u64 *spt, const u32 *table, unsigned int shift)
{
	int i;

	static_assert(!SPTE_NOTRAP);
	for (i = 0; i < SHVM_SPT_ENTRIES; i++)
		spt[i] = shvm_spte_trap & -(u64)(table[i >> shift] & GPTE_P);
}

/* Read the guest's entries into the shadow table, which nothing points to, and classify them. */
static bool sp_classify(struct shvm_sp *sp, const struct shvm_slot *slot)
{
	u32 bytes = shvm_gpt_formats[sp->role.format].entry_bytes;
	u32 len = (SHVM_SPT_ENTRIES >> sp->index_shift) * bytes;
	gpa_t at = gpa(gfn_to_gpa(sp->gfn).v + sp_guest_index(sp, 0) * bytes);
	void *table = (void *)sp->spt + SHVM_PAGE_SIZE - len;

	if (bytes == sizeof(u64))
		return !shvm_arch_scan_table_atomic(slot_hva(slot, at), sp->spt, shvm_spte_trap);
	if (shvm_arch_read_user_atomic(slot_hva(slot, at), table, len))
		return false;
	classify_32(sp->spt, table, sp->index_shift);
	return true;
}

static void sp_fill_traps(struct shvm_sp *sp)
{
	int i;

	for (i = 0; i < SHVM_SPT_ENTRIES; i++)
		sp->spt[i] = shvm_spte_trap;
}

bool shvm_sp_fill(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	struct shvm_slot *slot;

	/* An operation on a chain takes time by its length, so nobody may link to it any more. */
	if (shvm_chain_count(sp->parents) >= SHVM_CHAIN_MAX) {
		sp->crowded = true;
		WRITE_ONCE(mmu->crowded, true);
		return false;
	}
	if (sp->filled)
		return true;
	if (sp->role.direct) {
		sp_fill_traps(sp);
		WRITE_ONCE(sp->filled, true);
		return true;
	}
	if (!shvm_tlb_is_settled(mmu, sp->tlb_owed))
		return false;
	slot = shvm_slots_find(mmu_slots(mmu), sp->gfn);
	if (!slot)
		return false;
	/*
	 * Pairs with the barriers of table_store() and shvm_mmu_invalidate_begin(): a store by
	 * software or an invalidation that did not see our tracked count is seen here, and we
	 * come back when it is done.
	 */
	smp_mb();
	if (atomic_read(mmu_writers(mmu, sp->gfn)) ||
	    atomic_read(&mmu->inval.active))
		return false;
	if (!sp_classify(sp, slot))
		sp_fill_traps(sp);
	WRITE_ONCE(sp->filled, true);
	return true;
}

bool shvm_sp_was_used(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	struct shvm_chain_iter it = shvm_chain_iter(sp->parents);
	bool used = false;
	u64 *sptep;

	/* No flush: a hint. */
	while ((sptep = shvm_chain_next(&it)))
		used |= test_and_clear_bit(ilog2(SPTE_A), (unsigned long *)sptep);
	if (used)
		shvm_tlb_aged(&mmu->tlb);
	return used;
}

void shvm_sp_unlink(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	u64 *sptep;

	while ((sptep = shvm_chain_first(sp->parents))) {
		xchg(sptep, shvm_spte_trap);
		shvm_chain_del(&sp->parents, sptep, &mmu->tlb.chain_blocks);
		shvm_tlb_owe(&mmu->tlb);
	}
}

static void group_drop(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int from)
{
	unsigned int i;
	u64 spte;

	for (i = from; i < from + SHVM_USED_GROUP; i++) {
		spte = READ_ONCE(sp->spt[i]);
		if (spte == SPTE_NOTRAP)
			WRITE_ONCE(sp->spt[i], shvm_spte_trap);
		else if (spte != shvm_spte_trap)
			shvm_entry_drop(mmu, sp, i, shvm_spte_trap);
	}
}

/*
 * Take one page out of every structure; its entries become traps. Also those that are not live:
 * a CPU may still come here by its paging-structure caches, while stores to the guest's table are
 * no longer seen as soon as it is untracked.
 */
static void sp_kill_one(struct shvm_mmu *mmu, struct shvm_sp *sp, struct shvm_kill_list *dead)
{
	unsigned int i;

	shvm_sp_unlink(mmu, sp);
	for (i = 0; sp->filled && i < SHVM_SPT_ENTRIES; i += SHVM_USED_GROUP) {
		if (sp_group_is_used(sp, i))
			group_drop(mmu, sp, i);
		else
			sp_group_set(sp, i, shvm_spte_trap);
	}
	shvm_oos_put(mmu, sp);
	if (!sp->role.direct)
		sp_untrack(mmu, sp);
	hlist_del_init_rcu(&sp->hash);
	list_move_tail(&sp->link, &dead->sps);
	count_up(&mmu->sps_gone);
	count_up(&mmu->gone_kind[sp_kind(sp->role)]);
	shvm_striped_add(&pages_of_all, -1);
	atomic_dec(&mmu->sps_bound);
	dead->root_died |= sp->is_root;
	/* Whoever had it loaded or in a paging-structure cache must flush before it is freed. */
	shvm_tlb_owe(&mmu->tlb);
}

/* Out of its list: the hand of the recycler goes on to the next one. */
static void sp_take(struct shvm_mmu *mmu, struct shvm_sp *sp, struct list_head *work)
{
	if (mmu->hand == &sp->link)
		mmu->hand = sp->link.next;
	list_move_tail(&sp->link, work);
}

static void kill_orphans_of(struct shvm_mmu *mmu, struct shvm_sp *sp, struct list_head *work,
			    u32 *room)
{
	unsigned int i;

	for (i = 0; sp->used && i < SHVM_SPT_ENTRIES; i++) {
		u64 spte = READ_ONCE(sp->spt[i]);
		struct shvm_sp *child;

		if (!spte_is_table(spte))
			continue;
		child = shvm_arch_table_owner(hpa(spte & SPTE_FRAME));
		shvm_entry_drop(mmu, sp, i, shvm_spte_trap);
		if (!child->parents && !child->is_root && *room) {
			sp_take(mmu, child, work);
			--*room;
		}
	}
}

void shvm_sp_kill(struct shvm_mmu *mmu, struct shvm_sp *sp, struct shvm_kill_list *dead,
		  bool orphans)
{
	u32 room = KILL_ORPHANS;
	LIST_HEAD(work);

	sps_note_max(mmu);
	sp_take(mmu, sp, &work);
	while (!list_empty(&work)) {
		sp = list_first_entry(&work, struct shvm_sp, link);
		if (orphans && sp->role.level > 1)
			kill_orphans_of(mmu, sp, &work, &room);
		sp_kill_one(mmu, sp, dead);
	}
}

static void root_is_dead(struct shvm_mmu *mmu, const struct shvm_sp *sp)
{
	u64 gen = mmu->root_gen + 1;

	WRITE_ONCE(mmu->dead_roots[gen % SHVM_DEAD_ROOTS], sp);
	smp_store_release(&mmu->root_gen, gen);	/* pairs with roots_prune() */
}

void shvm_kill_finish(struct shvm_mmu *mmu, struct shvm_kill_list *dead)
{
	struct shvm_sp *sp, *next;

	if (list_empty(&dead->sps))
		return;
	if (dead->root_died) {
		list_for_each_entry(sp, &dead->sps, link)
			if (sp->is_root)
				root_is_dead(mmu, sp);
		shvm_arch_reload_roots(mmu);
		/*
		 * Somebody else may have flushed for what sp_kill_one() owed: a vCPU that came back
		 * before it was asked to reload still runs on the root. This flush comes after.
		 */
		shvm_tlb_owe(&mmu->tlb);
	}
	shvm_mmu_settle(mmu);
	list_for_each_entry_safe(sp, next, &dead->sps, link)
		shvm_sp_free(sp);
	INIT_LIST_HEAD(&dead->sps);
}
