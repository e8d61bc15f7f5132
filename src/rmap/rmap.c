// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can happen to all leaf SPTEs of one guest frame. Every function runs under the lock of
 * the frame's head, allocates nothing and never waits. Stores are xchg or cmpxchg, because the
 * CPU sets A and D behind our back.
 */
#include "rmap.h"

u64 shvm_spte_trap = SPTE_P | SPTE_TRAP_BITS;

static void age_fold(struct shvm_age *age, u64 old)
{
	if (old & SPTE_A)
		shvm_age_keep(age);
}

void shvm_rmap_add(unsigned long *head, u64 *sptep, u64 spte, struct shvm_chain **spare)
{
	shvm_chain_add(head, sptep, spare);
	xchg(sptep, spte);
}

void shvm_rmap_remove(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age, u64 *sptep)
{
	/* PS and the frame stay as they are while the head's lock is held. */
	age_fold(age, xchg(sptep, spte_gone(READ_ONCE(*sptep))));
	WARN_ONCE(!shvm_chain_del(head, sptep, &tlb->chain_blocks),
		  "shvm: SPTE is not in the chain of its frame\n");
	shvm_tlb_owe(tlb);
}

u32 shvm_rmap_zap(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age)
{
	u64 *sptep;
	u32 n = 0;

	while ((sptep = shvm_chain_first(READ_ONCE(*head)))) {
		age_fold(age, xchg(sptep, spte_gone(READ_ONCE(*sptep))));
		shvm_chain_del(head, sptep, &tlb->chain_blocks);
		n++;
	}
	if (n)
		shvm_tlb_owe(tlb);
	return n;
}

/* Clear bits in an entry that the CPU may be marking; true if any of them was set. */
static bool sptep_clear_bits(u64 *sptep, u64 bits)
{
	u64 old = READ_ONCE(*sptep), seen;

	while (old & bits) {
		seen = cmpxchg64(sptep, old, old & ~bits);
		if (seen == old)
			return true;
		old = seen;
	}
	return false;
}

bool shvm_rmap_write_protect(struct shvm_tlb *tlb, unsigned long *head)
{
	struct shvm_chain_iter it = shvm_chain_iter(READ_ONCE(*head));
	bool lost = false;
	u64 *sptep;

	while ((sptep = shvm_chain_next(&it)))
		lost |= sptep_clear_bits(sptep, SPTE_W);
	if (lost)
		shvm_tlb_owe(tlb);
	return lost;
}

void shvm_rmap_write_allow(unsigned long *head)
{
	struct shvm_chain_iter it = shvm_chain_iter(READ_ONCE(*head));
	u64 *sptep, old, seen;

	while ((sptep = shvm_chain_next(&it))) {
		old = READ_ONCE(*sptep);
		while ((old & (SPTE_GUESTW | SPTE_W)) == SPTE_GUESTW) {
			seen = cmpxchg64(sptep, old, old | SPTE_W);
			if (seen == old)
				break;
			old = seen;
		}
	}
}

u64 shvm_rmap_any(unsigned long *head)
{
	const u64 *sptep;
	u64 spte;

	shvm_lock_rmap(head);
	sptep = shvm_chain_first(READ_ONCE(*head));
	spte = sptep ? READ_ONCE(*sptep) : 0;
	shvm_unlock_rmap(head);
	return spte;
}

bool shvm_rmap_is_young(unsigned long *head)
{
	struct shvm_chain_iter it = shvm_chain_iter(READ_ONCE(*head));
	u64 *sptep;

	while ((sptep = shvm_chain_next(&it)))
		if (READ_ONCE(*sptep) & SPTE_A)
			return true;
	return false;
}

bool shvm_rmap_clear_young(unsigned long *head)
{
	struct shvm_chain_iter it = shvm_chain_iter(READ_ONCE(*head));
	bool young = false;
	u64 *sptep;

	while ((sptep = shvm_chain_next(&it)))
		young |= sptep_clear_bits(sptep, SPTE_A);
	return young;
}
