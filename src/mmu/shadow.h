/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside src/mmu: shadow pages, their entries, and the helpers that the files of the folder share.
 */
#ifndef SHVM_SHADOW_H
#define SHVM_SHADOW_H

#include <linux/hash.h>

#include "arch.h"
#include "gpt.h"
#include "locks.h"
#include "root_cache.h"

/* An invariant of ours is broken: warn once, stop this VM. Returns the condition. */
#define SHVM_MMU_BROKEN_IF(mmu, cond) ({					\
	bool shvm_bad = !!(cond);					\
	if (WARN_ONCE(shvm_bad, "shvm: %s\n", #cond))			\
		shvm_arch_broken(mmu, #cond);				\
	shvm_bad;							\
})

/* Outcome of a step that makes an entry live. */
enum shvm_map_result {
	SHVM_MAP_DONE,
	SHVM_MAP_RETRY,		/* something moved: let the guest fault again */
	SHVM_MAP_FLUSH,		/* possible after a flush of all vCPUs */
	SHVM_MAP_SYNC,		/* possible when no page is out of date */
};

/* Most shadow pages and chain blocks that one fault, root load or trapped store can use. */
#define SHVM_FAULT_SPS		4
#define SHVM_FAULT_CHAINS	8

/* The frame that entry index of a direct shadow page maps, or starts to map. */
static inline gfn_t sp_direct_gfn(const struct shvm_sp *sp, unsigned int index)
{
	return gfn_add(sp->gfn, index * level_frames(sp->role.level));
}

/*
 * A table of 32-bit entries has 1,024 of them, a shadow page 512: quadrant says which part of the
 * table it shadows. A page directory entry of 4 MiB is two entries of 2 MiB here. So entry index
 * stands for guest entry (quadrant * 512 + index) >> index_shift.
 */
static inline u8 sp_index_shift(union shvm_role role)
{
	if (role.direct)
		return 0;
	return gpt_shift(&shvm_gpt_formats[role.format], role.level) -
	       (SHVM_PAGE_SHIFT + 9 * (role.level - 1));
}

/* The entry that the hardware's walk uses. */
static inline unsigned int sp_index(const struct shvm_sp *sp, gva_t addr)
{
	return (addr.v >> (SHVM_PAGE_SHIFT + 9 * (sp->role.level - 1))) % SHVM_SPT_ENTRIES;
}

static inline unsigned int sp_guest_index(const struct shvm_sp *sp, unsigned int index)
{
	return (sp->role.quadrant * SHVM_SPT_ENTRIES + index) >> sp->index_shift;
}

static inline struct shvm_slots *mmu_slots(struct shvm_mmu *mmu)
{
	return srcu_dereference(mmu->slots, &mmu->srcu);
}

/* Not 0: a store into f may be under way, or one into another frame. */
static inline atomic_t *mmu_writers(struct shvm_mmu *mmu, gfn_t f)
{
	return &mmu->writers[hash_64(f.v, SHVM_WRITERS_BITS)];
}

/* Before an entry becomes live; sp->lock. */
static inline void sp_note_used(struct shvm_sp *sp, unsigned int index)
{
	sp->used |= BIT_ULL(index / SHVM_USED_GROUP);
}

static inline bool sp_group_is_used(const struct shvm_sp *sp, unsigned int index)
{
	return sp->used >> (index / SHVM_USED_GROUP) & 1;
}

/* Bits that are set in any entry of a group, of ours or of a guest's. */
static inline u64 group_any(const u64 *e)
{
	static_assert(SHVM_USED_GROUP == 8);
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
}

/* In a group that is not used no entry is live. Written out: nearly all groups are such. */
static inline void sp_group_set(struct shvm_sp *sp, unsigned int first, u64 spte)
{
	u64 *e = sp->spt + first;

	static_assert(SHVM_USED_GROUP == 8);
	WRITE_ONCE(e[0], spte);
	WRITE_ONCE(e[1], spte);
	WRITE_ONCE(e[2], spte);
	WRITE_ONCE(e[3], spte);
	WRITE_ONCE(e[4], spte);
	WRITE_ONCE(e[5], spte);
	WRITE_ONCE(e[6], spte);
	WRITE_ONCE(e[7], spte);
}

/* --- cache.c --- */
int shvm_cache_fill(struct shvm_mmu_vcpu *mv);		/* 0 or -ENOMEM; may sleep */
/* Enough for what is done with interrupts off. */
static inline bool shvm_cache_is_ready(const struct shvm_mmu_cache *cache)
{
	return cache->table && cache->nr_chain > SHVM_FAULT_CHAINS / 4;
}

void shvm_cache_empty(struct shvm_mmu_vcpu *mv);
void shvm_sp_free(struct shvm_sp *sp);			/* memory of a page that nobody can reach */
/* Address of a block for shvm_chain_add(); the cache holds at least one. */
struct shvm_chain **shvm_cache_chain(struct shvm_mmu_cache *cache);
void shvm_cache_chain_put(struct shvm_mmu_cache *cache);	/* after shvm_chain_add() */

/* --- flush.c --- */
static inline bool shvm_tlb_is_settled(struct shvm_mmu *mmu, u64 owed)
{
	return (u64)atomic64_read_acquire(&mmu->tlb.done) >= owed;
}

/* shvm_mmu_settle() if that takes no interrupt, as every other vCPU is outside the guest. */
bool shvm_mmu_try_settle(struct shvm_mmu_vcpu *mv);

/* A fault's view of the notifier: false = an invalidation is running, retry later. */
bool shvm_inval_begin_read(struct shvm_mmu *mmu, u64 *seq);
bool shvm_inval_is_stale(struct shvm_mmu *mmu, u64 seq);	/* rmap lock of the frame held */

/* --- sp.c --- */
struct hlist_head *shvm_sp_bucket(struct shvm_mmu *mmu, gfn_t f);
/* mmu->lock for reading. NULL: there is none. */
struct shvm_sp *shvm_sp_find(struct shvm_mmu *mmu, gfn_t f, union shvm_role role);
/* mmu->lock for reading, SRCU. NULL: no slot for the table, or the cache is empty. */
struct shvm_sp *shvm_sp_get(struct shvm_mmu_vcpu *mv, gfn_t f, union shvm_role role);
bool shvm_sp_fill(struct shvm_mmu *mmu, struct shvm_sp *sp);	/* sp->lock; false: retry */
/* How many there are; without mmu->lock for writing soon another number. */
u32 shvm_sp_count(const struct shvm_mmu *mmu);

/* mmu->lock for writing. A break ends the list of one CPU only. */
#define shvm_for_each_sp(mmu, sp)					\
	for (int sps_at = 0; sps_at < SHVM_STRIPES; sps_at++)		\
		list_for_each_entry(sp, &(mmu)->sps[sps_at].list, link)

struct shvm_kill_list {
	struct list_head sps;
	bool root_died;
};

/* mmu->lock for writing, until the flush: no entry points to the page any more. */
void shvm_sp_unlink(struct shvm_mmu *mmu, struct shvm_sp *sp);
/* mmu->lock for writing, SRCU: unlink a page from everything. orphans: its children fall too. */
void shvm_sp_kill(struct shvm_mmu *mmu, struct shvm_sp *sp, struct shvm_kill_list *dead,
		  bool orphans);
/* mmu->lock for writing: make vCPUs forget roots, flush, free. */
void shvm_kill_finish(struct shvm_mmu *mmu, struct shvm_kill_list *dead);
/* Since the last call, by the A bits of the entries that lead to it. */
bool shvm_sp_was_used(struct shvm_mmu *mmu, struct shvm_sp *sp);

/* --- entry.c: one entry of a shadow page, sp->lock held --- */
void shvm_entry_drop(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 new);
bool shvm_entry_read_gpte(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 *gpte);
/* The same in two steps, for several entries: where the guest's table is; one entry of it. */
bool shvm_entry_table(struct shvm_mmu *mmu, const struct shvm_sp *sp, hva_t *table);
bool shvm_entry_read(hva_t table, const struct shvm_sp *sp, unsigned int index, u64 *gpte);
/* Point an entry at a child table; child is filled here if it has to be. */
enum shvm_map_result shvm_entry_link(struct shvm_mmu_vcpu *mv, struct shvm_sp *parent,
				     unsigned int index, struct shvm_sp *child, u64 spte);

/* What a leaf should be; everything but the tracked check and the address-space races. */
struct shvm_leaf {
	gfn_t frame;		/* of a large page: the first one */
	struct shvm_host_frame host;	/* the same */
	u64 spte;
	u64 seq;		/* from shvm_inval_begin_read() */
	bool optional;		/* not worth dropping other mappings of a crowded frame */
};

/* Install; W is dropped if the frame is tracked. In a page of level 2 or 3: a large page. */
enum shvm_map_result shvm_entry_install(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp,
					unsigned int index, const struct shvm_leaf *leaf);
/*
 * Map an entry of level 1 that is not live and that nobody asked for yet, if its guest entry (gpte;
 * unused in a direct page) was used before and nothing has to be waited for. Its own A is clear.
 */
void shvm_entry_prefetch(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index,
			 u64 gpte);
/* The guest's entry behind a leaf is another now: follow it, if it still maps the same page. */
bool shvm_entry_adapt(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index, u64 gpte);
u64 shvm_spte_table(const struct shvm_sp *child, u8 acc);
u64 shvm_spte_leaf(union shvm_role role, u8 acc, bool dirty, const struct shvm_host_frame *host,
		   u32 access);

/* --- lookup.c --- */
/* Where an address leads. */
struct shvm_lookup {
	struct shvm_sp *sp;	/* holds the entry that leads to no other table */
	unsigned int index;
	u64 spte;		/* that entry, as it was */
	gfn_t frame;		/* if it is a leaf */
	u64 all, any;	/* bits set in all, in any of the entries on the way; W: but for tracking */
	bool writable;		/* the leaf itself */
};

/* The table that the hardware reads first, or NULL. mmu->lock is held for reading. */
struct shvm_sp *shvm_lookup_root(const struct shvm_mmu_vcpu *mv, gva_t addr);
/*
 * Go the way that the hardware would go now, to the last entry of it; all and any are of the ones
 * before. mmu->lock is held for reading: no table is freed. What is found holds as what the CPU
 * keeps of tables: until the guest flushes. False: there is no root.
 */
bool shvm_lookup_entry(const struct shvm_mmu_vcpu *mv, gva_t addr, struct shvm_lookup *l);

enum shvm_lookup_result {
	SHVM_LOOKUP_NOTHING,	/* known about the fault */
	SHVM_LOOKUP_TRAPPED,	/* only our write protection stopped the store; pf is complete */
	SHVM_LOOKUP_IDLE,	/* the same, and nobody seems to use the table as one any more */
	SHVM_LOOKUP_LET,	/* nothing will stop the next one */
	SHVM_LOOKUP_FAULT,	/* it is the guest's own; pf->guest_error is set */
	SHVM_LOOKUP_MMIO,	/* no memory is there; pf is complete */
	SHVM_LOOKUP_HOST,	/* the guest's entry allows it: the host has to be asked */
};

/* SRCU and mmu->lock for reading are held. */
enum shvm_lookup_result shvm_lookup_store(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf);
/*
 * The host frame behind f, if some SPTE maps it. SRCU is held. As a look at the host's tables it is
 * good as long as no invalidation has begun since shvm_inval_begin_read(), which came before.
 */
bool shvm_lookup_frame(const struct shvm_slot *slot, gfn_t f, struct shvm_host_frame *host);

/* --- told.c --- */
/*
 * The access for which the host has brought a page in is over when the same vCPU's next fault wants
 * another frame: clear A, which was set by it, unless the host has looked meanwhile.
 */
void shvm_told_end(struct shvm_mmu_vcpu *mv, gfn_t next);

/* --- gfn.c --- */
struct shvm_gfn_ref {
	struct shvm_mmu *mmu;
	struct shvm_slot *slot;
	int idx;		/* of SRCU */
};

/* OK: slot and state of the frame stay until put, its use is noted. Else nothing is to be put. */
enum shvm_mem_result shvm_gfn_get(struct shvm_mmu *mmu, gfn_t f, bool write,
				  struct shvm_gfn_ref *ref);
void shvm_gfn_put(struct shvm_gfn_ref *ref);
/* Without noting a use, where SRCU is held anyway and for as long as it is. */
enum shvm_mem_result shvm_gfn_look(struct shvm_mmu *mmu, gfn_t f, bool write,
				   struct shvm_slot **slot);

/* --- mmio.c --- */
static inline u64 *mmio_place(struct shvm_mmu_vcpu *mv, u64 page)
{
	return &mv->mmio_pages[page % SHVM_NR_MMIO_PAGES];
}

/*
 * Does the address lead to no memory, and may the access? Then pf is complete. False says nothing.
 * SRCU and mmu->lock for reading are held.
 */
bool shvm_mmio_lookup(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf);

/* --- large.c --- */
/* The level, at most top, at which the group around f may be mapped now. A hint until installed. */
int shvm_large_level(struct shvm_mmu *mmu, const struct shvm_slot *slot, gfn_t f, int top);
void shvm_large_mapped(struct shvm_mmu *mmu, struct shvm_large *large);	/* head's lock */
/* f becomes a table: the groups around it are torn. Before its own head is looked at. */
void shvm_large_forbid(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f);
void shvm_large_allow(struct shvm_slot *slot, gfn_t f);	/* f is a table less */
/*
 * The group is left in pieces for a while, so that each has an accessed bit of its own. Its lock is
 * held. Returns how many leaves are gone.
 */
u32 shvm_large_tear(struct shvm_mmu *mmu, struct shvm_large *large);
/*
 * mmu->lock for writing: if the groups around f may be whole again and that was wanted, unlink the
 * shadow pages that map their pieces, so that the next access maps them large. Flush before unlock.
 */
void shvm_large_merge(struct shvm_mmu *mmu, gfn_t f);

/* --- tag.c --- */
/* The registers change what a translation allows, or the same root will lead elsewhere. */
void shvm_tags_forget(struct shvm_mmu_vcpu *mv);

/* --- oos.c --- */
/* A trapped store to a table; present: the entry is, now. For the choice of shvm_oos_open(). */
void shvm_oos_note_store(struct shvm_mmu_vcpu *mv, gpa_t at, bool present);
/*
 * A store to a table faulted: should this and the next ones go through without? SRCU and mmu->lock
 * for reading are held. True: SPTEs of the frame may be writable now.
 */
bool shvm_oos_open(struct shvm_mmu_vcpu *mv, struct shvm_slot *slot, gfn_t f);
/*
 * The vCPU flushes: follow the guest's tables in all pages that have changed after since (a value
 * of mmu->oos_notes); 0: all, and have stores trapped again. May sleep, nothing locked.
 */
void shvm_oos_sync(struct shvm_mmu_vcpu *mv, u64 since);
void shvm_oos_sync_addr(struct shvm_mmu_vcpu *mv, gva_t addr);	/* the same for one address */
/* Both with interrupts off. False: not all is done, take the slow way. */
bool shvm_oos_try_sync(struct shvm_mmu_vcpu *mv, u64 since);
bool shvm_oos_try_sync_addr(struct shvm_mmu_vcpu *mv, gva_t addr);
/* With SRCU and mmu->lock for reading held. */
void shvm_oos_sync_addr_locked(struct shvm_mmu_vcpu *mv, gva_t addr);
/*
 * A table will be linked where it was not: nobody has translations by it. What is live in it is new
 * there, also for PCIDs that are not in use now.
 */
void shvm_oos_sync_for_link(struct shvm_mmu_vcpu *mv);
/* sp->lock: a live entry rests on gpte. Does nothing in a page that is in sync. */
void shvm_oos_note(struct shvm_mmu *mmu, struct shvm_sp *sp, unsigned int index, u64 gpte);
u64 shvm_oos_known(const struct shvm_sp *sp, unsigned int index);
/* The page is in sync or dies. mmu->lock for writing, or oos_lock and sp->lock. */
void shvm_oos_put(struct shvm_mmu *mmu, struct shvm_sp *sp);
void shvm_oos_free(struct shvm_mmu *mmu);

/* --- access.c --- */
/* mmu->lock for reading: are there shadows of the table, and does nobody use it as one any more? */
bool shvm_table_is_idle(struct shvm_mmu *mmu, gfn_t f);

/* --- victim.c --- */
#define SHVM_VICTIMS	32

struct shvm_victims {
	u32 nr;
	struct {
		struct shvm_sp *sp;
		u64 rank;		/* the lowest goes first */
	} of[SHVM_VICTIMS];
};

/*
 * mmu->lock for writing: pages that may go, best first; more than want of them if there are, for
 * some may go with others. now: stamp for those that were used since they were looked at last.
 */
void shvm_victims_choose(struct shvm_mmu *mmu, u32 want, u64 now, struct shvm_victims *v);

/* --- host.c --- */
void shvm_zap_leaves(struct shvm_mmu *mmu);	/* all; takes SRCU, may sleep; flushes are owed */

/* --- reclaim.c --- */
int shvm_make_room(struct shvm_mmu_vcpu *mv);	/* SHVM_FAULT_SPS fit the budget; or -ENOMEM */

#endif
