// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables out of sync: after a few stores in a row the guest may write a leaf table without an
 * exit, and what it changed is found at its next flush. docs/mmu.md, "Out of sync".
 *
 * mmu->oos_lock guards which pages are out of sync, and that all pages of a frame are so together;
 * mmu->lock is held for reading around it. Pages that die (mmu->lock for writing) need neither.
 */
#include "shadow.h"

/* Stores without a use in between after which the next one is not trapped. docs/performance.md. */
#define OOS_STORES	2
/* Entries replaced one by one after which the next store is not trapped, either. */
#define OOS_REPLACED	2
/* Syncs that pass before other vCPUs are interrupted, so that the table can be in sync again. */
#define OOS_ROUNDS	4

#define ALL_GROUPS	(~0ULL)
static_assert(SHVM_SPT_ENTRIES / SHVM_USED_GROUP == 64);

static u32 table_bytes(const struct shvm_sp *sp)
{
	return SHVM_SPT_ENTRIES * shvm_gpt_formats[sp->role.format].entry_bytes;
}

/* The part of the guest's table that the page shadows. */
static hva_t table_hva(const struct shvm_sp *sp, const struct shvm_slot *slot)
{
	u32 bytes = shvm_gpt_formats[sp->role.format].entry_bytes;

	return slot_hva(slot, gpa(gfn_to_gpa(sp->gfn).v + sp_guest_index(sp, 0) * bytes));
}

static bool has_wide_entries(const struct shvm_sp *sp)
{
	return shvm_gpt_formats[sp->role.format].entry_bytes == sizeof(u64);
}

u64 shvm_oos_known(const struct shvm_sp *sp, unsigned int index)
{
	return has_wide_entries(sp) ? sp->oos->known[index] : ((u32 *)sp->oos->known)[index];
}

static void note(struct shvm_sp *sp, unsigned int index, u64 gpte)
{
	if (has_wide_entries(sp))
		sp->oos->known[index] = gpte;
	else
		((u32 *)sp->oos->known)[index] = gpte;
}

void shvm_oos_note(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 gpte)
{
	if (!sp->oos)
		return;
	note(sp, index, gpte);
	sp->oos->noted = atomic64_inc_return(&mmu->oos_notes);
	sp->oos->groups |= BIT_ULL(index / SHVM_USED_GROUP);
}

/* Every entry counts as noted now. */
static void oos_renew(struct shvm_mmu *mmu, struct shvm_oos *o)
{
	o->noted = atomic64_inc_return(&mmu->oos_notes);
	o->since = o->noted;
	o->groups = 0;
}

/* A free place with memory for the entries; the memory stays with it. */
static struct shvm_oos *oos_take(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_oos *o = mmu->oos;

	while (o < mmu->oos + SHVM_OOS_MAX && o->sp)
		o++;
	if (o == mmu->oos + SHVM_OOS_MAX)
		return NULL;
	if (!o->known) {
		o->known = mv->cache.table;
		mv->cache.table = NULL;
	}
	if (!o->known)
		return NULL;
	o->sp = sp;
	o->closing = false;
	oos_renew(mmu, o);
	/* Before anybody may store: pairs with the look at nr_oos by whoever flushes later. */
	atomic_inc(&mmu->nr_oos);
	return o;
}

void shvm_oos_put(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	if (!sp->oos)
		return;
	sp->oos->sp = NULL;
	WRITE_ONCE(sp->oos, NULL);
	atomic_dec(&mmu->nr_oos);
}

void shvm_oos_note_store(struct shvm_mmu_vcpu *mv, gpa_t at, bool present)
{
	struct shvm_replaced *r = &mv->replaced;

	if (r->loads != mv->stats.cr3_fast || !gfn_eq(gpa_to_gfn(r->at), gpa_to_gfn(at)))
		r->nr = 0;
	else if (r->cleared && present && r->at.v == at.v)
		r->nr++;
	r->loads = mv->stats.cr3_fast;
	r->cleared = !present;
	r->at = at;
}

static bool replaces_entries(const struct shvm_mmu_vcpu *mv, gfn_t f)
{
	const struct shvm_replaced *r = &mv->replaced;

	return r->nr >= OOS_REPLACED && gfn_eq(gpa_to_gfn(r->at), f) &&
	       r->loads == mv->stats.cr3_fast;
}

/* Is the store one of many, to a table whose shadow can follow later? */
static bool sp_wants_oos(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp)
{
	bool wants;

	if (sp->role.level > 1 || sp->role.format != mv->root_role.format || !READ_ONCE(sp->filled))
		return false;
	shvm_lock_sp(sp);
	if (shvm_sp_was_used(mv->mmu, sp))
		WRITE_ONCE(sp->writes, 0);
	wants = sp->oos || (sp->parents && (READ_ONCE(sp->writes) >= OOS_STORES ||
					    replaces_entries(mv, sp->gfn)));
	shvm_unlock_sp(sp);
	return wants;
}

/* In a page out of sync nothing may fault without an exit. */
static void sp_set_traps(struct shvm_sp *sp)
{
	int i, j;

	for (i = 0; i < SHVM_SPT_ENTRIES; i += SHVM_USED_GROUP) {
		if (!sp_group_is_used(sp, i)) {
			sp_group_set(sp, i, shvm_spte_trap);
			continue;
		}
		for (j = i; j < i + SHVM_USED_GROUP; j++)
			if (READ_ONCE(sp->spt[j]) == SPTE_NOTRAP)
				WRITE_ONCE(sp->spt[j], shvm_spte_trap);
	}
}

/* Returns false if it cannot be so now. */
static bool sp_open(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, const struct shvm_slot *slot)
{
	struct shvm_oos *o = sp->oos;

	if (o) {
		o->closing = false;
		return true;
	}
	/* A store by software that has begun will follow its own rules when it ends. */
	if (atomic_read(mmu_writers(mv->mmu, sp->gfn)))
		return false;
	o = oos_take(mv, sp);
	if (!o)
		return false;
	WRITE_ONCE(sp->oos, o);	/* table_may_want() looks without the lock */
	if (shvm_arch_read_user_atomic(table_hva(sp, slot), o->known, table_bytes(sp))) {
		shvm_oos_put(mv->mmu, sp);
		return false;
	}
	sp_set_traps(sp);
	return true;
}

/* All pages of the frame, or none: counts them; 0: not now. */
static u32 table_open(struct shvm_mmu_vcpu *mv, const struct shvm_slot *slot, gfn_t f)
{
	struct hlist_head *bucket = shvm_sp_bucket(mv->mmu, f);
	enum shvm_gpt_format format = mv->root_role.format;
	struct shvm_sp *sp;
	u32 n = 0;
	bool ok;

	hlist_for_each_entry_rcu(sp, bucket, hash)
		if (gfn_eq(sp->gfn, f) && !sp->role.direct && !sp_wants_oos(mv, sp))
			return 0;
	hlist_for_each_entry_rcu(sp, bucket, hash) {
		if (!gfn_eq(sp->gfn, f) || sp->role.direct)
			continue;
		shvm_lock_sp(sp);
		/* It may have come since the last look. */
		ok = sp->role.level == 1 && sp->role.format == format && sp->filled &&
		     sp_open(mv, sp, slot);
		shvm_unlock_sp(sp);
		if (!ok)
			return 0;
		n++;
	}
	return n;
}

/* Before any lock but mmu->lock: is it worth a closer look? Most stores are followed by a use. */
static bool table_may_want(struct shvm_mmu_vcpu *mv, gfn_t f)
{
	struct shvm_sp *sp;

	if (replaces_entries(mv, f))
		return true;
	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(mv->mmu, f), hash)
		if (gfn_eq(sp->gfn, f) && !sp->role.direct)
			return READ_ONCE(sp->oos) || READ_ONCE(sp->writes) >= OOS_STORES;
	return false;
}

bool shvm_oos_open(struct shvm_mmu_vcpu *mv, struct shvm_slot *slot, gfn_t f)
{
	struct shvm_gfn_state *state = slot_gfn_state(slot, f);
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_mmu *mmu = mv->mmu;
	bool open = false;
	u32 n;

	if (!shvm_mmu_oos || !table_may_want(mv, f))
		return false;
	shvm_lock_oos(mmu);
	n = table_open(mv, slot, f);
	if (n) {
		shvm_lock_rmap(head);
		/* Another page of the frame, in whatever role, wants every store to be trapped. */
		open = state->tracked == n;
		if (open) {
			WRITE_ONCE(state->loose, true);
			shvm_rmap_write_allow(head);
		}
		shvm_unlock_rmap(head);
	}
	shvm_unlock_oos(mmu);
	if (open)
		atomic64_inc(&mmu->stats.oos_opens);
	return open;
}

/* From here on no SPTE of the table may be writable; TLBs may, until o->owed is done. */
static void sp_close(struct shvm_mmu *mmu, struct shvm_sp *sp, struct shvm_slot *slot)
{
	struct shvm_gfn_state *state = slot_gfn_state(slot, sp->gfn);
	unsigned long *head = slot_rmap_head(slot, sp->gfn);

	if (sp->oos->closing)
		return;
	shvm_lock_rmap(head);
	WRITE_ONCE(state->loose, false);
	shvm_rmap_write_protect(&mmu->tlb, head);
	sp->oos->owed = shvm_tlb_owed(&mmu->tlb);
	shvm_unlock_rmap(head);
	sp->oos->closing = true;
	sp->oos->rounds = 0;
}

static void entry_forget(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 gpte)
{
	shvm_entry_drop(mmu, sp, index, shvm_spte_trap);
	note(sp, index, gpte);
}

/* An entry follows the guest's table (NULL: cannot be read). A trap has nothing to change. */
static void entry_sync(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, const hva_t *table,
		       unsigned int index)
{
	u64 gpte;

	if (!table || !shvm_entry_read(*table, sp, index, &gpte)) {
		/* Who stores to it now will look at it again: it must stay a trap until then. */
		entry_forget(mv->mmu, sp, index, GPTE_P);
		return;
	}
	if (gpte == shvm_oos_known(sp, index))
		return;
	atomic64_inc(&mv->mmu->stats.oos_changes);
	if (!spte_is_live(READ_ONCE(sp->spt[index])))
		note(sp, index, gpte);
	else if (shvm_entry_adapt(mv, sp, index, gpte))
		shvm_oos_note(mv->mmu, sp, index, gpte);
	else
		entry_forget(mv->mmu, sp, index, gpte);
}

/* The entries in these bytes of the table follow. False: it cannot be read. */
static bool range_sync(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, hva_t at, u32 from, u32 end)
{
	int i, per_word = has_wide_entries(sp) ? 1 : 2, off = from;
	hva_t base, *table = shvm_entry_table(mv->mmu, sp, &base) ? &base : NULL;

	while ((off = shvm_arch_diff_user_atomic(at, sp->oos->known, off, end)) < (int)end) {
		if (off < 0)
			return false;
		for (i = 0; i < per_word; i++)
			entry_sync(mv, sp, table, off / sizeof(u64) * per_word + i);
		off += sizeof(u64);
	}
	return true;
}

/* The entries of some groups, or of all. False: the table cannot be read, nothing is mapped. */
static bool sp_sync(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, const struct shvm_slot *slot,
		    u64 groups)
{
	u32 group, bytes = table_bytes(sp) / (SHVM_SPT_ENTRIES / SHVM_USED_GROUP);
	hva_t at = table_hva(sp, slot);
	bool ok = true;
	int i;

	if (groups == ALL_GROUPS) {
		ok = range_sync(mv, sp, at, 0, table_bytes(sp));
		groups = 0;
	}
	for (; ok && groups; groups &= groups - 1) {
		group = __ffs64(groups);
		ok = range_sync(mv, sp, at, group * bytes, (group + 1) * bytes);
	}
	for (i = 0; !ok && i < SHVM_SPT_ENTRIES; i++)
		shvm_entry_drop(mv->mmu, sp, i, shvm_spte_trap);
	return ok;
}

/* Is an entry of the group present in the guest's table? */
static bool group_is_present(const struct shvm_sp *sp, unsigned int first)
{
	unsigned int i;
	u64 any = 0;

	if (has_wide_entries(sp))
		return group_any(sp->oos->known + first) & GPTE_P;
	for (i = first; i < first + SHVM_USED_GROUP; i++)
		any |= shvm_oos_known(sp, i);
	return any & GPTE_P;
}

/* The page is exact, and stores are trapped: the guest's own faults need no exit again. */
static void sp_finish(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	int i, j;

	for (i = 0; i < SHVM_SPT_ENTRIES; i += SHVM_USED_GROUP) {
		if (!sp_group_is_used(sp, i) && !group_is_present(sp, i)) {
			sp_group_set(sp, i, SPTE_NOTRAP);
			continue;
		}
		for (j = i; j < i + SHVM_USED_GROUP; j++)
			if (READ_ONCE(sp->spt[j]) == shvm_spte_trap &&
			    !(shvm_oos_known(sp, j) & GPTE_P))
				WRITE_ONCE(sp->spt[j], SPTE_NOTRAP);
	}
	shvm_oos_put(mmu, sp);
}

/*
 * Bring one page up to date as far as it changed after since, and in sync if no CPU can store to
 * the table any more.
 */
static void page_sync(struct shvm_mmu_vcpu *mv, struct shvm_oos *o, struct shvm_slot *slot,
		      u64 since)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_gfn_state *state = slot_gfn_state(slot, o->sp->gfn);
	bool quiet = o->closing && shvm_tlb_is_settled(mmu, o->owed);
	struct shvm_sp *sp = o->sp;
	u64 groups;

	/*
	 * A store by software that has begun may come after we have compared. Looked at before: one
	 * that begins later makes its entry a trap before it stores, and for that it waits for us.
	 */
	smp_mb();	/* pairs with table_store() */
	quiet = quiet && !atomic_read(mmu_writers(mmu, sp->gfn));
	if (quiet)
		groups = ALL_GROUPS;
	else if (since < o->since)
		groups = sp->used;	/* a trap rests on nothing */
	else
		groups = o->groups;
	if (!sp_sync(mv, sp, slot, groups))
		return;
	o->since = o->noted;
	o->groups = 0;
	/* Somebody else may have opened the table for another page of it. */
	if (quiet && !READ_ONCE(state->loose))
		sp_finish(mmu, sp);
	else if (o->rounds < U8_MAX)
		o->rounds++;
}

enum oos_step {
	OOS_CLOSE,
	OOS_RENEW,	/* what is live may become known under new addresses */
	OOS_SYNC,
};

/*
 * Returns a table that no entry leads to any more: not worth another look. SRCU and mmu->lock for
 * reading are held, the lock of each page while it is looked at.
 */
static gfn_t oos_pass(struct shvm_mmu_vcpu *mv, enum oos_step step, u64 since, bool *urgent)
{
	struct shvm_mmu *mmu = mv->mmu;
	gfn_t orphan = gfn(U64_MAX);
	struct shvm_slot *slot;
	struct shvm_oos *o;
	struct shvm_sp *sp;

	shvm_lock_oos(mmu);
	for (o = mmu->oos; o < mmu->oos + SHVM_OOS_MAX; o++) {
		sp = o->sp;
		slot = sp ? shvm_slots_find(mmu_slots(mmu), sp->gfn) : NULL;
		if (!slot)
			continue;
		shvm_lock_sp(sp);
		if (step == OOS_CLOSE && !sp->parents)
			orphan = sp->gfn;
		else if (step == OOS_CLOSE)
			sp_close(mmu, sp, slot);
		else if (step == OOS_RENEW)
			oos_renew(mmu, o);
		else if (o->noted > since)
			page_sync(mv, o, slot, since);
		*urgent |= o->rounds >= OOS_ROUNDS;
		shvm_unlock_sp(sp);
	}
	shvm_unlock_oos(mmu);
	return orphan;
}

/* The same, alone. */
static gfn_t oos_pass_wait(struct shvm_mmu_vcpu *mv, enum oos_step step, u64 since, bool *urgent)
{
	int idx = srcu_read_lock(&mv->mmu->srcu);
	gfn_t orphan;

	shvm_lock_mmu_read(mv);
	orphan = oos_pass(mv, step, since, urgent);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mv->mmu->srcu, idx);
	return orphan;
}

void shvm_oos_sync(struct shvm_mmu_vcpu *mv, u64 since)
{
	struct shvm_mmu *mmu = mv->mmu;
	bool urgent = false;
	gfn_t orphan;
	int i;

	if (!atomic_read(&mmu->nr_oos))
		return;
	/* Without memory, entries are dropped instead of changed. */
	shvm_cache_fill(mv);
	if (!since) {
		for (i = 0; i < SHVM_OOS_MAX; i++) {
			orphan = oos_pass_wait(mv, OOS_CLOSE, since, &urgent);
			if (orphan.v == U64_MAX)
				break;
			shvm_mmu_unshadow(mmu, orphan);
		}
		if (!shvm_mmu_try_settle(mv) && urgent)
			shvm_mmu_settle(mmu);
	}
	oos_pass_wait(mv, OOS_SYNC, since, &urgent);
}

bool shvm_oos_try_sync(struct shvm_mmu_vcpu *mv, u64 since)
{
	bool urgent = false, done = true;
	int idx;

	if (!shvm_mmu_try_begin(mv, &idx))
		return false;
	if (!since)
		done = oos_pass(mv, OOS_CLOSE, since, &urgent).v == U64_MAX &&
		       (shvm_mmu_try_settle(mv) || !urgent);
	if (done)
		oos_pass(mv, OOS_SYNC, since, &urgent);
	shvm_mmu_end(mv, idx);
	return done;
}

void shvm_oos_sync_for_link(struct shvm_mmu_vcpu *mv)
{
	bool urgent = false;

	if (!atomic_read(&mv->mmu->nr_oos))
		return;
	oos_pass_wait(mv, OOS_RENEW, 0, &urgent);
	shvm_oos_sync(mv, 0);
}

/* The entry of a table that an address leads to, if the page shadows that part; else -1. */
static int addr_index(const struct shvm_sp *sp, gva_t addr)
{
	const struct shvm_gpt *g = &shvm_gpt_formats[sp->role.format];
	unsigned int index = gpt_index(g, addr, 1);

	if (index / SHVM_SPT_ENTRIES != sp->role.quadrant)
		return -1;
	return index % SHVM_SPT_ENTRIES;
}

void shvm_oos_sync_addr_locked(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_oos *o;
	int left, index;
	hva_t base;

	if (!atomic_read(&mmu->nr_oos))
		return;
	shvm_lock_oos(mmu);
	left = atomic_read(&mmu->nr_oos);
	for (o = mmu->oos; left; o++) {
		if (!o->sp)
			continue;
		left--;
		index = addr_index(o->sp, addr);
		if (index < 0)
			continue;
		/* A trap shows nothing, but one that is being made live might: with the lock. */
		shvm_lock_sp(o->sp);
		if (READ_ONCE(o->sp->spt[index]) != shvm_spte_trap)
			entry_sync(mv, o->sp, shvm_entry_table(mmu, o->sp, &base) ? &base : NULL,
				   index);
		shvm_unlock_sp(o->sp);
	}
	shvm_unlock_oos(mmu);
}

void shvm_oos_sync_addr(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	int idx;

	if (!atomic_read(&mv->mmu->nr_oos))
		return;
	shvm_cache_fill(mv);
	idx = srcu_read_lock(&mv->mmu->srcu);
	shvm_lock_mmu_read(mv);
	shvm_oos_sync_addr_locked(mv, addr);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mv->mmu->srcu, idx);
}

bool shvm_oos_try_sync_addr(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	int idx;

	if (!atomic_read(&mv->mmu->nr_oos))
		return true;
	if (!shvm_mmu_try_begin(mv, &idx))
		return false;
	shvm_oos_sync_addr_locked(mv, addr);
	shvm_mmu_end(mv, idx);
	return true;
}

void shvm_oos_free(struct shvm_mmu *mmu)
{
	struct shvm_oos *o;

	for (o = mmu->oos; o < mmu->oos + SHVM_OOS_MAX; o++)
		if (o->known)
			shvm_arch_table_free(o->known);
}
