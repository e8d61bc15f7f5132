/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shadow MMU as the layers above see it (vm, vcpu, x86, vmx, mmu_notifier).
 * What it needs from them is src/mmu/arch.h. Locks: src/mmu/locks.h; theory: docs/mmu.md.
 */
#ifndef SHVM_MMU_H
#define SHVM_MMU_H

#include "mmu_types.h"

/* Outcome of a shadow page fault. */
enum shvm_pf_result {
	SHVM_PF_FIXED,		/* mapped: enter the guest again */
	SHVM_PF_RETRY,		/* something moved: enter again, the fault may come back */
	SHVM_PF_REFLECT,	/* the guest's own fault: inject #PF with pf->guest_error */
	SHVM_PF_EMULATE,	/* MMIO (no slot, or a write to read-only memory), or a table */
	SHVM_PF_USER,		/* host memory is not there: RUN returns -EFAULT */
	SHVM_PF_NOMEM,		/* budget or host memory is exhausted: RUN returns -ENOMEM */
	SHVM_PF_UNKNOWN,	/* shvm_mmu_try_fault() only: shvm_mmu_fault() will tell */
};

struct shvm_pf {
	/* in */
	gva_t addr;
	u32 error;		/* as VT-x reports it */
	u32 flags;		/* SHVM_ACCESS_IMPLICIT (CPL 3, not a user access), _AC */
	/* out */
	u32 guest_error;	/* REFLECT: the error code that the guest must see */
	gpa_t gpa;		/* EMULATE: where addr leads */
	bool tracked;		/* EMULATE: because the page holds a shadowed table */
};

/* Why memory is accessed, for the software walk (emulator). */
#define SHVM_ACCESS_WRITE	BIT(1)	/* same bits as the #PF error code */
#define SHVM_ACCESS_USER	BIT(2)
#define SHVM_ACCESS_FETCH	BIT(4)
#define SHVM_ACCESS_IMPLICIT	BIT(8)	/* implicit supervisor access: AC does not excuse */
#define SHVM_ACCESS_AC		BIT(9)	/* EFLAGS.AC is set */

/* Outcome of an access to guest-physical memory. */
enum shvm_mem_result {
	SHVM_MEM_OK,
	SHVM_MEM_MMIO,		/* no slot, or a write to a read-only slot */
	SHVM_MEM_FAULT,		/* the host cannot provide the page: -EFAULT to user space */
	SHVM_MEM_NOMEM,		/* no memory for shadow structures: -ENOMEM to user space */
	SHVM_MEM_LOST,		/* compare-exchange only: the old value did not match */
	SHVM_MEM_RETRY,		/* something moved: enter the guest again */
};

/* Techniques that can be turned off, before the first VM is created (mmu.c). */
extern bool shvm_mmu_oos;		/* page tables go out of sync */
extern bool shvm_mmu_prefetch;		/* a fault maps more than what it is about */
extern bool shvm_mmu_fifo;		/* recycle the oldest shadow pages, used or not */
extern bool shvm_mmu_last_entry;	/* a fault looks for the last entry before it walks */

/* --- VM life (mmu.c) --- */
int shvm_mmu_module_init(void);
void shvm_mmu_module_exit(void);
int shvm_mmu_init(struct shvm_mmu *mmu);
void shvm_mmu_destroy(struct shvm_mmu *mmu);		/* no vCPU is left, no notifier can call */
int shvm_mmu_vcpu_init(struct shvm_mmu *mmu, struct shvm_mmu_vcpu *mv);
void shvm_mmu_vcpu_destroy(struct shvm_mmu_vcpu *mv);

/* --- vCPU: paging state and roots (root.c, pcid.c) --- */

/* The registers that decide how the guest translates. Any change but CR3 and CPL. */
void shvm_mmu_set_paging(struct shvm_mmu_vcpu *mv, const struct shvm_paging *p);

/*
 * Guest loads CR3 (value without bit 63) by MOV, or PDPTEs must be reloaded; noflush: bit 63 was
 * set and CR4.PCIDE is on. The root changes at the next shvm_mmu_prepare().
 */
void shvm_mmu_load_cr3(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush);

/*
 * The same with interrupts off: true if a cached root serves the load, and shvm_mmu_root() is
 * already the new one. False: nothing happened, take the slow way.
 */
bool shvm_mmu_try_load_cr3(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush);

/*
 * PAE paging keeps the four entries above the page directories in registers (SDM 4.4.1). Read them
 * from memory as p, which need not be the current mode, and CR3 say. 0; 1: a present one has a
 * reserved bit, #GP; -EFAULT, -ENOMEM: the host cannot provide the memory; -EAGAIN: a slot change
 * is under way, or a signal. May sleep; changes nothing.
 */
int shvm_mmu_read_pdptes(struct shvm_mmu_vcpu *mv, const struct shvm_paging *p, u64 cr3,
			 u64 pdpte[SHVM_PAE_ROOTS]);
/* The registers change. The root does at the next shvm_mmu_prepare(). */
void shvm_mmu_set_pdptes(struct shvm_mmu_vcpu *mv, const u64 pdpte[SHVM_PAE_ROOTS]);

void shvm_mmu_flush_all(struct shvm_mmu_vcpu *mv);	/* CR4.PGE, PCIDE, CR0.PG ... changes */
void shvm_mmu_invlpg(struct shvm_mmu_vcpu *mv, gva_t addr);

/*
 * The same with interrupts off, without a lock that is waited for. False: nothing happened, take
 * the slow way. set_pge: CR4 becomes cr4, which differs in PGE alone; shvm_mmu_set_paging() is
 * then not needed.
 */
bool shvm_mmu_try_flush_all(struct shvm_mmu_vcpu *mv);
bool shvm_mmu_try_invlpg(struct shvm_mmu_vcpu *mv, gva_t addr);
bool shvm_mmu_try_set_pge(struct shvm_mmu_vcpu *mv, u64 cr4);

/*
 * Before entering the guest, interrupts on: make sure that a root is loaded. 0; -ENOMEM; -EFAULT:
 * CR3 points outside memory (triple fault); -EAGAIN: a slot change, an invalidation or a store to
 * the root table is under way: look at signals and requests, then call again.
 */
int shvm_mmu_prepare(struct shvm_mmu_vcpu *mv);
static inline hpa_t shvm_mmu_root(const struct shvm_mmu_vcpu *mv)	/* for CR3 in the VMCS */
{
	return mv->root_hpa;
}

/*
 * TLB tags (tag.c), for CPUs with VPID. With interrupts off, after the vCPU has declared itself in
 * the guest: while the epoch is still that of the last call, the tag in use may be used again.
 */
static inline u64 shvm_mmu_tlb_epoch(const struct shvm_mmu_vcpu *mv)
{
	/* The guest of the load-time test has no MMU of ours. */
	if (!mv->mmu)
		return 0;
	return shvm_striped_sum(&mv->mmu->tlb.owed);
}

static inline bool shvm_mmu_tag_is_stale(const struct shvm_mmu_vcpu *mv)
{
	return mv->tag_epoch != shvm_mmu_tlb_epoch(mv);
}

/* Which tag is for the current root; false: what the TLB holds under it must not be used. */
bool shvm_mmu_use_tag(struct shvm_mmu_vcpu *mv, unsigned int *slot);

void shvm_mmu_root_obsolete(struct shvm_mmu_vcpu *mv);	/* on SHVM_REQ_RELOAD_ROOT */

/* --- faults and accesses; may sleep; vcpu thread with SRCU not held (fault.c, access.c) --- */
enum shvm_pf_result shvm_mmu_fault(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf);

/**
 * shvm_mmu_try_fault - handle a #PF exit with interrupts off, by what the shadow tables know
 * @mv: the faulting vCPU
 * @pf: in and out, see struct shvm_pf
 *
 * Waits for nothing and no memory; sets no A or D.
 * Return: FIXED; REFLECT; EMULATE: nothing is done or counted yet; or UNKNOWN.
 */
enum shvm_pf_result shvm_mmu_try_fault(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf);

/*
 * Faults without an exit. A #PF of the hardware with P = 0 is the guest's own, in every mode and
 * at every moment, and its error code is the one that the guest must see, but for I/D: does a fetch
 * set it in a guest with these registers (SDM 4.7)? The hardware runs with NXE, so it always does.
 */
bool shvm_mmu_fetch_is_told(u64 cr4, u64 efer);

/**
 * shvm_mmu_rescue - end a fault without an exit that is none any more
 * @mv: a vCPU; its thread, nothing locked, may sleep
 * @addr: of its last fault, or any other
 *
 * What the VMM or a device stores in a guest's table is not seen, so the shadow may say "not
 * present" where the table does not any more. Then the next access exits. Called now and then.
 */
void shvm_mmu_rescue(struct shvm_mmu_vcpu *mv, gva_t addr);

/*
 * Translate one linear address for software. access: SHVM_ACCESS_*. Sets guest A/D like the CPU.
 * 0 and *out; or 1 and *error = #PF error code; or -EFAULT when a guest table is unreachable.
 */
int shvm_mmu_translate(struct shvm_mmu_vcpu *mv, gva_t addr, u32 access, gpa_t *out, u32 *error);

/*
 * The same for code that the vCPU runs, by the shadow tables alone: true if they lead there and
 * let that mode fetch. False says nothing. May sleep as little as a fault in them.
 */
bool shvm_mmu_lookup_code(struct shvm_mmu_vcpu *mv, gva_t addr, bool user, gpa_t *out);

/**
 * shvm_mmu_peek - where is memory that the guest's kernel may read, by the shadow tables alone?
 * @mv: in the entry loop: interrupts off, its vCPU counts as in the guest, in long mode
 * @addr: linear address
 * @fetch: it is code
 * @out: host address of it, within a page
 *
 * Takes no lock. The answer is good as long as shvm_mmu_rights_lost() stays what it was before the
 * call and shvm_mmu_peek_holds(), on this root or any other. The frame may be read until the loop
 * ends: who takes it away raises the former, and then waits for vCPUs that are in the guest.
 * Return: false: not known, or a page of the user.
 */
bool shvm_mmu_peek(struct shvm_mmu_vcpu *mv, gva_t addr, bool fetch, struct shvm_peek *out);

static inline u64 shvm_mmu_rights_lost(const struct shvm_mmu_vcpu *mv)
{
	/* Before what is read by an old answer. The loop had a full barrier behind its mode. */
	return shvm_tlb_owed(&mv->mmu->tlb);
}

/* In long mode a vCPU in the guest has a root. */
static inline bool shvm_mmu_peek_holds(const struct shvm_mmu_vcpu *mv, const struct shvm_peek *p)
{
	return !((READ_ONCE(mv->root->spt[p->index]) ^ p->top) & ~SPTE_A);
}

/* Rights were lost: does the answer hold all the same, from now on? Cheaper than to ask again. */
bool shvm_mmu_peek_again(const struct shvm_mmu_vcpu *mv, const struct shvm_peek *p);

/*
 * Accesses that wait for nothing, also with interrupts off, between begin and end. Begin: false:
 * the lock is taken. The others: false or RETRY: not now, nothing is done. at: within a page.
 */
bool shvm_mmu_try_begin(struct shvm_mmu_vcpu *mv, int *idx);
void shvm_mmu_end(struct shvm_mmu_vcpu *mv, int idx);
bool shvm_mmu_lookup_code_now(struct shvm_mmu_vcpu *mv, gva_t addr, bool user, gpa_t *out);
bool shvm_mmu_read_now(struct shvm_mmu *mmu, gpa_t at, void *buf, u32 len);
/* A store to a table that was trapped; old is not NULL: compare-exchange. */
enum shvm_mem_result shvm_mmu_table_store_now(struct shvm_mmu_vcpu *mv, gpa_t at, const void *old,
					      const void *new, u32 len);

/* Guest-physical accesses within one page. Writes keep the shadow of tables exact. */
enum shvm_mem_result shvm_mmu_read(struct shvm_mmu *mmu, gpa_t at, void *buf, u32 len);
enum shvm_mem_result shvm_mmu_write(struct shvm_mmu_vcpu *mv, gpa_t at, const void *buf, u32 len);
enum shvm_mem_result shvm_mmu_cmpxchg(struct shvm_mmu_vcpu *mv, gpa_t at, const void *old,
				      const void *new, u32 len);	/* 1, 2, 4, 8, 16 */

/* Drop every shadow of a guest table so that plain stores reach it. True: something was dropped. */
bool shvm_mmu_unshadow(struct shvm_mmu *mmu, gfn_t table);

/* --- the host's side: frames of a slot, SRCU held (host.c) --- */

/**
 * shvm_mmu_unmap - the host takes frames away: no SPTE maps one, no shadow rests on its contents
 * @mmu: of the VM; shvm_mmu_invalidate_begin() was called
 * @slot: holds all of them
 * @first: the first one
 * @n: how many
 *
 * TLBs may go on: shvm_mmu_settle() follows.
 */
void shvm_mmu_unmap(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n);

/**
 * shvm_mmu_age - was one of the frames used since the last time?
 * @mmu: of the VM
 * @slot: holds all of them
 * @first: the first one
 * @n: how many
 * @clear: forget it, without a flush
 *
 * Return: how many were, a large page over any of them being one; without @clear 1 if any was.
 * The other frames below such a large page are asked for later: none of its uses is forgotten.
 */
u32 shvm_mmu_age(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n, bool clear);

/* The memory behind frames has gone for good: nobody was there yet. After shvm_mmu_unmap(). */
void shvm_mmu_forget_age(struct shvm_slot *slot, gfn_t first, u64 n);

/* --- the working set (working_set.c) --- */

/* An answer: tenths of a second since the last use that was seen, or one of these; and flags. */
#define SHVM_WS_AGE		((u32)BIT(30) - 1)
#define SHVM_WS_AGE_MOST	(SHVM_WS_AGE - 2)
#define SHVM_WS_AGE_NEVER	(SHVM_WS_AGE - 1)	/* no use was seen */
#define SHVM_WS_AGE_NO_MEMORY	SHVM_WS_AGE		/* no slot */
#define SHVM_WS_AGE_TABLE	((u32)BIT(30))	/* is a table: what the CPU walks is not seen */
#define SHVM_WS_AGE_LARGE	((u32)BIT(31))	/* of the whole large page */

/**
 * shvm_mmu_working_set - when was each frame used last?
 * @mmu: of the VM
 * @first: the first one
 * @n: how many, below SHVM_MAX_GFN; bounded by who calls, as they are looked at in one SRCU section
 * @tear: so many large pages that are in use may be left in pieces; counted down
 * @out: an answer for each
 *
 * Nothing is locked; may sleep. What the host will be told does not change.
 */
void shvm_mmu_working_set(struct shvm_mmu *mmu, gfn_t first, u64 n, u32 *tear, u32 *out);

/* --- VM-wide (mmu.c, reclaim.c); may sleep --- */
void shvm_mmu_zap_all(struct shvm_mmu *mmu);		/* no SPTE is left and no TLB holds one */
void shvm_mmu_settle(struct shvm_mmu *mmu);	/* until no TLB holds a right that was taken */
void shvm_mmu_slots_changed(struct shvm_mmu *mmu);	/* new table is published: default budget */
/* Around a slot's removal: faults that looked it up before do not install. */
void shvm_mmu_invalidate_begin(struct shvm_mmu *mmu);
void shvm_mmu_invalidate_end(struct shvm_mmu *mmu);
int shvm_mmu_set_budget(struct shvm_mmu *mmu, u64 pages);	/* 0: default from guest size */
u64 shvm_mmu_budget(const struct shvm_mmu *mmu);
/*
 * Give up to want pages to others; how many went. may_wait: else the locks are only tried, and
 * nothing sleeps, for whoever needs memory while he holds any lock but ours of rank 5 and more.
 */
u32 shvm_mmu_give(struct shvm_mmu *mmu, u32 want, bool may_wait);
s64 shvm_mmu_pages_of_all(void);	/* of all VMs */
bool shvm_mmu_starves(struct shvm_mmu_vcpu *mv, u64 at);
/* Shadow pages: how many, the most since the last reset; what comes now may count twice. */
void shvm_mmu_count_pages(const struct shvm_mmu *mmu, u64 *now, u64 *most);
void shvm_mmu_reset_peaks(struct shvm_mmu *mmu);

/* Shadow pages of a kind, from 0 to SHVM_NR_SP_KINDS - 1; of which level, format, direct it is. */
u32 shvm_mmu_count_kind(const struct shvm_mmu *mmu, unsigned int kind, union shvm_role *role);

/* Bytes in slots, bytes of their reverse maps without chains. */
void shvm_mmu_count_memory(struct shvm_mmu *mmu, u64 *guest, u64 *rmap);
int shvm_mmu_audit(struct shvm_mmu *mmu);	/* debug: 0 or -EUCLEAN; vCPUs are stopped */

/* --- memory slots: rmap/slot.h; the table is swapped by memslot.c under slots_lock --- */

#endif
