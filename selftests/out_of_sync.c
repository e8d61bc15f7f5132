// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables that the guest changes in bursts, for which the module lets stores through and
 * compares later: each way to flush shows the change, what needs no flush works without, and no
 * address, PCID or vCPU sees what its TLB could not hold. On a module with the technique off, and
 * on others, the same must hold.
 */
#include <stdio.h>

#include "kselftest_harness.h"
#include "region.h"

#define NR	16		/* entries of a burst; the module lets go after a few */
#define OTHER	(REGION + 0x200000)	/* second entry of the page directory */
#define CR3_NOFLUSH	(1ull << 63)
#define PCID_A	1
#define PCID_B	2

#define MAPS(n)		(PAGE(n) | PTE_P | PTE_W | PTE_A | PTE_D)
#define AT(index)	(REGION + (index) * PAGE_SIZE)

static GUEST_DATA volatile u64 stage;	/* of two vCPUs */

FIXTURE(out_of_sync)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 opens;
};

static bool technique_is_on(void)
{
	FILE *f = fopen("/sys/module/shvm/parameters/out_of_sync", "r");
	int c = f ? fgetc(f) : 'N';

	if (f)
		fclose(f);
	return c == 'Y';
}

FIXTURE_SETUP(out_of_sync)
{
	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	region_fill(self->vm);
	self->opens = vm_stats(self->vm).oos_opens;
}

FIXTURE_TEARDOWN(out_of_sync)
{
	/* Otherwise the test has shown nothing about the technique. */
	if (test_is_shvm() && technique_is_on())
		EXPECT_LT(self->opens, vm_stats(self->vm).oos_opens);
	vm_free(self->vm);
}

/* All entries, none of which is used meanwhile. */
GUEST_INLINE void burst(u64 first, u64 flags)
{
	u64 i;

	for (i = 0; i < NR; i++)
		*entry_of(region.pt, i) = PAGE(first + i) | flags;
}

#define USED	(PTE_P | PTE_W | PTE_A | PTE_D)

GUEST_INLINE void expect_pages(u64 at, u64 first)
{
	u64 i;

	for (i = 0; i < NR; i++)
		GUEST_ASSERT_EQ(PAGE(first + i), guest_read64(at + i * PAGE_SIZE));
}

GUEST_INLINE void flush_cr3(void)
{
	guest_write_cr3(region.root);
}

/* Mapped, used, changed in a burst, flushed, used: by each kind of flush. */
GUEST_CODE static void guest_flushes(void)
{
	u64 round, i;

	burst(0, USED);
	flush_cr3();
	expect_pages(REGION, 0);
	for (round = 1; round < 30; round++) {
		burst(round, USED);
		if (round % 3 == 0) {
			for (i = 0; i < NR; i++)
				guest_invlpg(AT(i));
		} else if (round % 3 == 1) {
			flush_cr3();
		} else {
			guest_write_cr4(guest_read_cr4() ^ CR4_PGE);
		}
		expect_pages(REGION, round);
	}
	GUEST_DONE();
}

TEST_F(out_of_sync, every_flush_shows_the_change)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_flushes, 0, 0));
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* From not present to present nothing has to be flushed. */
GUEST_CODE static void guest_appears(void)
{
	u64 round;

	for (round = 0; round < 10; round++) {
		burst(round, USED);
		expect_pages(REGION, round);
		burst(round, 0);
		flush_cr3();
		burst(round, 0);
	}
	GUEST_DONE();
}

TEST_F(out_of_sync, what_appears_needs_no_flush)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_appears, 0, 0));
}

/* Rights that go are gone after the flush, as in a fork; A and D are those of real uses. */
GUEST_CODE static void guest_loses_rights(void)
{
	struct guest_fault f;
	u64 round, i;

	for (round = 0; round < 6; round++) {
		burst(round, PTE_P | PTE_W | PTE_A | PTE_D);
		flush_cr3();
		for (i = 0; i < NR; i++)
			guest_write64(AT(i) + 8, i);
		burst(round, PTE_P | PTE_A | PTE_D);
		flush_cr3();
		for (i = 0; i < NR; i++) {
			f = guest_try_write64(AT(i) + 8, 1);
			GUEST_ASSERT_EQ(14, f.vector);
			GUEST_ASSERT_EQ(PF_P | PF_W, f.error);
			GUEST_ASSERT_EQ(i, guest_read64(AT(i) + 8));
		}
		burst(round, PTE_P | PTE_W | PTE_A);
		flush_cr3();
		GUEST_ASSERT_EQ(PAGE(round), guest_read64(AT(0)));
		GUEST_ASSERT(!(*entry_of(region.pt, 0) & PTE_D));
		guest_write64(AT(0) + 8, 0);
		GUEST_ASSERT(*entry_of(region.pt, 0) & PTE_D);
		burst(round, PTE_P | PTE_W);
		flush_cr3();
		GUEST_ASSERT(!(*entry_of(region.pt, 1) & PTE_A));
		GUEST_ASSERT_EQ(PAGE(round + 1), guest_read64(AT(1)));
		GUEST_ASSERT(*entry_of(region.pt, 1) & PTE_A);
	}
	GUEST_DONE();
}

TEST_F(out_of_sync, rights_and_marks)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_loses_rights, 0, 0));
}

/* A fault of the guest's own flushes its address (SDM 4.10.4.1). */
GUEST_CODE static void guest_fault_flushes(void)
{
	struct guest_fault f;
	u64 round;

	for (round = 0; round < 10; round++) {
		burst(round, PTE_P | PTE_A | PTE_D);
		flush_cr3();
		expect_pages(REGION, round);
		burst(round + 20, PTE_P | PTE_A | PTE_D);
		f = guest_try_write64(AT(3), 1);
		GUEST_ASSERT_EQ(14, f.vector);
		GUEST_ASSERT_EQ(PAGE(round + 23), guest_read64(AT(3)));
	}
	GUEST_DONE();
}

TEST_F(out_of_sync, a_fault_flushes_its_address)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_fault_flushes, 0, 0));
}

GUEST_CODE static void guest_new_address(void)
{
	u64 round;

	for (round = 0; round < 10; round++) {
		burst(round, USED);
		flush_cr3();
		expect_pages(REGION, round);
		burst(round + 20, USED);
		*entry_of(region.pd, 1) = region.pt | PTE_P | PTE_W | PTE_A;
		expect_pages(OTHER, round + 20);
		*entry_of(region.pd, 1) = 0;
		flush_cr3();
	}
	GUEST_DONE();
}

TEST_F(out_of_sync, a_table_at_a_new_address)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_new_address, 0, 0));
}

/* A PCID that was flushed by its load, and one that was never in use. */
GUEST_CODE static void guest_pcids(void)
{
	u64 round;

	guest_write_cr4(guest_read_cr4() | CR4_PCIDE);
	for (round = 0; round < 10; round++) {
		guest_write_cr3(region.root | PCID_A);
		burst(round, USED);
		guest_write_cr3(region.root | PCID_A);
		expect_pages(REGION, round);
		burst(round + 20, USED);
		/* A flush of B: nothing old may be seen under it. */
		guest_write_cr3(region.root | PCID_B);
		expect_pages(REGION, round + 20);
		burst(round + 40, USED);
		guest_write_cr3(region.root | PCID_B);
		expect_pages(REGION, round + 40);
		burst(round + 50, USED);
		/* Under A there never was what B has just used: it sees what is older, or newer. */
		guest_write_cr3(region.root | PCID_A | CR3_NOFLUSH);
		GUEST_ASSERT(guest_read64(AT(5)) != PAGE(round + 45));
		/* PCIDs are forgotten with CR4.PGE: the next load is the first. */
		burst(round + 60, USED);
		guest_write_cr4(guest_read_cr4() ^ CR4_PGE);
		expect_pages(REGION, round + 60);
		burst(round + 80, USED);
		guest_write_cr3(region.root | PCID_B | CR3_NOFLUSH);
		expect_pages(REGION, round + 80);
	}
	guest_write_cr3(region.root);
	guest_write_cr4(guest_read_cr4() & ~CR4_PCIDE);
	GUEST_DONE();
}

TEST_F(out_of_sync, pcids)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_pcids, 0, 0));
}

/* One changes and says so, the other flushes and looks. */
GUEST_CODE static void guest_two(u64 me)
{
	u64 round;

	/* The emulated CPU would not let the host in otherwise. */
	asm volatile("sti");
	for (round = 0; round < 40; round++) {
		while (stage < 2 * round + me)
			asm volatile("pause");
		if (!me) {
			burst(round, USED);
		} else {
			flush_cr3();
			expect_pages(REGION, round);
		}
		stage = 2 * round + me + 1;
	}
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(out_of_sync, two_vcpus)
{
	struct test_vcpu *other = vcpu_create(self->vm, 1, NULL);

	vcpu_set_entry(self->vcpu, guest_two, 0, 0);
	vcpu_set_entry(other, guest_two, 1, 0);
	vcpu_start(self->vcpu);
	vcpu_start(other);
	EXPECT_EQ(EXIT_DONE, vcpu_join(self->vcpu));
	EXPECT_EQ(EXIT_DONE, vcpu_join(other));
}

SHVM_TEST_MAIN
