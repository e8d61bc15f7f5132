// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces: many of them, PCID and global pages, paging switched off and on, tables where no
 * memory is; and large guest pages over the borders of slots.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "region.h"

#define NR_SPACES	40	/* more than the roots that a vCPU remembers */
#define CR3_NOFLUSH	(1ull << 63)

static GUEST_DATA u64 roots[NR_SPACES];
static GUEST_DATA u64 tables[NR_SPACES];	/* the last level for REGION */

FIXTURE(mmu_space)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(mmu_space)
{
	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	region_fill(self->vm);
}

FIXTURE_TEARDOWN(mmu_space)
{
	vm_free(self->vm);
}

/* Space n has page n at REGION, and the rest of memory as all others have it. */
static void spaces_make(struct test_vm *vm)
{
	int i;

	for (i = 0; i < NR_SPACES; i++) {
		u64 root = guest_clone_root(vm, vm->root);

		((u64 *)vm_hva(vm, root))[REGION_SLOT] = 0;
		*guest_pte(vm, root, REGION, 1) = PAGE(i) | PTE_P | PTE_W;
		(*vm_sym(vm, roots))[i] = root;
		(*vm_sym(vm, tables))[i] = guest_pte_gpa(vm, root, REGION, 1);
	}
}

/* Edits of spaces that are not loaded; no flush is needed beyond the load. */
GUEST_CODE static void guest_spaces(u64 pcid)
{
	u64 round, i;

	if (pcid)
		guest_write_cr4(guest_read_cr4() | CR4_PCIDE);
	for (round = 0; round < 6; round++) {
		for (i = 0; i < NR_SPACES; i++) {
			u64 tag = pcid ? i + 1 : 0;

			guest_write_cr3(roots[i] | tag);
			GUEST_ASSERT_EQ(PAGE(i + round), guest_read64(REGION));
			guest_write64(REGION + 8, i);
			guest_write64(tables[i], PAGE(i + round + 1) | PTE_P | PTE_W);
			/* Loaded with NOFLUSH after INVLPG, it must be the new one. */
			if (pcid && (i & 1)) {
				guest_invlpg(REGION);
				guest_write_cr3(roots[i ? i - 1 : 0] | (i ? i : 1) | CR3_NOFLUSH);
				guest_write_cr3(roots[i] | tag | CR3_NOFLUSH);
				GUEST_ASSERT_EQ(PAGE(i + round + 1), guest_read64(REGION));
			}
			GUEST_ASSERT_EQ(roots[i] | tag, guest_read_cr3());
		}
	}
	guest_write_cr3(region.root);
	if (pcid)
		guest_write_cr4(guest_read_cr4() & ~CR4_PCIDE);
	GUEST_DONE();
}

TEST_F(mmu_space, more_spaces_than_roots)
{
	spaces_make(self->vm);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_spaces, 0, 0));
}

TEST_F(mmu_space, pcid)
{
	if (!region_cpuid_has(1, 2, 17))
		SKIP(return, "no PCID");
	spaces_make(self->vm);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_spaces, 1, 0));
}

/* A global page changes: INVLPG, or a change of CR4.PGE, makes it so in all spaces. */
GUEST_CODE static void guest_global(void)
{
	u64 i, j;

	guest_write_cr4(guest_read_cr4() | CR4_PGE);
	for (i = 0; i < 12; i++) {
		for (j = 0; j < 4; j++) {
			guest_write_cr3(roots[j]);
			guest_write64(tables[j], PAGE(i) | PTE_P | PTE_W | PTE_G);
		}
		if (i & 1) {
			guest_write_cr4(guest_read_cr4() & ~CR4_PGE);
			guest_write_cr4(guest_read_cr4() | CR4_PGE);
		} else {
			guest_invlpg(REGION);
		}
		for (j = 0; j < 4; j++) {
			guest_write_cr3(roots[j]);
			GUEST_ASSERT_EQ(PAGE(i), guest_read64(REGION));
		}
	}
	guest_write_cr3(region.root);
	GUEST_DONE();
}

TEST_F(mmu_space, global_pages)
{
	spaces_make(self->vm);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_global, 0, 0));
}

/* ---- no memory where tables should be ---- */

GUEST_CODE static void guest_bad_cr3(u64 cr3)
{
	guest_write_cr3(cr3);
	GUEST_DONE();
}

TEST_F(mmu_space, cr3_outside_memory)
{
	static const u64 bad[] = { HOLE_BASE, 0x600000000ull, RAM_SIZE };
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(SHVM_EXIT_SHUTDOWN, vcpu_call(self->vcpu, guest_bad_cr3, bad[i], 0))
			TH_LOG("CR3 %#lx", (long)bad[i]);
		vcpu_set_long_mode(self->vcpu);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_bad_cr3, self->vm->root, 0));
}

/* ---- large pages over borders ---- */

#define SLOT_A	20	/* 1 MiB at 0x60000000, then a page that is missing, then 512 KiB */
#define SLOT_B	21
#define LARGE	0x60000000ul

GUEST_CODE static void guest_over_borders(u64 gva)
{
	u64 off;

	for (off = 0; off < 0x180000; off += 0x1000) {
		if (off == 0x100000)
			continue;
		GUEST_ASSERT_EQ(LARGE + off, guest_read64(gva + off));
		guest_write64(gva + off + 8, off);
	}
	GUEST_SYNC(guest_read64(gva + 0x100000));
	guest_write64(gva + 0x100ff0, 0xabcdef);
	GUEST_SYNC(guest_read64(gva + 0x180000));
	GUEST_ASSERT_EQ(0xff000, guest_read64(gva + 0xff008));
	GUEST_ASSERT_EQ(0x101000, guest_read64(gva + 0x101008));
	/* Eight bytes of which half are a device's. */
	guest_write64(gva + 0xffffc, 0x1122334455667788);
	GUEST_SYNC(guest_read64(gva + 0xffff8) >> 32);
	GUEST_DONE();
}

static void check_borders(struct __test_metadata *_metadata, struct test_vm *vm,
			  struct test_vcpu *vcpu, u64 gva)
{
	u64 data = 0x5566778899aabbcc;
	u32 half;

	vcpu_set_entry(vcpu, guest_over_borders, gva, 0);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(vcpu));
	EXPECT_EQ(LARGE + 0x100000, vcpu->run->mmio.phys_addr);
	EXPECT_EQ(0, vcpu->run->mmio.is_write);
	vcpu_set_io_data(vcpu, &data, 8);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	EXPECT_EQ(data, vcpu->uc[0]);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(vcpu));
	EXPECT_EQ(LARGE + 0x100ff0, vcpu->run->mmio.phys_addr);
	EXPECT_EQ(1, vcpu->run->mmio.is_write);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(vcpu));
	EXPECT_EQ(LARGE + 0x180000, vcpu->run->mmio.phys_addr);
	vcpu_set_io_data(vcpu, &data, 8);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(vcpu));
	EXPECT_EQ(LARGE + 0x100000, vcpu->run->mmio.phys_addr);
	EXPECT_EQ(4, vcpu->run->mmio.len);
	memcpy(&half, vcpu->run->mmio.data, 4);
	EXPECT_EQ(0x11223344, half);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	EXPECT_EQ(0x55667788, vcpu->uc[0]);
	EXPECT_EQ(EXIT_DONE, vcpu_run(vcpu));
}

TEST_F(mmu_space, large_pages_over_slots_and_holes)
{
	typeof(region) *r = vm_sym(self->vm, region);
	u64 i;

	vm_add_ram(self->vm, SLOT_A, 0, LARGE, 0x100000);
	vm_add_ram(self->vm, SLOT_B, 0, LARGE + 0x101000, 0x7f000);
	for (i = 0; i < 0x180000; i += PAGE_SIZE)
		if (i != 0x100000)
			*(u64 *)vm_hva(self->vm, LARGE + i) = LARGE + i;
	*(u64 *)vm_hva(self->vm, r->pd) = LARGE | PTE_P | PTE_W | PTE_PS;
	check_borders(_metadata, self->vm, self->vcpu, REGION);
	if (region_cpuid_has(0x80000001, 3, 26)) {
		((u64 *)vm_hva(self->vm, r->pdpt))[3] = 0x40000000 | PTE_P | PTE_W | PTE_PS;
		check_borders(_metadata, self->vm, self->vcpu,
			      REGION + (3ull << 30) + LARGE - 0x40000000);
	}
	/* The slot goes away, and with it the memory behind the same large page. */
	vm_del_slot(self->vm, SLOT_B);
	vcpu_set_entry(self->vcpu, guest_over_borders, REGION, 0);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(LARGE + 0x101000, self->vcpu->run->mmio.phys_addr);
}

/* ---- paging off and on ---- */

/* Fills RAM from ESI in steps of EDI up to EBP with its addresses, reads it back, then a device. */
#define FLAT_PASS							\
	"mov %esi, %ebx\n"						\
	"1: mov %ebx, (%ebx)\n"						\
	"add %edi, %ebx; cmp %ebp, %ebx; jb 1b\n"			\
	"mov %esi, %ebx\n"						\
	"2: cmp %ebx, (%ebx); jne 9f\n"					\
	"incl 4(%ebx)\n"						\
	"add %edi, %ebx; cmp %ebp, %ebx; jb 2b\n"			\
	"movl $0x1234, 0x90000010\n"					\
	"mov 0x90000020, %eax\n"					\
	"cmp $0xcafe, %eax; jne 9f\n"

GUEST_ASM(guest_flat,
	  ".code32\n"
	  "mov $0x400000, %esi; mov $0x1000, %edi; mov $0x800000, %ebp\n"
	  FLAT_PASS
	  "mov $0x5e4, %edx; out %eax, %dx; hlt\n"
	  "9: mov $0x5e8, %edx; out %eax, %dx; hlt\n");
extern char guest_flat[];

/* The root in EDI: long mode, a store behind REGION, and back; ten times. */
GUEST_ASM(guest_on_and_off,
	  ".code32\n"
	  "mov %edi, %cr3\n"
	  "mov $10, %ebp\n"
	  "on: mov %cr4, %eax; or $0x20, %eax; mov %eax, %cr4\n"
	  "mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n"
	  "mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n"
	  "ljmp $0x08, $2f\n"
	  ".code64\n"
	  "2: mov $0x1000, %eax; shl $32, %rax\n"	/* REGION */
	  "incl 8(%rax)\n"
	  "mov 8(%rax), %ebx\n"
	  "ljmp *3f(%rip)\n"
	  "3: .long 4f; .word 0x18\n"
	  ".code32\n"
	  "4: mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0\n"
	  "mov $0xc0000080, %ecx; rdmsr; and $0xfffffeff, %eax; wrmsr\n"
	  "cmp %ebx, 0x605008; jne 9f\n"
	  "incl 0x60500c\n"
	  "dec %ebp; jnz on\n"
	  "mov $0x5e4, %edx; out %eax, %dx; hlt\n"
	  "9: mov $0x5e8, %edx; out %eax, %dx; hlt\n");
extern char guest_on_and_off[];

TEST_F(mmu_space, paging_off_all_over_memory)
{
	u64 i;
	u32 data = 0xcafe;

	vcpu_set_protected_mode(self->vcpu);
	vcpu_set_entry(self->vcpu, guest_flat, 0, 0);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(0x90000010, self->vcpu->run->mmio.phys_addr);
	EXPECT_EQ(0x1234, *(u32 *)self->vcpu->run->mmio.data);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	EXPECT_EQ(0x90000020, self->vcpu->run->mmio.phys_addr);
	vcpu_set_io_data(self->vcpu, &data, 4);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	for (i = 0x400000; i < RAM_SIZE; i += PAGE_SIZE)
		ASSERT_EQ(i, *(u32 *)vm_hva(self->vm, i));
}

TEST_F(mmu_space, long_mode_and_back)
{
	typeof(region) *r = vm_sym(self->vm, region);

	*(u64 *)vm_hva(self->vm, r->pt) = PAGE(5) | PTE_P | PTE_W;
	vcpu_set_protected_mode(self->vcpu);
	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_on_and_off, self->vm->root, 0));
	EXPECT_EQ(10, ((u32 *)vm_hva(self->vm, PAGE(5)))[2]);
	EXPECT_EQ(10, ((u32 *)vm_hva(self->vm, PAGE(5)))[3]);
	EXPECT_EQ(PAGE(5) | PTE_P | PTE_W | PTE_A | PTE_D, *(u64 *)vm_hva(self->vm, r->pt));
}

SHVM_TEST_MAIN
