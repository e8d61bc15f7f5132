// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_GET_SUPPORTED_CPUID: the leaves that a guest can have on this host. A feature is listed if
 * the host CPU has it, the host kernel did not turn it off, and shvm or VT-x make it work in a
 * guest. Left out on purpose: everything that needs a local APIC, nested VMX, virtual-8086 mode,
 * performance counters, protection keys, five-level paging, XSAVES, TSX, and instructions that VT-x
 * enables one by one (RDTSCP, RDPID, INVPCID, WAITPKG). PCID needs no hardware: guest CR3 loads
 * exit. Constant after boot; no locks.
 */
#include <linux/math64.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#include "x86.h"

#define LEAF_MAX_BASIC		0xd	/* of what is copied from the host */
#define LEAF_TSC_RATE		0x15
#define LEAF_CPU_RATE		0x16
#define LEAF_MAX_EXTENDED	0x80000008
#define LEAF_HYPERVISOR		0x40000000
#define SIGNATURE		0x6d767368	/* "shvm", three times */

#define F(name) BIT(X86_FEATURE_##name & 31)

#define LEAF_1_ECX (F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(XMM4_1) | F(XMM4_2) | \
		    F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND))
#define LEAF_1_EDX (F(FPU) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) | \
		    F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) | \
		    F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP))
#define LEAF_7_EBX (F(FSGSBASE) | F(BMI1) | F(AVX2) | F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) | \
		    F(ERMS) | F(ZERO_FCS_FDS) | F(RDSEED) | F(ADX) | F(SMAP) | F(CLFLUSHOPT) | \
		    F(CLWB) | F(SHA_NI))
#define LEAF_7_ECX (F(UMIP) | F(GFNI) | F(VAES) | F(VPCLMULQDQ))
#define LEAF_7_EDX (F(FSRM) | F(MD_CLEAR) | F(ARCH_CAPABILITIES))
#define LEAF_D1_EAX (F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1))
#define LEAF_80000001_ECX (F(LAHF_LM) | F(ABM) | F(3DNOWPREFETCH))
#define LEAF_80000001_EDX (F(SYSCALL) | F(NX) | F(GBPAGES) | F(LM))
#define LEAF_80000007_EDX BIT(8)	/* the TSC runs at one rate in all power states */

#define XSAVE_LEGACY_BYTES	576	/* FXSAVE area and XSAVE header */

struct cpuid_regs_out {
	u32 eax, ebx, ecx, edx;
};

struct cpuid_list {
	struct shvm_cpuid_entry2 *entries;
	u32 max;
	u32 nr;		/* may exceed max: counted, not stored */
};

static struct cpuid_regs_out host_leaf(u32 function, u32 index)
{
	struct cpuid_regs_out r;

	cpuid_count(function, index, &r.eax, &r.ebx, &r.ecx, &r.edx);
	return r;
}

static void list_add_leaf(struct cpuid_list *l, u32 function, struct cpuid_regs_out r)
{
	if (l->nr < l->max)
		l->entries[l->nr] = (struct shvm_cpuid_entry2){
			.function = function,
			.eax = r.eax, .ebx = r.ebx, .ecx = r.ecx, .edx = r.edx,
		};
	l->nr++;
}

static void list_add_subleaf(struct cpuid_list *l, u32 function, u32 index,
			     struct cpuid_regs_out r)
{
	list_add_leaf(l, function, r);
	if (l->nr <= l->max) {
		l->entries[l->nr - 1].index = index;
		l->entries[l->nr - 1].flags = SHVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	}
}

/* Feature bits: of the CPU, minus what the kernel has turned off. */
static u32 host_features(u32 raw, enum cpuid_leafs word, u32 mask)
{
	return raw & boot_cpu_data.x86_capability[word] & mask;
}

static void add_leaf_1(struct cpuid_list *l)
{
	struct cpuid_regs_out r = host_leaf(1, 0);

	r.ebx &= 0xff00;	/* CLFLUSH line size; no APIC id, one logical processor */
	r.ecx = host_features(r.ecx, CPUID_1_ECX, LEAF_1_ECX) | F(PCID) | F(HYPERVISOR);
	r.edx = host_features(r.edx, CPUID_1_EDX, LEAF_1_EDX);
	list_add_leaf(l, 1, r);
}

static void add_leaf_4(struct cpuid_list *l)
{
	u32 index;

	for (index = 0; index < 8; index++) {
		struct cpuid_regs_out r = host_leaf(4, index);

		r.eax &= 0x3fff;	/* shared by one logical processor, one core */
		list_add_subleaf(l, 4, index, r);
		if (!(r.eax & 0x1f))
			break;
	}
}

static void add_leaf_7(struct cpuid_list *l)
{
	struct cpuid_regs_out r = host_leaf(7, 0);

	r.eax = 0;	/* no further subleaves */
	r.ebx = host_features(r.ebx, CPUID_7_0_EBX, LEAF_7_EBX) | F(TSC_ADJUST);
	r.ecx = host_features(r.ecx, CPUID_7_ECX, LEAF_7_ECX);
	r.edx = host_features(r.edx, CPUID_7_EDX, LEAF_7_EDX);
	list_add_subleaf(l, 7, 0, r);
}

static void add_leaf_d(struct cpuid_list *l)
{
	u64 xcr0 = shvm_fpu_supported_xcr0();
	struct cpuid_regs_out r = { .eax = xcr0, .ebx = XSAVE_LEGACY_BYTES };
	struct cpuid_regs_out ymm = { 0 };

	if (xcr0 & XFEATURE_MASK_YMM) {
		ymm = host_leaf(0xd, XFEATURE_YMM);
		ymm.ecx = 0;
		ymm.edx = 0;
	}
	r.ecx = ymm.eax ? ymm.ebx + ymm.eax : XSAVE_LEGACY_BYTES;
	list_add_subleaf(l, 0xd, 0, r);

	r = host_leaf(0xd, 1);
	r.eax = host_features(r.eax, CPUID_D_1_EAX, LEAF_D1_EAX);
	r.ebx = 0;
	r.ecx = 0;
	r.edx = 0;
	list_add_subleaf(l, 0xd, 1, r);
	if (ymm.eax)
		list_add_subleaf(l, 0xd, XFEATURE_YMM, ymm);
}

/*
 * A guest that counts TSC ticks against a timer of ours measures our exits as well. So it is told
 * the rate, also by a host that has to measure it: as a crystal of a rate that fits 32 bits.
 */
static bool tsc_rate_is_known(void)
{
	return boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && tsc_khz;
}

static void add_leaf_rates(struct cpuid_list *l)
{
	u64 hz = (u64)tsc_khz * 1000;
	u32 multiple = (hz >> 32) + 1;
	struct cpuid_regs_out tsc = { .eax = 1, .ebx = multiple, .ecx = div_u64(hz, multiple) };
	u32 mhz = DIV_ROUND_CLOSEST(tsc_khz, 1000);
	struct cpuid_regs_out cpu = { .eax = mhz, .ebx = mhz };

	list_add_leaf(l, LEAF_TSC_RATE, tsc);
	list_add_leaf(l, LEAF_CPU_RATE, cpu);
}

static void add_basic(struct cpuid_list *l)
{
	struct cpuid_regs_out r = host_leaf(0, 0);
	u32 max = min_t(u32, r.eax, LEAF_MAX_BASIC);

	r.eax = tsc_rate_is_known() ? LEAF_CPU_RATE : max;
	list_add_leaf(l, 0, r);
	add_leaf_1(l);
	if (max >= 2)
		list_add_leaf(l, 2, host_leaf(2, 0));
	if (max >= 4)
		add_leaf_4(l);
	if (max >= 7)
		add_leaf_7(l);
	if (max >= 0xd && shvm_fpu_supported_xcr0())
		add_leaf_d(l);
	if (tsc_rate_is_known())
		add_leaf_rates(l);
}

static void add_hypervisor(struct cpuid_list *l)
{
	struct cpuid_regs_out r = { LEAF_HYPERVISOR, SIGNATURE, SIGNATURE, SIGNATURE };

	list_add_leaf(l, LEAF_HYPERVISOR, r);
}

static void add_extended(struct cpuid_list *l)
{
	struct cpuid_regs_out r = host_leaf(0x80000000, 0);
	u32 max, function;

	/* A CPU with VT-x has long mode, and so these leaves. */
	r.eax = min_t(u32, r.eax, LEAF_MAX_EXTENDED);
	max = r.eax;
	list_add_leaf(l, 0x80000000, r);

	r = host_leaf(0x80000001, 0);
	r.eax = 0;
	r.ebx = 0;
	r.ecx = host_features(r.ecx, CPUID_8000_0001_ECX, LEAF_80000001_ECX);
	r.edx = host_features(r.edx, CPUID_8000_0001_EDX, LEAF_80000001_EDX);
	list_add_leaf(l, 0x80000001, r);

	for (function = 0x80000002; function <= 0x80000004 && function <= max; function++)
		list_add_leaf(l, function, host_leaf(function, 0));
	if (max >= 0x80000006) {
		r = host_leaf(0x80000006, 0);
		r = (struct cpuid_regs_out){ .ecx = r.ecx };
		list_add_leaf(l, 0x80000006, r);
	}
	if (max >= 0x80000007) {
		r = host_leaf(0x80000007, 0);
		r = (struct cpuid_regs_out){ .edx = r.edx & LEAF_80000007_EDX };
		list_add_leaf(l, 0x80000007, r);
	}
	if (max >= 0x80000008) {
		/* 48 bits of linear address: there is no LA57. */
		r = (struct cpuid_regs_out){ .eax = boot_cpu_data.x86_phys_bits | 48 << 8 };
		list_add_leaf(l, 0x80000008, r);
	}
}

/**
 * shvm_cpuid_supported - SHVM_GET_SUPPORTED_CPUID
 * @entries: room for @max leaves
 * @max: may be 0, to learn the number
 * Return: number of leaves; those that have room are in @entries.
 */
int shvm_cpuid_supported(struct shvm_cpuid_entry2 *entries, u32 max)
{
	struct cpuid_list l = { .entries = entries, .max = max };

	add_basic(&l);
	add_hypervisor(&l);
	add_extended(&l);
	return l.nr;
}

/**
 * shvm_cpuid_host_cr4 - CR4 bits of features that need the host CPU
 * Return: those that this host can give to a guest.
 */
u64 shvm_cpuid_host_cr4(void)
{
	u64 cr4 = X86_CR4_PCIDE;

	if (boot_cpu_has(X86_FEATURE_UMIP))
		cr4 |= X86_CR4_UMIP;
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		cr4 |= X86_CR4_FSGSBASE;
	if (boot_cpu_has(X86_FEATURE_SMEP))
		cr4 |= X86_CR4_SMEP;
	if (boot_cpu_has(X86_FEATURE_SMAP))
		cr4 |= X86_CR4_SMAP;
	if (shvm_fpu_supported_xcr0())
		cr4 |= X86_CR4_OSXSAVE;
	return cr4;
}
