// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLB tags, for CPUs whose TLB survives VM exits (VPID). What a TLB holds under a tag came from one
 * root at a time when no SPTE of the VM had yet lost a right that it has lost now: so it holds
 * nothing that the shadow tables would not give again, and an entry with it is as good as one with
 * an empty TLB. No flush of the guest's needs another tag; what it changes, a shadow entry loses.
 * Who waits for a flush (flush.c) finds the vCPU in the guest and ends that, or the vCPU sees owed
 * at its next entry. docs/mmu.md, "TLB tags".
 */
#include <linux/hash.h>

#include "shadow.h"

#define TAG_BITS	3

static_assert(SHVM_NR_TLB_TAGS == 1 << TAG_BITS);

void shvm_tags_forget(struct shvm_mmu_vcpu *mv)
{
	int i;

	for (i = 0; i < SHVM_NR_TLB_TAGS; i++)
		mv->tags[i].root = SHVM_NO_TABLE;
	mv->tag_epoch = SHVM_NO_EPOCH;
}

/* noinstr: see shvm_vpid_load(). */
noinstr bool shvm_mmu_use_tag(struct shvm_mmu_vcpu *mv, unsigned int *slot)
{
	unsigned int i = hash_64(mv->root_hpa.v >> SHVM_PAGE_SHIFT, TAG_BITS);
	struct shvm_tlb_tag *tag = &mv->tags[i];
	u64 epoch = shvm_mmu_tlb_epoch(mv);
	bool keep = tag->root == mv->root_hpa.v && tag->epoch == epoch;

	tag->root = mv->root_hpa.v;
	tag->epoch = epoch;
	mv->tag_epoch = epoch;
	*slot = i;
	return keep;
}
