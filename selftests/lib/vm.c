// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs, their memory and their vCPUs.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shvm_test.h"

/* Made by the linker for sections whose names are identifiers. */
extern char __start_guest_text[], __stop_guest_text[];
extern char __start_guest_utext[], __stop_guest_utext[];
extern char __start_guest_data[], __stop_guest_data[];
extern char __start_guest_udata[], __stop_guest_udata[];

/* The linker only makes those symbols for sections that exist. */
GUEST_USER_CODE static void section_exists_utext(void) { }
static GUEST_USER_DATA u64 section_exists_udata;

int __vm_set_slot(struct test_vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva)
{
	struct shvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (u64)hva,
	};
	int ret = __vm_ioctl(vm, SHVM_SET_USER_MEMORY_REGION, &region);

	if (!ret && slot < MAX_TEST_SLOTS)
		vm->slots[slot] = (struct test_slot){ .gpa = gpa, .size = size, .hva = hva };
	return ret;
}

void *vm_add_ram(struct test_vm *vm, u32 slot, u32 flags, u64 gpa, u64 size)
{
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (hva == MAP_FAILED)
		test_die("no memory for a slot of %#lx bytes", (long)size);
	ret = __vm_set_slot(vm, slot, flags, gpa, size, hva);
	if (ret)
		test_die("cannot make slot %u at %#lx: %s", slot, (long)gpa, strerror(-ret));
	return hva;
}

void vm_del_slot(struct test_vm *vm, u32 slot)
{
	int ret = __vm_set_slot(vm, slot, 0, vm->slots[slot].gpa, 0, vm->slots[slot].hva);

	if (ret)
		test_die("cannot delete slot %u: %s", slot, strerror(-ret));
}

void *vm_hva(struct test_vm *vm, u64 gpa)
{
	int i;

	for (i = 0; i < MAX_TEST_SLOTS; i++) {
		struct test_slot *slot = &vm->slots[i];

		if (gpa - slot->gpa < slot->size)
			return (char *)slot->hva + (gpa - slot->gpa);
	}
	test_die("no slot covers guest address %#lx", (long)gpa);
}

u64 vm_alloc_pages(struct test_vm *vm, unsigned int nr)
{
	u64 gpa = vm->heap_next ?: HEAP_BASE;

	vm->heap_next = gpa + nr * PAGE_SIZE;
	if (vm->heap_next > RAM_SIZE)
		test_die("the guest has no %u free pages", nr);
	memset(vm_hva(vm, gpa), 0, nr * PAGE_SIZE);
	return gpa;
}

static void payload_load(struct test_vm *vm, const char *start, const char *stop, u64 base,
			 u64 flags)
{
	u64 size = (stop - start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	if ((u64)start < base || (u64)stop > base + PAYLOAD_UTEXT - PAYLOAD_BASE)
		test_die("guest code or data is not linked at %#lx", (long)base);
	memcpy(vm_hva(vm, (u64)start), start, stop - start);
	guest_map_range(vm, base, base, size, PTE_P | PTE_W | flags);
}

struct test_vm *vm_create_bare(void)
{
	struct test_vm *vm = calloc(1, sizeof(*vm));
	int dev = test_dev_open();

	vm->fd = test_ioctl(dev, SHVM_CREATE_VM, "SHVM_CREATE_VM", 0);
	close(dev);
	return vm;
}

struct test_vm *vm_create(void)
{
	struct test_vm *vm = vm_create_bare();

	vm_ioctl(vm, SHVM_SET_TSS_ADDR, 0xfffbd000);
	vm_add_ram(vm, RAM_SLOT, 0, 0, RAM_SIZE);
	vm_add_ram(vm, PAYLOAD_SLOT, 0, PAYLOAD_BASE, PAYLOAD_SIZE);
	vm->root = pt_alloc(vm);
	guest_map_range(vm, PAGE_SIZE, PAGE_SIZE, RAM_SIZE - PAGE_SIZE, PTE_P | PTE_W);
	payload_load(vm, __start_guest_text, __stop_guest_text, PAYLOAD_BASE, 0);
	payload_load(vm, __start_guest_utext, __stop_guest_utext, PAYLOAD_UTEXT, PTE_U);
	payload_load(vm, __start_guest_data, __stop_guest_data, PAYLOAD_DATA, 0);
	payload_load(vm, __start_guest_udata, __stop_guest_udata, PAYLOAD_UDATA, PTE_U);
	vm_init_descriptors(vm);
	return vm;
}

int vm_audit(struct test_vm *vm)
{
	if (__vm_ioctl(vm, SHVM_CHECK_EXTENSION, SHVM_CAP_DEBUG) <= 0)
		return 0;
	return __vm_ioctl(vm, SHVM_AUDIT, 0);
}

static void vcpu_free(struct test_vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->run_size);
	close(vcpu->fd);
	free(vcpu);
}

struct shvm_stats vm_stats(struct test_vm *vm)
{
	struct shvm_stats stats = { };

	if (test_is_shvm())
		vm_ioctl(vm, SHVM_GET_STATS, &stats);
	return stats;
}

void vm_free(struct test_vm *vm)
{
	int i, ret = vm_audit(vm);

	if (ret)
		test_die("audit of the shadow MMU failed: %s; see the kernel log", strerror(-ret));
	for (i = 0; i < MAX_TEST_VCPUS; i++)
		if (vm->vcpus[i])
			vcpu_free(vm->vcpus[i]);
	close(vm->fd);
	for (i = 0; i < MAX_TEST_SLOTS; i++)
		if (vm->slots[i].size)
			munmap(vm->slots[i].hva, vm->slots[i].size);
	free(vm);
}

static void vcpu_set_cpuid(struct test_vcpu *vcpu)
{
	struct shvm_cpuid2 *cpuid = test_supported_cpuid();

	vcpu_ioctl(vcpu, SHVM_SET_CPUID2, cpuid);
	free(cpuid);
}

struct test_vcpu *vcpu_create_bare(struct test_vm *vm, int id)
{
	struct test_vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int dev = test_dev_open();

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = vm_ioctl(vm, SHVM_CREATE_VCPU, id);
	vcpu->run_size = test_ioctl(dev, SHVM_GET_VCPU_MMAP_SIZE, "SHVM_GET_VCPU_MMAP_SIZE", 0);
	close(dev);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		test_die("cannot map the run page: %s", strerror(errno));
	vm->vcpus[id] = vcpu;
	vcpu_set_cpuid(vcpu);
	return vcpu;
}

struct test_vcpu *vcpu_create(struct test_vm *vm, int id, void (*fn)(void))
{
	struct test_vcpu *vcpu = vcpu_create_bare(vm, id);

	vcpu_init_area(vcpu);
	vcpu_set_long_mode(vcpu);
	vcpu_set_entry(vcpu, fn, 0, 0);
	return vcpu;
}
