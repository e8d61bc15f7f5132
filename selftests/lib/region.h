/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A region of guest addresses whose page tables belong to the test: one table per level, known to
 * guest code by their guest-physical addresses, which are its own addresses for them too. Outside
 * of REGION a test's mappings stay as vm_create() made them.
 */
#ifndef SHVM_SELFTESTS_REGION_H
#define SHVM_SELFTESTS_REGION_H

#include <stdlib.h>

#include "shvm_test.h"

#define REGION		0x100000000000ul	/* the first 2 MiB are behind region.pt */
#define REGION_SLOT	(REGION >> 39 & 511)	/* its entry in the top level */
#define FRAME		0x600000ul		/* 2 MiB of RAM for what REGION maps */
#define FRAME_SIZE	0x200000ul
#define PAGE(n)		(FRAME + (n) * PAGE_SIZE)

#define PF_P		(1ull << 0)
#define PF_W		(1ull << 1)
#define PF_U		(1ull << 2)
#define PF_RSVD		(1ull << 3)
#define PF_I		(1ull << 4)

#define PTE_TABLE	(PTE_P | PTE_W | PTE_U)

static GUEST_DATA struct {
	u64 root, pdpt, pd, pt;
} region;

/* Makes the tables; nothing is mapped at the lowest level. */
static inline void region_make(struct test_vm *vm)
{
	typeof(region) *r = vm_sym(vm, region);

	r->root = vm->root;
	r->pdpt = vm_alloc_pages(vm, 1);
	r->pd = vm_alloc_pages(vm, 1);
	r->pt = vm_alloc_pages(vm, 1);
	((u64 *)vm_hva(vm, r->root))[REGION_SLOT] = r->pdpt | PTE_TABLE;
	*(u64 *)vm_hva(vm, r->pdpt) = r->pd | PTE_TABLE;
	*(u64 *)vm_hva(vm, r->pd) = r->pt | PTE_TABLE;
}

/* Each page of FRAME holds its own address in its first word. */
static inline void region_fill(struct test_vm *vm)
{
	u64 i;

	for (i = 0; i < FRAME_SIZE; i += PAGE_SIZE)
		*(u64 *)vm_hva(vm, FRAME + i) = FRAME + i;
}

/* reg: 0 to 3 for EAX to EDX */
static inline u32 region_cpuid_reg(u32 function, int reg)
{
	struct shvm_cpuid2 *cpuid = test_supported_cpuid();
	u32 ret = 0;
	int i;

	for (i = 0; i < cpuid->nent; i++) {
		const struct shvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == function && !e->index)
			ret = (&e->eax)[reg];
	}
	free(cpuid);
	return ret;
}

static inline bool region_cpuid_has(u32 function, int reg, int bit)
{
	return region_cpuid_reg(function, reg) >> bit & 1;
}

/* The physical-address width of a guest that was not told another one. */
static inline u32 region_phys_bits(void)
{
	return region_cpuid_reg(0x80000008, 0) & 0xff;
}

GUEST_INLINE volatile u64 *entry_of(u64 table, u64 index)
{
	return (volatile u64 *)table + index;
}

#endif
