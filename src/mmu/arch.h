/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that src/mmu and src/rmap need from above: the VMM's memory, host frames, table
 * pages, and the vCPUs. Implemented by src/mmu_glue.c in the module and by tests/host.
 */
#ifndef SHVM_ARCH_H
#define SHVM_ARCH_H

#include "mmu_types.h"

/* --- the VMM's memory; the calling thread runs in the VMM's address space --- */

/* 0 or -EFAULT: not resident. */
int shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len);
int shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len);
/*
 * The first quadword at offset from or more, below len, in which memory differs from known: its
 * offset; len if there is none; -EFAULT: not resident.
 */
int shvm_arch_diff_user_atomic(hva_t at, const u64 *known, u32 from, u32 len);
/* 512 quadwords: where one is odd, out gets mark; else out, which is zeroed, stays as it is. */
int shvm_arch_scan_table_atomic(hva_t at, u64 *out, u64 mark);
/* 0; -EFAULT: no memory there, or not for this; -ENOMEM; -EINTR. May sleep. */
int shvm_arch_read_user(hva_t at, void *buf, u32 len);
int shvm_arch_fault_in(hva_t at, bool write);	/* make the page resident */

/*
 * Compare-exchange of 1, 2, 4, 8 or 16 aligned bytes, atomic against every CPU.
 * 0: exchanged; 1: the old value did not match; -EFAULT: not resident or not writable. No sleep.
 */
int shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len);

/* --- host frames behind it. No reference is kept: the notifier protocol protects the result --- */

struct shvm_host_frame {
	hfn_t hfn;
	bool writable;		/* may be mapped writable; the page was marked dirty */
	bool faulted_in;	/* by shvm_arch_host_frame(), for this access */
};

/* 0; -EFAULT: no memory there or it cannot be mapped; -ENOMEM; -EINTR. May sleep. */
int shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out);
bool shvm_arch_host_frame_atomic(hva_t at, bool write, struct shvm_host_frame *out);

/*
 * Does the host's own entry for the page say that it was used? Then the host will know of every use
 * until now. A sample. No sleep.
 */
bool shvm_arch_host_is_young(struct shvm_mmu *mmu, hva_t at);

/*
 * How large is the host's own mapping of at: 1, 2 or 3, not more than the CPU can do. More than 1
 * only if it still maps host->hfn there, and all of it is writable if host->writable. A sample:
 * good for nothing unless no invalidation has begun since host was looked up. No sleep.
 */
int shvm_arch_host_level(struct shvm_mmu *mmu, hva_t at, const struct shvm_host_frame *host);

/* Debug module: between shvm_arch_host_frame() and mapping; a test may hold the thread. Sleeps. */
#if defined(SHVM_DEBUG) && defined(__KERNEL__)
void shvm_arch_pause_mapping(struct shvm_mmu *mmu);
#else
static inline void shvm_arch_pause_mapping(struct shvm_mmu *mmu) { }
#endif

/* --- table pages, zeroed, charged to the VMM's memory cgroup; low: below 4 GiB --- */

u64 *shvm_arch_table_alloc(bool low);
void shvm_arch_table_free(u64 *table);
hpa_t shvm_arch_table_hpa(const u64 *table);
/* The shadow page that owns a table: by any entry of it, and by its physical address. */
void shvm_arch_table_set_owner(u64 *table, struct shvm_sp *sp);
struct shvm_sp *shvm_arch_table_owner(hpa_t table);

/* --- vCPUs of the VM --- */

/*
 * When it returns, every vCPU has left the guest at least once since the call began, or was
 * outside; and sees all earlier stores before it enters again: with an empty TLB, or by a tag that
 * shvm_mmu_use_tag() lets it use. Waits for IPIs: interrupts on, no lock of rank 6 or more.
 */
void shvm_arch_flush(struct shvm_mmu *mmu);

/*
 * Is every vCPU but the calling one, mv, outside the guest? Then shvm_arch_flush() would have
 * nothing to do: they will see all earlier stores before they enter.
 */
bool shvm_arch_flush_is_free(const struct shvm_mmu_vcpu *mv);

/* Every vCPU calls shvm_mmu_root_obsolete() before it enters the guest again. Does not wait. */
void shvm_arch_reload_roots(struct shvm_mmu *mmu);

/* Is it loaded on a vCPU? mmu->lock is held for writing; a hint for the reclaimer. */
bool shvm_arch_root_in_use(struct shvm_mmu *mmu, const struct shvm_sp *sp);

/*
 * The limit of the module: make room for so many more shadow pages, taken from any VM. May sleep,
 * nothing locked. 0; -ENOMEM: all that is left is in use.
 */
int shvm_arch_make_room(u32 want);

/* An invariant of ours is broken: stop this VM for good. why stays. */
void shvm_arch_broken(struct shvm_mmu *mmu, const char *why);

/* mmu->low is another. Does not wait; any lock may be held. */
void shvm_arch_low_changed(struct shvm_mmu *mmu);

#endif
