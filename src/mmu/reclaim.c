// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking shadow pages away: for the budget, for a slot change, for a store to a table. Everything
 * here holds mmu->lock for writing while it unlinks, and flushes before it frees.
 */
#include <linux/sched.h>

#include "shadow.h"

#define RECLAIM_BATCH	16	/* freed beyond what is needed, so that one flush serves many */
#define RECLAIM_ROUND	32	/* most victims between two breaks of the lock */
#define ZAP_BATCH	64	/* pages between two breaks of the lock */
#define BUDGET_MIN	64
#define BUDGET_DEFAULT_MIN 128	/* the roots of SHVM_MAX_VCPUS PAE guests, and as much below them */
#define BUDGET_SHARE	50	/* default: one shadow page for so many guest pages */

static struct shvm_sp *sps_orphan(struct shvm_sps *sps)
{
	struct shvm_sp *sp;

	list_for_each_entry(sp, &sps->list, link)
		if (!sp->parents && !sp->is_root)
			return sp;
	return NULL;
}

/* The oldest one of a list, of another list each time. */
static struct shvm_sp *victim_orphan(struct shvm_mmu *mmu)
{
	struct shvm_sp *sp;
	int i;

	for (i = 0; i < SHVM_STRIPES; i++) {
		sp = sps_orphan(&mmu->sps[(mmu->sps_gone + i) % SHVM_STRIPES]);
		if (sp)
			return sp;
	}
	return NULL;
}

static struct shvm_sp *victim_root(struct shvm_mmu *mmu)
{
	struct shvm_sp *sp, *best = NULL;

	shvm_for_each_sp(mmu, sp)
		if (sp->is_root && (!best || READ_ONCE(sp->stamp) < best->stamp) &&
		    !shvm_arch_root_in_use(mmu, sp))
			best = sp;
	return best;
}

/*
 * Tables under roots in use: least recently faulted into, leaf tables first. A table that the
 * hardware walked since the last look gets another chance.
 */
static struct shvm_sp *victim_table(struct shvm_mmu *mmu)
{
	struct shvm_sp *sp, *best = NULL;

	shvm_for_each_sp(mmu, sp) {
		if (sp->is_root)
			continue;
		if (shvm_sp_was_used(mmu, sp)) {
			WRITE_ONCE(sp->stamp, READ_ONCE(mmu->clock) + SHVM_CLOCK_STEP);
			continue;
		}
		if (!best || sp->role.level < best->role.level ||
		    (sp->role.level == best->role.level && READ_ONCE(sp->stamp) < best->stamp))
			best = sp;
	}
	if (best)
		return best;
	shvm_for_each_sp(mmu, sp)
		if (!sp->is_root && (!best || READ_ONCE(sp->stamp) < best->stamp))
			best = sp;
	return best;
}

static struct shvm_sp *victim_choose(struct shvm_mmu *mmu)
{
	struct shvm_sp *sp = victim_orphan(mmu);

	if (!sp)
		sp = victim_root(mmu);
	if (!sp)
		sp = victim_table(mmu);
	return sp;
}

static u32 budget_free(struct shvm_mmu *mmu)
{
	u32 used = shvm_sp_count(mmu), budget = READ_ONCE(mmu->budget);

	return used < budget ? budget - used : 0;
}

/* First by what does not change with each page that another vCPU makes. */
static bool budget_serves_fault(struct shvm_mmu *mmu)
{
	u64 bound = (u32)atomic_read(&mmu->sps_bound);

	return bound + SHVM_FAULT_SPS <= READ_ONCE(mmu->budget) ||
	       budget_free(mmu) >= SHVM_FAULT_SPS;
}

/*
 * One round under the lock. A choice looks at every page, and after the budget was lowered any
 * number may have to go, so the caller breaks the lock between rounds. False: nothing was freed.
 */
static bool reclaim_locked(struct shvm_mmu *mmu, u32 want)
{
	struct shvm_kill_list dead = { .sps = LIST_HEAD_INIT(dead.sps) };
	u32 before = shvm_sp_count(mmu);
	struct shvm_sp *sp;
	u32 n = 0;

	while (budget_free(mmu) < want && n < RECLAIM_ROUND && (sp = victim_choose(mmu))) {
		shvm_sp_kill(mmu, sp, &dead, true);
		n++;
	}
	atomic64_add(before - shvm_sp_count(mmu), &mmu->stats.reclaimed);
	shvm_kill_finish(mmu, &dead);
	return n;
}

/* Pages with too many parents; they come back by faults, linked from where they are used. */
static void drop_crowded(struct shvm_mmu *mmu)
{
	struct shvm_kill_list dead = { .sps = LIST_HEAD_INIT(dead.sps) };
	struct shvm_sp *sp, *next;
	int idx, i;

	idx = srcu_read_lock(&mmu->srcu);
	shvm_lock_mmu_write(mmu);
	WRITE_ONCE(mmu->crowded, false);
	for (i = 0; i < SHVM_STRIPES; i++)
		list_for_each_entry_safe(sp, next, &mmu->sps[i].list, link)
			if (sp->crowded)
				shvm_sp_kill(mmu, sp, &dead, false);
	shvm_kill_finish(mmu, &dead);
	shvm_unlock_mmu_write(mmu);
	srcu_read_unlock(&mmu->srcu, idx);
}

int shvm_make_room(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu *mmu = mv->mmu;
	bool ok, more;
	int idx;

	if (unlikely(READ_ONCE(mmu->crowded)))
		drop_crowded(mmu);
	if (budget_serves_fault(mmu))
		return 0;
	do {
		idx = srcu_read_lock(&mmu->srcu);
		shvm_lock_mmu_write(mmu);
		more = reclaim_locked(mmu, SHVM_FAULT_SPS + RECLAIM_BATCH);
		/*
		 * Only roots in use are left: with the smallest budget they fit, but for 15 vCPUs
		 * or more that each have four PAE directories of their own. Judged under the
		 * lock: once it is dropped other vCPUs may use all of the room before we run
		 * again, which is no lack of memory; each may exceed the budget by one fault.
		 */
		ok = budget_free(mmu) >= SHVM_FAULT_SPS;
		shvm_unlock_mmu_write(mmu);
		srcu_read_unlock(&mmu->srcu, idx);
		cond_resched();
	} while (!ok && more);
	return ok ? 0 : -ENOMEM;
}

bool shvm_mmu_unshadow(struct shvm_mmu *mmu, gfn_t table)
{
	struct shvm_kill_list dead = { .sps = LIST_HEAD_INIT(dead.sps) };
	struct hlist_node *next;
	struct shvm_sp *sp;
	bool any;
	int idx;

	idx = srcu_read_lock(&mmu->srcu);
	shvm_lock_mmu_write(mmu);
	hlist_for_each_entry_safe(sp, next, shvm_sp_bucket(mmu, table), hash)
		if (gfn_eq(sp->gfn, table) && !sp->role.direct)
			shvm_sp_kill(mmu, sp, &dead, false);
	any = !list_empty(&dead.sps);
	if (any)
		shvm_large_merge(mmu, table);
	shvm_kill_finish(mmu, &dead);
	shvm_unlock_mmu_write(mmu);
	srcu_read_unlock(&mmu->srcu, idx);
	if (any)
		atomic64_inc(&mmu->stats.unshadows);
	return any;
}

static struct shvm_sp *sps_born_before(struct shvm_mmu *mmu, u64 era)
{
	struct shvm_sp *sp;
	int i;

	for (i = 0; i < SHVM_STRIPES; i++) {
		sp = list_first_entry_or_null(&mmu->sps[i].list, struct shvm_sp, link);
		if (sp && sp->born < era)
			return sp;
	}
	return NULL;
}

/* Kill up to a batch of the pages that are older than an era. True: there may be more. */
static bool zap_batch(struct shvm_mmu *mmu, u64 era)
{
	struct shvm_kill_list dead = { .sps = LIST_HEAD_INIT(dead.sps) };
	struct shvm_sp *sp;
	int n;

	for (n = 0; n < ZAP_BATCH && (sp = sps_born_before(mmu, era)); n++)
		shvm_sp_kill(mmu, sp, &dead, false);
	shvm_kill_finish(mmu, &dead);
	return n == ZAP_BATCH;
}

void shvm_mmu_zap_all(struct shvm_mmu *mmu)
{
	bool more;
	u64 era;
	int idx;

	/* New pages are born at the tails, in this era or a later one: the work has a bound. */
	shvm_lock_mmu_write(mmu);
	era = ++mmu->era;
	shvm_unlock_mmu_write(mmu);
	do {
		idx = srcu_read_lock(&mmu->srcu);
		shvm_lock_mmu_write(mmu);
		more = zap_batch(mmu, era);
		shvm_unlock_mmu_write(mmu);
		srcu_read_unlock(&mmu->srcu, idx);
		cond_resched();
	} while (more);
	shvm_mmu_settle(mmu);
	atomic64_inc(&mmu->stats.zap_all);
}

static u64 budget_default(struct shvm_mmu *mmu)
{
	const struct shvm_slots *slots;
	u64 pages = 0;
	int idx, i;

	idx = srcu_read_lock(&mmu->srcu);
	slots = mmu_slots(mmu);
	for (i = 0; i < slots->nr; i++)
		pages += slots->slot[i]->npages;
	srcu_read_unlock(&mmu->srcu, idx);
	return clamp_t(u64, pages / BUDGET_SHARE, BUDGET_DEFAULT_MIN, U32_MAX);
}

void shvm_mmu_slots_changed(struct shvm_mmu *mmu)
{
	if (!mmu->budget_is_set)
		WRITE_ONCE(mmu->budget, budget_default(mmu));
}

/**
 * shvm_mmu_set_budget - how many shadow pages the VM may have
 * @mmu: of a VM whose slots_lock is held
 * @pages: 0 for the default, which follows the size of the slots
 *
 * A smaller budget is enforced here and now, but for roots in use.
 * Return: 0; -EINVAL below the minimum that any fault needs (64) or above 2^32 - 1.
 */
int shvm_mmu_set_budget(struct shvm_mmu *mmu, u64 pages)
{
	bool more;
	int idx;

	if (pages && (pages < BUDGET_MIN || pages > U32_MAX))
		return -EINVAL;
	mmu->budget_is_set = pages;
	WRITE_ONCE(mmu->budget, pages ? pages : budget_default(mmu));
	do {
		idx = srcu_read_lock(&mmu->srcu);
		shvm_lock_mmu_write(mmu);
		more = shvm_sp_count(mmu) > mmu->budget && reclaim_locked(mmu, 1);
		shvm_unlock_mmu_write(mmu);
		srcu_read_unlock(&mmu->srcu, idx);
		cond_resched();
	} while (more);
	return 0;
}

u64 shvm_mmu_budget(const struct shvm_mmu *mmu)
{
	return READ_ONCE(mmu->budget);
}
