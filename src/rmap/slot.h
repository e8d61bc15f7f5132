/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory slots: which guest frames exist, where they are in the VMM, and per frame the reverse-map
 * head and the state word. The table is replaced as a whole under vm->slots_lock and read under
 * SRCU; src/memslot.c decides what it contains.
 */
#ifndef SHVM_SLOT_H
#define SHVM_SLOT_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/nospec.h>

#include "../types.h"
#include "age.h"

#define SHVM_SLOT_READONLY	BIT(0)	/* guest writes become MMIO exits */

#define SHVM_LARGE_TOP		3	/* large pages are of level 2 (2 MiB) or 3 (1 GiB) */

/*
 * State of one guest frame.
 * tracked: number of shadow pages whose table is this frame; more than 0: no SPTE may write it.
 *          Changes under the rmap lock of the frame, read anywhere.
 * loose:   SPTEs may write it though it is tracked: its shadow pages are out of sync; rmap lock.
 * age:     its use so far, as far as no live SPTE tells it; age.h.
 */
struct shvm_gfn_state {
	u16 tracked;
	bool loose;
	struct shvm_age age;
};

static_assert(sizeof(struct shvm_gfn_state) == 8);

/*
 * A naturally aligned group of frames that one large SPTE can map. All but the hints under the
 * lock of head.
 * tracked: shadow pages whose table is one of the frames; more than 0: no SPTE maps the group.
 * wanted:  hint: a fault would have mapped it large but for tracked.
 * splits:  hint: how often tracking has torn it lately; rest: mmu->clock before which it is left
 *          in pieces; mapped: mmu->clock when it was mapped last.
 */
struct shvm_large {
	unsigned long head;		/* rmap head of its SPTEs, all of this level */
	u32 tracked;
	struct shvm_age age;		/* as in struct shvm_gfn_state */
	u8 splits;
	bool wanted;
	u64 rest;
	u64 mapped;
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
	struct shvm_large *large[SHVM_LARGE_TOP - 1];	/* of level 2, 3; NULL: none fits */
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
 * @base: its first frame
 * @npages: its length in 4 KiB frames, at least 1
 * @at: where it is in the VMM, page-aligned
 * Return: the slot (id and flags are the caller's to fill), or NULL.
 */
struct shvm_slot *shvm_slot_alloc(gfn_t base, unsigned long npages, hva_t at);
void shvm_slot_free(struct shvm_slot *slot);		/* its reverse maps are empty */
u64 shvm_slot_bytes(const struct shvm_slot *slot);	/* of its reverse maps, without chains */

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

/* Frames in a page of a level. */
static inline u64 level_frames(int level)
{
	return 1ULL << ((level - 1) * 9);
}

static inline gfn_t level_first(gfn_t f, int level)
{
	return gfn(f.v & ~(level_frames(level) - 1));
}

/**
 * slot_large - the group of frames around one
 * @slot: holds @f
 * @f: any frame of the group
 * @level: 2 or 3
 * Return: the group, or NULL: it is not wholly in the slot, or its alignment in the VMM is another.
 */
static inline struct shvm_large *slot_large(const struct shvm_slot *slot, gfn_t f, int level)
{
	struct shvm_large *large = slot->large[level - 2];
	u64 first = level_first(f, level).v;
	unsigned int shift = (level - 1) * 9;

	if (!large || first < slot->base.v ||
	    first + level_frames(level) > slot->base.v + slot->npages)
		return NULL;
	return &large[array_index_nospec((unsigned long)(first - slot->base.v) >> shift,
					 slot->npages >> shift)];
}

static inline hva_t slot_hva(const struct shvm_slot *slot, gpa_t at)
{
	return hva(slot->hva.v + ((u64)slot_index(slot, gpa_to_gfn(at)) << SHVM_PAGE_SHIFT) +
		   gpa_offset(at));
}

#endif
