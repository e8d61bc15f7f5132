/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data of the shadow MMU: per VM, per vCPU, per shadow page. Only src/mmu, src/rmap and the
 * user-space build look inside. Which lock guards what: the group headings; order: locks.h.
 */
#ifndef SHVM_MMU_TYPES_H
#define SHVM_MMU_TYPES_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>

#include "../rmap/rmap.h"
#include "../rmap/slot.h"
#include "../types.h"

#define SHVM_SPT_ENTRIES	512
#define SHVM_USED_GROUP		8	/* entries for which a bit of sp->used stands */
#define SHVM_NR_CACHED_ROOTS	16	/* of a vCPU */
#define SHVM_DEAD_ROOTS		16	/* that a VM remembers */
#define SHVM_NR_PCIDS		16	/* PCIDs that a vCPU keeps at most */
#define SHVM_NR_TLB_TAGS	8	/* VPIDs that a vCPU uses at a time, at most */
#define SHVM_PAE_ROOTS		4
#define SHVM_NR_MMIO_PAGES	8	/* that a vCPU remembers */

/* How a guest entry is decoded; index into the descriptor table of gpt.c. */
enum shvm_gpt_format {
	SHVM_GPT_NONE,		/* CR0.PG = 0: linear = physical */
	SHVM_GPT_32,
	SHVM_GPT_PAE,
	SHVM_GPT_64,
	SHVM_GPT_57,		/* 5-level: walked, but no guest is offered LA57 */
	SHVM_NR_GPT_FORMATS
};

/* The registers that decide how a guest translates; CR3 is handed over on its own. */
struct shvm_paging {
	u64 cr0, cr4, efer;
	u8 maxphyaddr;		/* guest's, from CPUID: 32..52 */
	bool gbpages;		/* guest may use 1 GiB pages */
	bool pse36;		/* 4 MiB pages may lie above 4 GiB */
};

#define GPT_TOP		5	/* highest level of any format */

/* What follows from them for each step of a walk: gpt.c, shvm_gpt_mode(). */
struct shvm_gpt_mode {
	u8 large;				/* bit n: PS of an entry of level n counts */
	u64 reserved[GPT_TOP + 1][2];		/* by level, and by size: large page or not */
};

/*
 * What makes two shadows of one frame different. No access bits of the walk for CR0.WP = 1: each
 * level carries its own and the hardware combines them. docs/mmu.md, "Role".
 */
union shvm_role {
	u32 word;
	struct {
		u32 level : 3;		/* 1 = page table ... 4 = PML4 */
		u32 format : 3;		/* enum shvm_gpt_format of the guest table */
		u32 quadrant : 2;	/* which part of a 32-bit guest table; 0 otherwise */
		u32 direct : 1;		/* entries follow from base frame + index, no guest table */
		u32 nx : 1;		/* EFER.NXE */
		u32 wp : 1;		/* CR0.WP */
		u32 pse : 1;		/* CR4.PSE, two-level guests only */
		u32 smep_nowp : 1;	/* CR4.SMEP && !CR0.WP */
		u32 smap_nowp : 1;	/* CR4.SMAP && !CR0.WP */
		u32 access : 3;		/* CR0.WP = 0 only: U, W, X accumulated above this table */
		u32 clean : 1;		/* CR0.WP = 0 and direct: the large guest page has D = 0 */
		u32 pae_host : 1;	/* hardware walks PAE tables (guest outside long mode) */
	};
};

/* A leaf table of the guest whose stores are not trapped, as one of its shadow pages knows it. */
struct shvm_oos {
	struct shvm_sp *sp;		/* NULL: free; mmu->oos_lock, or mmu->lock for writing */
	u64 *known;			/* the guest's entries that sp rests on; sp->lock */
	u64 noted;			/* mmu->oos_notes at the last live entry; sp->lock */
	u64 since, groups;		/* those with an entry noted later than since; sp->lock */
	/* mmu->oos_lock. */
	bool closing;			/* stores are to be trapped again: */
	u64 owed;			/* they are when tlb.done has reached this */
	u8 rounds;			/* syncs since then */
};

#define SHVM_OOS_MAX	16

/* One shadow table. */
struct shvm_sp {
	/* Constant after creation. */
	gfn_t gfn;			/* guest table, or first frame mapped (direct) */
	union shvm_role role;
	u8 index_shift;			/* entry i is part of guest entry i >> index_shift */
	u64 *spt;			/* 512 entries in a page of its own */
	u32 *gfns;			/* not direct: (first) frame of each leaf; sp->lock */

	struct hlist_node hash;		/* bucket lock to add, mmu->lock for writing to remove */

	spinlock_t lock;		/* rank 6: entries become present, fields below */
	u64 used;			/* bit n: entries from 8 n on may be live, 8 of them */
	bool filled;			/* all entries were classified once */
	bool crowded;			/* as many parents as a chain may hold: to be dropped */
	u8 writes;			/* trapped stores since the last sign of use */
	u64 tlb_owed;			/* not filled before mmu->tlb.done has reached this */
	/* Break before make: when the last table, the last large page left an entry here. */
	u64 table_owed, large_owed;
	unsigned long parents;		/* chain of entries that point here, see chain.h */
	struct shvm_oos *oos;		/* out of sync; mmu->oos_lock, too, to change */

	u64 stamp;			/* sp_stamp() of the last load or fault; racy by design */
	bool is_root;			/* was loaded as a root once: pinned until recycled */

	/* Changed by who adds the next page: not in a cache line with what faults read. */
	struct list_head link;		/* shvm_sps.list */
	u64 born;			/* mmu->era at creation */
};

/* Shadow pages are counted by level, format and direct. */
#define SHVM_NR_SP_KINDS	64

/*
 * The shadow pages that one CPU has made (with more than SHVM_STRIPES CPUs some share one), so that
 * who makes one fetches no cache line of another CPU.
 */
struct shvm_sps {
	spinlock_t lock;		/* rank 6a: to add */
	u32 added;			/* ever; lock */
	u32 added_kind[SHVM_NR_SP_KINDS];	/* of these, by sp_kind() */
	struct list_head list;		/* oldest first; lock, or mmu->lock for writing */
} ____cacheline_aligned_in_smp;

/* So often a list says in mmu->sps_bound that it grows; a power of two. */
#define SHVM_SPS_STEP	16

struct shvm_bucket {
	spinlock_t lock;		/* rank 6a */
	struct hlist_head head;
};

#define SHVM_HASH_BITS		11
#define SHVM_WRITERS_BITS	8

/* Counters of what is rare; written by anyone, read without a lock. */
struct shvm_mmu_stats {
	atomic64_t unshadows;		/* guest frames whose shadows were dropped for a store */
	atomic64_t reclaimed;		/* shadow pages recycled for whatever reason */
	atomic64_t given;		/* of these: to the host or to other VMs */
	atomic64_t zap_all;
	atomic64_t tlb_flushes;		/* flush rounds over all vCPUs */
	atomic64_t cr3_slow;		/* CR3 loads that no cached root served */
	atomic64_t inv_calls, age_calls;	/* notifier callbacks */
	atomic64_t aged_young;
	atomic64_t large_maps;		/* large pages mapped */
	atomic64_t large_splits;	/* groups torn because a frame became a table */
	atomic64_t oos_opens;		/* tables let go out of sync */
	atomic64_t oos_changes;		/* entries that had changed when they were compared */
	atomic64_t pf_rescued;		/* stale notrap entries that shvm_mmu_rescue() has found */
};

/* So often shvm_mmu.clock advances; a power of two. */
#define SHVM_CLOCK_STEP	32

/* A group that begins a cache line keeps what is written off those who only read the one before. */
struct shvm_mmu {
	/* Slot table: SRCU to read, vm->slots_lock to replace. */
	struct srcu_struct srcu;
	struct shvm_slots __rcu *slots;

	struct shvm_bucket *hash;	/* [1 << SHVM_HASH_BITS] by gfn */
	u32 budget;			/* most shadow pages */
	bool budget_is_set;		/* by user space; else it follows the slots */
	bool crowded;			/* an SP is; before the next fault it goes */
	bool long_chains;		/* one outgrew SHVM_CHAIN_LONG since the last zap */
	bool low;			/* the budget was used up, and is not free enough yet */
	u32 chain_longest;		/* most leaves of a head since the last reset; cmpxchg */
	struct shvm_inval inval;	/* docs/locking.md "Notifier" */
	atomic_t nr_oos;
	/* Raised under lock (write) by each root that dies; which one: never looked into. */
	u64 root_gen;
	const struct shvm_sp *dead_roots[SHVM_DEAD_ROOTS];	/* by root_gen */

	/* Rank 5, locks.h: with all locks of vCPUs to unlink and free, one of these to map. */
	spinlock_t lock ____cacheline_aligned_in_smp;
	struct list_head vcpus;		/* lock */

	/* Advances with faults, by what a vCPU has counted; coarse use stamps. */
	u64 clock ____cacheline_aligned_in_smp;

	/* As many as were added to all lists, each rounded up, less those that are gone. */
	atomic_t sps_bound ____cacheline_aligned_in_smp;
	/* Changed with lock (write). */
	u32 sps_gone;			/* shadow pages that were removed, ever */
	u32 gone_kind[SHVM_NR_SP_KINDS];	/* of these, by sp_kind() */
	u32 sps_max;			/* most when one was removed, since the last reset */
	u64 era;			/* calls of shvm_mmu_zap_all() */
	struct shvm_sps sps[SHVM_STRIPES];	/* every shadow page */
	/* The next one that is looked at for recycling, or the end of its list. */
	struct list_head *hand;
	u32 hand_at;			/* sps[] of it */

	/* Stores by software under way into frames, by a hash of them; full barriers. */
	atomic_t writers[1 << SHVM_WRITERS_BITS] ____cacheline_aligned_in_smp;

	spinlock_t oos_lock ____cacheline_aligned_in_smp;	/* rank 5a */
	struct shvm_oos oos[SHVM_OOS_MAX];
	atomic64_t oos_notes;		/* entries that became live in pages out of sync */

	struct shvm_tlb tlb;		/* docs/locking.md "Flushes": publish -> flush -> use */
	struct shvm_striped leaves;	/* present leaf SPTEs */
	struct shvm_mmu_stats stats;
};

/* Preallocated objects, so that a fault never allocates under a lock. */
struct shvm_mmu_cache {
	struct shvm_sp *sp[8];		/* headers with their table (and gfns) */
	int nr_sp;
	struct shvm_chain *chain[8];
	int nr_chain;
	u64 *table;			/* for what is known of a table out of sync */
};

/* Valid only while roots_gen is current. */
struct shvm_cached_root {
	u64 table;			/* where CR3 points; SHVM_NO_TABLE: free */
	struct shvm_sp *sp;
	hpa_t hpa;			/* of its shadow table */
};

#define SHVM_NO_TABLE	(~0ULL)

/* Where a page of the guest's kernel is: shvm_mmu_peek(). */
struct shvm_peek {
	u64 top;			/* entry of the root on the way there */
	u32 index;			/* of it */
	u32 nr;				/* entries below, the last one is a leaf */
	struct {
		u64 *at;		/* good while the entry above is the same */
		u64 spte;
	} way[3];
	hpa_t at;
};

/* Virtual PCID: translations made under this CR3, PCID included, may be kept. */
struct shvm_pcid {
	u64 cr3;			/* SHVM_NO_TABLE: free */
	u64 left;			/* mmu->oos_notes when another was loaded */
};

/*
 * Copy on write: an entry is cleared, flushed by INVLPG and set, then another one of the table.
 * Counted as long as CR3 is not loaded.
 */
struct shvm_replaced {
	gpa_t at;			/* last trapped store to a table */
	bool cleared;			/* was one of an absent entry */
	u32 nr;				/* entries, one after the other */
	u64 loads;			/* stats.cr3_fast at the first */
};

#define SHVM_NO_EPOCH		(~0ULL)
#define SHVM_NO_PAGE		(~0ULL)

/* What the TLB may hold under a tag: translations by one root, good while the epoch is the same. */
struct shvm_tlb_tag {
	u64 root;			/* SHVM_NO_TABLE: free */
	u64 epoch;			/* shvm_mmu_tlb_epoch() when it was used last */
};

/* Counters of what is frequent, or done with interrupts off; written by the vCPU's thread alone. */
struct shvm_mmu_vcpu_stats {
	u64 pf_fixed, pf_retry, pf_reflect, pf_emulate, pf_user, pf_nomem;
	u64 table_writes;		/* trapped stores to guest tables */
	u64 cr3_fast;			/* CR3 loads served by a cached root */
};

/* Everything is the vCPU thread's own, if not said otherwise. */
struct shvm_mmu_vcpu {
	struct shvm_mmu *mmu;
	struct list_head link;		/* mmu->vcpus; mmu->lock */
	spinlock_t lock;		/* mmu->lock for reading: shvm_lock_mmu_read() */
	struct shvm_paging paging;
	struct shvm_gpt_mode gpt_mode;
	u64 cr3;			/* guest value without bit 63 */
	u64 pdpte[SHVM_PAE_ROOTS];	/* guest's, PAE paging only: registers, not memory */
	union shvm_role root_role;

	bool root_is_loaded;		/* else shvm_mmu_prepare() must run */
	hpa_t root_hpa;			/* what the CR3 field of the VMCS gets */
	struct shvm_sp *root;		/* 4-level; NULL: none. Others look, too: is it in use? */
	struct shvm_sp *pae_sp[SHVM_PAE_ROOTS];	/* PAE: directories; NULL: absent. The same */
	u64 *pae_root;			/* 4 PDPTEs in a page below 4 GiB; NULL until needed */
	u64 *pae_trap;			/* a directory of traps, for one that is not in memory */
	u64 roots_gen;			/* mmu->root_gen when root and roots[] were looked up */
	struct shvm_cached_root roots[SHVM_NR_CACHED_ROOTS];
	struct shvm_cached_root *root_hint[SHVM_NR_CACHED_ROOTS];	/* by a hash: look first */
	int next_root;			/* victim for the next miss */
	struct shvm_pcid pcids[SHVM_NR_PCIDS];	/* by a hash of the PCID */
	struct shvm_pcid *pcid;		/* of the current CR3 */
	struct shvm_tlb_tag tags[SHVM_NR_TLB_TAGS];	/* by a hash of the root */
	u64 tag_epoch;			/* of the one in use; SHVM_NO_EPOCH: none is */
	u64 idle_notes, idle_loads;	/* mmu->oos_notes, and loads of CR3 since it was that */
	u64 told_frame;			/* brought in for the last fault; SHVM_NO_PAGE: none */
	u64 host_asked;			/* page of a fault of which only the host knows more */
	u64 fixed_page;			/* of the last fault, if there was something to map */
	u64 denied_page;		/* of the last fault that was the guest's without a walk */
	bool denied_last;		/* nothing has been mapped or stored since that one */
	u64 mmio_pages[SHVM_NR_MMIO_PAGES];	/* by a hash: where no memory was lately; a hint */
	struct shvm_mmu_vcpu_stats stats;
	struct shvm_replaced replaced;
	u64 ticks;			/* faults that mmu->clock does not know of yet */
	u64 starved_at;			/* shvm_mmu_starves() */
	u32 starved;			/* faults since then that took tables from a tiny budget */

	struct shvm_mmu_cache cache;
};

#endif
