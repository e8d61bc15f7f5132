// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accessed and dirty bits of guest entries: set by the access that needs them, all of them and no
 * others, and again after the guest has cleared them.
 */
#include "kselftest_harness.h"
#include "region.h"

FIXTURE(mmu_ad)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(mmu_ad)
{
	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
}

FIXTURE_TEARDOWN(mmu_ad)
{
	vm_free(self->vm);
}

#define AD(entry)	((entry) & (PTE_A | PTE_D))

/* The entry that maps REGION at this level (1, 2, 3), and those above it. */
GUEST_CODE static volatile u64 *map_at(u64 level)
{
	*entry_of(region.pdpt, 0) = level == 3 ? PTE_TABLE | PTE_PS : region.pd | PTE_TABLE;
	*entry_of(region.pd, 0) = level == 2 ? FRAME | PTE_TABLE | PTE_PS :
				  region.pt | PTE_TABLE;
	*entry_of(region.pt, 0) = FRAME | PTE_TABLE;
	guest_write_cr3(region.root);
	if (level == 3)
		return entry_of(region.pdpt, 0);
	return level == 2 ? entry_of(region.pd, 0) : entry_of(region.pt, 0);
}

/* Only what lies on the path of a 4K, 2M or 1G page has A; nothing but a leaf has D. */
GUEST_CODE static void check_path(u64 level, u64 leaf_bits)
{
	GUEST_ASSERT_EQ(level == 3 ? leaf_bits : PTE_A, AD(*entry_of(region.pdpt, 0)));
	GUEST_ASSERT_EQ(level == 2 ? leaf_bits : level == 1 ? PTE_A : 0,
			AD(*entry_of(region.pd, 0)));
	GUEST_ASSERT_EQ(level == 1 ? leaf_bits : 0, AD(*entry_of(region.pt, 0)));
}

GUEST_INLINE void flush(u64 gva, u64 by_cr3)
{
	if (by_cr3)
		guest_write_cr3(guest_read_cr3());
	else
		guest_invlpg(gva);
}

GUEST_CODE static void clear_and_touch(u64 level, u64 round)
{
	volatile u64 *leaf = map_at(level);
	u64 gva = REGION + (level == 3 ? FRAME : 0) + 64;

	guest_read64(gva);
	check_path(level, PTE_A);
	guest_write64(gva, round);
	check_path(level, PTE_A | PTE_D);
	*leaf &= ~PTE_D;
	flush(gva, round & 1);
	guest_read64(gva);
	check_path(level, PTE_A);
	guest_write64(gva, round + 1);
	check_path(level, PTE_A | PTE_D);
	*leaf &= ~(PTE_A | PTE_D);
	flush(gva, round & 1);
	check_path(level, 0);
	guest_read64(gva);
	check_path(level, PTE_A);
	*leaf &= ~(PTE_A | PTE_D);
	flush(gva, round & 1);
	guest_write64(gva, round + 2);
	check_path(level, PTE_A | PTE_D);
	/* Another page of the same large page. */
	*leaf &= ~PTE_D;
	flush(gva, round & 1);
	guest_write64(gva, round + 3);
	*leaf &= ~PTE_D;
	flush(gva, round & 1);
	if (level > 1) {
		guest_write64(gva + 4096, round);
		check_path(level, PTE_A | PTE_D);
	}
	GUEST_ASSERT_EQ(round + 3, guest_read64(gva));
}

GUEST_CODE static void guest_clear_and_touch(u64 level, u64 wp)
{
	u64 round;

	guest_write_cr0((guest_read_cr0() & ~CR0_WP) | (wp ? CR0_WP : 0));
	for (round = 0; round < 20; round++)
		clear_and_touch(level, round);
	guest_write_cr0(guest_read_cr0() | CR0_WP);
	GUEST_DONE();
}

TEST_F(mmu_ad, cleared_bits_come_again)
{
	int level, wp;

	for (level = 1; level <= 3; level++) {
		if (level == 3 && !region_cpuid_has(0x80000001, 3, 26))
			continue;	/* no 1G pages */
		for (wp = 0; wp < 2; wp++)
			EXPECT_EQ(EXIT_DONE,
				  vcpu_call(self->vcpu, guest_clear_and_touch, level, wp))
				TH_LOG("level %d, WP %d", level, wp);
	}
}

/* Upper levels: A again after it was cleared, and with CR0.WP = 0 D by a store without W. */
GUEST_CODE static void guest_upper_levels(void)
{
	u64 i;

	for (i = 0; i < 10; i++) {
		map_at(1);
		guest_read64(REGION);
		*entry_of(region.pd, 0) &= ~PTE_A;
		guest_write_cr3(region.root);
		guest_read64(REGION);
		check_path(1, PTE_A);
		*entry_of(region.pdpt, 0) &= ~PTE_A;
		guest_write_cr3(region.root);
		guest_write64(REGION, i);
		check_path(1, PTE_A | PTE_D);
	}
	guest_write_cr0(guest_read_cr0() & ~CR0_WP);
	for (i = 0; i < 10; i++) {
		map_at(1);
		*entry_of(region.pt, 0) &= ~PTE_W;
		guest_invlpg(REGION);
		guest_read64(REGION);
		check_path(1, PTE_A);
		guest_write64(REGION, i);
		check_path(1, PTE_A | PTE_D);
		GUEST_ASSERT_EQ(0, *entry_of(region.pt, 0) & PTE_W);
	}
	guest_write_cr0(guest_read_cr0() | CR0_WP);
	GUEST_DONE();
}

TEST_F(mmu_ad, upper_levels_and_no_wp)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_upper_levels, 0, 0));
}

/* A whole table with A = 0 (and then all of it with A = 1): one access marks one entry. */
GUEST_CODE static void guest_neighbours(u64 preset)
{
	u64 i, j;

	map_at(1);
	for (i = 0; i < 512; i++)
		*entry_of(region.pt, i) = FRAME | i << 12 | PTE_P | PTE_W | preset;
	guest_write_cr3(region.root);
	for (i = 0; i < 512; i += 37) {
		guest_read64(REGION + i * 4096);
		guest_write64(REGION + (i + 1) * 4096, i);
		for (j = 0; j < 512; j++) {
			u64 want = preset;

			if (j <= i + 1 && j % 37 == 0)
				want |= PTE_A;
			if (j <= i + 1 && j % 37 == 1)
				want |= PTE_A | PTE_D;
			GUEST_ASSERT_EQ(want, AD(*entry_of(region.pt, j)));
		}
	}
	GUEST_DONE();
}

TEST_F(mmu_ad, neighbours_stay)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_neighbours, 0, 0));
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_neighbours, PTE_A, 0));
}

/* Two large entries for one frame; what is shadowed for one must not set D of the other. */
GUEST_CODE static void guest_clean_and_dirty(u64 first)
{
	u64 i, side, gva[2] = { REGION, REGION + 0x200000 };

	for (i = 0; i < 10; i++) {
		map_at(2);
		for (side = 0; side < 2; side++)
			*entry_of(region.pd, side) = FRAME | PTE_TABLE | PTE_PS;
		guest_write_cr3(region.root);
		side = (first + i) & 1;
		guest_write64(gva[side] + 8, i);
		GUEST_ASSERT_EQ(PTE_A | PTE_D, AD(*entry_of(region.pd, side)));
		GUEST_ASSERT_EQ(i, guest_read64(gva[!side] + 8));
		GUEST_ASSERT_EQ(PTE_A, AD(*entry_of(region.pd, !side)));
		guest_write64(gva[side] + 8, i + 1);
		GUEST_ASSERT_EQ(PTE_A, AD(*entry_of(region.pd, !side)));
		guest_write64(gva[!side] + 8, i + 2);
		GUEST_ASSERT_EQ(PTE_A | PTE_D, AD(*entry_of(region.pd, !side)));
		GUEST_ASSERT_EQ(i + 2, guest_read64(gva[side] + 8));
	}
	GUEST_DONE();
}

TEST_F(mmu_ad, clean_and_dirty_large_pages_of_one_frame)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_clean_and_dirty, 0, 0));
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_clean_and_dirty, 1, 0));
}

/* Nothing else of an entry changes: software bits, PAT, PCD. */
GUEST_CODE static void guest_other_bits(void)
{
	u64 bit, entry;

	map_at(1);
	for (bit = 0; bit < 64; bit++) {
		if (!((1ull << bit) & (PTE_G | 0xe00 | 0x7ff0000000000000 | PTE_PWT | PTE_PCD |
				       PTE_NX | PTE_PS)))
			continue;
		entry = FRAME | PTE_P | PTE_W | 1ull << bit;
		*entry_of(region.pt, 0) = entry;
		guest_invlpg(REGION);
		guest_read64(REGION);
		GUEST_ASSERT_EQ(entry | PTE_A, *entry_of(region.pt, 0));
		guest_write64(REGION, bit);
		GUEST_ASSERT_EQ(entry | PTE_A | PTE_D, *entry_of(region.pt, 0));
	}
	GUEST_DONE();
}

TEST_F(mmu_ad, other_bits_stay)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_other_bits, 0, 0));
}

SHVM_TEST_MAIN
