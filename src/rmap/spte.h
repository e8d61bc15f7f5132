/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a shadow page-table entry (SPTE) may look like: every bit that the module uses, and why
 * this bit. Values only; memory is written by src/rmap/rmap.c and src/mmu/entry.c.
 *
 * kind        P  51:12          bits 9-11   meaning
 * notrap      0  0              0           guest entry is not present: the guest's own fault
 * trap        1  all ones       0           the guest may have something here: fault and look
 * was large   1  all ones       LEAF        trap where a large page was: a table must wait
 * table       1  shadow table   0           non-leaf
 * page        1  host frame     LEAF (+HOSTW, +GUESTW), and PS if it is a large one
 *
 * When HW.W may be set in a leaf (docs/mmu.md "Write permission"; a large page with a tracked
 * frame in it has no SPTE at all):
 *
 *  guest W and D*  host W  tracked  HW.W   who may set HW.W later
 *       1            1        0      1     -
 *       1            1        1      0     who takes the last shadow of the frame away
 *       1            0        x      0     nobody: zap and fault again
 *       0            x        x      0     a fault that sets guest D, or a change of the entry
 *
 *  GUESTW says that the first two are 1; without CR0.WP the supervisor may also have W alone.
 *  (*) in a direct page both are in the parent's entry: treated as 1 here.
 */
#ifndef SHVM_SPTE_H
#define SHVM_SPTE_H

#include <linux/bits.h>
#include <linux/build_bug.h>

#include "../types.h"

/* Defined by the hardware, the same in PAE and 4-level tables. */
#define SPTE_P		BIT_ULL(0)
#define SPTE_W		BIT_ULL(1)
#define SPTE_U		BIT_ULL(2)
#define SPTE_A		BIT_ULL(5)
#define SPTE_D		BIT_ULL(6)
#define SPTE_PS		BIT_ULL(7)	/* levels 2 and 3: maps a page of 2 MiB or 1 GiB */
#define SPTE_NX		BIT_ULL(63)
#define SPTE_FRAME	GENMASK_ULL(51, 12)

/*
 * Software bits: 9-11 only, since PAE tables reserve 62:52. The hardware ignores 9-11 in every
 * format. LEAF tells a mapped guest frame from a table at the same level; HOSTW remembers that
 * the host mapping was writable when the frame was looked up; GUESTW that W is the guest's will.
 */
#define SPTE_LEAF	BIT_ULL(9)
#define SPTE_HOSTW	BIT_ULL(10)
#define SPTE_GUESTW	BIT_ULL(11)
#define SPTE_SOFT	(SPTE_LEAF | SPTE_HOSTW | SPTE_GUESTW)

/*
 * L1TF: an entry that the CPU will not use must not name cacheable memory, so trap has every
 * address bit set. P=1 with a reserved address bit makes it tell-apart for the #PF error code
 * mask; where MAXPHYADDR is 52 there is no reserved bit and P must be 0.
 */
#define SPTE_NOTRAP	0ULL
#define SPTE_TRAP_BITS	SPTE_FRAME

static_assert(!(SPTE_SOFT & (SPTE_P | SPTE_W | SPTE_U | SPTE_A | SPTE_D | SPTE_PS |
			    SPTE_NX | SPTE_FRAME)));
static_assert(!(SPTE_SOFT & GENMASK_ULL(62, 52)));
static_assert((SPTE_SOFT & ~GENMASK_ULL(11, 9)) == 0);

/*
 * SPTE_P | SPTE_TRAP_BITS, or SPTE_TRAP_BITS where no reserved bit exists or it does not work:
 * known before the first VM. In the latter case every #PF exits.
 */
extern u64 shvm_spte_trap;

static inline bool spte_is_trap(u64 spte)
{
	return (spte & SPTE_FRAME) == SPTE_TRAP_BITS;
}

/* Not live: a large page was mapped here, and TLBs may still have it. */
static inline bool spte_was_large(u64 spte)
{
	return spte == (shvm_spte_trap | SPTE_LEAF);
}

/* What a leaf leaves behind that goes away. */
static inline u64 spte_gone(u64 leaf)
{
	return leaf & SPTE_PS ? shvm_spte_trap | SPTE_LEAF : shvm_spte_trap;
}

/* Used by the hardware: a leaf or a table. */
static inline bool spte_is_live(u64 spte)
{
	return (spte & SPTE_P) && !spte_is_trap(spte);
}

static inline bool spte_is_leaf(u64 spte)
{
	return spte_is_live(spte) && (spte & SPTE_LEAF);
}

static inline bool spte_is_table(u64 spte)
{
	return spte_is_live(spte) && !(spte & SPTE_LEAF);
}

static inline hfn_t spte_to_hfn(u64 spte)
{
	return hfn((spte & SPTE_FRAME) >> SHVM_PAGE_SHIFT);
}

/*
 * Did going from old to new take a right away that a TLB may still hold? With SMEP and SMAP a page
 * that becomes the user's is one less of the supervisor's.
 */
static inline bool spte_lost_rights(u64 old, u64 new)
{
	if (!spte_is_live(old))
		return false;
	if (!spte_is_live(new) || ((old ^ new) & SPTE_FRAME))
		return true;
	return (old & ~new & SPTE_W) || ((old ^ new) & SPTE_U) || (~old & new & SPTE_NX);
}

#endif
