/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reverse map: for every guest frame the leaf SPTEs that map it, for every group of frames the
 * large ones. The only code that edits chains.
 *
 * A head is one word: bit 0 is its lock, bit 1 says that the rest points to a chain of
 * blocks instead of a single SPTE; 0 is empty and unlocked. A leaf SPTE becomes present only with
 * sp->lock and the head's lock held; it changes or goes away with the head's lock alone.
 */
#ifndef SHVM_RMAP_H
#define SHVM_RMAP_H

#include <linux/atomic.h>
#include <linux/processor.h>	/* bit_spinlock.h of 6.12 forgets it */
#include <linux/bit_spinlock.h>

#include "../rank.h"
#include "slot.h"
#include "spte.h"
#include "striped.h"

/* One head has at most this many leaf SPTEs; the installer zaps all others before one more. */
#define SHVM_CHAIN_MAX		1024
/* From here on it pays to empty a head before tables go, which look for each of their entries. */
#define SHVM_CHAIN_LONG		64
#define SHVM_CHAIN_BLOCK	6

struct shvm_chain {
	struct shvm_chain *next;
	u32 nr;				/* entries here; only the first block may be partly full */
	u32 total;			/* in the first block: entries of the whole chain */
	u64 *entry[SHVM_CHAIN_BLOCK];
};

static_assert(sizeof(struct shvm_chain) == 64);

#define SHVM_WORD_LOCK		1UL
#define SHVM_WORD_CHAIN		2UL
#define SHVM_WORD_FLAGS		(SHVM_WORD_LOCK | SHVM_WORD_CHAIN)

/*
 * Flushes that are owed to the vCPUs' TLBs. owed is raised after an SPTE lost rights and before
 * the lock of its head is dropped; done is raised to what owed was when every vCPU has flushed
 * since. That owed is a sum changes nothing: docs/locking.md, "Flushes".
 *
 * Below the unit of debts owed counts how often A was cleared somewhere: no flush, but soon another
 * TLB tag. Once in 256 times that looks like a debt, which does no harm. The sum ends after 2^56
 * debts, at a hundred million of them in a second after 22 years.
 */
#define SHVM_TLB_DEBT	BIT_ULL(8)

struct shvm_tlb {
	struct shvm_striped owed;
	atomic64_t done;
	struct shvm_striped chain_blocks;	/* of this VM: whoever frees one has this at hand */
};

/* Host invalidations: active while one runs, seq counts the finished ones. */
struct shvm_inval {
	atomic_t active;
	atomic64_t seq;
};

static inline void shvm_lock_rmap(unsigned long *head)
{
	bit_spin_lock(0, head);
	shvm_rank_enter(SHVM_RANK_RMAP);
}

static inline void shvm_unlock_rmap(unsigned long *head)
{
	shvm_rank_leave(SHVM_RANK_RMAP);
	bit_spin_unlock(0, head);
}

/**
 * shvm_tlb_owe - note that an SPTE lost rights; the lock that guards the SPTE is still held
 * @tlb: of the VM
 */
static inline void shvm_tlb_owe(struct shvm_tlb *tlb)
{
	shvm_striped_add(&tlb->owed, SHVM_TLB_DEBT);
}

/**
 * shvm_tlb_aged - note that A was cleared, which no TLB entry that is used now will set
 * @tlb: of the VM
 */
static inline void shvm_tlb_aged(struct shvm_tlb *tlb)
{
	shvm_striped_add(&tlb->owed, 1);
}

/**
 * shvm_tlb_owed - all rights that were taken until now
 * @tlb: of the VM
 * Return: what tlb->done has to reach until no TLB holds one of them.
 */
static inline u64 shvm_tlb_owed(const struct shvm_tlb *tlb)
{
	return shvm_striped_sum(&tlb->owed) & ~(SHVM_TLB_DEBT - 1);
}

/* --- chain.c: words without their own lock; also used for the parents of a shadow page --- */

int shvm_chain_module_init(void);
void shvm_chain_module_exit(void);
/* May sleep, charged; NULL: no memory. blocks counts them, as in shvm_tlb. */
struct shvm_chain *shvm_chain_alloc(struct shvm_striped *blocks);
void shvm_chain_free(struct shvm_chain *chain, struct shvm_striped *blocks);
/* spare: a block, taken (set to NULL) if the entry needs one. */
void shvm_chain_add(unsigned long *word, u64 *sptep, struct shvm_chain **spare);
/* False: it was not there. */
bool shvm_chain_del(unsigned long *word, u64 *sptep, struct shvm_striped *blocks);
u32 shvm_chain_count(unsigned long word);
u64 *shvm_chain_first(unsigned long word);		/* NULL: empty */

/* What a word holds: the first block of a chain, or NULL; the only SPTE, or NULL. */
static inline struct shvm_chain *shvm_word_chain(unsigned long word)
{
	return word & SHVM_WORD_CHAIN ? (struct shvm_chain *)(word & ~SHVM_WORD_FLAGS) : NULL;
}

static inline u64 *shvm_word_single(unsigned long word)
{
	return word & SHVM_WORD_CHAIN ? NULL : (u64 *)(word & ~SHVM_WORD_FLAGS);
}

/*
 * Iterate: for (i = chain_iter(word); (sptep = chain_next(&i)); ) - nothing is added or removed.
 * Inline, for most words hold one SPTE, and the host asks for each frame that it thinks of.
 */
struct shvm_chain_iter {
	const struct shvm_chain *block;
	u64 *single;
	u32 pos;
};

static inline struct shvm_chain_iter shvm_chain_iter(unsigned long word)
{
	return (struct shvm_chain_iter){
		.block = shvm_word_chain(word), .single = shvm_word_single(word),
	};
}

static inline u64 *shvm_chain_next(struct shvm_chain_iter *it)
{
	u64 *sptep = it->single;

	it->single = NULL;
	while (it->block && it->pos == it->block->nr) {
		it->block = it->block->next;
		it->pos = 0;
	}
	return it->block ? it->block->entry[it->pos++] : sptep;
}

/* --- rmap.c: the caller holds the head's lock --- */

/**
 * shvm_rmap_add - a leaf becomes present
 * @head: of the frame (or group) that spte maps; shorter than SHVM_CHAIN_MAX
 * @sptep: not live now
 * @spte: new value, SPTE_LEAF
 * @spare: block for the chain
 */
void shvm_rmap_add(unsigned long *head, u64 *sptep, u64 spte, struct shvm_chain **spare);

/**
 * shvm_rmap_remove - a leaf goes away; spte_gone() says what is left
 * @tlb: owes a flush afterwards
 * @head: of the frame, or the group of a large page
 * @age: of the same; takes over an accessed bit
 * @sptep: a leaf of this chain
 */
void shvm_rmap_remove(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age, u64 *sptep);

/* Every leaf goes away (new value: spte_gone()). Returns how many there were. */
u32 shvm_rmap_zap(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age);

/* No leaf of the frame stays writable. True: one was, a flush is owed. */
bool shvm_rmap_write_protect(struct shvm_tlb *tlb, unsigned long *head);

/* Tracking has ended: what only it had kept from being writable is so again. */
void shvm_rmap_write_allow(unsigned long *head);

/* Was a leaf used since its accessed bit was cleared last? Changes nothing. */
bool shvm_rmap_is_young(unsigned long *head);

/* The same, and clears the accessed bits; no flush. The caller notes what it was told. */
bool shvm_rmap_clear_young(unsigned long *head);

/* The value of any one of the leaves; 0: none. Takes the head's lock itself. */
u64 shvm_rmap_any(unsigned long *head);

#endif
