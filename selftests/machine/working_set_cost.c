// SPDX-License-Identifier: GPL-2.0-only
/*
 * For bench/working-set: what SHVM_GET_WORKING_SET costs, by what the guest has done with the
 * pages. Prints "row NAME PAGES TICKS" for one call; in the emulated machine with one CPU a tick of
 * the TSC is one instruction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "huge.h"
#include "shvm_test.h"

#define NR_PAGES	16384ul
#define SIZE		(NR_PAGES * PAGE_SIZE)
#define SLOT		5
#define GPA		0xc0000000ul
#define GVA		0x100000000000ul
#define HOLE		0x10000000000ul

GUEST_CODE static void guest_uses(u64 gva, u64 nr)
{
	u64 i;

	for (i = 0; i < nr; i++)
		guest_read64(gva + i * PAGE_SIZE);
	GUEST_SYNC(0);
}

static void use(struct test_vcpu *vcpu, u64 nr)
{
	if (vcpu_call(vcpu, guest_uses, GVA, nr) != EXIT_SYNC)
		test_die("the guest failed");
}

static void measure(struct test_vm *vm, const char *row, u64 gpa)
{
	static u32 age[NR_PAGES];
	struct shvm_working_set ws = {
		.first_page = gpa / PAGE_SIZE, .nr_pages = NR_PAGES, .ages = (u64)age,
	};
	u64 start, ticks;

	start = __rdtsc();
	vm_ioctl(vm, SHVM_GET_WORKING_SET, &ws);
	ticks = __rdtsc() - start;
	printf("row %s %lu %llu\n", row, NR_PAGES, (unsigned long long)ticks);
}

static void measure_small(void)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, NULL);
	char *hva = vm_add_ram(vm, SLOT, 0, GPA, SIZE);
	u64 i;

	if (madvise(hva, SIZE, MADV_NOHUGEPAGE))
		test_die("MADV_NOHUGEPAGE");
	memset(hva, 1, SIZE);
	/* The array of answers is there, and what else the first call needs. */
	measure(vm, "first", GPA);
	measure(vm, "no-memory", HOLE);
	measure(vm, "never-used", GPA);
	for (i = 0; i < NR_PAGES; i++)
		guest_map(vm, GVA + i * PAGE_SIZE, GPA + i * PAGE_SIZE, PTE_P | PTE_W);
	use(vcpu, NR_PAGES);
	measure(vm, "used-since", GPA);
	measure(vm, "idle", GPA);
	use(vcpu, NR_PAGES / 2);
	measure(vm, "half-used", GPA);
	vm_free(vm);
}

static void measure_large(void)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, NULL);
	char *hva = huge_area(SIZE);
	u64 i;

	if (!hva || !huge_is(hva))
		test_die("no huge pages");
	if (__vm_set_slot(vm, SLOT, 0, GPA, SIZE, hva))
		test_die("no slot");
	for (i = 0; i < SIZE; i += HUGE_SIZE)
		*guest_pte(vm, vm->root, GVA + i, 2) = (GPA + i) | PTE_P | PTE_W | PTE_PS;
	use(vcpu, NR_PAGES);
	measure(vm, "large-used", GPA);
	vm_free(vm);
}

int main(int argc, char **argv)
{
	test_options(argc, argv);
	measure_small();
	measure_large();
	return 0;
}
