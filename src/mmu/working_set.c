// SPDX-License-Identifier: GPL-2.0-only
/*
 * When was each frame used last? By the accessed bits of the SPTEs, which are cleared so that the
 * next use is seen, and what was noted when others were; the host is told of each use all the same.
 * SRCU and rmap locks only, no flush. docs/mmu.md, "Age".
 */
#include <linux/minmax.h>
#include <linux/sched.h>

#include "shadow.h"

#define LOOKS	64		/* heads between two chances for others to run */

struct ws_walk {
	struct shvm_mmu *mmu;
	u32 *tear;
	u32 now;
	bool aged;		/* an accessed bit was cleared */
};

/* The rmap lock of head. True: a use that was not seen before. */
static bool use_collect(struct ws_walk *w, unsigned long *head, struct shvm_age *age)
{
	if (!shvm_rmap_clear_young(head))
		return false;
	shvm_age_keep(age);
	w->aged = true;
	return true;
}

static u32 frame_look(struct ws_walk *w, struct shvm_slot *slot, gfn_t f)
{
	struct shvm_age *age = &slot_gfn_state(slot, f)->age;
	unsigned long *head = slot_rmap_head(slot, f);

	/* An accessed bit that comes with a head that is locked now is one for the next time. */
	if (READ_ONCE(*head)) {
		shvm_lock_rmap(head);
		use_collect(w, head, age);
		shvm_unlock_rmap(head);
	}
	return shvm_age_time(age);
}

/* 0: by no large page of this level. */
static u32 group_look(struct ws_walk *w, struct shvm_slot *slot, gfn_t f, int level)
{
	struct shvm_large *large = slot_large(slot, f, level);
	u32 gone = 0;

	if (!large)
		return 0;
	if (READ_ONCE(large->head)) {
		shvm_lock_rmap(&large->head);
		/* What nobody uses is known to be idle as a whole. */
		if (use_collect(w, &large->head, &large->age) && *w->tear) {
			gone = shvm_large_tear(w->mmu, large);
			--*w->tear;
		}
		shvm_unlock_rmap(&large->head);
		if (gone)
			shvm_striped_add(&w->mmu->leaves, -(s64)gone);
	}
	return shvm_age_time(&large->age);
}

static u32 age_since(const struct ws_walk *w, u32 time)
{
	if (!time)
		return SHVM_WS_AGE_NEVER;
	/* It may have been noted after now. */
	if (time >= w->now)
		return 0;
	return min_t(u64, (u64)(w->now - time) * SHVM_AGE_STEP * 10 / HZ, SHVM_WS_AGE_MOST);
}

static void slot_look(struct ws_walk *w, struct shvm_slot *slot, gfn_t first, u64 n, u32 *out)
{
	u32 group = 0, own, i;
	gfn_t f;

	for (i = 0; i < n; i++) {
		f = gfn_add(first, i);
		if (!i || !(f.v % level_frames(2)))
			group = max_t(u32, group_look(w, slot, f, 3), group_look(w, slot, f, 2));
		/* A head may have a thousand SPTEs. */
		if (!(i % LOOKS))
			cond_resched();
		own = frame_look(w, slot, f);
		out[i] = age_since(w, max_t(u32, own, group));
		if (group && group >= own)
			out[i] |= SHVM_WS_AGE_LARGE;
		if (READ_ONCE(slot_gfn_state(slot, f)->tracked))
			out[i] |= SHVM_WS_AGE_TABLE;
	}
}

void shvm_mmu_working_set(struct shvm_mmu *mmu, gfn_t first, u64 n, u32 *tear, u32 *out)
{
	struct ws_walk w = { .mmu = mmu, .tear = tear, .now = shvm_age_now() };
	int idx = srcu_read_lock(&mmu->srcu);
	struct shvm_slot *slot;
	u64 i, span;
	gfn_t f;

	for (i = 0; i < n; i += span) {
		span = 1;
		f = gfn_add(first, i);
		out[i] = SHVM_WS_AGE_NO_MEMORY;
		if (shvm_gfn_look(mmu, f, false, &slot) != SHVM_MEM_OK)
			continue;
		span = min_t(u64, n - i, slot->base.v + slot->npages - f.v);
		slot_look(&w, slot, f, span, out + i);
	}
	srcu_read_unlock(&mmu->srcu, idx);
	if (w.aged)
		shvm_tlb_aged(&mmu->tlb);
}
