// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host wants of guest frames: take them away, and see which were used. Called from the
 * MMU notifier: SRCU is held, ranks 5 and 7 are taken, nothing sleeps or allocates.
 */
#include "shadow.h"

static void head_zap(struct shvm_mmu *mmu, unsigned long *head, u8 *age)
{
	u32 gone;

	/*
	 * Skipped only if the whole word is 0, lock bit included: an installer that holds the lock
	 * may not have looked at inval.active yet, one that comes later will see it.
	 */
	if (!READ_ONCE(*head))
		return;
	shvm_lock_rmap(head);
	gone = shvm_rmap_zap(&mmu->tlb, head, age);
	shvm_unlock_rmap(head);
	shvm_striped_add(&mmu->leaves, -(s64)gone);
}

static bool head_age(unsigned long *head, u8 *age, bool clear)
{
	bool young;

	if (!READ_ONCE(*head) && !READ_ONCE(*age))
		return false;
	shvm_lock_rmap(head);
	young = shvm_rmap_age(head, age, clear);
	shvm_unlock_rmap(head);
	return young;
}

/* The frame after those of the group around f. */
static gfn_t level_next(gfn_t f, int level)
{
	return gfn_add(level_first(f, level), level_frames(level));
}

void shvm_mmu_unmap(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n)
{
	gfn_t f, end = gfn_add(first, n);
	struct shvm_large *large;
	int level;

	for (level = SHVM_LARGE_TOP; level > 1; level--) {
		for (f = first; f.v < end.v; f = level_next(f, level)) {
			large = slot_large(slot, f, level);
			if (large)
				head_zap(mmu, &large->head, &large->age);
		}
	}
	for (f = first; f.v < end.v; f = gfn_add(f, 1)) {
		struct shvm_gfn_state *state = slot_gfn_state(slot, f);

		head_zap(mmu, slot_rmap_head(slot, f), &state->age);
		if (READ_ONCE(state->tracked))
			shvm_mmu_unshadow(mmu, f);
	}
}

u32 shvm_mmu_age(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n, bool clear)
{
	gfn_t f, end = gfn_add(first, n);
	struct shvm_large *large;
	u32 young = 0;
	int level;

	for (level = SHVM_LARGE_TOP; level > 1; level--) {
		for (f = first; f.v < end.v && (clear || !young); f = level_next(f, level)) {
			large = slot_large(slot, f, level);
			if (large)
				young += head_age(&large->head, &large->age, clear);
		}
	}
	for (f = first; f.v < end.v && (clear || !young); f = gfn_add(f, 1))
		young += head_age(slot_rmap_head(slot, f), &slot_gfn_state(slot, f)->age, clear);
	if (clear && young)
		shvm_tlb_aged(&mmu->tlb);
	return young;
}
