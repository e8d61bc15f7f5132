/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory slots: which guest frames exist, where they are in the VMM, and per frame the reverse-map
 * head and the state word. The table is replaced as a whole under vm->slots_lock and read under
 * SRCU; src/memslot.c decides what it contains.
 */
#ifndef SHVM_SLOT_H
#define SHVM_SLOT_H

#include <linux/bits.h>
#include <linux/nospec.h>

#include "../types.h"

#define SHVM_SLOT_READONLY	BIT(0)	/* guest writes become MMIO exits */

/*
 * State of one guest frame.
 * tracked: number of shadow pages whose table is this frame; more than 0: no SPTE may write it.
 *          Changes under the rmap lock of the frame, read anywhere.
 * writers: stores by software that are under way into this frame; atomic, full barriers.
 * age:     accessed bits of SPTEs that are gone, not yet reported; rmap lock.
 */
struct shvm_gfn_state {
	u16 tracked;
	u8 age;
	u8 unused;
	atomic_t writers;
};

struct shvm_slot {
	/* Constant while the slot is in a published table. */
	u32 id;
	u32 flags;			/* SHVM_SLOT_* */
	gfn_t base;
	unsigned long npages;
	hva_t hva;
	unsigned long *rmap;		/* [npages] heads, see rmap.h */
	struct shvm_gfn_state *state;	/* [npages] */
	/* Being deleted: look-ups for new mappings fail, reverse maps still work. slots_lock. */
	bool invalid;
};

struct shvm_slots {
	u32 nr;
	struct shvm_slot *slot[];	/* sorted by base, not overlapping */
};

/**
 * shvm_slots_alloc - an empty table
 * @nr: how many slots it will hold
 * Return: the table, or NULL.
 */
struct shvm_slots *shvm_slots_alloc(u32 nr);
void shvm_slots_free(struct shvm_slots *slots);		/* the table only */

/**
 * shvm_slot_alloc - a slot with empty reverse maps, charged to the caller's memory cgroup
 * @npages: its length in 4 KiB frames, at least 1
 * Return: the slot (id, flags, base, hva are the caller's to fill), or NULL.
 */
struct shvm_slot *shvm_slot_alloc(unsigned long npages);
void shvm_slot_free(struct shvm_slot *slot);		/* its reverse maps are empty */

/**
 * shvm_slots_find - the slot that holds a guest frame
 * @slots: table, under SRCU or slots_lock
 * @f: frame; hostile values are fine
 * Return: the slot, also when it is invalid, or NULL.
 */
struct shvm_slot *shvm_slots_find(const struct shvm_slots *slots, gfn_t f);

/* f is in the slot; the guest chose it, so the index must not be speculated past the end. */
static inline unsigned long slot_index(const struct shvm_slot *slot, gfn_t f)
{
	return array_index_nospec((unsigned long)(f.v - slot->base.v), slot->npages);
}

static inline unsigned long *slot_rmap_head(const struct shvm_slot *slot, gfn_t f)
{
	return &slot->rmap[slot_index(slot, f)];
}

static inline struct shvm_gfn_state *slot_gfn_state(const struct shvm_slot *slot, gfn_t f)
{
	return &slot->state[slot_index(slot, f)];
}

static inline hva_t slot_hva(const struct shvm_slot *slot, gpa_t at)
{
	return hva(slot->hva.v + ((u64)slot_index(slot, gpa_to_gfn(at)) << SHVM_PAGE_SHIFT) +
		   gpa_offset(at));
}

#endif
