// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking shadow pages away: for the budget, for a slot change, for a store to a table. Everything
 * here holds mmu->lock for writing while it unlinks, and flushes before it frees.
 */
#include <linux/sched.h>

#include "shadow.h"

#define BATCH_SHARE	16	/* freed beyond what is needed, so that one flush serves many: */
#define BATCH_MAX	64	/* this part of the budget, at most so many */
#define ZAP_BATCH	64	/* pages between two breaks of the lock */
#define BUDGET_SURE	64	/* with so many a vCPU always gets on */
#define BUDGET_DEFAULT_MIN 128	/* the roots of SHVM_MAX_VCPUS PAE guests, and as much below them */
#define BUDGET_SHARE	50	/* default: one shadow page for so many guest pages */
#define LOW_ENDS	4	/* shadow memory is no longer low with this part of it free */
#define STARVED_MAX	64	/* more faults than one instruction can have */

/* How many have to go until want more fit. */
static u32 budget_excess(struct shvm_mmu *mmu, u32 want)
{
	u64 used = (u64)shvm_sp_count(mmu) + want, budget = READ_ONCE(mmu->budget);

	return used > budget ? used - budget : 0;
}

/* mmu->lock for writing. */
static void low_set(struct shvm_mmu *mmu, bool low)
{
	if (mmu->low == low)
		return;
	WRITE_ONCE(mmu->low, low);
	shvm_arch_low_changed(mmu);
}

/*
 * mmu->lock for writing. Is there room again? Not asked where pages go to serve the budget: those
 * come back at once, if they are needed.
 */
static void low_check(struct shvm_mmu *mmu)
{
	if (mmu->low && shvm_sp_count(mmu) <= mmu->budget / LOW_ENDS * (u64)(LOW_ENDS - 1))
		low_set(mmu, false);
}

static void budget_set(struct shvm_mmu *mmu, u32 pages)
{
	shvm_lock_mmu_write(mmu);
	WRITE_ONCE(mmu->budget, pages);
	low_check(mmu);
	shvm_unlock_mmu_write(mmu);
}

/* First by what does not change with each page that another vCPU makes. */
static bool budget_serves_fault(struct shvm_mmu *mmu)
{
	u64 bound = (u32)atomic_read(&mmu->sps_bound);

	return bound + SHVM_FAULT_SPS <= READ_ONCE(mmu->budget) ||
	       !budget_excess(mmu, SHVM_FAULT_SPS);
}

static u32 budget_batch(struct shvm_mmu *mmu)
{
	return SHVM_FAULT_SPS + min_t(u32, READ_ONCE(mmu->budget) / BATCH_SHARE, BATCH_MAX);
}

/*
 * One round under the lock, of at most SHVM_VICTIMS and what falls with them; after the budget was
 * lowered any number may have to go, so the caller breaks the lock between rounds. Returns how many
 * went: 0 if only roots in use are left.
 */
static u32 reclaim_locked(struct shvm_mmu *mmu, u32 want, u64 now)
{
	struct shvm_kill_list dead = { .sps = LIST_HEAD_INIT(dead.sps) };
	u32 i, gone = mmu->sps_gone;
	struct shvm_victims v;

	shvm_victims_choose(mmu, want, now, &v);
	for (i = 0; i < v.nr && mmu->sps_gone - gone < want; i++)
		/* It may have gone with another one. */
		if (!hlist_unhashed(&v.of[i].sp->hash))
			shvm_sp_kill(mmu, v.of[i].sp, &dead, true);
	gone = mmu->sps_gone - gone;
	atomic64_add(gone, &mmu->stats.reclaimed);
	shvm_kill_finish(mmu, &dead);
	return gone;
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

/* SRCU. 0: nothing can go, or not now. */
static u32 give_round(struct shvm_mmu *mmu, u32 want, bool may_wait)
{
	u32 gone;

	if (may_wait)
		shvm_lock_mmu_write(mmu);
	else if (shvm_trylock_mmu_write(mmu))
		__acquire(&mmu->lock);
	else
		return 0;
	gone = reclaim_locked(mmu, want, READ_ONCE(mmu->clock));
	low_check(mmu);
	shvm_unlock_mmu_write(mmu);
	return gone;
}

u32 shvm_mmu_give(struct shvm_mmu *mmu, u32 want, bool may_wait)
{
	u32 n = 1, gone = 0;
	int idx;

	while (gone < want && n) {
		idx = srcu_read_lock(&mmu->srcu);
		n = give_round(mmu, want - gone, may_wait);
		srcu_read_unlock(&mmu->srcu, idx);
		gone += n;
		if (may_wait)
			cond_resched();
	}
	atomic64_add(gone, &mmu->stats.given);
	return gone;
}

/* What the limit of all VMs leaves to this one may be less than an instruction needs. */
static int room_in_limit(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu *mmu = mv->mmu;
	s64 given = atomic64_read(&mmu->stats.given);

	if (shvm_arch_make_room(SHVM_FAULT_SPS))
		return -ENOMEM;
	if (given != atomic64_read(&mmu->stats.given) && shvm_sp_count(mmu) < BUDGET_SURE)
		mv->starved++;
	return 0;
}

int shvm_make_room(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu *mmu = mv->mmu;
	u32 gone, excess;
	int idx;

	if (unlikely(READ_ONCE(mmu->crowded)))
		drop_crowded(mmu);
	if (room_in_limit(mv))
		return -ENOMEM;
	if (budget_serves_fault(mmu))
		return 0;
	if (READ_ONCE(mmu->budget) < BUDGET_SURE)
		mv->starved++;
	do {
		idx = srcu_read_lock(&mmu->srcu);
		shvm_lock_mmu_write(mmu);
		excess = budget_excess(mmu, budget_batch(mmu));
		if (excess)
			low_set(mmu, true);
		gone = excess ? reclaim_locked(mmu, excess, READ_ONCE(mmu->clock) + mv->ticks) : 0;
		/*
		 * Only roots in use are left: BUDGET_SURE is enough for them, but for 15 vCPUs or
		 * more that each have four PAE directories of their own. Judged under the lock:
		 * once it is dropped other vCPUs may use all of the room before we run again,
		 * which is no lack of memory; each may exceed the budget by one fault.
		 */
		excess = budget_excess(mmu, SHVM_FAULT_SPS);
		shvm_unlock_mmu_write(mmu);
		srcu_read_unlock(&mmu->srcu, idx);
		cond_resched();
	} while (excess && gone);
	return excess ? -ENOMEM : 0;
}

/**
 * shvm_mmu_starves - does an instruction need more tables than a tiny budget has?
 * @mv: a vCPU that is going to enter the guest after a fault
 * @at: another number whenever it gets on
 *
 * One that faults again and again, each time after others of its own tables were taken, never ends.
 * Return: true: stop. The next call begins anew.
 */
bool shvm_mmu_starves(struct shvm_mmu_vcpu *mv, u64 at)
{
	if (mv->starved_at != at) {
		mv->starved_at = at;
		mv->starved = 0;
	}
	if (mv->starved <= STARVED_MAX)
		return false;
	mv->starved = 0;
	return true;
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
	low_check(mmu);
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
	low_check(mmu);
	return n == ZAP_BATCH;
}

void shvm_mmu_zap_all(struct shvm_mmu *mmu)
{
	bool more, long_chains;
	u64 era;
	int idx;

	/* New pages are born at the tails, in this era or a later one: the work has a bound. */
	shvm_lock_mmu_write(mmu);
	era = ++mmu->era;
	long_chains = mmu->long_chains;
	WRITE_ONCE(mmu->long_chains, false);
	shvm_unlock_mmu_write(mmu);
	/* A table that goes looks for each of its leaves in a chain. */
	if (long_chains)
		shvm_zap_leaves(mmu);
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
		budget_set(mmu, budget_default(mmu));
}

/**
 * shvm_mmu_set_budget - how many shadow pages the VM may have
 * @mmu: of a VM whose slots_lock is held
 * @pages: 0 for the default, which follows the size of the slots
 *
 * A smaller budget is enforced here and now, but for roots in use.
 * Return: 0; -EINVAL above 2^32 - 1.
 */
int shvm_mmu_set_budget(struct shvm_mmu *mmu, u64 pages)
{
	u32 gone, excess;
	int idx;

	if (pages > U32_MAX)
		return -EINVAL;
	mmu->budget_is_set = pages;
	budget_set(mmu, pages ? pages : budget_default(mmu));
	do {
		idx = srcu_read_lock(&mmu->srcu);
		shvm_lock_mmu_write(mmu);
		excess = budget_excess(mmu, 0);
		gone = excess ? reclaim_locked(mmu, excess, READ_ONCE(mmu->clock)) : 0;
		shvm_unlock_mmu_write(mmu);
		srcu_read_unlock(&mmu->srcu, idx);
		cond_resched();
	} while (gone);
	return 0;
}

u64 shvm_mmu_budget(const struct shvm_mmu *mmu)
{
	return READ_ONCE(mmu->budget);
}
