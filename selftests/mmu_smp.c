// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two vCPUs and one set of tables: a change that one makes and the other is told of, stores of both
 * to one entry, and what the walk writes into entries beside locked instructions of the guest. Made
 * for two CPUs; with one the vCPUs take turns.
 */
#include "kselftest_harness.h"
#include "region.h"

#define ROUNDS	200
#define NR_PTES	32
#define COUNTS	1000	/* below 2,048: bit 63 stays 0 */

/* Every waiting loop runs with interrupts on: the emulated CPU would let the host have none. */
static GUEST_DATA volatile u64 arrived[2];
static GUEST_DATA u64 other_pt;

FIXTURE(mmu_smp)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu[2];
};

FIXTURE_SETUP(mmu_smp)
{
	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu[0] = vcpu_create(self->vm, 0, NULL);
	self->vcpu[1] = vcpu_create(self->vm, 1, NULL);
	*vm_sym(self->vm, other_pt) = vm_alloc_pages(self->vm, 1);
	region_fill(self->vm);
}

FIXTURE_TEARDOWN(mmu_smp)
{
	vm_free(self->vm);
}

#define AT(index)	(REGION + (index) * PAGE_SIZE)

static void run_both(struct __test_metadata *_metadata, struct test_vcpu *vcpu[2],
		     void (*fn)(u64 me))
{
	int i;

	for (i = 0; i < 2; i++)
		vcpu_set_entry(vcpu[i], fn, i, 0);
	for (i = 0; i < 2; i++)
		vcpu_start(vcpu[i]);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu[i])) TH_LOG("vCPU %d", i);
}

/* Returns when the other one has come as far. */
GUEST_CODE static void meet(u64 me)
{
	u64 mine = arrived[me] + 1;

	arrived[me] = mine;
	asm volatile("mfence" : : : "memory");
	while (arrived[!me] < mine)
		asm volatile("pause");
}

/* ---- one changes, the other is told ---- */

GUEST_CODE static void guest_shootdown(u64 me)
{
	u64 i, got;

	asm volatile("sti");
	for (i = 1; i <= ROUNDS; i++) {
		if (!me) {
			*entry_of(region.pt, 0) = PAGE(i) | PTE_P | PTE_W;
			meet(me);
		} else {
			/* Until told, either is right, now and then a fault is none. */
			got = i == 1 ? PAGE(1) : guest_read64(REGION);
			GUEST_ASSERT(got == PAGE(i) || got == PAGE(i - 1));
			meet(me);
			guest_invlpg(REGION);
			GUEST_ASSERT_EQ(PAGE(i), guest_read64(REGION));
			guest_write64(REGION + 8, i);
		}
		meet(me);
		if (!me)
			GUEST_ASSERT_EQ(i, guest_read64(PAGE(i) + 8));
	}
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(mmu_smp, shootdown)
{
	run_both(_metadata, self->vcpu, guest_shootdown);
}

/* D is cleared here, flushed and written there. */
GUEST_CODE static void guest_dirty_scan(u64 me)
{
	u64 i;

	asm volatile("sti");
	for (i = 0; i < ROUNDS; i++) {
		if (!me)
			*entry_of(region.pt, 1) = PAGE(1) | PTE_P | PTE_W | PTE_A;
		meet(me);
		if (me) {
			guest_invlpg(AT(1));
			if (i % 3 == 0)
				GUEST_ASSERT_EQ(PAGE(1), guest_read64(AT(1)));
			if (i & 1)
				guest_write64(AT(1) + 8, i);
		}
		meet(me);
		if (!me)
			GUEST_ASSERT_EQ(i & 1 ? PTE_D : 0, *entry_of(region.pt, 1) & PTE_D);
		meet(me);
	}
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(mmu_smp, dirty_bit_after_a_shootdown)
{
	run_both(_metadata, self->vcpu, guest_dirty_scan);
}

/* ---- both store to one entry ---- */

GUEST_CODE static void guest_same_entry(u64 me)
{
	u64 mine = (me ? other_pt : region.pt) | PTE_TABLE, i, j;

	*entry_of(me ? other_pt : region.pt, 2) = PAGE(10 + me) | PTE_P | PTE_W;
	asm volatile("sti");
	for (i = 0; i < ROUNDS; i++) {
		meet(me);
		for (j = 0; j <= i % 5; j++)
			*entry_of(region.pd, 3) = mine;
		meet(me);
		guest_invlpg(REGION + 3 * 0x200000 + 2 * PAGE_SIZE);
		j = (*entry_of(region.pd, 3) & PTE_ADDR) == other_pt;
		GUEST_ASSERT_EQ(PAGE(10 + j), guest_read64(REGION + 3 * 0x200000 + 2 * PAGE_SIZE));
	}
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(mmu_smp, both_store_to_one_entry)
{
	run_both(_metadata, self->vcpu, guest_same_entry);
}

/* Counters in entries that are not present, in a table that is in use. */
GUEST_CODE static void guest_locked_counter(u64 me)
{
	volatile u64 *counter = entry_of(region.pt, 100);
	u64 i, old;

	asm volatile("sti");
	for (i = 0; i < 4 * ROUNDS; i++) {
		/* Use keeps the table from being given up. */
		guest_invlpg(AT(5));
		GUEST_ASSERT_EQ(PAGE(5), guest_read64(AT(5)));
		if (i & 1) {
			asm volatile("lock addq $2, %0" : "+m"(*counter) : : "memory", "cc");
		} else {
			do {
				old = *counter;
			} while (__sync_val_compare_and_swap(counter, old, old + 2) != old);
		}
	}
	meet(me);
	GUEST_ASSERT_EQ(2 * 2 * 4 * ROUNDS, *counter);
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(mmu_smp, locked_stores_to_a_table)
{
	((u64 *)vm_hva(self->vm, vm_sym(self->vm, region)->pt))[5] = PAGE(5) | PTE_P | PTE_W;
	run_both(_metadata, self->vcpu, guest_locked_counter);
}

/* ---- A and D beside locked stores of software bits ---- */

GUEST_CODE static void guest_software_bits(u64 me)
{
	u64 round, i;

	asm volatile("sti");
	for (round = 0; round < ROUNDS / 4; round++) {
		if (!me)
			for (i = 0; i < NR_PTES; i++)
				*entry_of(region.pt, i) = PAGE(i) | PTE_P | PTE_W;
		meet(me);
		guest_write_cr3(region.root);
		for (i = 0; i < NR_PTES; i++) {
			if (me)
				guest_write64(AT(i) + 8, round);
			else
				asm volatile("lock orq %1, %0" : "+m"(*entry_of(region.pt, i))
					     : "r"(0x600ull | 1ull << 58) : "memory", "cc");
		}
		meet(me);
		for (i = 0; i < NR_PTES; i++) {
			GUEST_ASSERT_EQ(PAGE(i) | PTE_P | PTE_W | PTE_A | PTE_D | 0x600 |
					1ull << 58, *entry_of(region.pt, i));
			GUEST_ASSERT_EQ(round, guest_read64(PAGE(i) + 8));
		}
		meet(me);
	}
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(mmu_smp, software_bits_beside_accesses)
{
	run_both(_metadata, self->vcpu, guest_software_bits);
}

/* A counter in the ignored bits of an entry whose A is cleared and set all the time. */
GUEST_CODE static void guest_counter_beside_a(u64 me)
{
	volatile u64 *pte = entry_of(region.pt, 6);
	u64 i;

	asm volatile("sti");
	meet(me);
	for (i = 0; i < COUNTS; i++) {
		if (me) {
			asm volatile("lock btrq $5, %0" : "+m"(*pte) : : "memory", "cc");
			guest_invlpg(AT(6));
			guest_read64(AT(6));
		} else {
			asm volatile("lock addq %1, %0"
				     : "+m"(*pte) : "r"(1ull << 52) : "memory", "cc");
		}
	}
	meet(me);
	GUEST_ASSERT_EQ(COUNTS, *pte >> 52);
	GUEST_ASSERT_EQ(PTE_A, *pte & PTE_A);
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(mmu_smp, counter_beside_the_accessed_bit)
{
	((u64 *)vm_hva(self->vm, vm_sym(self->vm, region)->pt))[6] = PAGE(6) | PTE_P | PTE_W;
	run_both(_metadata, self->vcpu, guest_counter_beside_a);
}

SHVM_TEST_MAIN
