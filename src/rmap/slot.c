// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots as data: allocation and look-up. Publishing them is src/memslot.c's business.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "rmap.h"

struct shvm_slots *shvm_slots_alloc(u32 nr)
{
	struct shvm_slots *slots;

	slots = kzalloc(struct_size(slots, slot, nr), GFP_KERNEL_ACCOUNT);
	if (slots)
		slots->nr = nr;
	return slots;
}

void shvm_slots_free(struct shvm_slots *slots)
{
	kfree(slots);
}

struct shvm_slot *shvm_slot_alloc(unsigned long npages)
{
	/* A size that kvmalloc() refuses is an error of user space, not worth a warning. */
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
	struct shvm_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (!slot)
		return NULL;
	slot->npages = npages;
	slot->rmap = kvcalloc(npages, sizeof(*slot->rmap), gfp);
	slot->state = kvcalloc(npages, sizeof(*slot->state), gfp);
	if (slot->rmap && slot->state)
		return slot;
	shvm_slot_free(slot);
	return NULL;
}

void shvm_slot_free(struct shvm_slot *slot)
{
	if (!slot)
		return;
	kvfree(slot->rmap);
	kvfree(slot->state);
	kfree(slot);
}

struct shvm_slot *shvm_slots_find(const struct shvm_slots *slots, gfn_t f)
{
	u32 lo = 0, hi = slots->nr, mid;
	struct shvm_slot *slot;

	/* Invariant: slots below lo end at or before f, slots from hi on start after f. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		slot = slots->slot[array_index_nospec(mid, slots->nr)];
		if (f.v < slot->base.v)
			hi = mid;
		else if (f.v - slot->base.v >= slot->npages)
			lo = mid + 1;
		else
			return slot;
	}
	return NULL;
}
