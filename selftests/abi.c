// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl with every error that the header promises: arguments, wrong fds, wrong processes, and
 * the order in which things are closed. What registers take is in regs.c, slots under guest
 * accesses are in slots.c.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define KERNEL_ADDR	0xffff888000000000ul

enum fd_kind { SYSTEM, VM, VCPU };

struct ioctl_info {
	const char *name;
	unsigned long request;
	int kinds;		/* on which fds: bits of enum fd_kind */
};

#define I(name, kinds) { #name, name, kinds }
#define ON_SYSTEM	(1 << SYSTEM)
#define ON_VM		(1 << VM)
#define ON_VCPU		(1 << VCPU)

static const struct ioctl_info ioctls[] = {
	I(SHVM_GET_API_VERSION, ON_SYSTEM),
	I(SHVM_CREATE_VM, ON_SYSTEM),
	I(SHVM_GET_MSR_INDEX_LIST, ON_SYSTEM),
	I(SHVM_CHECK_EXTENSION, ON_SYSTEM | ON_VM),
	I(SHVM_GET_VCPU_MMAP_SIZE, ON_SYSTEM),
	I(SHVM_GET_SUPPORTED_CPUID, ON_SYSTEM),
	I(SHVM_CREATE_VCPU, ON_VM),
	I(SHVM_SET_NR_MMU_PAGES, ON_VM),
	I(SHVM_GET_NR_MMU_PAGES, ON_VM),
	I(SHVM_SET_USER_MEMORY_REGION, ON_VM),
	I(SHVM_SET_TSS_ADDR, ON_VM),
	I(SHVM_SET_IDENTITY_MAP_ADDR, ON_VM),
	I(SHVM_IRQ_LINE, ON_VM),
	I(SHVM_RUN, ON_VCPU),
	I(SHVM_GET_REGS, ON_VCPU),
	I(SHVM_SET_REGS, ON_VCPU),
	I(SHVM_GET_SREGS, ON_VCPU),
	I(SHVM_SET_SREGS, ON_VCPU),
	I(SHVM_INTERRUPT, ON_VCPU),
	I(SHVM_GET_MSRS, ON_VCPU),
	I(SHVM_SET_MSRS, ON_VCPU),
	I(SHVM_GET_FPU, ON_VCPU),
	I(SHVM_SET_FPU, ON_VCPU),
	I(SHVM_SET_CPUID2, ON_VCPU),
	I(SHVM_GET_CPUID2, ON_VCPU),
	I(SHVM_GET_MP_STATE, ON_VCPU),
	I(SHVM_SET_MP_STATE, ON_VCPU),
	I(SHVM_NMI, ON_VCPU),
	I(SHVM_GET_VCPU_EVENTS, ON_VCPU),
	I(SHVM_SET_VCPU_EVENTS, ON_VCPU),
	I(SHVM_GET_DEBUGREGS, ON_VCPU),
	I(SHVM_SET_DEBUGREGS, ON_VCPU),
	I(SHVM_SET_TSC_KHZ, ON_VCPU),
	I(SHVM_GET_TSC_KHZ, ON_VCPU),
};

static const struct ioctl_info own_ioctls[] = {
	I(SHVM_CREATE_PIC_PIT, ON_VM),
	I(SHVM_GET_STATS, ON_VM),
	I(SHVM_AUDIT, ON_VM),
	I(SHVM_DEBUG_CTL, ON_VM),
};

FIXTURE(abi)
{
	int dev;
	bool is_shvm;
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	int fds[3];		/* by enum fd_kind */
};

GUEST_CODE static void guest_done(void)
{
	for (;;)
		GUEST_DONE();
}

/*
 * With interrupts on: in a guest that was entered with them off, the emulated CPU takes none for
 * the host either, against the SDM, and the machine would hang.
 */
GUEST_CODE static void guest_spin(void)
{
	asm volatile("sti");
	for (;;)
		asm volatile("pause");
}

FIXTURE_SETUP(abi)
{
	self->dev = test_dev_open();
	self->is_shvm = test_is_shvm();
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, guest_done);
	self->fds[SYSTEM] = self->dev;
	self->fds[VM] = self->vm->fd;
	self->fds[VCPU] = self->vcpu->fd;
}

FIXTURE_TEARDOWN(abi)
{
	/* Whatever was tried, the vCPU still works. */
	vcpu_set_long_mode(self->vcpu);
	vcpu_set_entry(self->vcpu, guest_done, 0, 0);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	vm_free(self->vm);
	close(self->dev);
}

#define dev_ioctl(req, arg)	__test_ioctl(self->dev, req, (unsigned long)(arg))

/* ---- every fd knows its own ioctls only ---- */

/* KVM says EINVAL on some of its fds. */
static bool is_unknown(int ret, bool is_shvm)
{
	return ret == -ENOTTY || (!is_shvm && ret == -EINVAL);
}

TEST_F(abi, unknown_ioctl)
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

TEST_F(abi, ioctl_on_the_wrong_fd)
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

TEST_F(abi, own_ioctls)
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
TEST_F(abi, not_implemented)
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

TEST_F(abi, bad_pointers)
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

TEST_F(abi, argument_runs_into_nothing)
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

TEST_F(abi, read_only_result)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct ioctl_info *info;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++)
		if (_IOC_DIR(info->request) == _IOC_READ)
			EXPECT_EQ(-EFAULT, __vcpu_ioctl(self->vcpu, info->request, page))
				TH_LOG("%s", info->name);
}

TEST_F(abi, misaligned_pointers)
{
	const struct ioctl_info *info;
	char buffer[1024 + 8];

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++)
		if (_IOC_DIR(info->request) == _IOC_READ)
			EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, info->request, buffer + 1))
				TH_LOG("%s", info->name);
}

/* GET must fill all of its structure: nothing of what was there or in the kernel stays. */
TEST_F(abi, results_are_complete)
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

TEST_F(abi, api_version)
{
	EXPECT_EQ(SHVM_API_VERSION, dev_ioctl(SHVM_GET_API_VERSION, 0));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_GET_API_VERSION, 1));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_GET_API_VERSION, ~0ul));
}

TEST_F(abi, create_vm)
{
	int fd = dev_ioctl(SHVM_CREATE_VM, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_CREATE_VM, 0xfff));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_CREATE_VM, ~0ul));
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_CREATE_VM, 1ul << 32));
}

TEST_F(abi, capabilities)
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
	EXPECT_EQ(0, dev_ioctl(SHVM_CHECK_EXTENSION, SHVM_OWN_BASE + 0x100));
	EXPECT_EQ(0, dev_ioctl(SHVM_CHECK_EXTENSION, (1ul << 32) | SHVM_CAP_HLT));
	EXPECT_EQ(16, test_dev_cap(SHVM_CAP_MAX_VCPUS));
}

TEST_F(abi, capabilities_of_a_vm)
{
	long cap;

	for (cap = 0; cap < 64; cap++)
		if (self->is_shvm || cap == SHVM_CAP_USER_MEMORY || cap == SHVM_CAP_SYNC_MMU)
			EXPECT_EQ(test_dev_cap(cap),
				  __vm_ioctl(self->vm, SHVM_CHECK_EXTENSION, cap));
}

TEST_F(abi, mmap_size)
{
	int size = dev_ioctl(SHVM_GET_VCPU_MMAP_SIZE, 0);

	EXPECT_LE((int)sizeof(struct shvm_run), size);
	EXPECT_EQ(0, size % PAGE_SIZE);
	EXPECT_EQ(-EINVAL, dev_ioctl(SHVM_GET_VCPU_MMAP_SIZE, 1));
}

TEST_F(abi, msr_index_list)
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

TEST_F(abi, supported_cpuid)
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

TEST_F(abi, vcpu_ids)
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

TEST_F(abi, as_many_vcpus_as_promised)
{
	int max = test_dev_cap(SHVM_CAP_MAX_VCPUS), id;

	for (id = 1; id < max && id < 16; id++)
		vcpu_create(self->vm, id, guest_done);
	for (id = 1; id < max && id < 16; id++)
		EXPECT_EQ(EXIT_DONE, vcpu_run(self->vm->vcpus[id]));
}

TEST_F(abi, nr_mmu_pages)
{
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 0));
	EXPECT_EQ(-EINVAL, __vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, SHVM_MIN_MMU_PAGES - 1));
	if (self->is_shvm) {
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

TEST_F(abi, tss_and_identity_map)
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

TEST_F(abi, irq_line)
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

TEST_F(abi, pic_pit)
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

TEST_F(abi, stats)
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
	EXPECT_EQ(stats.shadow_budget, __vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0));
	/* One port write is one exit. */
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	ASSERT_EQ(0, __vm_ioctl(self->vm, SHVM_GET_STATS, &later));
	EXPECT_EQ(stats.exit_reason[30] + 1, later.exit_reason[30]);
	EXPECT_LE(stats.exits + 1, later.exits);
}

/* ---- memory slots: every field at its boundaries ---- */

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

TEST_F(abi, slot_fields)
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

TEST_F(abi, slot_without_memory_behind_it)
{
	struct shvm_userspace_memory_region region = good_region((void *)0x10000);

	EXPECT_EQ(0, set_region(&region));
	region.memory_size = 0;
	EXPECT_EQ(0, set_region(&region));
}

TEST_F(abi, slot_changes)
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

TEST_F(abi, slot_overlaps)
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
	u32 i;

	region.memory_size = 4 * PAGE_SIZE;
	ASSERT_EQ(0, set_region(&region));
	region.slot = SLOT + 1;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		region.guest_phys_addr = GPA + cases[i].first * PAGE_SIZE;
		region.memory_size = cases[i].pages * PAGE_SIZE;
		EXPECT_EQ(-cases[i].error, set_region(&region))
			TH_LOG("pages %ld, from %ld", cases[i].pages, cases[i].first);
		region.memory_size = 0;
		EXPECT_EQ(cases[i].error ? -EINVAL : 0, set_region(&region));
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

TEST_F(abi, as_many_slots_as_promised)
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

/* ---- the vCPU fd ---- */

TEST_F(abi, run_arguments)
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

TEST_F(abi, interrupt_vectors)
{
	struct shvm_interrupt irq = { .irq = 256 };

	EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq));
	irq.irq = ~0u;
	EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq));
}

TEST_F(abi, msr_arrays)
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

TEST_F(abi, cpuid_arrays)
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

/* ---- the run page ---- */

TEST_F(abi, run_page_mappings)
{
	size_t size = self->vcpu->run_size;
	struct shvm_run *second = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
				       self->vcpu->fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)second);
	self->vcpu->run->cr8 = 3;
	EXPECT_EQ(3, second->cr8);
	second->cr8 = 0;
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_EXIT_IO, second->exit_reason);
	munmap(second, size);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

static sigjmp_buf sigbus_env;

static void on_sigbus(int sig)
{
	siglongjmp(sigbus_env, sig);
}

static bool write_gives_sigbus(volatile char *p)
{
	bool caught = true;

	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(sigbus_env, 1)) {
		*p = 1;
		caught = false;
	}
	signal(SIGBUS, SIG_DFL);
	return caught;
}

/* Beyond the end there is nothing: no mapping, or a mapping that gives SIGBUS. */
static bool nothing_at(int fd, size_t size, long offset)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	bool nothing;

	if (map == MAP_FAILED)
		return true;
	nothing = write_gives_sigbus(map + size - 1);
	munmap(map, size);
	return nothing;
}

TEST_F(abi, run_page_ends)
{
	size_t size = self->vcpu->run_size;
	int fd = self->vcpu->fd;

	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, size));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, size + PAGE_SIZE));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, size + (1 << 20)));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, 0x7ffffffff000));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, -PAGE_SIZE));
	EXPECT_TRUE(nothing_at(fd, size + PAGE_SIZE, 0));
	EXPECT_TRUE(nothing_at(fd, 4 * size, 0));
	EXPECT_TRUE(nothing_at(self->vm->fd, PAGE_SIZE, 0));
	EXPECT_TRUE(nothing_at(self->dev, PAGE_SIZE, 0));
}

/* ---- other processes ---- */

/* Runs in a process with another mm: every ioctl must give EIO. Returns the number that do not. */
static int count_not_eio(const int fds[3], bool is_shvm)
{
	static char buffer[4096];
	const struct ioctl_info *info;
	int kind, bad = 0;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++) {
		for (kind = VM; kind <= VCPU; kind++) {
			if (!(info->kinds & 1 << kind))
				continue;
			if (__test_ioctl(fds[kind], info->request, (u64)buffer) == -EIO)
				continue;
			fprintf(stderr, "# %s works in another process\n", info->name);
			bad++;
		}
	}
	for (info = own_ioctls; is_shvm && info < own_ioctls + ARRAY_LEN(own_ioctls); info++) {
		if (__test_ioctl(fds[VM], info->request, (u64)buffer) != -EIO) {
			fprintf(stderr, "# %s works in another process\n", info->name);
			bad++;
		}
	}
	return bad;
}

TEST_F(abi, forked_child_gets_eio)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(count_not_eio(self->fds, self->is_shvm));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

static void send_fds(int sock, const int fds[3])
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, 3 * sizeof(int));
	sendmsg(sock, &msg, 0);
}

static int receive_fds(int sock, int fds[3])
{
	char control[CMSG_SPACE(3 * sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 3 * sizeof(int));
	return 0;
}

TEST_F(abi, passed_fds_give_eio)
{
	int sock[2], fds[3], status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = fork();
	if (!pid)
		_exit(receive_fds(sock[1], fds) ? 99 : count_not_eio(fds, self->is_shvm));
	send_fds(sock[0], self->fds);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

/* The owner is gone, a stranger holds the fds: nothing works, and closing them is safe. */
TEST_F(abi, owner_dies_first)
{
	int sock[2], fds[3];
	pid_t owner;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	owner = fork();
	if (!owner) {
		struct test_vm *vm = vm_create();
		struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
		int mine[3] = { self->dev, vm->fd, vcpu->fd };

		if (vcpu_run(vcpu) != EXIT_DONE)
			_exit(1);
		send_fds(sock[1], mine);
		_exit(read(sock[1], &byte, 1) == 1 ? 0 : 1);
	}
	ASSERT_EQ(0, receive_fds(sock[0], fds));
	EXPECT_EQ(0, count_not_eio(fds, self->is_shvm));
	ASSERT_EQ(1, write(sock[0], "x", 1));
	ASSERT_EQ(owner, waitpid(owner, NULL, 0));
	EXPECT_EQ(0, count_not_eio(fds, self->is_shvm));
	close(fds[VM]);
	EXPECT_EQ(-EIO, __test_ioctl(fds[VCPU], SHVM_RUN, 0));
	close(fds[VCPU]);
	close(fds[SYSTEM]);
}

/* ---- closing, in every order ---- */

enum thing { DEV_FD, VM_FD, VCPU_FD, RUN_PAGE, NR_THINGS };

static void drop(struct test_vm *vm, struct test_vcpu *vcpu, int dev, enum thing thing)
{
	switch (thing) {
	case DEV_FD:
		close(dev);
		break;
	case VM_FD:
		close(vm->fd);
		break;
	case VCPU_FD:
		close(vcpu->fd);
		break;
	default:
		munmap(vcpu->run, vcpu->run_size);
	}
}

static bool order_is_permutation(const int order[NR_THINGS])
{
	int seen = 0, i;

	for (i = 0; i < NR_THINGS; i++)
		seen |= 1 << order[i];
	return seen == (1 << NR_THINGS) - 1;
}

/* Drops the four in one order; as long as the vCPU is there, it runs. */
static int close_in_order(const int order[NR_THINGS])
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
	int dev = test_dev_open(), i, gone = 0, failed = 0;

	for (i = 0; i < NR_THINGS; i++) {
		drop(vm, vcpu, dev, order[i]);
		gone |= 1 << order[i];
		if (!(gone & 1 << VCPU_FD))
			failed |= __vcpu_run(vcpu);
		if (!(gone & 1 << RUN_PAGE))
			failed |= vcpu->run->exit_reason == ~0u;
	}
	return failed;
}

TEST_F(abi, close_orders)
{
	int order[NR_THINGS], n, i, tried = 0;

	for (n = 0; n < 256; n++) {
		for (i = 0; i < NR_THINGS; i++)
			order[i] = n >> 2 * i & 3;
		if (!order_is_permutation(order))
			continue;
		tried++;
		EXPECT_EQ(0, close_in_order(order))
			TH_LOG("order %d %d %d %d", order[0], order[1], order[2], order[3]);
	}
	EXPECT_EQ(24, tried);
}

/* ---- two threads on the same fds ---- */

static void *get_regs(void *arg)
{
	struct shvm_regs regs;

	return (void *)(long)__vcpu_ioctl((struct test_vcpu *)arg, SHVM_GET_REGS, &regs);
}

TEST_F(abi, ioctl_waits_for_run)
{
	pthread_t thread;
	void *result;

	vcpu_set_entry(self->vcpu, guest_spin, 0, 0);
	vcpu_start(self->vcpu);
	ASSERT_EQ(0, pthread_create(&thread, NULL, get_regs, self->vcpu));
	vcpu_kick(self->vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
	pthread_join(thread, &result);
	EXPECT_EQ(0, (long)result);
	self->vcpu->run->immediate_exit = 0;
}

#define GUESSES	6

struct meddler {
	int first_fd;
	volatile bool stop;
};

/* Knows which fd numbers come next, and uses and closes them as soon as they exist. */
static void *meddle(void *arg)
{
	struct meddler *m = arg;
	struct shvm_regs regs;
	int i = 0;

	while (!m->stop) {
		int fd = m->first_fd + i++ % GUESSES;

		__test_ioctl(fd, SHVM_CREATE_VCPU, i % 4);
		__test_ioctl(fd, SHVM_GET_REGS, (u64)&regs);
		__test_ioctl(fd, SHVM_SET_REGS, (u64)&regs);
		__test_ioctl(fd, SHVM_RUN, 0);
		if (i % 3 == 0)
			close(fd);
	}
	return NULL;
}

TEST_F(abi, fds_guessed_while_they_are_made)
{
	struct meddler m = { };
	pthread_t thread;
	int round, vm, i;

	do {	/* fill the gaps between the fds of this test */
		m.first_fd = dup(self->dev);
	} while (m.first_fd < self->vcpu->fd);
	close(m.first_fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, meddle, &m));
	for (round = 0; round < 200; round++) {
		vm = dev_ioctl(SHVM_CREATE_VM, 0);
		for (i = 0; i < 3; i++)
			__test_ioctl(vm, SHVM_CREATE_VCPU, i);
		for (i = 0; i < GUESSES; i++)
			close(m.first_fd + i);
	}
	m.stop = true;
	pthread_join(thread, NULL);
	for (i = 0; i < GUESSES; i++)
		close(m.first_fd + i);
}

SHVM_TEST_MAIN
