// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races as scripts: the debug module holds a thread at a named point while another does what must
 * not hurt there.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define SLOT		20
#define GPA		HOLE_BASE	/* identity-mapped, no memory there by itself */
#define NR_PAGES	4
#define SIZE		(NR_PAGES * PAGE_SIZE)

FIXTURE(races)
{
	int dev;
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 *old, *new;		/* host memory of two slots */
};

GUEST_CODE static void guest_reads(u64 gva)
{
	asm volatile("sti");	/* the emulated CPU takes no host interrupts otherwise */
	for (;;) {
		GUEST_SYNC(0);
		GUEST_SYNC(guest_read64(gva));
	}
}

static u64 *memory(u64 value)
{
	u64 *hva = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u32 i;

	for (i = 0; i < SIZE / sizeof(*hva); i++)
		hva[i] = value;
	return hva;
}

FIXTURE_SETUP(races)
{
	self->dev = test_dev_open();
	/* A SKIP here would not keep the test from running: each does it for itself. */
	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		return;
	self->vm = vm_create();
	vm_map_hole(self->vm, 2 * NR_PAGES);
	self->vcpu = vcpu_create(self->vm, 0, guest_done);
	vcpu_set_entry(self->vcpu, guest_reads, GPA, 0);
	self->old = memory(1);
	self->new = memory(2);
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, self->old));
	/* Everything but the memory in question has its shadow. */
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
}

FIXTURE_TEARDOWN(races)
{
	if (self->vm)
		vm_free(self->vm);
	close(self->dev);
}

static int debug_ctl(struct test_vm *vm, u32 op, u64 arg0, u64 arg1)
{
	struct shvm_debug_ctl ctl = { .op = op, .arg = { arg0, arg1 } };

	return __vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
}

static void arm(struct test_vm *vm, int point)
{
	if (debug_ctl(vm, SHVM_DEBUG_PAUSE, point, 1))
		test_die("pause point cannot be armed: %d", point);
}

static void release(struct test_vm *vm, int point)
{
	if (debug_ctl(vm, SHVM_DEBUG_PAUSE, point, 0))
		test_die("pause point cannot be released: %d", point);
}

static void wait_at(struct test_vm *vm, int point)
{
	if (debug_ctl(vm, SHVM_DEBUG_PAUSE_WAIT, point, 0))
		test_die("pause point cannot be waited for: %d", point);
}

TEST_F(races, arguments)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, 0, 0, 0));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, 99, 0, 0));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, SHVM_DEBUG_PAUSE, 64, 1));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, SHVM_DEBUG_PAUSE, ~0ul, 1));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, SHVM_DEBUG_PAUSE, 0, 2));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, SHVM_DEBUG_PAUSE_WAIT, 64, 0));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, SHVM_DEBUG_ZAP_ALL, 1, 0));
	EXPECT_EQ(-EINVAL, debug_ctl(self->vm, SHVM_DEBUG_ZAP_ON_EXIT, 2, 0));
	EXPECT_EQ(0, debug_ctl(self->vm, SHVM_DEBUG_ZAP_ALL, 0, 0));
	EXPECT_EQ(0, debug_ctl(self->vm, SHVM_DEBUG_ZAP_ON_EXIT, 1, 0));
	EXPECT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(1, self->vcpu->uc[0]);
}

/* One vcpu_run(), whatever it gives. */
static void *run_once(void *arg)
{
	struct test_vcpu *vcpu = arg;

	vcpu->thread_result = vcpu_run(vcpu);
	return NULL;
}

static void start_once(struct test_vcpu *vcpu)
{
	if (pthread_create(&vcpu->thread, NULL, run_once, vcpu))
		test_die("cannot start a thread");
}

/* ---- a fault, and the slot it came from goes ---- */

/* The vCPU has found the page for its fault, and is stopped before it maps it. */
static void fault_until_map(struct test_vcpu *vcpu)
{
	arm(vcpu->vm, SHVM_PAUSE_FAULT_MAP);
	start_once(vcpu);
	wait_at(vcpu->vm, SHVM_PAUSE_FAULT_MAP);
}

/* The fault knows a page of the old memory when the slot gets other memory. */
TEST_F(races, fault_meets_a_replaced_slot)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	fault_until_map(self->vcpu);
	vm_del_slot(self->vm, SLOT);
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, self->new));
	release(self->vm, SHVM_PAUSE_FAULT_MAP);
	ASSERT_EQ(EXIT_SYNC, vcpu_join(self->vcpu));
	EXPECT_EQ(2, self->vcpu->uc[0]);
	EXPECT_EQ(0, vm_audit(self->vm));
}

TEST_F(races, fault_meets_a_deleted_slot)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	fault_until_map(self->vcpu);
	vm_del_slot(self->vm, SLOT);
	release(self->vm, SHVM_PAUSE_FAULT_MAP);
	EXPECT_EQ(SHVM_EXIT_MMIO, vcpu_join(self->vcpu));
	EXPECT_EQ(GPA, self->vcpu->run->mmio.phys_addr);
	EXPECT_EQ(0, vm_audit(self->vm));
}

TEST_F(races, fault_meets_a_moved_slot)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	fault_until_map(self->vcpu);
	self->old[PAGE_SIZE / sizeof(u64)] = 3;
	/* By a page upwards and then another slot below, so that the frame has other memory. */
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA + PAGE_SIZE, SIZE, self->old));
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT + 1, 0, GPA, PAGE_SIZE, self->new));
	release(self->vm, SHVM_PAUSE_FAULT_MAP);
	ASSERT_EQ(EXIT_SYNC, vcpu_join(self->vcpu));
	EXPECT_EQ(2, self->vcpu->uc[0]);
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* The host takes the page and puts another in its place. */
TEST_F(races, fault_meets_a_new_host_page)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	fault_until_map(self->vcpu);
	ASSERT_EQ(0, madvise(self->old, SIZE, MADV_DONTNEED));
	self->old[0] = 7;
	release(self->vm, SHVM_PAUSE_FAULT_MAP);
	ASSERT_EQ(EXIT_SYNC, vcpu_join(self->vcpu));
	EXPECT_EQ(7, self->vcpu->uc[0]);
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* ---- a slot that is going, and an access ---- */

static void *delete_slot(void *arg)
{
	vm_del_slot(arg, SLOT);
	return NULL;
}

/* Until the slot is gone the access waits, and does not keep the vCPU from signals. */
static void access_while_it_goes(struct __test_metadata *_metadata, struct test_vcpu *vcpu,
				 int point)
{
	pthread_t deleter;

	arm(vcpu->vm, point);
	ASSERT_EQ(0, pthread_create(&deleter, NULL, delete_slot, vcpu->vm));
	wait_at(vcpu->vm, point);
	vcpu_start(vcpu);
	usleep(10000);
	vcpu_kick(vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(vcpu));
	EXPECT_EQ(0, vcpu->uc[0]);
	release(vcpu->vm, point);
	pthread_join(deleter, NULL);
	vcpu->run->immediate_exit = 0;
	EXPECT_EQ(SHVM_EXIT_MMIO, vcpu_run(vcpu));
	EXPECT_EQ(0, vm_audit(vcpu->vm));
}

TEST_F(races, access_to_a_marked_slot)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	access_while_it_goes(_metadata, self->vcpu, SHVM_PAUSE_SLOT_MARKED);
}

TEST_F(races, access_to_a_zapped_slot)
{
	if (!self->vm)
		SKIP(return, "not a debug module");
	access_while_it_goes(_metadata, self->vcpu, SHVM_PAUSE_SLOT_ZAPPED);
}

/* ---- the last moment before the guest ---- */

TEST_F(races, requests_at_the_last_moment)
{
	u64 before;

	if (!self->vm)
		SKIP(return, "not a debug module");
	vcpu_set_entry(self->vcpu, guest_spin, 0, 0);
	before = *vm_sym(self->vm, guest_spins);
	arm(self->vm, SHVM_PAUSE_ENTER);
	vcpu_start(self->vcpu);
	wait_at(self->vm, SHVM_PAUSE_ENTER);
	/* Takes its root away, and flushes a TLB that is not loaded: neither waits for the vCPU. */
	ASSERT_EQ(0, debug_ctl(self->vm, SHVM_DEBUG_ZAP_ALL, 0, 0));
	vcpu_kick(self->vcpu);
	release(self->vm, SHVM_PAUSE_ENTER);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
	EXPECT_EQ(before, *vm_sym(self->vm, guest_spins));
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* ---- killed there ---- */

static void die_at(int point, int ready)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
	pthread_t deleter;

	vm_map_hole(vm, NR_PAGES);
	vcpu_set_entry(vcpu, guest_reads, GPA, 0);
	__vm_set_slot(vm, SLOT, 0, GPA, SIZE, memory(1));
	arm(vm, point);
	vcpu_start(vcpu);
	if (point == SHVM_PAUSE_SLOT_MARKED || point == SHVM_PAUSE_SLOT_ZAPPED)
		pthread_create(&deleter, NULL, delete_slot, vm);
	wait_at(vm, point);
	if (write(ready, "", 1) != 1)
		_exit(1);
	pause();
}

TEST_F(races, killed_at_each_point)
{
	int point, ready[2], status;
	pid_t pid;
	char byte;

	if (!self->vm)
		SKIP(return, "not a debug module");
	ASSERT_EQ(0, pipe(ready));
	for (point = SHVM_PAUSE_FAULT_MAP; point <= SHVM_PAUSE_SLOT_ZAPPED; point++) {
		pid = fork();
		if (!pid)
			die_at(point, ready[1]);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

SHVM_TEST_MAIN
