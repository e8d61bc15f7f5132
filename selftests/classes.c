// SPDX-License-Identifier: GPL-2.0-only
/*
 * Classes of bugs that no other program has a test for: a slot that goes while the host takes its
 * memory, host memory that is no memory, addresses that the host itself uses, results that leave
 * bytes of the kernel behind. docs/bug-classes.md names them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "region.h"

#define SLOT		20
#define GPA		HOLE_BASE	/* identity-mapped, no memory there by itself */
#define SIZE		(4 * PAGE_SIZE)
#define RET		0xc3		/* the instruction, as the first byte of a word */

FIXTURE(classes)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(classes)
{
	self->vm = vm_create();
	vm_map_hole(self->vm, 4);
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
}

FIXTURE_TEARDOWN(classes)
{
	vm_free(self->vm);
}

/* ---- a slot goes, and so does the memory behind it ---- */

GUEST_CODE static void guest_counts(u64 gva)
{
	asm volatile("sti");	/* the emulated CPU takes no host interrupts otherwise */
	for (;;)
		guest_write64(gva, guest_read64(gva) + 1);
}

static void debug_pause(struct test_vm *vm, u32 op, int point, u64 arg)
{
	struct shvm_debug_ctl ctl = { .op = op, .arg = { point, arg } };

	vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
}

static void *delete_slot(void *vm)
{
	vm_del_slot(vm, SLOT);
	return NULL;
}

/* Marked, but still mapped: an invalidation must find what the guest still uses. */
TEST_F(classes, slot_on_its_way_out_and_munmap)
{
	volatile u64 *count;
	pthread_t deleter;
	u64 *hva, before;
	int fd;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	fd = memfd_create("slot", 0);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	hva = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	count = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, SIZE, hva));
	vcpu_set_entry(self->vcpu, guest_counts, GPA, 0);
	vcpu_start(self->vcpu);
	while (!*count)
		sched_yield();
	debug_pause(self->vm, SHVM_DEBUG_PAUSE, SHVM_PAUSE_SLOT_MARKED, 1);
	ASSERT_EQ(0, pthread_create(&deleter, NULL, delete_slot, self->vm));
	debug_pause(self->vm, SHVM_DEBUG_PAUSE_WAIT, SHVM_PAUSE_SLOT_MARKED, 0);
	ASSERT_EQ(0, munmap(hva, SIZE));
	before = *count;
	usleep(20000);
	EXPECT_EQ(before, *count);
	debug_pause(self->vm, SHVM_DEBUG_PAUSE, SHVM_PAUSE_SLOT_MARKED, 0);
	pthread_join(deleter, NULL);
	EXPECT_EQ(SHVM_EXIT_MMIO, vcpu_join(self->vcpu));
	EXPECT_EQ(before, *count);
	close(fd);
}

/* ---- host memory of other kinds ---- */

GUEST_CODE static void guest_reads(u64 gva)
{
	GUEST_SYNC(guest_read64(gva));
}

GUEST_CODE static void guest_writes(u64 gva, u64 value)
{
	guest_write64(gva, value);
	GUEST_SYNC(0);
}

/* A mapping of this process by its name. */
static void *mapping(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, name)) {
			start = strtoul(line, NULL, 16);
			break;
		}
	}
	if (maps)
		fclose(maps);
	return (void *)start;
}

/* Frames that are mapped without a reference to their page, here those of the kernel's clock. */
TEST_F(classes, frames_without_a_reference)
{
	void *hva = mapping("[vvar]");

	if (!hva)
		SKIP(return, "the kernel has no such mapping");
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, PAGE_SIZE, hva));
	vcpu_set_entry(self->vcpu, guest_reads, GPA, 0);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	vcpu_set_entry(self->vcpu, guest_writes, GPA, 1);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	vm_del_slot(self->vm, SLOT);
	EXPECT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
}

/* Pages that all processes share: the guest may read them, as this process may. */
TEST_F(classes, kernel_pages_stay_read_only)
{
	u64 *hva = mapping("[vdso]"), before;

	if (!hva)
		SKIP(return, "the kernel has no such mapping");
	before = *hva;
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, PAGE_SIZE, hva));
	vcpu_set_entry(self->vcpu, guest_writes, GPA, ~before);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	ASSERT_EQ(EXIT_SYNC, vcpu_call(self->vcpu, guest_reads, GPA, 0));
	EXPECT_EQ(before, self->vcpu->uc[0]);
	vcpu_set_entry(self->vcpu, guest_writes, GPA, ~before);
	EXPECT_EQ(-EFAULT, __vcpu_run(self->vcpu));
	EXPECT_EQ(before, *hva);
	vm_del_slot(self->vm, SLOT);
}

/* ---- addresses that the host uses itself ---- */

#define NR_ADDRESSES	16

static GUEST_DATA u64 addresses[NR_ADDRESSES] = {
	0xffff800000000000, 0xffff880000000000, 0xffff888000001000, 0xffffc90000000000,
	0xffffea0000000000, 0xfffffe0000000000, 0xfffffe0000001000, 0xffffff0000000000,
	0xffffffff81000000, 0xffffffffc0000000, 0xffffffffff57a000, 0xffffffffff600000,
	0xfffffffffffff000, 0x00007ffffffff000,
	/* Two more for this CPU's own tables. */
};

static void addresses_make(struct test_vm *vm)
{
	struct __attribute__((packed)) { u16 limit; u64 base; } idt, gdt;

	asm volatile("sidt %0; sgdt %1" : "=m"(idt), "=m"(gdt));
	(*vm_sym(vm, addresses))[NR_ADDRESSES - 2] = idt.base & -PAGE_SIZE;
	(*vm_sym(vm, addresses))[NR_ADDRESSES - 1] = gdt.base & -PAGE_SIZE;
}

/* The guest has nothing there, so there is nothing: not even something it may not use. */
GUEST_INLINE void expect_nothing(u64 gva)
{
	struct guest_fault fault;
	u64 value;

	fault = guest_try_read64(gva, &value);
	GUEST_ASSERT_EQ(14, fault.vector);
	GUEST_ASSERT_EQ(0, fault.error);
	GUEST_ASSERT_EQ(gva, fault.cr2);
	fault = guest_try_write64(gva, 1);
	GUEST_ASSERT_EQ(PF_W, fault.error);
	fault = guest_try_call(gva);
	GUEST_ASSERT_EQ(0, fault.error & PF_P);
	GUEST_ASSERT_EQ(gva, fault.cr2);
}

GUEST_CODE static void guest_probes(void)
{
	u64 i;

	for (i = 0; i < NR_ADDRESSES; i++)
		expect_nothing(addresses[i]);
	for (i = 1; i < 512; i++)
		if (i != REGION_SLOT)
			expect_nothing(i << 39 | 0x81234000 | (i & 256 ? 0xffffull << 48 : 0));
	GUEST_DONE();
}

TEST_F(classes, nothing_of_the_host_is_mapped)
{
	addresses_make(self->vm);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_probes, 0, 0));
}

GUEST_CODE static void guest_uses_addresses(void)
{
	u64 i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < NR_ADDRESSES; i++) {
			GUEST_ASSERT_EQ(RET, guest_read64(addresses[i]));
			guest_write64(addresses[i] + 8, i + round);
			GUEST_ASSERT_EQ(i + round, guest_read64(FRAME + i * PAGE_SIZE + 8));
			GUEST_ASSERT_EQ(NO_EXCEPTION, guest_try_call(addresses[i]).vector);
		}
		guest_write_cr3(guest_read_cr3());
	}
	GUEST_DONE();
}

TEST_F(classes, addresses_of_the_host_are_the_guests)
{
	u64 *list = *vm_sym(self->vm, addresses);
	int i, j;

	addresses_make(self->vm);
	for (i = 0; i < NR_ADDRESSES; i++) {
		/* Descriptor tables of one CPU may be in pages that are in the list already. */
		for (j = 0; j < i; j++)
			if (list[i] == list[j])
				list[i] = 0xffff900000000000 + i * PAGE_SIZE;
		*(u64 *)vm_hva(self->vm, FRAME + i * PAGE_SIZE) = RET;
		guest_map(self->vm, list[i], FRAME + i * PAGE_SIZE, PTE_P | PTE_W);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_uses_addresses, 0, 0));
}

/* ---- an instruction that is not emulated ---- */

/* movq %mm0, (%rdi); ret */
static const u8 mmx_store[] = { 0x0f, 0x7f, 0x07, 0xc3 };

GUEST_CODE static void guest_calls(u64 gva, u64 target)
{
	u64 entry = FRAME | PTE_P | PTE_W | PTE_A | PTE_D;
	u64 i;

	for (i = 0; i < 20; i++) {
		asm volatile("movq %0, %%mm0" : : "r"(entry + (i & 1) * PAGE_SIZE));
		asm volatile("call *%1; emms" : : "D"(target), "r"(gva) : "memory", "cc");
		guest_invlpg(REGION + 4 * PAGE_SIZE);
		GUEST_ASSERT_EQ(FRAME + (i & 1) * PAGE_SIZE,
				guest_read64(REGION + 4 * PAGE_SIZE));
	}
	GUEST_DONE();
}

/* It stores to the table that maps its own code: giving the table up has it back at once. */
TEST_F(classes, store_to_the_table_of_the_code)
{
	u64 *pt = vm_hva(self->vm, vm_sym(self->vm, region)->pt);
	u64 code = vm_alloc_pages(self->vm, 1);
	int exit;

	memcpy(vm_hva(self->vm, code), mmx_store, sizeof(mmx_store));
	*(u64 *)vm_hva(self->vm, FRAME) = FRAME;
	*(u64 *)vm_hva(self->vm, FRAME + PAGE_SIZE) = FRAME + PAGE_SIZE;
	pt[2] = code | PTE_P;
	exit = vcpu_call(self->vcpu, guest_calls, REGION + 2 * PAGE_SIZE,
			 vm_sym(self->vm, region)->pt + 4 * 8);
	EXPECT_TRUE(exit == EXIT_DONE || exit == SHVM_EXIT_INTERNAL_ERROR) TH_LOG("%#x", exit);
}

/* ---- an instruction that is replaced while user space serves it ---- */

GUEST_CODE static void guest_calls_code(u64 gva, u64 device)
{
	u64 rax = 0;

	asm volatile("call *%2" : "+a"(rax) : "D"(device), "r"(gva) : "memory", "cc");
	GUEST_SYNC(rax);
}

/* What began as one instruction ends as that one, with its length and its operands. */
TEST_F(classes, code_changes_during_an_access)
{
	/* mov (%rdi), %eax; ret */
	static const u8 code[] = { 0x8b, 0x07, 0xc3 };
	static const u8 others[][3] = {
		{ 0xf4, 0xf4, 0xc3 },		/* hlt */
		{ 0x8b, 0x1f, 0xc3 },		/* another register */
		{ 0x89, 0x07, 0xc3 },		/* a store */
		{ 0x0f, 0x0b, 0xc3 },		/* ud2 */
		{ 0x90, 0x90, 0xc3 },		/* no access at all */
		{ 0x66, 0x8b, 0xc3 },		/* no memory, and longer: but for the ret */
	};
	u64 page = vm_alloc_pages(self->vm, 1), data;
	u8 *at = vm_hva(self->vm, page);
	unsigned int i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		memcpy(at, code, sizeof(code));
		ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_call(self->vcpu, guest_calls_code, page, GPA + 8));
		ASSERT_EQ(0, self->vcpu->run->mmio.is_write);
		ASSERT_EQ(4, self->vcpu->run->mmio.len);
		memcpy(at, others[i], sizeof(others[i]));
		data = 0x12345678 + i;
		vcpu_set_io_data(self->vcpu, &data, 4);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu)) TH_LOG("case %u", i);
		EXPECT_EQ(data, self->vcpu->uc[0]) TH_LOG("case %u", i);
	}
}

/* ---- results of any length ---- */

#define MAX_ENTRIES	256

/* Bytes that depend on what was there before, and bytes behind the result that changed. */
static int count_bad(const u8 *one, const u8 *two, size_t result, size_t size, u8 first)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < result; i++)
		bad += one[i] != two[i];
	for (; i < size; i++)
		bad += one[i] != first;
	return bad;
}

TEST_F(classes, lists_are_complete)
{
	const size_t size = sizeof(struct shvm_cpuid2) +
			    MAX_ENTRIES * sizeof(struct shvm_cpuid_entry2);
	struct shvm_cpuid2 *one = malloc(size), *two = malloc(size);
	struct shvm_msr_list *list = (void *)one, *other = (void *)two;
	int dev = test_dev_open();

	memset(one, 0x5a, size);
	memset(two, 0xa5, size);
	*one = (struct shvm_cpuid2){ .nent = MAX_ENTRIES };
	*two = *one;
	ASSERT_EQ(0, __test_ioctl(dev, SHVM_GET_SUPPORTED_CPUID, (u64)one));
	ASSERT_EQ(0, __test_ioctl(dev, SHVM_GET_SUPPORTED_CPUID, (u64)two));
	EXPECT_EQ(0, count_bad((u8 *)one, (u8 *)two,
			       sizeof(*one) + one->nent * sizeof(one->entries[0]), size, 0x5a));
	memset(one, 0x5a, size);
	memset(two, 0xa5, size);
	list->nmsrs = MAX_ENTRIES;
	other->nmsrs = MAX_ENTRIES;
	ASSERT_EQ(0, __test_ioctl(dev, SHVM_GET_MSR_INDEX_LIST, (u64)list));
	ASSERT_EQ(0, __test_ioctl(dev, SHVM_GET_MSR_INDEX_LIST, (u64)other));
	EXPECT_EQ(0, count_bad((u8 *)list, (u8 *)other,
			       sizeof(*list) + list->nmsrs * sizeof(list->indices[0]), size, 0x5a));
	close(dev);
	free(one);
	free(two);
}

SHVM_TEST_MAIN
