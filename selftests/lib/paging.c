// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds 4-level guest page tables, from outside. Tables come from a pool in low RAM.
 */
#include <string.h>

#include "shvm_test.h"

u64 pt_alloc(struct test_vm *vm)
{
	u64 gpa = vm->pt_next ?: PT_POOL_BASE;

	if (gpa >= PT_POOL_END)
		test_die("the pool of guest page tables is empty");
	vm->pt_next = gpa + PAGE_SIZE;
	memset(vm_hva(vm, gpa), 0, PAGE_SIZE);
	return gpa;
}

u64 guest_pte_gpa(struct test_vm *vm, u64 root, u64 gva, int level)
{
	u64 table = root, entry;
	int i;

	for (i = 4; ; i--) {
		entry = table + (gva >> (12 + 9 * (i - 1)) & 511) * 8;
		if (i == level)
			return entry;
		if (!(*(u64 *)vm_hva(vm, entry) & PTE_P))
			*(u64 *)vm_hva(vm, entry) = pt_alloc(vm) | PTE_P | PTE_W | PTE_U;
		table = *(u64 *)vm_hva(vm, entry) & PTE_ADDR;
	}
}

u64 *guest_pte(struct test_vm *vm, u64 root, u64 gva, int level)
{
	return vm_hva(vm, guest_pte_gpa(vm, root, gva, level));
}

void guest_map(struct test_vm *vm, u64 gva, u64 gpa, u64 flags)
{
	*guest_pte(vm, vm->root, gva, 1) = gpa | flags;
}

void guest_map_range(struct test_vm *vm, u64 gva, u64 gpa, u64 size, u64 flags)
{
	u64 off;

	for (off = 0; off < size; off += PAGE_SIZE)
		guest_map(vm, gva + off, gpa + off, flags);
}

u64 guest_clone_root(struct test_vm *vm, u64 root)
{
	u64 copy = pt_alloc(vm);

	memcpy(vm_hva(vm, copy), vm_hva(vm, root), PAGE_SIZE);
	return copy;
}

void vm_map_hole(struct test_vm *vm, unsigned int nr_pages)
{
	guest_map_range(vm, HOLE_BASE, HOLE_BASE, nr_pages * PAGE_SIZE, PTE_P | PTE_W);
}
