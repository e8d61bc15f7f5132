/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest page tables: formats as data, and the software walk. Reads and marks the guest's tables
 * in the VMM's memory; knows nothing of shadows.
 */
#ifndef SHVM_GPT_H
#define SHVM_GPT_H

#include "mmu.h"

/* Bits of a guest entry, the same in every format (SDM 4.3-4.5). */
#define GPTE_P		BIT_ULL(0)
#define GPTE_W		BIT_ULL(1)
#define GPTE_U		BIT_ULL(2)
#define GPTE_A		BIT_ULL(5)
#define GPTE_D		BIT_ULL(6)
#define GPTE_PS		BIT_ULL(7)
#define GPTE_NX		BIT_ULL(63)

/* #PF error code (SDM 4.7). */
#define PFEC_P		BIT(0)
#define PFEC_W		BIT(1)
#define PFEC_U		BIT(2)
#define PFEC_RSVD	BIT(3)
#define PFEC_I		BIT(4)

/* Rights that a walk accumulates; also role.access. */
#define GPT_ACC_W	BIT(0)
#define GPT_ACC_U	BIT(1)
#define GPT_ACC_X	BIT(2)
#define GPT_ACC_ALL	(GPT_ACC_W | GPT_ACC_U | GPT_ACC_X)

/* One paging mode. Adding a mode is adding a row. */
struct shvm_gpt {
	u8 levels;		/* of tables in memory; 0: no tables */
	u8 index_bits;
	u8 entry_bytes;
	u8 large;		/* bit n: an entry of level n may map a large page */
	bool has_nx;		/* bit 63 is NX if EFER.NXE, else reserved */
	bool pse;		/* large pages need CR4.PSE; address bits above 31 are in 20:13 */
	bool pdptes;		/* above the top level, four entries in registers */
	u64 root;		/* address bits of CR3 */
	u64 frame;		/* address bits of an entry */
	u64 reserved;		/* bits that are reserved whatever the mode */
};

extern const struct shvm_gpt shvm_gpt_formats[SHVM_NR_GPT_FORMATS];

enum gpt_walk_result {
	GPT_WALK_OK,
	GPT_WALK_FAULT,		/* the guest's own fault: error */
	GPT_WALK_HOST,		/* the host cannot provide a table: -EFAULT */
	GPT_WALK_NOMEM,		/* not now: -ENOMEM */
	GPT_WALK_RETRY,		/* the tables kept changing */
};

/* A walk is a value: arguments, then what it found. Arrays are indexed by level. */
struct shvm_gpt_walk {
	gva_t addr;
	u32 access;			/* SHVM_ACCESS_* */

	u32 error;			/* for WALK_FAULT */
	u8 leaf;			/* level of the entry that maps the page; 1 = 4 KiB */
	gfn_t table[GPT_TOP + 1];	/* frame of the table at each level */
	u64 gpte[GPT_TOP + 1];		/* entries as they are now, A and D included */
	u8 acc[GPT_TOP + 1];		/* rights accumulated down to each level, it included */
	gfn_t frame;			/* the 4 KiB frame that addr leads to */
	bool absent;			/* a table is not in memory: it reads as all ones */
	bool dirty;			/* leaf has D, or is written and D cannot be set there */
};

enum shvm_gpt_format shvm_gpt_format(const struct shvm_paging *p);

/**
 * shvm_gpt_walk - what would the CPU do with this access?
 * @mv: paging state and CR3 of the vCPU
 * @walk: addr and access are filled in
 *
 * Sets A on the way and D in the leaf as the CPU does: only if the access is allowed, atomically,
 * not in read-only memory. May sleep; takes SRCU inside; no lock held.
 */
enum gpt_walk_result shvm_gpt_walk(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *walk);

/* The same without sleeping and without setting A and D. */
enum gpt_walk_result shvm_gpt_look(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *walk);

/*
 * Does the entry of a page table alone make an access the guest's own fault, with this error code,
 * whatever rights the tables above give? False: not known.
 */
bool shvm_gpt_entry_denies(const struct shvm_mmu_vcpu *mv, u64 gpte, u32 access, u32 *error);

/*
 * A walk has set A or D in entry index of a table of 32-bit entries; access.c. Elsewhere that is
 * the same A or D of whoever uses the table, too.
 */
void shvm_table_marked(struct shvm_mmu_vcpu *mv, gfn_t table, unsigned int index);

static inline unsigned int gpt_shift(const struct shvm_gpt *g, int level)
{
	return SHVM_PAGE_SHIFT + g->index_bits * (level - 1);
}

static inline unsigned int gpt_index(const struct shvm_gpt *g, gva_t addr, int level)
{
	return (addr.v >> gpt_shift(g, level)) & ((1u << g->index_bits) - 1);
}

/* Levels with large pages. */
static inline u8 gpt_large(const struct shvm_gpt *g, bool cr4_pse)
{
	return g->pse && !cr4_pse ? 0 : g->large;
}

static inline bool gpte_is_large(u64 gpte, int level, u8 large)
{
	return (gpte & GPTE_PS) && (large & BIT(level));
}

/* The frame that an entry leads to: of a table or of the first 4 KiB of a page. */
static inline gfn_t gpte_frame(const struct shvm_gpt *g, u64 gpte, int level, bool is_large)
{
	u64 addr = gpte & g->frame;

	if (is_large)
		addr &= ~((1ULL << gpt_shift(g, level)) - 1);
	if (is_large && g->pse)
		addr |= (gpte & GENMASK_ULL(20, 13)) << (32 - 13);
	return gfn(addr >> SHVM_PAGE_SHIFT);
}

/* Large pages and reserved bits of a paging mode. */
struct shvm_gpt_mode shvm_gpt_mode(const struct shvm_paging *p);

/* U, W, X of one entry. */
static inline u8 gpte_access(u64 gpte, bool nx)
{
	u8 acc = 0;

	if (gpte & GPTE_W)
		acc |= GPT_ACC_W;
	if (gpte & GPTE_U)
		acc |= GPT_ACC_U;
	if (!nx || !(gpte & GPTE_NX))
		acc |= GPT_ACC_X;
	return acc;
}

#endif
