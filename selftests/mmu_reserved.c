// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address bits that no memory has: in leaves, in pointers to tables, in CR3. What is at or above
 * the width that CPUID gives the guest is reserved; below it there is RAM, or a device.
 */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "region.h"

FIXTURE(reserved)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(reserved)
{
	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
}

FIXTURE_TEARDOWN(reserved)
{
	vm_free(self->vm);
}

GUEST_CODE static void guest_read_region(u64 entry_gpa, u64 value)
{
	struct guest_fault fault;
	u64 got;

	guest_write64(entry_gpa, value);
	guest_invlpg(REGION);
	fault = guest_try_read64(REGION, &got);
	guest_ucall(UCALL_SYNC, fault.vector, fault.error, got);
}

#define IS_MMIO		1
#define IS_RAM		2
#define IS_FAULT	3

/* What a read behind this entry does; mmio: where it went, ram: what it found. */
static int read_behind(struct test_vcpu *vcpu, u64 entry_gpa, u64 value, u64 *where)
{
	int exit;

	vcpu_set_entry(vcpu, guest_read_region, entry_gpa, value);
	exit = vcpu_run(vcpu);
	if (exit == SHVM_EXIT_MMIO) {
		*where = vcpu->run->mmio.phys_addr;
		return vcpu_run(vcpu) == EXIT_SYNC ? IS_MMIO : 0;
	}
	if (exit != EXIT_SYNC)
		return 0;
	if (vcpu->uc[0] == NO_EXCEPTION) {
		*where = vcpu->uc[2];
		return IS_RAM;
	}
	*where = vcpu->uc[1];
	return vcpu->uc[0] == 14 ? IS_FAULT : 0;
}

static void check_leaf(struct __test_metadata *_metadata, struct test_vcpu *vcpu, u64 entry,
		       u64 flags, u32 bits)
{
	u64 where = 0;
	int bit, got;

	for (bit = 12; bit < 52; bit++) {
		u64 value = FRAME | 1ull << bit, page = value;
		bool rsvd = bit >= bits || ((flags & PTE_PS) && bit > 12 && bit < 21);

		if (flags & PTE_PS)
			page &= ~0x1fffffull;
		got = read_behind(vcpu, entry, value | PTE_P | PTE_W | PTE_A | flags, &where);
		if (rsvd) {
			EXPECT_EQ(IS_FAULT, got) TH_LOG("bit %d", bit);
			EXPECT_EQ(PF_P | PF_RSVD, where) TH_LOG("bit %d", bit);
		} else if (page < RAM_SIZE) {
			EXPECT_EQ(IS_RAM, got) TH_LOG("bit %d", bit);
			EXPECT_EQ(*(u64 *)vm_hva(vcpu->vm, page), where) TH_LOG("bit %d", bit);
		} else {
			EXPECT_EQ(IS_MMIO, got) TH_LOG("bit %d", bit);
			EXPECT_EQ(page, where) TH_LOG("bit %d", bit);
		}
	}
}

/* A pointer to a table: too wide an address is a reserved bit; absent memory reads as ones. */
static void check_pointer(struct __test_metadata *_metadata, struct test_vcpu *vcpu, u64 entry,
			  u64 value, u32 bits)
{
	u64 where = 0;
	int bit;

	for (bit = 24; bit < 52; bit++) {
		if (!test_is_shvm() && bit < bits)
			continue;
		EXPECT_EQ(IS_FAULT, read_behind(vcpu, entry, value | 1ull << bit, &where))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(PF_P | PF_RSVD, where) TH_LOG("bit %d", bit);
	}
	*(u64 *)vm_hva(vcpu->vm, entry) = value;
}

GUEST_CODE static void guest_load_cr3(u64 cr3)
{
	struct guest_fault fault = GUEST_TRY("mov %[v], %%cr3", /* none */, [v] "r"(cr3));

	guest_ucall(UCALL_SYNC, fault.vector, fault.error, 0);
}

static void check_cr3(struct __test_metadata *_metadata, struct test_vcpu *vcpu, u32 bits)
{
	int bit;

	for (bit = bits; bit < 63; bit++) {
		vcpu_set_entry(vcpu, guest_load_cr3, vcpu->vm->root | 1ull << bit, 0);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
		EXPECT_EQ(13, vcpu->uc[0]) TH_LOG("bit %d", bit);
		EXPECT_EQ(0, vcpu->uc[1]);
	}
}

static void check_reserved(struct __test_metadata *_metadata, struct test_vm *vm,
			   struct test_vcpu *vcpu, u32 bits)
{
	typeof(region) *r = vm_sym(vm, region);

	region_fill(vm);
	check_leaf(_metadata, vcpu, r->pt, 0, bits);
	*(u64 *)vm_hva(vm, r->pt) = FRAME | PTE_P | PTE_W;
	check_pointer(_metadata, vcpu, r->pd, r->pt | PTE_TABLE, bits);
	check_pointer(_metadata, vcpu, r->pdpt, r->pd | PTE_TABLE, bits);
	check_pointer(_metadata, vcpu, vm->root + REGION_SLOT * 8, r->pdpt | PTE_TABLE, bits);
	check_leaf(_metadata, vcpu, r->pd, PTE_PS, bits);
	check_cr3(_metadata, vcpu, bits);
}

static void set_phys_bits(struct test_vcpu *vcpu, u32 bits)
{
	struct shvm_cpuid2 *cpuid = test_supported_cpuid();
	int i;

	for (i = 0; i < cpuid->nent; i++) {
		struct shvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == 0x80000008)
			e->eax = (e->eax & ~0xffu) | bits;
	}
	vcpu_ioctl(vcpu, SHVM_SET_CPUID2, cpuid);
	free(cpuid);
}

TEST_F(reserved, width_of_the_cpu)
{
	check_reserved(_metadata, self->vm, self->vcpu, region_phys_bits());
}

TEST_F(reserved, width_36)
{
	u32 bits = region_phys_bits();

	if (!test_is_shvm() || bits <= 36)
		SKIP(return, "the width is not the guest's");
	set_phys_bits(self->vcpu, 36);
	check_reserved(_metadata, self->vm, self->vcpu, 36);
}

SHVM_TEST_MAIN
