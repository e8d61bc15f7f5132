// SPDX-License-Identifier: GPL-2.0-only
/*
 * SET_USER_MEMORY_REGION: every field at its boundaries, and what may overlap or change. What the
 * guest sees of slots: slots.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

FIXTURE(slot_args)
{
	bool is_shvm;
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(slot_args)
{
	self->is_shvm = test_is_shvm();
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(slot_args)
{
	/* Whatever was tried, the guest's memory is still there. */
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	vm_free(self->vm);
}

#define SLOT	5
#define GPA	0x10000000ul

static struct shvm_userspace_memory_region good_region(void *hva)
{
	return (struct shvm_userspace_memory_region){
		.slot = SLOT, .guest_phys_addr = GPA, .memory_size = 2 * PAGE_SIZE,
		.userspace_addr = (u64)hva,
	};
}

#define set_region(region) __vm_ioctl(self->vm, SHVM_SET_USER_MEMORY_REGION, region)

/* Sets one field of a good region to each of the values; all must be refused. */
#define EXPECT_FIELD_REFUSED(field, error, ...)				\
	do {								\
		const u64 values_[] = { __VA_ARGS__ };			\
		u32 i_;							\
									\
		for (i_ = 0; i_ < ARRAY_LEN(values_); i_++) {		\
			struct shvm_userspace_memory_region region_ = good_region(hva); \
									\
			region_.field = values_[i_];			\
			EXPECT_EQ(-(error), set_region(&region_))	\
				TH_LOG(#field " %#lx", (long)values_[i_]); \
		}							\
	} while (0)

TEST_F(slot_args, fields)
{
	char *hva = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 tagged = (u64)hva | 1ull << 57;
	struct shvm_userspace_memory_region region = good_region(hva);

	EXPECT_FIELD_REFUSED(slot, EINVAL, (u32)test_dev_cap(SHVM_CAP_NR_MEMSLOTS), 0x7fff,
			     0xffffffff);
	EXPECT_FIELD_REFUSED(flags, EINVAL, 1 << 3, 1 << 16, 1u << 31, 0xffffffff);
	EXPECT_FIELD_REFUSED(guest_phys_addr, EINVAL, GPA + 1, GPA + 0x800, -1ull, -PAGE_SIZE);
	EXPECT_FIELD_REFUSED(memory_size, EINVAL, 1, PAGE_SIZE - 1, PAGE_SIZE + 1, -1ull,
			     -PAGE_SIZE, 1ull << 63, 1ull << 43);
	EXPECT_FIELD_REFUSED(userspace_addr, EINVAL, (u64)hva + 1, (u64)hva + 0x800, KERNEL_ADDR,
			     0xffffffffffffe000, 0x0100000000000000);
	if (self->is_shvm) {
		EXPECT_FIELD_REFUSED(slot, EINVAL, 1 << 16, (1 << 16) + SLOT);
		EXPECT_FIELD_REFUSED(flags, EINVAL, 1, 3, 4);
		EXPECT_FIELD_REFUSED(guest_phys_addr, EINVAL, 1ull << 52, 1ull << 62,
				     (1ull << 63) - PAGE_SIZE);
		EXPECT_FIELD_REFUSED(userspace_addr, EINVAL, tagged);
	}
	/* None of that left anything behind. */
	region.memory_size = 0;
	EXPECT_EQ(-EINVAL, set_region(&region));
	region = good_region(hva);
	EXPECT_EQ(0, set_region(&region));
	munmap(hva, 8 * PAGE_SIZE);
}

TEST_F(slot_args, without_memory_behind_it)
{
	struct shvm_userspace_memory_region region = good_region((void *)0x10000);

	EXPECT_EQ(0, set_region(&region));
	region.memory_size = 0;
	EXPECT_EQ(0, set_region(&region));
}

TEST_F(slot_args, changes)
{
	char *hva = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct shvm_userspace_memory_region region = good_region(hva);

	ASSERT_EQ(0, set_region(&region));
	EXPECT_EQ(0, set_region(&region));	/* the same again changes nothing */
	EXPECT_FIELD_REFUSED(memory_size, EINVAL, PAGE_SIZE, 3 * PAGE_SIZE);
	EXPECT_FIELD_REFUSED(userspace_addr, EINVAL, (u64)hva + PAGE_SIZE);
	EXPECT_FIELD_REFUSED(flags, EINVAL, SHVM_MEM_READONLY);
	region.guest_phys_addr += PAGE_SIZE;	/* onto itself, in part */
	EXPECT_EQ(0, set_region(&region));
	region.memory_size = 0;
	EXPECT_EQ(0, set_region(&region));
	EXPECT_EQ(-EINVAL, set_region(&region));
	/* Read-only from the start, and then not to be toggled either. */
	region = good_region(hva);
	region.flags = SHVM_MEM_READONLY;
	EXPECT_EQ(0, set_region(&region));
	region.flags = 0;
	EXPECT_EQ(-EINVAL, set_region(&region));
	munmap(hva, 8 * PAGE_SIZE);
}

TEST_F(slot_args, overlaps)
{
	static const struct { long first, pages; int error; } cases[] = {
		{ -1, 1, 0 }, { 4, 1, 0 },				/* next to it */
		{ -1, 2, EEXIST }, { 3, 2, EEXIST },			/* one page of it */
		{ 0, 4, EEXIST }, { 1, 2, EEXIST }, { -1, 6, EEXIST },	/* same, inside, around */
		{ 0, 1, EEXIST }, { 3, 1, EEXIST },			/* its first, its last */
	};
	char *hva = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct shvm_userspace_memory_region region = good_region(hva);
	int ret;
	u32 i;

	region.memory_size = 4 * PAGE_SIZE;
	ASSERT_EQ(0, set_region(&region));
	region.slot = SLOT + 1;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		region.guest_phys_addr = GPA + cases[i].first * PAGE_SIZE;
		region.memory_size = cases[i].pages * PAGE_SIZE;
		EXPECT_EQ(-cases[i].error, set_region(&region))
			TH_LOG("pages %ld, from %ld", cases[i].pages, cases[i].first);
		/* There is something to delete only if it was accepted. */
		region.memory_size = 0;
		ret = set_region(&region);
		EXPECT_EQ(!cases[i].error, !ret);
	}
	/* A move may not end on another slot; the slot stays where it was. */
	region.guest_phys_addr = GPA + 4 * PAGE_SIZE;
	region.memory_size = 2 * PAGE_SIZE;
	ASSERT_EQ(0, set_region(&region));
	region.guest_phys_addr = GPA + 3 * PAGE_SIZE;
	EXPECT_EQ(-EEXIST, set_region(&region));
	region.slot = SLOT + 2;
	region.guest_phys_addr = GPA + 5 * PAGE_SIZE;
	region.memory_size = PAGE_SIZE;
	EXPECT_EQ(-EEXIST, set_region(&region));
	munmap(hva, 8 * PAGE_SIZE);
}

TEST_F(slot_args, as_many_slots_as_promised)
{
	u32 nr = test_dev_cap(SHVM_CAP_NR_MEMSLOTS), slot;
	char *hva = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	struct shvm_userspace_memory_region region = good_region(hva);

	nr = nr < 512 ? nr : 512;
	region.memory_size = PAGE_SIZE;
	for (slot = PAYLOAD_SLOT + 1; slot < nr; slot++) {
		region.slot = slot;
		region.guest_phys_addr = GPA + 2 * slot * PAGE_SIZE;
		ASSERT_EQ(0, set_region(&region));
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	munmap(hva, PAGE_SIZE);
}

SHVM_TEST_MAIN
