// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs, the TSC and CPUID through GET and SET and as the guest sees them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "one_vcpu.h"

#define MSR_TSC			0x10
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_PAT			0x277
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_NONE		0xdeadbeef

/* ---- MSRs ---- */

struct one_msr {
	struct shvm_msrs head;
	struct shvm_msr_entry entry;
};

static int vcpu_get_msr(struct test_vcpu *vcpu, u32 index, u64 *data)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };
	int ret = __vcpu_ioctl(vcpu, SHVM_GET_MSRS, &msr);

	*data = msr.entry.data;
	return ret;
}

static int vcpu_set_msr(struct test_vcpu *vcpu, u32 index, u64 data)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry = { .index = index, .data = data } };

	return __vcpu_ioctl(vcpu, SHVM_SET_MSRS, &msr);
}

#define get_msr(index, data)	vcpu_get_msr(self->vcpu, index, data)
#define set_msr(index, data)	vcpu_set_msr(self->vcpu, index, data)

static struct shvm_msr_list *msr_list(void)
{
	struct shvm_msr_list *list = calloc(1, sizeof(*list) + 4096 * sizeof(u32));
	int dev = test_dev_open();

	list->nmsrs = 4096;
	test_ioctl(dev, SHVM_GET_MSR_INDEX_LIST, "SHVM_GET_MSR_INDEX_LIST", (u64)list);
	close(dev);
	return list;
}

/* What is listed can be read, and what was read can be written: VMMs rely on it. */
TEST_F(one_vcpu, listed_msrs_work)
{
	struct shvm_msr_list *list = msr_list();
	u64 data;
	u32 i;

	if (!self->is_shvm)
		SKIP(return, "KVM lists some that depend on CPUID");
	for (i = 0; i < list->nmsrs; i++) {
		data = 0;
		EXPECT_EQ(1, get_msr(list->indices[i], &data))
			TH_LOG("cannot read MSR %#x", list->indices[i]);
		EXPECT_EQ(1, set_msr(list->indices[i], data))
			TH_LOG("cannot write MSR %#x back", list->indices[i]);
	}
	free(list);
}

TEST_F(one_vcpu, round_trip)
{
	static const struct { u32 index; u64 value; } msrs[] = {
		{ MSR_SYSENTER_CS, 0x10 }, { MSR_SYSENTER_ESP, 0xffff888012345678 },
		{ MSR_SYSENTER_EIP, 0xffffffff81234567 }, { MSR_PAT, 0x0007040600070406 },
		{ MSR_STAR, 0x0023001000000000 }, { MSR_LSTAR, 0xffffffff81000000 },
		{ MSR_CSTAR, 0xffffffff81000040 }, { MSR_SFMASK, 0x47700 },
		{ MSR_FS_BASE, 0x00007f1234567890 }, { MSR_GS_BASE, 0xffff888000000000 },
		{ MSR_KERNEL_GS_BASE, 0xffff88801fc00000 },
	};
	struct shvm_sregs sregs;
	u64 data;
	u32 i;

	for (i = 0; i < ARRAY_LEN(msrs); i++)
		EXPECT_EQ(1, set_msr(msrs[i].index, msrs[i].value));
	for (i = 0; i < ARRAY_LEN(msrs); i++) {
		EXPECT_EQ(1, get_msr(msrs[i].index, &data));
		EXPECT_EQ(msrs[i].value, data)
			TH_LOG("MSR %#x", msrs[i].index);
	}
	get(SREGS, &sregs);
	EXPECT_EQ(0x00007f1234567890, sregs.fs.base);
	EXPECT_EQ(0xffff888000000000, sregs.gs.base);
}

TEST_F(one_vcpu, refused)
{
	u64 data = 0;

	EXPECT_EQ(0, get_msr(MSR_NONE, &data));
	EXPECT_EQ(0, set_msr(MSR_NONE, 0));
	EXPECT_EQ(0, set_msr(MSR_LSTAR, NON_CANONICAL));
	EXPECT_EQ(0, set_msr(MSR_CSTAR, NON_CANONICAL));
	EXPECT_EQ(0, set_msr(MSR_FS_BASE, NON_CANONICAL));
	EXPECT_EQ(0, set_msr(MSR_GS_BASE, NON_CANONICAL));
	EXPECT_EQ(0, set_msr(MSR_KERNEL_GS_BASE, NON_CANONICAL));
	EXPECT_EQ(0, set_msr(MSR_EFER, 1ull << 63));
	if (self->is_shvm) {	/* depends on the back end there */
		EXPECT_EQ(0, set_msr(MSR_PAT, 0x0007040600070402));
		EXPECT_EQ(0, set_msr(MSR_PAT, 8));
		EXPECT_EQ(0, set_msr(MSR_SYSENTER_EIP, NON_CANONICAL));
		EXPECT_EQ(0, set_msr(MSR_SYSENTER_ESP, NON_CANONICAL));
	}
}

TEST_F(one_vcpu, stop_at_the_first_bad_one)
{
	struct {
		struct shvm_msrs head;
		struct shvm_msr_entry entries[3];
	} msrs = {
		.head.nmsrs = 3,
		.entries = { { .index = MSR_STAR, .data = 0x111100000000 },
			     { .index = MSR_NONE, .data = 2 },
			     { .index = MSR_SYSENTER_CS, .data = 0x3333 } },
	};
	u64 data;

	ASSERT_EQ(1, set_msr(MSR_SYSENTER_CS, 0x44));
	EXPECT_EQ(1, set(MSRS, &msrs));
	EXPECT_EQ(1, get_msr(MSR_STAR, &data));
	EXPECT_EQ(0x111100000000, data);
	EXPECT_EQ(1, get_msr(MSR_SYSENTER_CS, &data));
	EXPECT_EQ(0x44, data);
	msrs.entries[0].data = 0;
	EXPECT_EQ(1, __vcpu_ioctl(self->vcpu, SHVM_GET_MSRS, &msrs));
	EXPECT_EQ(0x111100000000, msrs.entries[0].data);
	EXPECT_EQ(0x3333, msrs.entries[2].data);
}

GUEST_CODE static void guest_msrs(void)
{
	struct guest_fault fault;

	GUEST_ASSERT_EQ(0xffffffff81000000, guest_rdmsr(MSR_LSTAR));
	GUEST_ASSERT_EQ(0xffff88801fc00000, guest_rdmsr(MSR_KERNEL_GS_BASE));
	GUEST_ASSERT_EQ(0x0007040600070406, guest_rdmsr(MSR_PAT));
	guest_wrmsr(MSR_LSTAR, 0xffffffff82000000);
	guest_wrmsr(MSR_KERNEL_GS_BASE, 0x1234);
	fault = GUEST_TRY("rdmsr", /* none */, "c"(MSR_NONE), "a"(0), "d"(0));
	GUEST_ASSERT_EQ(13, fault.vector);
	GUEST_ASSERT_EQ(0, fault.error);
	fault = GUEST_TRY("wrmsr", /* none */, "c"(MSR_NONE), "a"(0), "d"(0));
	GUEST_ASSERT_EQ(13, fault.vector);
	fault = GUEST_TRY("wrmsr", /* none */, "c"(MSR_LSTAR), "a"(0), "d"(0x8000));
	GUEST_ASSERT_EQ(13, fault.vector);
	GUEST_DONE();
}

TEST_F(one_vcpu, guest_sees_msrs_and_changes_them)
{
	u64 data;

	ASSERT_EQ(1, set_msr(MSR_LSTAR, 0xffffffff81000000));
	ASSERT_EQ(1, set_msr(MSR_KERNEL_GS_BASE, 0xffff88801fc00000));
	ASSERT_EQ(1, set_msr(MSR_PAT, 0x0007040600070406));
	vcpu_set_entry(self->vcpu, guest_msrs, 0, 0);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(1, get_msr(MSR_LSTAR, &data));
	EXPECT_EQ(0xffffffff82000000, data);
	EXPECT_EQ(1, get_msr(MSR_KERNEL_GS_BASE, &data));
	EXPECT_EQ(0x1234, data);
}

GUEST_CODE static void guest_swapgs(void)
{
	u64 inner, outer;

	asm volatile("swapgs; mov %%gs:0, %0; swapgs" : "=r"(inner));
	asm volatile("mov %%gs:0, %0" : "=r"(outer));
	GUEST_SYNC2(inner, outer);
	GUEST_DONE();
}

TEST_F(one_vcpu, swapgs)
{
	u64 page = vm_alloc_pages(self->vm, 1);

	*(u64 *)vm_hva(self->vm, page) = 0x1111;
	ASSERT_EQ(1, set_msr(MSR_KERNEL_GS_BASE, page));
	vcpu_set_entry(self->vcpu, guest_swapgs, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0x1111, self->vcpu->uc[0]);
	EXPECT_EQ((u64)self->vcpu->cpu->self, self->vcpu->uc[1]);
}

GUEST_CODE static void guest_reads_tsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	GUEST_SYNC((u64)hi << 32 | lo);
	GUEST_DONE();
}

TEST_F(one_vcpu, tsc)
{
	/* Not every back end of KVM can offset the TSC. */
	const u64 start = self->is_shvm ? 1ull << 50 : 0;
	u64 before, after;

	ASSERT_EQ(1, set_msr(MSR_TSC, start));
	ASSERT_EQ(1, get_msr(MSR_TSC, &before));
	EXPECT_LE(start, before);
	vcpu_set_entry(self->vcpu, guest_reads_tsc, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	ASSERT_EQ(1, get_msr(MSR_TSC, &after));
	EXPECT_LE(before, self->vcpu->uc[0]);
	EXPECT_LE(self->vcpu->uc[0], after);
	if (self->is_shvm)
		EXPECT_LT(after, start + (1ull << 40));
}

TEST_F(one_vcpu, tsc_khz)
{
	int khz = __vcpu_ioctl(self->vcpu, SHVM_GET_TSC_KHZ, 0);

	ASSERT_LT(0, khz);
	EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, khz));
	EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, 0));
	if (self->is_shvm) {
		EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, khz + khz / 5000));
		EXPECT_EQ(0, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, khz - khz / 5000));
		EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, khz + khz / 3000));
		EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, khz - khz / 3000));
		EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, 1));
		EXPECT_EQ(-EINVAL, __vcpu_ioctl(self->vcpu, SHVM_SET_TSC_KHZ, ~0ul));
	}
	EXPECT_EQ(khz, __vcpu_ioctl(self->vcpu, SHVM_GET_TSC_KHZ, 0));
}

/* ---- CPUID ---- */

struct cpuid_array {
	struct shvm_cpuid2 head;
	struct shvm_cpuid_entry2 entries[SHVM_MAX_CPUID_ENTRIES];
};

static void cpuid_get(struct test_vcpu *vcpu, struct cpuid_array *cpuid)
{
	memset(cpuid, 0, sizeof(*cpuid));
	cpuid->head.nent = SHVM_MAX_CPUID_ENTRIES;
	vcpu_ioctl(vcpu, SHVM_GET_CPUID2, cpuid);
}

static u32 cpuid_add(struct cpuid_array *cpuid, u32 function, u32 index, u32 eax)
{
	cpuid->entries[cpuid->head.nent] = (struct shvm_cpuid_entry2){
		.function = function, .index = index, .eax = eax,
		.flags = SHVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
	return cpuid->head.nent++;
}

GUEST_CODE static void guest_cpuid_leaves(void)
{
	u32 out[4];

	guest_cpuid(0x40000010, 0, out);
	GUEST_ASSERT_EQ(0x1111, out[0]);
	guest_cpuid(0x40000010, 1, out);
	GUEST_ASSERT_EQ(0x2222, out[0]);
	GUEST_DONE();
}

TEST_F(one_vcpu, cpuid)
{
	static struct cpuid_array in, out;
	int i, ret;

	cpuid_get(self->vcpu, &in);
	ASSERT_LT(0, in.head.nent);
	for (i = 0; i < in.head.nent; i++)	/* room for the own leaves */
		if (in.entries[i].function == 0x40000000)
			in.entries[i].eax = 0x40000010;
	cpuid_add(&in, 0x40000010, 0, 0x1111);
	cpuid_add(&in, 0x40000010, 1, 0x2222);
	ASSERT_EQ(0, set(CPUID2, &in));
	cpuid_get(self->vcpu, &out);
	EXPECT_EQ(in.head.nent, out.head.nent);
	for (i = 0; i < out.head.nent; i++)
		EXPECT_EQ(in.entries[i].function, out.entries[i].function);
	vcpu_set_entry(self->vcpu, guest_cpuid_leaves, 0, 0);
	ret = vcpu_run(self->vcpu);
	EXPECT_EQ(EXIT_DONE, ret);
	/* From now on it is fixed. */
	cpuid_get(self->vcpu, &in);
	EXPECT_EQ(0, set(CPUID2, &in));
	in.entries[in.head.nent - 1].eax ^= 1;
	EXPECT_EQ(-EINVAL, set(CPUID2, &in));
	in.entries[in.head.nent - 1].eax ^= 1;
	in.head.nent--;
	EXPECT_EQ(-EINVAL, set(CPUID2, &in));
}

TEST_F(one_vcpu, cpuid_refused)
{
	static struct cpuid_array good, bad, out;

	if (!self->is_shvm)
		SKIP(return, "KVM ignores these fields");
	cpuid_get(self->vcpu, &good);
	bad = good;
	bad.entries[0].flags |= 8;
	EXPECT_EQ(-EINVAL, set(CPUID2, &bad));
	bad = good;
	bad.entries[0].padding[1] = 1;
	EXPECT_EQ(-EINVAL, set(CPUID2, &bad));
	bad = good;
	bad.head.padding = 1;
	EXPECT_EQ(-EINVAL, set(CPUID2, &bad));
	cpuid_get(self->vcpu, &out);
	EXPECT_EQ(0, memcmp(&good, &out, sizeof(out)));
}

SHVM_TEST_MAIN
