// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots as the guest sees them: made, deleted, moved, replaced and read-only, before, after
 * and during guest accesses. Arguments that are refused: abi.c.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define SLOT		5
#define GPA		HOLE_BASE
#define NR_PAGES	8
#define SIZE		(NR_PAGES * PAGE_SIZE)
#define NOTHING		0xeeeeeeeeeeeeeeeeull	/* what reads of absent memory are answered with */

FIXTURE(slots)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	struct shvm_run *run;
};

FIXTURE_SETUP(slots)
{
	self->vm = vm_create();
	vm_map_hole(self->vm, 2 * NR_PAGES);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(slots)
{
	vm_free(self->vm);
}

static void *anonymous(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		test_die("no memory");
	return p;
}

/* Answers MMIO reads with NOTHING until something else happens. */
static int run_without_memory(struct test_vcpu *vcpu, int *accesses)
{
	int ret;

	while ((ret = vcpu_run(vcpu)) == SHVM_EXIT_MMIO) {
		if (accesses)
			++*accesses;
		if (!vcpu->run->mmio.is_write)
			memset(vcpu->run->mmio.data, 0xee, 8);
	}
	return ret;
}

static u64 read_by_guest(struct test_vcpu *vcpu, u64 gva)
{
	vcpu_set_entry(vcpu, guest_read, gva, 0);
	if (run_without_memory(vcpu, NULL) != EXIT_SYNC)
		test_die("the guest did not finish its read");
	return vcpu->uc[0];
}

/* Number of MMIO exits that it took. */
static int write_by_guest(struct test_vcpu *vcpu, u64 gva, u64 value)
{
	int accesses = 0;

	vcpu_set_entry(vcpu, guest_write, gva, value);
	if (run_without_memory(vcpu, &accesses) != EXIT_SYNC)
		test_die("the guest did not finish its write");
	return accesses;
}

TEST_F(slots, host_and_guest_share_memory)
{
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int page;

	for (page = 0; page < NR_PAGES; page++) {
		hva[page * 512] = 0x1111 * page;
		EXPECT_EQ(0x1111 * page, read_by_guest(self->vcpu, GPA + page * PAGE_SIZE));
		EXPECT_EQ(0, write_by_guest(self->vcpu, GPA + page * PAGE_SIZE + 8, page + 7));
		EXPECT_EQ(page + 7, hva[page * 512 + 1]);
	}
}

TEST_F(slots, memory_comes_and_goes)
{
	u64 *hva = anonymous(SIZE);
	int i;

	for (i = 0; i < 20; i++) {
		EXPECT_EQ(NOTHING, read_by_guest(self->vcpu, GPA));
		EXPECT_EQ(1, write_by_guest(self->vcpu, GPA, 1));
		hva[0] = i;
		ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, hva));
		EXPECT_EQ(i, read_by_guest(self->vcpu, GPA));
		EXPECT_EQ(0, write_by_guest(self->vcpu, GPA, i + 100));
		EXPECT_EQ(i + 100, hva[0]);
		ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, 0, hva));
	}
	munmap(hva, SIZE);
}

/* Same address, other memory: nothing of the first may remain visible. */
TEST_F(slots, replaced_in_place)
{
	u64 *hva[2] = { anonymous(SIZE), anonymous(SIZE) };
	int i, page;

	for (page = 0; page < NR_PAGES; page++) {
		hva[0][page * 512] = 0xaaaa0000 + page;
		hva[1][page * 512] = 0xbbbb0000 + page;
	}
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, hva[i & 1]));
		for (page = 0; page < NR_PAGES; page++)
			EXPECT_EQ(hva[i & 1][page * 512],
				  read_by_guest(self->vcpu, GPA + page * PAGE_SIZE));
		vm_del_slot(self->vm, SLOT);
	}
	munmap(hva[0], SIZE);
	munmap(hva[1], SIZE);
}

TEST_F(slots, moved)
{
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	u64 other = GPA + 4 * PAGE_SIZE;	/* overlaps the old place */

	hva[0] = 0x1234;
	EXPECT_EQ(0x1234, read_by_guest(self->vcpu, GPA));
	EXPECT_EQ(0, write_by_guest(self->vcpu, other, 0x5678));
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, other, SIZE, hva));
	EXPECT_EQ(0x1234, read_by_guest(self->vcpu, other));
	EXPECT_EQ(0x5678, read_by_guest(self->vcpu, other + 4 * PAGE_SIZE));
	EXPECT_EQ(NOTHING, read_by_guest(self->vcpu, GPA));
	EXPECT_EQ(1, write_by_guest(self->vcpu, GPA, 9));
	EXPECT_EQ(0x1234, hva[0]);
}

TEST_F(slots, an_access_may_span_two)
{
	u64 *first = vm_add_ram(self->vm, SLOT, 0, GPA, PAGE_SIZE);
	u64 *second = vm_add_ram(self->vm, SLOT + 1, 0, GPA + PAGE_SIZE, PAGE_SIZE);

	EXPECT_EQ(0, write_by_guest(self->vcpu, GPA + PAGE_SIZE - 4, 0x1122334455667788));
	EXPECT_EQ(0x55667788, ((u32 *)first)[1023]);
	EXPECT_EQ(0x11223344, ((u32 *)second)[0]);
	EXPECT_EQ(0x1122334455667788, read_by_guest(self->vcpu, GPA + PAGE_SIZE - 4));
}

/* ---- read-only ---- */

TEST_F(slots, read_only)
{
	u64 *hva = vm_add_ram(self->vm, SLOT, SHVM_MEM_READONLY, GPA, SIZE);

	hva[1] = 0x1234;
	EXPECT_EQ(0x1234, read_by_guest(self->vcpu, GPA + 8));
	vcpu_set_entry(self->vcpu, guest_write, GPA + 8, 0xdead);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(1, self->run->mmio.is_write);
	EXPECT_EQ(GPA + 8, self->run->mmio.phys_addr);
	EXPECT_EQ(8, self->run->mmio.len);
	EXPECT_EQ(0xdead, *(u64 *)self->run->mmio.data);
	EXPECT_EQ(0x1234, hva[1]);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0x1234, read_by_guest(self->vcpu, GPA + 8));
	/* The host may write it, and the guest sees that. */
	hva[1] = 0x5678;
	EXPECT_EQ(0x5678, read_by_guest(self->vcpu, GPA + 8));
	/* First touched by a write. */
	EXPECT_EQ(1, write_by_guest(self->vcpu, GPA + PAGE_SIZE, 7));
	EXPECT_EQ(0, hva[512]);
}

GUEST_CODE static void guest_calls(u64 gva)
{
	((void (*)(void))gva)();
	GUEST_SYNC(1);
}

TEST_F(slots, read_only_code_runs)
{
	u8 *hva = vm_add_ram(self->vm, SLOT, SHVM_MEM_READONLY, GPA, SIZE);

	hva[0] = 0xc3;	/* ret */
	vcpu_set_entry(self->vcpu, guest_calls, GPA, 0);
	EXPECT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
}

GUEST_CODE static void guest_adds(u64 gva)
{
	asm volatile("addl $1, (%0)" : : "r"(gva) : "memory", "cc");
	GUEST_SYNC(guest_read64(gva));
}

TEST_F(slots, read_only_and_modify)
{
	u32 *hva = vm_add_ram(self->vm, SLOT, SHVM_MEM_READONLY, GPA, SIZE);

	hva[0] = 41;
	vcpu_set_entry(self->vcpu, guest_adds, GPA, 0);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(1, self->run->mmio.is_write);
	EXPECT_EQ(4, self->run->mmio.len);
	EXPECT_EQ(42, *(u32 *)self->run->mmio.data);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(41, self->vcpu->uc[0]);
	EXPECT_EQ(41, hva[0]);
}

/* The same memory twice, once read-only: writes through one are seen through the other. */
TEST_F(slots, two_views_of_one_memory)
{
	u64 *hva = anonymous(SIZE), alias = GPA + SIZE;

	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, hva));
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT + 1, SHVM_MEM_READONLY, alias, SIZE, hva));
	EXPECT_EQ(0, write_by_guest(self->vcpu, GPA, 0x77));
	EXPECT_EQ(0x77, read_by_guest(self->vcpu, alias));
	EXPECT_EQ(1, write_by_guest(self->vcpu, alias, 0x88));
	EXPECT_EQ(0x77, read_by_guest(self->vcpu, GPA));
	vm_del_slot(self->vm, SLOT);
	EXPECT_EQ(0x77, read_by_guest(self->vcpu, alias));
	EXPECT_EQ(NOTHING, read_by_guest(self->vcpu, GPA));
	vm_del_slot(self->vm, SLOT + 1);
	munmap(hva, SIZE);
}

/* ---- the host takes memory away ---- */

TEST_F(slots, nothing_behind_a_slot)
{
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int ret;

	EXPECT_EQ(0, write_by_guest(self->vcpu, GPA, 0x1234));
	ASSERT_EQ(0, munmap(hva, SIZE));
	vcpu_set_entry(self->vcpu, guest_read, GPA, 0);
	ret = __vcpu_run(self->vcpu);
	if (!ret && !test_is_shvm())
		SKIP(return, "a back end of KVM that takes this for MMIO");
	EXPECT_EQ(-EFAULT, ret);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	/* With something there again, the guest goes on where it was. */
	ASSERT_EQ(hva, mmap(hva, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	hva[0] = 0x5678;
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0x5678, self->vcpu->uc[0]);
}

TEST_F(slots, deleted_page_tables)
{
	struct shvm_sregs sregs;
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int ret;

	/* A top level of its own, in a slot that can go; the levels below stay. */
	memcpy(hva, vm_hva(self->vm, self->vm->root), PAGE_SIZE);
	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
	sregs.cr3 = GPA;
	vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
	ASSERT_EQ(NOTHING, read_by_guest(self->vcpu, GPA + SIZE));
	vm_del_slot(self->vm, SLOT);
	vcpu_set_entry(self->vcpu, guest_read, GPA, 0);
	ret = __vcpu_run(self->vcpu);
	/* There is no right answer, but one there must be, and not that all went well. */
	EXPECT_TRUE(ret < 0 || self->run->exit_reason == SHVM_EXIT_SHUTDOWN ||
		    self->run->exit_reason == SHVM_EXIT_INTERNAL_ERROR ||
		    self->run->exit_reason == SHVM_EXIT_FAIL_ENTRY);
	vcpu_set_long_mode(self->vcpu);
	EXPECT_EQ(NOTHING, read_by_guest(self->vcpu, GPA));
}

/* ---- while the guest runs ---- */

/* Written by the host: 4n the slot is there and holds 4n, 4n + 3 it is gone, else it changes. */
static GUEST_DATA volatile u64 epoch = 3;
static GUEST_DATA volatile u64 rounds;
static GUEST_DATA volatile u64 stop;

GUEST_CODE static void guest_watches(u64 gva)
{
	u64 before, value;

	/* With them off, the emulated CPU would take no interrupt for the host either. */
	asm volatile("sti");
	while (!stop) {
		before = epoch;
		value = guest_read64(gva);
		if (before == epoch && (before & 3) == 0)
			GUEST_ASSERT_EQ(before, value);
		if (before == epoch && (before & 3) == 3)
			GUEST_ASSERT_EQ(NOTHING, value);
		rounds++;
	}
	GUEST_DONE();
}

static void *watch(void *arg)
{
	struct test_vcpu *vcpu = arg;

	vcpu->thread_result = run_without_memory(vcpu, NULL);
	return NULL;
}

/* False if the guest has ended instead. */
static bool wait_for_rounds(struct test_vcpu *vcpu, u64 more)
{
	volatile u64 *now = vm_sym(vcpu->vm, rounds);
	u64 until = *now + more;

	while (*now < until && !*(volatile int *)&vcpu->thread_result)
		sched_yield();
	return *now >= until;
}

TEST_F(slots, changes_are_seen_at_once)
{
	u64 *hva[2] = { anonymous(SIZE), anonymous(SIZE) };
	volatile u64 *now = vm_sym(self->vm, epoch);
	int i;

	vcpu_set_entry(self->vcpu, guest_watches, GPA, 0);
	ASSERT_EQ(0, pthread_create(&self->vcpu->thread, NULL, watch, self->vcpu));
	for (i = 1; i < 30; i++) {
		ASSERT_TRUE(wait_for_rounds(self->vcpu, 3));
		*now = 4 * i + 1;
		hva[i & 1][0] = 4 * i + 4;
		ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, hva[i & 1]));
		*now = 4 * i + 4;
		ASSERT_TRUE(wait_for_rounds(self->vcpu, 3));
		*now = 4 * i + 5;
		ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, 0, hva[i & 1]));
		*now = 4 * i + 7;
	}
	*vm_sym(self->vm, stop) = 1;
	EXPECT_EQ(EXIT_DONE, vcpu_join(self->vcpu));
	munmap(hva[0], SIZE);
	munmap(hva[1], SIZE);
}

/* ---- two VMs ---- */

TEST_F(slots, vms_are_isolated)
{
	struct test_vm *other = vm_create();
	struct test_vcpu *vcpu;
	u64 *mine = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE), *theirs;
	u64 page;

	vm_map_hole(other, 2 * NR_PAGES);
	vcpu = vcpu_create(other, 0, NULL);
	theirs = vm_add_ram(other, SLOT, 0, GPA, SIZE);
	for (page = 0; page < NR_PAGES; page++) {
		write_by_guest(self->vcpu, GPA + page * PAGE_SIZE, 0xaaaa);
		EXPECT_EQ(0, read_by_guest(vcpu, GPA + page * PAGE_SIZE));
		write_by_guest(vcpu, GPA + page * PAGE_SIZE, 0xbbbb);
		EXPECT_EQ(0xaaaa, read_by_guest(self->vcpu, GPA + page * PAGE_SIZE));
		EXPECT_EQ(0xaaaa, mine[page * 512]);
		EXPECT_EQ(0xbbbb, theirs[page * 512]);
	}
	vm_free(other);
	EXPECT_EQ(0xaaaa, read_by_guest(self->vcpu, GPA));
}

SHVM_TEST_MAIN
