/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The computers that are measured: VMs whose memory is one array, and vCPUs, each with tables and
 * pages of its own. A vCPU's accesses walk the shadow tables as hardware does and fault until they
 * lead somewhere. No TLB: each fault empties it anyway.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "mmu/arch.h"
#include "mmu/mmu.h"

/* Guest tables of a vCPU; linear page n of its data is entry n % 512 of page table n / 512. */
#define NR_PTS		512
#define NR_DENSE	16	/* of these map 512 pages each, the others one */
#define ENTRIES		512
#define DATA_BASE	0ULL
#define PTS_BASE	0xffff800000000000ULL	/* where the kernel has the page tables of all */

struct vcpu {
	struct shvm_mmu_vcpu mv;
	struct machine *machine;
	int id;
	u64 first;		/* its first frame */
	u64 faults;		/* calls of shvm_mmu_fault() */
	u64 again;		/* of these: for an access that had faulted before */
	u64 stores;		/* emulated */
} __attribute__((aligned(2 * CACHE_LINE)));

struct machine {
	struct shvm_mmu mmu;
	u8 *memory;
	int nr_vcpus;
	int running;		/* vCPUs that are in the guest most of the time */
	struct vcpu vcpu[] __attribute__((aligned(2 * CACHE_LINE)));
};

struct machine *machine_create(int nr_vcpus);
void tables_init(void);		/* first of all */

u64 *guest_pte(struct vcpu *v, u64 page);
gfn_t data_frame(const struct vcpu *v, u64 page);

/* Linear page of the data; by user code. */
void vcpu_touch(struct vcpu *v, u64 page);
/* The guest's kernel changes the entry of a page by its mapping of the page tables. */
void vcpu_set_pte(struct vcpu *v, u64 page, u64 pte);
void vcpu_unmap(struct vcpu *v, bool tables);	/* its data; and its tables, with their shadows */
void vcpu_read_pts(struct vcpu *v);	/* so that their mapping has shadows */

#endif
