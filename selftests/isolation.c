// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs at the same addresses, with different contents: neither ever sees the other's memory,
 * whichever of them ran before on the same CPU, and whatever happens to their slots meanwhile.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define NR_VMS		2
#define NR_PAGES	32
#define SIZE		(NR_PAGES * PAGE_SIZE)
#define SLOT		5
#define GPA		HOLE_BASE
#define ROUNDS		40

FIXTURE(isolation)
{
	struct test_vm *vm[NR_VMS];
	struct test_vcpu *vcpu[NR_VMS];
};

static GUEST_DATA u64 canary;
static GUEST_DATA volatile u64 sweeps;

GUEST_INLINE u64 key(u64 gva)
{
	return canary ^ gva * 0x9e3779b97f4a7c15;
}

/* Checks every page, also at addresses that the TLB knows from before, and writes it anew. */
GUEST_INLINE void check_pages(u64 base)
{
	u64 gva;

	for (gva = base; gva < base + SIZE; gva += PAGE_SIZE) {
		GUEST_ASSERT_EQ(key(gva), guest_read64(gva));
		guest_write64(gva + 8, canary);
		GUEST_ASSERT_EQ(canary, guest_read64(gva + 8));
	}
}

GUEST_CODE static void guest_checks_once(u64 base)
{
	for (;;) {
		check_pages(base);
		GUEST_SYNC(canary);
	}
}

/* With interrupts on, see lib/worker.c. */
GUEST_CODE static void guest_checks(u64 base)
{
	asm volatile("sti");
	for (;;) {
		check_pages(base);
		sweeps++;
		if (sweeps % 8 == 0)
			guest_write_cr3(guest_read_cr3());
	}
}

static u64 canary_of(int i)
{
	return 0x1111111111111111ull * (i + 1);
}

static void fill(u64 *hva, u64 vm_canary)
{
	u64 page;

	for (page = 0; page < NR_PAGES; page++) {
		hva[page * 512] = vm_canary ^ (GPA + page * PAGE_SIZE) * 0x9e3779b97f4a7c15;
		hva[page * 512 + 1] = vm_canary;
	}
}

/* New memory with the VM's contents. */
static void *fresh_memory(int i)
{
	u64 *hva = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (hva == MAP_FAILED)
		test_die("no memory");
	fill(hva, canary_of(i));
	return hva;
}

FIXTURE_SETUP(isolation)
{
	int i;

	for (i = 0; i < NR_VMS; i++) {
		self->vm[i] = vm_create();
		vm_map_hole(self->vm[i], NR_PAGES);
		*vm_sym(self->vm[i], canary) = canary_of(i);
		ASSERT_EQ(0, __vm_set_slot(self->vm[i], SLOT, 0, GPA, SIZE, fresh_memory(i)));
		self->vcpu[i] = vcpu_create(self->vm[i], 0, NULL);
	}
}

FIXTURE_TEARDOWN(isolation)
{
	int i;

	for (i = 0; i < NR_VMS; i++)
		vm_free(self->vm[i]);
}

/* What the guest left behind: its own canary in every page. */
static int count_foreign(struct test_vm *vm, int i)
{
	u64 *hva = vm_hva(vm, GPA);
	int page, bad = 0;

	for (page = 0; page < NR_PAGES; page++)
		bad += hva[page * 512 + 1] != canary_of(i);
	return bad;
}

/* Deletes the memory and puts in another, at the same place. */
static void change_memory(struct test_vm *vm, int i)
{
	void *old = vm_hva(vm, GPA);
	int ret;

	vm_del_slot(vm, SLOT);
	munmap(old, SIZE);
	ret = __vm_set_slot(vm, SLOT, 0, GPA, SIZE, fresh_memory(i));
	if (ret)
		test_die("cannot make the slot again: %s", strerror(-ret));
}

TEST_F(isolation, in_turns_on_one_cpu)
{
	int round, i;

	test_pin(pthread_self(), 0);
	for (i = 0; i < NR_VMS; i++)
		vcpu_set_entry(self->vcpu[i], guest_checks_once, GPA, 0);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NR_VMS; i++) {
			ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu[i]));
			ASSERT_EQ(canary_of(i), self->vcpu[i]->uc[0]);
			ASSERT_EQ(0, count_foreign(self->vm[i], i));
		}
		/* Pages that one gives back are the next that the kernel hands out. */
		change_memory(self->vm[round % NR_VMS], round % NR_VMS);
	}
}

TEST_F(isolation, in_turns_on_all_cpus)
{
	int round, i, nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (i = 0; i < NR_VMS; i++)
		vcpu_set_entry(self->vcpu[i], guest_checks_once, GPA, 0);
	for (round = 0; round < ROUNDS; round++) {
		test_pin(pthread_self(), round / 3 % nr_cpus);
		for (i = 0; i < NR_VMS; i++) {
			ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu[i]));
			ASSERT_EQ(canary_of(i), self->vcpu[i]->uc[0]);
		}
	}
}

static bool all_sweep(struct test_vm **vm, struct test_vcpu **vcpu)
{
	u64 until[NR_VMS];
	int i;

	for (i = 0; i < NR_VMS; i++)
		until[i] = *vm_sym(vm[i], sweeps) + 2;
	for (i = 0; i < NR_VMS; i++) {
		while (*vm_sym(vm[i], sweeps) < until[i]) {
			if (vcpu[i]->thread_ended)
				return false;
			sched_yield();
		}
	}
	return true;
}

/* Side by side, on changing CPUs, while the memory is replaced under them. */
TEST_F(isolation, at_once)
{
	int round, i, nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	u64 *fresh;

	for (i = 0; i < NR_VMS; i++) {
		vcpu_set_entry(self->vcpu[i], guest_checks, GPA, 0);
		vcpu_start(self->vcpu[i]);
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NR_VMS; i++)
			test_pin(self->vcpu[i]->thread, (round / 4 + i) % nr_cpus);
		i = round % NR_VMS;
		fresh = fresh_memory(i);
		ASSERT_EQ(vm_hva(self->vm[i], GPA),
			  mremap(fresh, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
				 vm_hva(self->vm[i], GPA)));
		ASSERT_TRUE(all_sweep(self->vm, self->vcpu));
	}
	for (i = 0; i < NR_VMS; i++) {
		vcpu_kick(self->vcpu[i]);
		EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu[i]));
		EXPECT_EQ(0, count_foreign(self->vm[i], i));
	}
}

/* VMs come and go; each finds what it was given, at the address where others had theirs. */
TEST_F(isolation, one_after_another)
{
	struct test_vcpu *vcpu;
	struct test_vm *vm;
	int i;

	for (i = NR_VMS; i < 20; i++) {
		vm = vm_create();
		vm_map_hole(vm, NR_PAGES);
		*vm_sym(vm, canary) = canary_of(i);
		ASSERT_EQ(0, __vm_set_slot(vm, SLOT, 0, GPA, SIZE, fresh_memory(i)));
		vcpu = vcpu_create(vm, 0, NULL);
		vcpu_set_entry(vcpu, guest_checks_once, GPA, 0);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
		ASSERT_EQ(canary_of(i), vcpu->uc[0]);
		ASSERT_EQ(0, count_foreign(vm, i));
		vcpu_set_entry(self->vcpu[0], guest_checks_once, GPA, 0);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu[0]));
		vm_free(vm);
	}
}

SHVM_TEST_MAIN
