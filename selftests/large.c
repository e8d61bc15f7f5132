// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages of the guest on huge pages of the host: mapped as one, torn when the guest makes a
 * table in them or the host takes a part away, and put together again; in every paging format.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "huge.h"
#include "probe.h"
#include "shvm_test.h"

#define SLOT		5
#define GPA		0xc0000000ul	/* aligned to 1 GiB */
#define SIZE		(2 * HUGE_SIZE)
#define GVA		0x100000000000ul
#define ALIAS		(GVA + 0x40000000ul)
#define LARGE		(PTE_P | PTE_W | PTE_PS)
#define NR_PAGES	(HUGE_SIZE / PAGE_SIZE)
#define FEW		8	/* faults: far fewer than pages */

FIXTURE(large)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 *hva;		/* NULL: the kernel has no huge pages */
};

FIXTURE_SETUP(large)
{
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	self->hva = huge_area(SIZE);
	if (!self->hva || !huge_is(self->hva)) {
		self->hva = NULL;
		return;
	}
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, self->hva));
	*guest_pte(self->vm, self->vm->root, GVA, 2) = GPA | LARGE;
	*guest_pte(self->vm, self->vm->root, GVA + HUGE_SIZE, 2) = (GPA + HUGE_SIZE) | LARGE;
}

FIXTURE_TEARDOWN(large)
{
	vm_free(self->vm);
}

#define NEED_HUGE	if (!self->hva) SKIP(return, "the kernel gives no transparent huge pages")

/* ---- what the guest does when it is told to ---- */

/* Page i gets, or must have, the value first + i. */
GUEST_CODE static void guest_fill(u64 gva, u64 first)
{
	u64 i;

	for (i = 0; i < NR_PAGES; i++)
		guest_write64(gva + i * PAGE_SIZE, first + i);
	GUEST_SYNC(0);
}

GUEST_CODE static void guest_check(u64 gva, u64 first)
{
	u64 i;

	for (i = 0; i < NR_PAGES; i++)
		GUEST_ASSERT_EQ(first + i, guest_read64(gva + i * PAGE_SIZE));
	GUEST_SYNC(0);
}

GUEST_CODE static void guest_flush(u64 gva)
{
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
	GUEST_SYNC(0);
}

static u64 guest(struct test_vcpu *vcpu, const void *fn, u64 gva, u64 arg)
{
	vcpu_set_entry(vcpu, fn, gva, arg);
	if (vcpu_run(vcpu) != EXIT_SYNC)
		test_die("the guest failed at %#lx", (long)gva);
	return vcpu->uc[0];
}

/* Whether the guest filled all pages by few faults, that is, through one shadow entry. */
static bool filled_by_few(struct test_vcpu *vcpu, u64 gva, u64 first)
{
	u64 before = vm_stats(vcpu->vm).pf_fixed;

	guest(vcpu, guest_fill, gva, first);
	return vm_stats(vcpu->vm).pf_fixed - before <= FEW;
}

/* ---- whole and in pieces ---- */

TEST_F(large, one_fault_maps_all)
{
	u64 maps = vm_stats(self->vm).large_maps;
	int i;

	NEED_HUGE;
	EXPECT_TRUE(filled_by_few(self->vcpu, GVA, 100));
	if (test_is_shvm())
		EXPECT_LT(maps, vm_stats(self->vm).large_maps);
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(100 + i, self->hva[i * 512]);
	guest(self->vcpu, guest_check, GVA, 100);
}

/* A clean large page takes its first store as a fault, and gets D by it. */
TEST_F(large, dirty_and_clean_aliases)
{
	u64 *clean = guest_pte(self->vm, self->vm->root, ALIAS, 2);
	u64 *dirty = guest_pte(self->vm, self->vm->root, GVA, 2);

	NEED_HUGE;
	*clean = GPA | LARGE;
	guest(self->vcpu, guest_write, GVA, 1);
	EXPECT_EQ(PTE_A | PTE_D, *dirty & (PTE_A | PTE_D));
	EXPECT_EQ(1, guest(self->vcpu, guest_read, ALIAS, 0));
	EXPECT_EQ(PTE_A, *clean & (PTE_A | PTE_D));
	guest(self->vcpu, guest_write, ALIAS + 8, 2);
	EXPECT_EQ(PTE_A | PTE_D, *clean & (PTE_A | PTE_D));
	EXPECT_EQ(1, self->hva[0]);
	EXPECT_EQ(2, self->hva[1]);
}

#define TABLE_PAGE	7ul	/* of the group, where the guest makes a table */

/* The guest's stores through the large page change what the table maps. */
TEST_F(large, table_inside)
{
	u64 table = GPA + TABLE_PAGE * PAGE_SIZE, entry = GVA + TABLE_PAGE * PAGE_SIZE;
	u64 *pde = guest_pte(self->vm, self->vm->root, ALIAS, 2);
	u64 splits, i;

	NEED_HUGE;
	splits = vm_stats(self->vm).large_splits;
	guest(self->vcpu, guest_fill, GVA, 100);
	guest(self->vcpu, guest_fill, GVA + HUGE_SIZE, 1000);
	for (i = 0; i < 4; i++)
		guest(self->vcpu, guest_write, entry + i * 8,
		      (GPA + HUGE_SIZE + i * PAGE_SIZE) | PTE_P | PTE_W);
	*pde = table | PTE_P | PTE_W;
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1000 + i, guest(self->vcpu, guest_read, ALIAS + i * PAGE_SIZE, 0));
	if (test_is_shvm())
		EXPECT_EQ(splits + 1, vm_stats(self->vm).large_splits);
	EXPECT_EQ(0, vm_audit(self->vm));
	for (i = 0; i < 4; i++) {
		guest(self->vcpu, guest_write, entry + i * 8,
		      (GPA + HUGE_SIZE + (i + 10) * PAGE_SIZE) | PTE_P | PTE_W);
		guest(self->vcpu, guest_flush, ALIAS + i * PAGE_SIZE, 0);
		EXPECT_EQ(1010 + i, guest(self->vcpu, guest_read, ALIAS + i * PAGE_SIZE, 0));
	}
	EXPECT_EQ(101, guest(self->vcpu, guest_read, GVA + PAGE_SIZE, 0));
}

/* When the last table in it is gone, a large page is whole again. */
TEST_F(large, whole_again)
{
	u64 *pde = guest_pte(self->vm, self->vm->root, ALIAS, 2);
	u64 i;

	NEED_HUGE;
	if (!test_is_shvm())
		SKIP(return, "the device does not count large mappings");
	guest(self->vcpu, guest_write, GVA + TABLE_PAGE * PAGE_SIZE,
	      (GPA + HUGE_SIZE) | PTE_P | PTE_W);
	*pde = (GPA + TABLE_PAGE * PAGE_SIZE) | PTE_P | PTE_W;
	guest(self->vcpu, guest_write, ALIAS, 5);
	EXPECT_FALSE(filled_by_few(self->vcpu, GVA + HUGE_SIZE - PAGE_SIZE * 500, 200));
	guest(self->vcpu, guest_write, guest_pte_gpa(self->vm, self->vm->root, ALIAS, 2), 0);
	/* It is written like memory that is no table any more. */
	for (i = 0; i < 64; i++)
		guest(self->vcpu, guest_write, GVA + TABLE_PAGE * PAGE_SIZE + i * 8, i);
	EXPECT_EQ(0, vm_audit(self->vm));
	EXPECT_TRUE(filled_by_few(self->vcpu, GVA, 300));
	guest(self->vcpu, guest_check, GVA, 300);
}

/* ---- the host takes a part, or makes a whole ---- */

TEST_F(large, one_page_discarded)
{
	const int page = 3;
	int i;

	NEED_HUGE;
	guest(self->vcpu, guest_fill, GVA, 100);
	ASSERT_EQ(0, madvise(self->hva + page * 512, PAGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, vm_audit(self->vm));
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(i == page ? 0 : 100 + i,
			  guest(self->vcpu, guest_read, GVA + i * PAGE_SIZE, 0));
	guest(self->vcpu, guest_write, GVA + page * PAGE_SIZE, 9);
	EXPECT_EQ(9, self->hva[page * 512]);
}

TEST_F(large, one_page_protected)
{
	const int page = 5;

	NEED_HUGE;
	guest(self->vcpu, guest_fill, GVA, 100);
	ASSERT_EQ(0, mprotect(self->hva + page * 512, PAGE_SIZE, PROT_READ));
	EXPECT_EQ(0, vm_audit(self->vm));
	EXPECT_EQ(105, guest(self->vcpu, guest_read, GVA + page * PAGE_SIZE, 0));
	guest(self->vcpu, guest_write, GVA + (page + 1) * PAGE_SIZE, 8);
	vcpu_set_entry(self->vcpu, guest_write, GVA + page * PAGE_SIZE, 7);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	EXPECT_EQ(105, self->hva[page * 512]);
	ASSERT_EQ(0, mprotect(self->hva + page * 512, PAGE_SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(7, self->hva[page * 512]);
}

TEST_F(large, swapped)
{
	int i;

	NEED_HUGE;
	guest(self->vcpu, guest_fill, GVA, 100);
	/* Those that were used lately are spared once. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_PAGEOUT));
	EXPECT_EQ(0, vm_audit(self->vm));
	guest(self->vcpu, guest_check, GVA, 100);
}

/* Small pages that the host makes one huge page of. */
TEST_F(large, collapsed)
{
	u64 small;
	int i;

	NEED_HUGE;
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_NOHUGEPAGE));
	small = vm_stats(self->vm).pf_fixed;
	guest(self->vcpu, guest_fill, GVA, 100);
	if (test_is_shvm())
		EXPECT_LT(small + FEW, vm_stats(self->vm).pf_fixed);
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_HUGEPAGE));
	if (madvise(self->hva, HUGE_SIZE, MADV_COLLAPSE))
		SKIP(return, "the kernel makes no huge page: %s", strerror(errno));
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(100 + i, self->hva[i * 512]);
	EXPECT_TRUE(filled_by_few(self->vcpu, GVA, 100));
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* ---- slots that are not what large pages would like ---- */

/* Half of the guest's large page is memory; its other half must not be reached through it. */
TEST_F(large, half_a_page)
{
	NEED_HUGE;
	vm_del_slot(self->vm, SLOT);
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, HUGE_SIZE / 2, self->hva));
	guest(self->vcpu, guest_write, GVA, 1);
	guest(self->vcpu, guest_write, GVA + HUGE_SIZE / 2 - PAGE_SIZE, 2);
	vcpu_set_entry(self->vcpu, guest_write, GVA + HUGE_SIZE / 2, 3);
	EXPECT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(GPA + HUGE_SIZE / 2, self->vcpu->run->mmio.phys_addr);
	EXPECT_EQ(0, self->hva[NR_PAGES / 2 * 512]);
	EXPECT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
}

/* The frames are not aligned to the host's huge pages as the guest's large page is. */
TEST_F(large, shifted)
{
	u64 maps;
	int i;

	NEED_HUGE;
	vm_del_slot(self->vm, SLOT);
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, HUGE_SIZE, self->hva + 512));
	maps = vm_stats(self->vm).large_maps;
	guest(self->vcpu, guest_fill, GVA, 100);
	EXPECT_EQ(maps, vm_stats(self->vm).large_maps);
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(100 + i, self->hva[(i + 1) * 512]);
}

/* Reads are served by the host's huge page, stores are the VMM's. */
TEST_F(large, read_only)
{
	NEED_HUGE;
	vm_del_slot(self->vm, SLOT);
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, SHVM_MEM_READONLY, GPA, SIZE, self->hva));
	self->hva[512] = 4;
	EXPECT_EQ(4, guest(self->vcpu, guest_read, GVA + PAGE_SIZE, 0));
	vcpu_set_entry(self->vcpu, guest_write, GVA + PAGE_SIZE, 5);
	EXPECT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(4, self->hva[512]);
}

/* ---- races ---- */

static int pause_ctl(struct test_vm *vm, u32 op, u64 on)
{
	struct shvm_debug_ctl ctl = { .op = op, .arg = { SHVM_PAUSE_FAULT_MAP, on } };

	return __vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
}

static void *run_once(void *arg)
{
	struct test_vcpu *vcpu = arg;

	vcpu->thread_result = vcpu_run(vcpu);
	return NULL;
}

/* A fault has seen a huge page when a part of it becomes read-only. */
TEST_F(large, split_before_it_is_mapped)
{
	const int page = 11;

	NEED_HUGE;
	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	guest(self->vcpu, guest_flush, GVA, 0);
	ASSERT_EQ(0, pause_ctl(self->vm, SHVM_DEBUG_PAUSE, 1));
	vcpu_set_entry(self->vcpu, guest_write, GVA, 1);
	ASSERT_EQ(0, pthread_create(&self->vcpu->thread, NULL, run_once, self->vcpu));
	ASSERT_EQ(0, pause_ctl(self->vm, SHVM_DEBUG_PAUSE_WAIT, 0));
	ASSERT_EQ(0, mprotect(self->hva + page * 512, PAGE_SIZE, PROT_READ));
	ASSERT_EQ(0, pause_ctl(self->vm, SHVM_DEBUG_PAUSE, 0));
	ASSERT_EQ(EXIT_SYNC, vcpu_join(self->vcpu));
	EXPECT_EQ(1, self->hva[0]);
	vcpu_set_entry(self->vcpu, guest_write, GVA + page * PAGE_SIZE, 2);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	EXPECT_EQ(0, self->hva[page * 512]);
	EXPECT_EQ(0, vm_audit(self->vm));
}

static GUEST_DATA volatile u64 stop, rounds;

GUEST_CODE static void guest_watches(u64 gva, u64 first)
{
	u64 i;

	asm volatile("sti");
	while (!stop) {
		for (i = 0; i < NR_PAGES; i += 37)
			GUEST_ASSERT_EQ(first + i, guest_read64(gva + i * PAGE_SIZE));
		rounds++;
	}
	GUEST_DONE();
}

#define TOGGLES	200

/* The entry is a large page and a table with the same frames, in turn. */
GUEST_CODE static void guest_toggles(u64 entry, u64 table)
{
	u64 i, start;

	asm volatile("sti");
	for (i = 0; i < TOGGLES; i++) {
		*(volatile u64 *)entry = i & 1 ? GPA | LARGE : table;
		for (start = rounds; rounds < start + 2; )
			asm volatile("pause");
	}
	stop = 1;
	GUEST_DONE();
}

TEST_F(large, size_toggles_under_another_vcpu)
{
	struct test_vcpu *other = vcpu_create(self->vm, 1, NULL);
	u64 entry = guest_pte_gpa(self->vm, self->vm->root, GVA, 2), table, i;

	NEED_HUGE;
	table = vm_alloc_pages(self->vm, 1);
	for (i = 0; i < NR_PAGES; i++)
		((u64 *)vm_hva(self->vm, table))[i] = (GPA + i * PAGE_SIZE) | PTE_P | PTE_W;
	guest(self->vcpu, guest_fill, GVA, 100);
	vcpu_set_entry(other, guest_watches, GVA, 100);
	vcpu_set_entry(self->vcpu, guest_toggles, entry, table | PTE_P | PTE_W);
	vcpu_start(other);
	vcpu_start(self->vcpu);
	EXPECT_EQ(EXIT_DONE, vcpu_join(self->vcpu));
	EXPECT_EQ(EXIT_DONE, vcpu_join(other));
}

/* ---- 1 GiB ---- */

#define GIANT_SIZE	0x40000000ul
#define GIANT_GPA	0x100000000ul
#define GIANT_GVA	0x200000000000ul
#define GIANT_DIR	"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
#define MAP_GIANT	(MAP_HUGETLB | 30 << 26)

static void giant_pages(int nr)
{
	FILE *f = fopen(GIANT_DIR, "w");

	if (!f)
		return;
	fprintf(f, "%d", nr);
	fclose(f);
}

/* A few pages far apart by one entry, and in pieces of 2 MiB when there is a table in one. */
TEST_F(large, giant_page)
{
	u64 table = GIANT_GPA + 5 * HUGE_SIZE, faults, maps, i;
	char *hva;

	giant_pages(1);
	hva = mmap(NULL, GIANT_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GIANT, -1, 0);
	if (hva == MAP_FAILED || !region_cpuid_has(0x80000001, 3, 26))
		SKIP(return, "no page of 1 GiB from the kernel, or the guest's CPU");
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT + 1, 0, GIANT_GPA, GIANT_SIZE, hva));
	*guest_pte(self->vm, self->vm->root, GIANT_GVA, 3) = GIANT_GPA | LARGE;
	guest(self->vcpu, guest_write, GIANT_GVA, 1);
	faults = vm_stats(self->vm).pf_fixed;
	for (i = 0; i < 512; i += 8)
		guest(self->vcpu, guest_write, GIANT_GVA + i * HUGE_SIZE + i * 8, i);
	for (i = 0; i < 512; i += 8)
		ASSERT_EQ(i, *(u64 *)(hva + i * HUGE_SIZE + i * 8));
	EXPECT_GE(faults + FEW, vm_stats(self->vm).pf_fixed);
	/* The entries of the table are the guest's stores through the large page. */
	maps = vm_stats(self->vm).large_maps;
	*guest_pte(self->vm, self->vm->root, ALIAS, 2) = table | PTE_P | PTE_W;
	for (i = 0; i < 4; i++) {
		guest(self->vcpu, guest_write, GIANT_GVA + 5 * HUGE_SIZE + i * 8,
		      (GIANT_GPA + (8 + i) * HUGE_SIZE) | PTE_P | PTE_W);
		guest(self->vcpu, guest_flush, ALIAS + i * PAGE_SIZE, 0);
		guest(self->vcpu, guest_write, ALIAS + i * PAGE_SIZE, 77 + i);
		EXPECT_EQ(77 + i, guest(self->vcpu, guest_read,
					GIANT_GVA + (8 + i) * HUGE_SIZE, 0));
	}
	if (test_is_shvm())
		EXPECT_LE(maps + 4, vm_stats(self->vm).large_maps);
	EXPECT_EQ(0, vm_audit(self->vm));
	vm_del_slot(self->vm, SLOT + 1);
	munmap(hva, GIANT_SIZE);
	giant_pages(0);
}

/* ---- other paging formats ---- */

static void formats_check(struct __test_metadata *_metadata, struct test_vm *vm, u64 *hva,
			  int format)
{
	struct probe *p = probe_create(vm, 0);
	struct paging *paging = NULL;
	u64 maps = vm_stats(vm).large_maps, faults;
	u32 i, gva = GPA;

	if (format != FORMAT_OFF) {
		gva = 0x80000000;
		paging = paging_create(vm, format);
		probe_map(p, paging);
		format_set(vm, format, paging_entry(paging, gva, 2), GPA | LARGE);
		probe_add_cr4(p, p->env.cr4 | CR4_PSE);
		probe_add_enter(p, paging);
	}
	ASSERT_EQ(0, probe_run(p));
	faults = vm_stats(vm).pf_fixed;
	for (i = 0; i < NR_PAGES; i += 5) {
		hva[i * 512] = i;
		probe_add_read(p, gva + i * PAGE_SIZE, i);
		probe_add(p, PROBE_WRITE, gva + i * PAGE_SIZE + 8, i + 1);
	}
	EXPECT_EQ(0, probe_run(p));
	for (i = 0; i < NR_PAGES; i += 5)
		ASSERT_EQ(i + 1, hva[i * 512 + 1]);
	if (!test_is_shvm())
		return;
	EXPECT_LT(maps, vm_stats(vm).large_maps);
	EXPECT_GT(faults + 2 * FEW, vm_stats(vm).pf_fixed);
}

TEST_F(large, every_format)
{
	int format;

	NEED_HUGE;
	for (format = FORMAT_OFF; format < NR_FORMATS; format++) {
		struct test_vm *vm = vm_create();

		ASSERT_EQ(0, __vm_set_slot(vm, SLOT, 0, GPA, SIZE, self->hva));
		formats_check(_metadata, vm, self->hva, format);
		vm_del_slot(vm, SLOT);		/* or the memory would go with the VM */
		vm_free(vm);
	}
}

SHVM_TEST_MAIN
