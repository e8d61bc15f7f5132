// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of frames that one large SPTE may map: when they may, when they are torn because a frame
 * becomes a table, and when they are put together again. docs/mmu.md, "Large pages".
 */
#include "shadow.h"

/*
 * A group that is torn costs up to 64 faults until all of it is mapped again in pieces. The first
 * splits are free; from then on the group stays in pieces for a while that doubles with each split,
 * counted in faults of the VM, until it was whole for long enough.
 */
#define FREE_SPLITS	2
#define MAX_SPLITS	12
#define REST_FAULTS	64u
#define LONG_FAULTS	8192

/* One that is torn to see which of its pages are used. */
#define TEAR_FAULTS	4096

#define MERGE_PIECES	64	/* most shadow pages that are unlinked at a time */

static u64 mmu_clock(const struct shvm_mmu *mmu)
{
	return READ_ONCE(mmu->clock);
}

/* The clock may jump back a little. */
static bool large_rests(const struct shvm_mmu *mmu, const struct shvm_large *large)
{
	return (s64)(READ_ONCE(large->rest) - mmu_clock(mmu)) > 0;
}

int shvm_large_level(struct shvm_mmu *mmu, const struct shvm_slot *slot, gfn_t f, int top)
{
	struct shvm_large *large;
	int level;

	for (level = top; level > 1; level--) {
		large = slot_large(slot, f, level);
		if (!large)
			continue;
		if (READ_ONCE(large->tracked))
			WRITE_ONCE(large->wanted, true);
		else if (!large_rests(mmu, large))
			break;
	}
	return level;
}

void shvm_large_mapped(struct shvm_mmu *mmu, struct shvm_large *large)
{
	WRITE_ONCE(large->mapped, mmu_clock(mmu));
	atomic64_inc(&mmu->stats.large_maps);
}

/* The group has been torn: for how long is it left so? */
static void large_split(struct shvm_mmu *mmu, struct shvm_large *large)
{
	u64 now = mmu_clock(mmu);

	if ((s64)(now - large->mapped) > LONG_FAULTS)
		large->splits = 0;
	if (large->splits < MAX_SPLITS)
		large->splits++;
	if (large->splits > FREE_SPLITS)
		WRITE_ONCE(large->rest, now + (REST_FAULTS << (large->splits - FREE_SPLITS)));
	WRITE_ONCE(large->wanted, true);
	atomic64_inc(&mmu->stats.large_splits);
}

void shvm_large_forbid(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f)
{
	struct shvm_large *large;
	int level;
	u32 gone;

	for (level = SHVM_LARGE_TOP; level > 1; level--) {
		large = slot_large(slot, f, level);
		if (!large)
			continue;
		shvm_lock_rmap(&large->head);
		WRITE_ONCE(large->tracked, large->tracked + 1);
		gone = shvm_rmap_zap(&mmu->tlb, &large->head, &large->age);
		if (gone)
			large_split(mmu, large);
		shvm_unlock_rmap(&large->head);
		if (gone)
			shvm_striped_add(&mmu->leaves, -(s64)gone);
	}
}

u32 shvm_large_tear(struct shvm_mmu *mmu, struct shvm_large *large)
{
	u64 rest = mmu_clock(mmu) + TEAR_FAULTS;
	u32 gone = shvm_rmap_zap(&mmu->tlb, &large->head, &large->age);

	/* Not one of large->splits: it is nothing that the guest does. */
	if ((s64)(rest - large->rest) > 0)
		WRITE_ONCE(large->rest, rest);
	WRITE_ONCE(large->wanted, true);
	atomic64_inc(&mmu->stats.large_splits);
	return gone;
}

void shvm_large_allow(struct shvm_slot *slot, gfn_t f)
{
	struct shvm_large *large;
	int level;

	for (level = SHVM_LARGE_TOP; level > 1; level--) {
		large = slot_large(slot, f, level);
		if (!large)
			continue;
		shvm_lock_rmap(&large->head);
		WRITE_ONCE(large->tracked, large->tracked - 1);
		shvm_unlock_rmap(&large->head);
	}
}

void shvm_large_merge(struct shvm_mmu *mmu, gfn_t f)
{
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), f);
	struct shvm_large *large;
	int level, room = MERGE_PIECES;
	struct shvm_sp *sp;

	for (level = SHVM_LARGE_TOP; slot && level > 1; level--) {
		gfn_t first = level_first(f, level);

		large = slot_large(slot, f, level);
		if (!large || large->tracked || !READ_ONCE(large->wanted) ||
		    large_rests(mmu, large))
			continue;
		hlist_for_each_entry(sp, shvm_sp_bucket(mmu, first), hash)
			if (gfn_eq(sp->gfn, first) && sp->role.direct &&
			    sp->role.level == level - 1 && room-- > 0)
				shvm_sp_unlink(mmu, sp);
		WRITE_ONCE(large->wanted, room < 0);
	}
}
