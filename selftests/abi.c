// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl with every error that the header promises: arguments, pointers, wrong fds. What
 * registers take is in regs.c, msrs.c and events.c, slots are in slot_args.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "every_fd.h"
#include "shvm_test.h"

/* ---- every fd knows its own ioctls only ---- */

/* KVM says EINVAL on some of its fds. */
static bool is_unknown(int ret, bool is_shvm)
{
	return ret == -ENOTTY || (!is_shvm && ret == -EINVAL);
}

TEST_F(every_fd, unknown_ioctl)
{
	static const unsigned long requests[] = {
		_IO(SHVMIO, 0x3f), _IO(SHVMIO, 0xff), _IOWR(SHVMIO, 0x3f, u64),
		/* the right number with another size or direction */
		_IOR(SHVMIO, 0x81, u64), _IOW(SHVMIO, 0x81, struct shvm_regs),
		_IOR(SHVMIO, 0x00, u32), _IOW(SHVMIO, 0x46, u64), _IO(SHVMIO, 0x9f),
		/* other types */
		_IO(SHVMIO_OWN, 0x7f), _IO(0, 0), _IO('T', 1),
	};
	int kind;
	u32 i;

	for (kind = SYSTEM; kind <= VCPU; kind++) {
		for (i = 0; i < ARRAY_LEN(requests); i++)
			EXPECT_TRUE(is_unknown(__test_ioctl(self->fds[kind], requests[i], 0),
					       self->is_shvm))
				TH_LOG("request %#lx, fd kind %d", requests[i], kind);
	}
}

TEST_F(every_fd, ioctl_on_the_wrong_fd)
{
	const struct ioctl_info *info;
	int kind;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++) {
		for (kind = SYSTEM; kind <= VCPU; kind++) {
			if (info->kinds & 1 << kind)
				continue;
			if (!self->is_shvm && (info->request == SHVM_GET_MSRS ||
					       info->request == SHVM_GET_TSC_KHZ ||
					       info->request == SHVM_SET_TSC_KHZ))
				continue;	/* KVM has them on other fds too */
			EXPECT_TRUE(is_unknown(__test_ioctl(self->fds[kind], info->request, 0),
					       self->is_shvm))
				TH_LOG("%s, fd kind %d", info->name, kind);
		}
	}
}

TEST_F(every_fd, own_ioctls)
{
	const struct ioctl_info *info;
	int kind;

	for (info = own_ioctls; info < own_ioctls + ARRAY_LEN(own_ioctls); info++) {
		for (kind = SYSTEM; kind <= VCPU; kind++) {
			if (self->is_shvm && kind == VM)
				continue;
			EXPECT_TRUE(is_unknown(__test_ioctl(self->fds[kind], info->request, 0),
					       self->is_shvm))
				TH_LOG("%s, fd kind %d", info->name, kind);
		}
	}
	if (self->is_shvm && test_dev_cap(SHVM_CAP_DEBUG) <= 0) {
		EXPECT_EQ(-ENOTTY, __vm_ioctl(self->vm, SHVM_AUDIT, 0));
		EXPECT_EQ(-ENOTTY, __vm_ioctl(self->vm, SHVM_DEBUG_CTL, 0));
	}
}

/* What KVM has and shvm has not must not look as if it were there. */
TEST_F(every_fd, not_implemented)
{
	static const unsigned long requests[] = {
		_IO(SHVMIO, 0x60), _IOW(SHVMIO, 0x77, char[64]), _IOW(SHVMIO, 0x42, char[16]),
		_IOW(SHVMIO, 0x76, char[32]), _IOW(SHVMIO, 0x79, char[64]),
		_IOR(SHVMIO, 0x8e, char[1024]), _IOR(SHVMIO, 0xa4, char[4096]),
		_IOW(SHVMIO, 0xa3, char[104]), _IOW(SHVMIO, 0x6a, u64),
	};
	u32 i, kind;

	if (!self->is_shvm)
		SKIP(return, "KVM has these");
	for (i = 0; i < ARRAY_LEN(requests); i++)
		for (kind = VM; kind <= VCPU; kind++)
			EXPECT_EQ(-ENOTTY, __test_ioctl(self->fds[kind], requests[i], 0));
}

/* ---- pointers ---- */

static size_t ioctl_size(const struct ioctl_info *info)
{
	return _IOC_SIZE(info->request);
}

TEST_F(every_fd, bad_pointers)
{
	static const unsigned long bad[] = {
		0, 1, KERNEL_ADDR, 0x0000800000000000ul, ~0ul, 0xfffffffffffff000ul,
	};
	const struct ioctl_info *info;
	int kind, ret;
	u32 i;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++) {
		if (_IOC_DIR(info->request) == _IOC_NONE)
			continue;
		for (kind = SYSTEM; !(info->kinds & 1 << kind); kind++)
			;
		for (i = 0; i < ARRAY_LEN(bad); i++) {
			if (!self->is_shvm && info->request == SHVM_SET_IDENTITY_MAP_ADDR)
				continue;	/* EINVAL before the argument is read */
			ret = __test_ioctl(self->fds[kind], info->request, bad[i]);
			EXPECT_EQ(-EFAULT, ret)
				TH_LOG("%s with pointer %#lx", info->name, bad[i]);
		}
	}
}

TEST_F(every_fd, argument_runs_into_nothing)
{
	char *pages = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct ioctl_info *info;
	int kind, ret;

	ASSERT_EQ(0, munmap(pages + PAGE_SIZE, PAGE_SIZE));
	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++) {
		if (_IOC_DIR(info->request) == _IOC_NONE)
			continue;
		for (kind = SYSTEM; !(info->kinds & 1 << kind); kind++)
			;
		if (!self->is_shvm && info->request == SHVM_SET_IDENTITY_MAP_ADDR)
			continue;
		memset(pages, 0, PAGE_SIZE);
		ret = __test_ioctl(self->fds[kind], info->request,
				   (unsigned long)pages + PAGE_SIZE - ioctl_size(info) + 1);
		EXPECT_EQ(-EFAULT, ret)
			TH_LOG("%s", info->name);
	}
}

TEST_F(every_fd, read_only_result)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct ioctl_info *info;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++)
		if (_IOC_DIR(info->request) == _IOC_READ)
			EXPECT_EQ(-EFAULT, __vcpu_ioctl(self->vcpu, info->request, page))
				TH_LOG("%s", info->name);
}

TEST_F(every_fd, misaligned_pointers)
{
	const struct ioctl_info *info;
	char buffer[1024 + 8];

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++)
		if (_IOC_DIR(info->request) == _IOC_READ)
			EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, info->request, buffer + 1))
				TH_LOG("%s", info->name);
}

/* GET must fill all of its structure: nothing of what was there or in the kernel stays. */
TEST_F(every_fd, results_are_complete)
{
	const struct ioctl_info *info;
	u8 one[1024], two[1024];
	u32 i;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++) {
		if (_IOC_DIR(info->request) != _IOC_READ)
			continue;
		memset(one, 0x5a, sizeof(one));
		memset(two, 0xa5, sizeof(two));
		ASSERT_EQ(0, __vcpu_ioctl(self->vcpu, info->request, one));
		ASSERT_EQ(0, __vcpu_ioctl(self->vcpu, info->request, two));
		for (i = 0; i < ioctl_size(info); i++)
			EXPECT_EQ(one[i], two[i])
				TH_LOG("%s, byte %u", info->name, i);
		for (; i < sizeof(one); i++)
			ASSERT_EQ(0x5a, one[i])
				TH_LOG("%s wrote byte %u", info->name, i);
	}
}

/* ---- the system fd ---- */

TEST_F(every_fd, api_version)
{
	EXPECT_EQ(SHVM_API_VERSION, dev_ioctl(SHVM_GET_API_VERSION, 0));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_GET_API_VERSION, 1));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_GET_API_VERSION, ~0ul));
}

TEST_F(every_fd, create_vm)
{
	int fd = dev_ioctl(SHVM_CREATE_VM, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_CREATE_VM, 0xfff));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_CREATE_VM, ~0ul));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_CREATE_VM, 1ul << 32));
}

TEST_F(every_fd, capabilities)
{
	static const long present[] = {
		SHVM_CAP_HLT, SHVM_CAP_MMU_SHADOW_CACHE_CONTROL, SHVM_CAP_USER_MEMORY,
		SHVM_CAP_SET_TSS_ADDR, SHVM_CAP_EXT_CPUID, SHVM_CAP_NR_VCPUS, SHVM_CAP_NR_MEMSLOTS,
		SHVM_CAP_MP_STATE, SHVM_CAP_SYNC_MMU, SHVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		SHVM_CAP_USER_NMI, SHVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
		SHVM_CAP_SET_IDENTITY_MAP_ADDR, SHVM_CAP_INTERNAL_ERROR_DATA, SHVM_CAP_VCPU_EVENTS,
		SHVM_CAP_INTR_SHADOW, SHVM_CAP_DEBUGREGS, SHVM_CAP_GET_TSC_KHZ, SHVM_CAP_MAX_VCPUS,
		SHVM_CAP_READONLY_MEM, SHVM_CAP_CHECK_EXTENSION_VM, SHVM_CAP_MAX_VCPU_ID,
		SHVM_CAP_IMMEDIATE_EXIT,
	};
	static const long values[] = {
		SHVM_CAP_NR_VCPUS, SHVM_CAP_NR_MEMSLOTS, SHVM_CAP_MAX_VCPUS, SHVM_CAP_MAX_VCPU_ID,
	};
	bool expected[512] = { false };
	u32 i;

	for (i = 0; i < ARRAY_LEN(present); i++) {
		if (!self->is_shvm && present[i] == SHVM_CAP_INTR_SHADOW)
			continue;	/* not with every back end */
		EXPECT_LT(0, test_dev_cap(present[i]))
			TH_LOG("capability %ld", present[i]);
		expected[present[i]] = true;
	}
	EXPECT_LE(test_dev_cap(SHVM_CAP_NR_VCPUS), test_dev_cap(SHVM_CAP_MAX_VCPUS));
	EXPECT_LE(test_dev_cap(SHVM_CAP_MAX_VCPUS), test_dev_cap(SHVM_CAP_MAX_VCPU_ID));
	EXPECT_LE(32, test_dev_cap(SHVM_CAP_NR_MEMSLOTS));
	EXPECT_EQ(0, dev_ioctl(SHVM_CHECK_EXTENSION, 0x7fffffff));
	EXPECT_EQ(0, dev_ioctl(SHVM_CHECK_EXTENSION, ~0ul));
	if (!self->is_shvm)
		return;
	/* The whole truth: nothing else, and 1 where there is no value. */
	for (i = 0; i < ARRAY_LEN(expected); i++)
		if (!expected[i])
			EXPECT_EQ(0, test_dev_cap(i))
				TH_LOG("capability %u is not in the header", i);
	for (i = 0; i < ARRAY_LEN(values); i++)
		expected[values[i]] = false;
	for (i = 0; i < ARRAY_LEN(expected); i++)
		if (expected[i])
			EXPECT_EQ(1, test_dev_cap(i));
	EXPECT_EQ(1, test_dev_cap(SHVM_CAP_PIC_PIT));
	EXPECT_EQ(1, test_dev_cap(SHVM_CAP_STATS));
	EXPECT_EQ(1, test_dev_cap(SHVM_CAP_WORKING_SET));
	EXPECT_EQ(0, dev_ioctl(SHVM_CHECK_EXTENSION, SHVM_OWN_BASE + 0x100));
	EXPECT_EQ(0, dev_ioctl(SHVM_CHECK_EXTENSION, (1ul << 32) | SHVM_CAP_HLT));
	EXPECT_EQ(16, test_dev_cap(SHVM_CAP_MAX_VCPUS));
}

TEST_F(every_fd, capabilities_of_a_vm)
{
	long cap;

	for (cap = 0; cap < 64; cap++)
		if (self->is_shvm || cap == SHVM_CAP_USER_MEMORY || cap == SHVM_CAP_SYNC_MMU)
			EXPECT_EQ(test_dev_cap(cap),
				  __vm_ioctl(self->vm, SHVM_CHECK_EXTENSION, cap));
}

TEST_F(every_fd, mmap_size)
{
	int size = dev_ioctl(SHVM_GET_VCPU_MMAP_SIZE, 0);

	EXPECT_LE((int)sizeof(struct shvm_run), size);
	EXPECT_EQ(0, size % PAGE_SIZE);
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_GET_VCPU_MMAP_SIZE, 1));
}

TEST_F(every_fd, msr_index_list)
{
	struct shvm_msr_list *list = calloc(1, sizeof(*list) + 4096 * sizeof(u32));
	u32 nr, i;

	ASSERT_EQ(-E2BIG, dev_ioctl(SHVM_GET_MSR_INDEX_LIST, list));
	nr = list->nmsrs;
	ASSERT_LT(0, nr);
	ASSERT_LT(nr, 4096);
	list->nmsrs = nr - 1;
	memset(list->indices, 0x5a, 4096 * sizeof(u32));
	EXPECT_EQ(-E2BIG, dev_ioctl(SHVM_GET_MSR_INDEX_LIST, list));
	EXPECT_EQ(nr, list->nmsrs);
	EXPECT_EQ(0x5a5a5a5a, list->indices[0]);
	list->nmsrs = nr;
	EXPECT_EQ(0, dev_ioctl(SHVM_GET_MSR_INDEX_LIST, list));
	EXPECT_EQ(nr, list->nmsrs);
	EXPECT_EQ(0x5a5a5a5a, list->indices[nr]);
	list->nmsrs = ~0u;
	EXPECT_EQ(0, dev_ioctl(SHVM_GET_MSR_INDEX_LIST, list));
	EXPECT_EQ(nr, list->nmsrs);
	for (i = 1; i < nr; i++)
		EXPECT_NE(list->indices[0], list->indices[i]);
	free(list);
}

TEST_F(every_fd, supported_cpuid)
{
	struct shvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 300 * sizeof(cpuid->entries[0]));
	u32 nr, i;

	EXPECT_EQ(-E2BIG, dev_ioctl(SHVM_GET_SUPPORTED_CPUID, cpuid));
	cpuid->nent = 300;
	ASSERT_EQ(0, dev_ioctl(SHVM_GET_SUPPORTED_CPUID, cpuid));
	nr = cpuid->nent;
	ASSERT_LT(0, nr);
	ASSERT_LE(nr, SHVM_MAX_CPUID_ENTRIES);
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(0, cpuid->entries[i].flags & ~7);
		EXPECT_EQ(0, cpuid->entries[i].padding[0] | cpuid->entries[i].padding[1] |
			     cpuid->entries[i].padding[2]);
	}
	cpuid->nent = nr - 1;
	EXPECT_EQ(-E2BIG, dev_ioctl(SHVM_GET_SUPPORTED_CPUID, cpuid));
	if (self->is_shvm)
		EXPECT_EQ(nr, cpuid->nent);
	cpuid->nent = nr;
	EXPECT_EQ(0, dev_ioctl(SHVM_GET_SUPPORTED_CPUID, cpuid));
	cpuid->nent = ~0u;	/* room that nobody has: no reason to fail, nor to allocate it */
	EXPECT_EQ(0, dev_ioctl(SHVM_GET_SUPPORTED_CPUID, cpuid));
	EXPECT_EQ(nr, cpuid->nent);
	free(cpuid);
}

/* ---- the VM fd ---- */

TEST_F(every_fd, vcpu_ids)
{
	int max = test_dev_cap(SHVM_CAP_MAX_VCPU_ID), fd;

	EXPECT_EQ(-EEXIST, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, 0));
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, max));
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, 0xffffffff));
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, 0x80000000));
	if (self->is_shvm) {	/* KVM looks at 32 bits */
		EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, ~0ul));
		EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, 1ul << 32));
	}
	fd = vm_ioctl(self->vm, SHVM_CREATE_VCPU, 7);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(-EEXIST, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, 7));
	close(fd);
	/* The id belongs to the VM for good. */
	EXPECT_EQ(-EEXIST, __vm_ioctl(self->vm, SHVM_CREATE_VCPU, 7));
}

TEST_F(every_fd, as_many_vcpus_as_promised)
{
	int max = test_dev_cap(SHVM_CAP_MAX_VCPUS), id;

	for (id = 1; id < max && id < 16; id++)
		vcpu_create(self->vm, id, guest_done);
	for (id = 1; id < max && id < 16; id++)
		EXPECT_EQ(EXIT_DONE, vcpu_run(self->vm->vcpus[id]));
}

TEST_F(every_fd, nr_mmu_pages)
{
	const long few = self->is_shvm ? 0 : -EINVAL;	/* less than any guest needs */

	EXPECT_EQ(few, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 1));
	EXPECT_EQ(few, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, SHVM_MIN_MMU_PAGES - 1));
	EXPECT_EQ(few, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 0));
	if (self->is_shvm) {
		EXPECT_LE(128, __vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0));
		EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 1ul << 32));
		EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, ~0ul));
	}
	EXPECT_EQ(0, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, SHVM_MIN_MMU_PAGES));
	if (!self->is_shvm)	/* new kernels do not have the other one */
		return;
	EXPECT_EQ(SHVM_MIN_MMU_PAGES, __vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0));
	EXPECT_EQ(0, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 5000));
	EXPECT_EQ(5000, __vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 12345));
}

TEST_F(every_fd, tss_and_identity_map)
{
	struct test_vm *vm = vm_create_bare();
	u64 addr = 0xfffbc000;

	EXPECT_EQ(0, __vm_ioctl(vm, SHVM_SET_TSS_ADDR, 0xfffbd000));
	EXPECT_EQ(0, __vm_ioctl(vm, SHVM_SET_TSS_ADDR, 0xffffd000));
	EXPECT_EQ(0, __vm_ioctl(vm, SHVM_SET_IDENTITY_MAP_ADDR, &addr));
	addr = 0;
	EXPECT_EQ(0, __vm_ioctl(vm, SHVM_SET_IDENTITY_MAP_ADDR, &addr));
	if (self->is_shvm) {	/* KVM checks less, and not on every CPU */
		EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_SET_TSS_ADDR, 0xffffe000));
		EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_SET_TSS_ADDR, 0xfffbd800));
		EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_SET_TSS_ADDR, 0x1fffbd000));
		EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_SET_TSS_ADDR, ~0ul));
		addr = 0x1001;
		EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_SET_IDENTITY_MAP_ADDR, &addr));
	}
	vm_free(vm);
	addr = 0xfffbc000;
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_SET_IDENTITY_MAP_ADDR, &addr));
}

TEST_F(every_fd, irq_line)
{
	struct shvm_irq_level line = { .irq = 1, .level = 0 };
	struct test_vm *vm;

	EXPECT_EQ(-ENXIO, __vm_ioctl(self->vm, SHVM_IRQ_LINE, &line));
	if (!self->is_shvm)
		return;
	vm = vm_create_bare();
	EXPECT_EQ(0, __vm_ioctl(vm, SHVM_CREATE_PIC_PIT, 0));
	for (line.irq = 0; line.irq < 16; line.irq++)
		EXPECT_EQ(0, __vm_ioctl(vm, SHVM_IRQ_LINE, &line));
	EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_IRQ_LINE, &line));
	line.irq = ~0u;
	EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_IRQ_LINE, &line));
	vm_free(vm);
}

TEST_F(every_fd, pic_pit)
{
	struct shvm_interrupt irq = { .irq = 32 };
	struct test_vcpu *vcpu;
	struct test_vm *vm;

	if (!self->is_shvm)
		SKIP(return, "KVM has no such ioctl");
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_CREATE_PIC_PIT, 0));
	vm = vm_create();
	EXPECT_EQ(0, __vm_ioctl(vm, SHVM_CREATE_PIC_PIT, 0));
	EXPECT_EQ(-EEXIST, __vm_ioctl(vm, SHVM_CREATE_PIC_PIT, 0));
	vcpu = vcpu_create(vm, 0, guest_done);
	EXPECT_EQ(-EEXIST, __vm_ioctl(vm, SHVM_CREATE_PIC_PIT, 0));
	EXPECT_EQ(-ENXIO, __vcpu_ioctl(vcpu, SHVM_INTERRUPT, &irq));
	EXPECT_EQ(EXIT_DONE, vcpu_run(vcpu));
	vm_free(vm);
}

TEST_F(every_fd, stats)
{
	struct shvm_stats stats, later;
	u32 i;

	if (!self->is_shvm)
		SKIP(return, "KVM has no such ioctl");
	EXPECT_EQ(-EFAULT, __vm_ioctl(self->vm, SHVM_GET_STATS, 0));
	EXPECT_EQ(-EFAULT, __vm_ioctl(self->vm, SHVM_GET_STATS, KERNEL_ADDR));
	memset(&stats, 0x5a, sizeof(stats));
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	ASSERT_EQ(0, __vm_ioctl(self->vm, SHVM_GET_STATS, &stats));
	EXPECT_EQ(offsetof(struct shvm_stats, reserved), stats.size);
	for (i = 0; i < ARRAY_LEN(stats.reserved); i++)
		EXPECT_EQ(0, stats.reserved[i]);
	EXPECT_LT(0, stats.exits);
	EXPECT_LT(0, stats.pf_fixed);
	EXPECT_LT(0, stats.shadow_pages);
	EXPECT_LE(stats.shadow_pages, stats.shadow_pages_max);
	EXPECT_LE(stats.shadow_pages_max, stats.shadow_budget);
	EXPECT_LT(0, stats.rmap_entries);
	EXPECT_LT(0, stats.chain_bytes);
	EXPECT_EQ(stats.shadow_budget, __vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0));
	/* One port write is one exit. */
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	ASSERT_EQ(0, __vm_ioctl(self->vm, SHVM_GET_STATS, &later));
	EXPECT_EQ(stats.exit_reason[30] + 1, later.exit_reason[30]);
	EXPECT_LE(stats.exits + 1, later.exits);
}

/* ---- the vCPU fd ---- */

TEST_F(every_fd, run_arguments)
{
	EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_RUN, 1));
	EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_RUN, ~0ul));
	self->vcpu->run->shvm_valid_regs = 1ull << 63;
	EXPECT_EQ(-EINVAL, __vcpu_run(self->vcpu));
	self->vcpu->run->shvm_valid_regs = 0;
	self->vcpu->run->shvm_dirty_regs = 1ull << 63;
	EXPECT_EQ(-EINVAL, __vcpu_run(self->vcpu));
	self->vcpu->run->shvm_dirty_regs = 0;
	self->vcpu->run->cr8 = 16;
	EXPECT_EQ(-EINVAL, __vcpu_run(self->vcpu));
	self->vcpu->run->cr8 = 0;
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

TEST_F(every_fd, interrupt_vectors)
{
	struct shvm_interrupt irq = { .irq = 256 };

	EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq));
	irq.irq = ~0u;
	EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq));
}

TEST_F(every_fd, msr_arrays)
{
	struct shvm_msrs *msrs = calloc(1, sizeof(*msrs) + 256 * sizeof(msrs->entries[0]));

	EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_GET_MSRS, msrs));
	EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_SET_MSRS, msrs));
	msrs->nmsrs = SHVM_MAX_MSR_ENTRIES + 1;
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_GET_MSRS, msrs));
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_SET_MSRS, msrs));
	msrs->nmsrs = ~0u;
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_GET_MSRS, msrs));
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_SET_MSRS, msrs));
	if (self->is_shvm) {
		msrs->nmsrs = 1;
		msrs->pad = 1;
		EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_GET_MSRS, msrs));
		EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_SET_MSRS, msrs));
	}
	free(msrs);
}

TEST_F(every_fd, cpuid_arrays)
{
	struct shvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 257 * sizeof(cpuid->entries[0]));

	cpuid->nent = SHVM_MAX_CPUID_ENTRIES + 1;
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_SET_CPUID2, cpuid));
	cpuid->nent = ~0u;
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_SET_CPUID2, cpuid));
	cpuid->nent = 0;
	EXPECT_EQ(-E2BIG, __vcpu_ioctl(self->vcpu, SHVM_GET_CPUID2, cpuid));
	if (self->is_shvm)	/* KVM sets it, and then does not return it */
		EXPECT_LT(0, cpuid->nent);
	cpuid->nent = ~0u;
	EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_GET_CPUID2, cpuid));
	free(cpuid);
}

SHVM_TEST_MAIN
