// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which shadow pages go next. A hand goes round the lists of all CPUs; of the pages that it passes
 * in one go those go that were not used for longest. mmu->lock is held for writing throughout, and
 * nothing is unlinked here. docs/recycling.md.
 */
#include "shadow.h"

/* So many pages are looked at for each that is wanted, from WINDOW_MIN to WINDOW_MAX. */
#define WINDOW_SHARE	16
#define WINDOW_MIN	256
#define WINDOW_MAX	1024

/* Orphans cost nobody a fault, so they come first; of equally old ones leaf tables do. */
static u64 victim_rank(struct shvm_mmu *mmu, struct shvm_sp *sp, u64 now)
{
	if (!sp->parents && !sp->is_root)
		return sp->role.level;
	if (shvm_sp_was_used(mmu, sp) && READ_ONCE(sp->stamp) < now)
		WRITE_ONCE(sp->stamp, now);
	return READ_ONCE(sp->stamp) << 3 | sp->role.level;
}

/* Sorted, the next to go first; who is full keeps the first ones. */
static void victims_insert(struct shvm_victims *v, struct shvm_sp *sp, u64 rank)
{
	u32 i = v->nr;

	if (i == SHVM_VICTIMS) {
		if (rank >= v->of[--i].rank)
			return;
	} else {
		v->nr++;
	}
	for (; i && v->of[i - 1].rank > rank; i--)
		v->of[i] = v->of[i - 1];
	v->of[i].sp = sp;
	v->of[i].rank = rank;
}

static void victims_consider(struct shvm_mmu *mmu, struct shvm_victims *v, struct shvm_sp *sp,
			     u64 now)
{
	u64 rank = victim_rank(mmu, sp, now);

	if (!sp->is_root || !shvm_arch_root_in_use(mmu, sp))
		victims_insert(v, sp, rank);
}

/* There is at least one page. */
static struct shvm_sp *hand_next(struct shvm_mmu *mmu)
{
	struct shvm_sp *sp;

	while (mmu->hand == &mmu->sps[mmu->hand_at].list) {
		mmu->hand_at = (mmu->hand_at + 1) % SHVM_STRIPES;
		mmu->hand = mmu->sps[mmu->hand_at].list.next;
	}
	sp = list_entry(mmu->hand, struct shvm_sp, link);
	mmu->hand = mmu->hand->next;
	return sp;
}

/* The lists have the oldest first. */
static void victims_choose_fifo(struct shvm_mmu *mmu, struct shvm_victims *v)
{
	struct shvm_sp *sp;

	shvm_for_each_sp(mmu, sp) {
		if (v->nr == SHVM_VICTIMS)
			return;
		if (!sp->is_root || !shvm_arch_root_in_use(mmu, sp))
			victims_insert(v, sp, 0);
	}
}

void shvm_victims_choose(struct shvm_mmu *mmu, u32 want, u64 now, struct shvm_victims *v)
{
	u32 n = clamp_t(u32, min_t(u32, want, WINDOW_MAX) * WINDOW_SHARE, WINDOW_MIN, WINDOW_MAX);

	v->nr = 0;
	if (shvm_mmu_fifo) {
		victims_choose_fifo(mmu, v);
		return;
	}
	/* Each page once at most. Even the fewest are more than all the roots in use. */
	for (n = min(n, shvm_sp_count(mmu)); n; n--)
		victims_consider(mmu, v, hand_next(mmu), now);
}
