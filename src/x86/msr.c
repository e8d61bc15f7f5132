// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR, WRMSR, SHVM_GET_MSRS and SHVM_SET_MSRS. One table says which MSRs exist, where each is
 * kept and which values it takes; the exceptions have functions. What VT-x holds for the guest (FS
 * and GS base, SYSENTER) is fetched from the back end. Owns vcpu->msrs, under vcpu->mutex; the VMCS
 * is loaded. An MSR that is not in the table does not exist: #GP(0).
 */
#include <linux/math64.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#include "x86.h"
#include "../vm.h"
#include "../vmx/vmx.h"

/* IA32_MISC_ENABLE: what Linux asks for (fast strings), and that there is no BTS and no PEBS. */
#define MISC_ENABLE_RESET	(MSR_IA32_MISC_ENABLE_FAST_STRING | \
				 MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | \
				 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

#define PAT_RESET		0x0007040600070406ULL	/* SDM 11.12.4 */

#define MSR_MTRR_CAP		0xfe
#define MSR_MTRR_BASE(n)	(0x200 + 2 * (n))
#define MSR_MTRR_MASK(n)	(0x201 + 2 * (n))
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_MTRR_FIX64K		0x250
#define MSR_MTRR_FIX16K(n)	(0x258 + (n))
#define MSR_MTRR_FIX4K(n)	(0x268 + (n))

/* IA32_MTRRCAP: eight variable ranges, fixed ranges, write-combining. */
#define MTRR_VAR_RANGES		8
#define MTRR_CAP		(MTRR_VAR_RANGES | BIT(8) | BIT(10))
#define MTRR_DEF_TYPE_BITS	0xcffULL
#define MTRR_MASK_VALID		BIT_ULL(11)

#define MEMORY_TYPES_MTRR	(BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6))
#define MEMORY_TYPES_PAT	(MEMORY_TYPES_MTRR | BIT(7))

/* IA32_ARCH_CAPABILITIES: immunities of the host that the guest inherits, no controls. */
#define ARCH_CAP_GUEST	(ARCH_CAP_RDCL_NO | ARCH_CAP_RSBA | ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | \
			 ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | \
			 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO | \
			 ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO | ARCH_CAP_ITS_NO)

/* Which values a plain MSR takes. */
enum msr_rule {
	MSR_RULE_NONE,		/* has functions instead */
	MSR_RULE_CONSTANT,	/* read-only; user space may write the value it has */
	MSR_RULE_ZERO,		/* exists, holds 0 */
	MSR_RULE_ANY,
	MSR_RULE_32BIT,
	MSR_RULE_CANONICAL,
	MSR_RULE_PAT,
	MSR_RULE_MTRR_FIXED,
	MSR_RULE_MTRR_BASE,
	MSR_RULE_MTRR_MASK,
	MSR_RULE_MTRR_DEF,
};

struct msr_desc {
	u32 index;
	u16 offset;		/* of a u64 in struct shvm_msr_state; unused with functions */
	u8 rule;		/* enum msr_rule */
	u64 constant;		/* MSR_RULE_CONSTANT */
	u64 (*read)(struct shvm_vcpu *vcpu, u32 index);
	int (*write)(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user);
};

/* ---- values ---- */

static bool value_is_canonical(u64 val)
{
	return (u64)((s64)(val << 16) >> 16) == val;	/* 48 bits: no LA57 in guests */
}

/* Eight memory types, one per byte. */
static bool value_is_types(u64 val, u32 allowed)
{
	int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = val >> i;

		if (type > 7 || !(allowed & BIT(type)))
			return false;
	}
	return true;
}

static bool value_is_type(u8 type)
{
	return type <= 7 && (MEMORY_TYPES_MTRR & BIT(type));
}

static bool value_above_maxphyaddr(const struct shvm_vcpu *vcpu, u64 val)
{
	return val >> vcpu->cpuid.maxphyaddr;
}

static bool value_is_legal(const struct shvm_vcpu *vcpu, enum msr_rule rule, u64 val)
{
	switch (rule) {
	case MSR_RULE_ANY:
		return true;
	case MSR_RULE_ZERO:
		return !val;
	case MSR_RULE_32BIT:
		return !(val >> 32);
	case MSR_RULE_CANONICAL:
		return value_is_canonical(val);
	case MSR_RULE_PAT:
		return value_is_types(val, MEMORY_TYPES_PAT);
	case MSR_RULE_MTRR_FIXED:
		return value_is_types(val, MEMORY_TYPES_MTRR);
	case MSR_RULE_MTRR_BASE:
		return !value_above_maxphyaddr(vcpu, val) && !(val & 0xf00) && value_is_type(val);
	case MSR_RULE_MTRR_MASK:
		return !value_above_maxphyaddr(vcpu, val) && !(val & (MTRR_MASK_VALID - 1));
	case MSR_RULE_MTRR_DEF:
		return !(val & ~MTRR_DEF_TYPE_BITS) && value_is_type(val);
	default:
		return false;
	}
}

/* ---- MSRs with functions ---- */

static u64 tsc_read(struct shvm_vcpu *vcpu, u32 index)
{
	return rdtsc_ordered() + vcpu->msrs.tsc_offset;
}

static void tsc_move(struct shvm_vcpu *vcpu, u64 delta)
{
	vcpu->msrs.tsc_offset += delta;
	shvm_vmx_set_tsc_offset(vcpu, vcpu->msrs.tsc_offset);
}

/* A guest's write shows up in IA32_TSC_ADJUST (SDM 17.17.3); user space sets both on their own. */
static int tsc_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	u64 delta = val - tsc_read(vcpu, index);

	tsc_move(vcpu, delta);
	if (!from_user)
		vcpu->msrs.tsc_adjust += delta;
	return 0;
}

static u64 tsc_adjust_read(struct shvm_vcpu *vcpu, u32 index)
{
	return vcpu->msrs.tsc_adjust;
}

static int tsc_adjust_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	if (!from_user)
		tsc_move(vcpu, val - vcpu->msrs.tsc_adjust);
	vcpu->msrs.tsc_adjust = val;
	return 0;
}

static u64 efer_read(struct shvm_vcpu *vcpu, u32 index)
{
	return vcpu->efer;
}

static int efer_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	return shvm_efer_write(vcpu, val);
}

/* There is no local APIC to move or to switch on and off. */
static u64 apic_base_read(struct shvm_vcpu *vcpu, u32 index)
{
	return vcpu->apic_base;
}

static int apic_base_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	return val != vcpu->apic_base;
}

static u64 misc_enable_read(struct shvm_vcpu *vcpu, u32 index)
{
	return vcpu->msrs.misc_enable;
}

/* The guest may choose fast strings; a VMM need not know that BTS and PEBS are missing. */
static int misc_enable_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	u64 changed = val ^ vcpu->msrs.misc_enable;

	if (val & ~(u64)MISC_ENABLE_RESET)
		return 1;
	if (!from_user && (changed & ~(u64)MSR_IA32_MISC_ENABLE_FAST_STRING))
		return 1;
	vcpu->msrs.misc_enable = val;
	return 0;
}

/* Microcode revision of the host, in the upper half; the guest clears it before it asks CPUID. */
static u64 ucode_rev_read(struct shvm_vcpu *vcpu, u32 index)
{
	return (u64)boot_cpu_data.microcode << 32;
}

static int ucode_rev_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	return 0;
}

static u64 arch_cap_read(struct shvm_vcpu *vcpu, u32 index)
{
	u64 host = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, host);
	return host & ARCH_CAP_GUEST;
}

static int arch_cap_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	return !from_user || val != arch_cap_read(vcpu, index);
}

static u64 vmx_held_read(struct shvm_vcpu *vcpu, u32 index)
{
	u64 val = 0;

	shvm_vmx_get_msr(vcpu, index, &val);
	return val;
}

static int vmx_held_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	if (index == MSR_IA32_SYSENTER_CS ? val >> 32 : !value_is_canonical(val))
		return 1;
	return shvm_vmx_set_msr(vcpu, index, val) ? 1 : 0;
}

/* ---- the table ---- */

#define KEPT(msr, field, how) \
	{ .index = (msr), .offset = offsetof(struct shvm_msr_state, field), .rule = (how) }
#define CONSTANT(msr, val)	{ .index = (msr), .rule = MSR_RULE_CONSTANT, .constant = (val) }
#define ZERO(msr)		{ .index = (msr), .rule = MSR_RULE_ZERO }
#define CODE(msr, name)		{ .index = (msr), .read = name##_read, .write = name##_write }
#define MTRR_VAR(msr, n, how)	KEPT(msr, mtrr_var[n], how)
#define MTRR_FIXED(msr, n)	KEPT(msr, mtrr_fixed[n], MSR_RULE_MTRR_FIXED)

static const struct msr_desc msr_table[] = {
	CODE(MSR_IA32_TSC, tsc),
	CODE(MSR_IA32_TSC_ADJUST, tsc_adjust),
	CODE(MSR_EFER, efer),
	KEPT(MSR_STAR, star, MSR_RULE_ANY),
	KEPT(MSR_LSTAR, lstar, MSR_RULE_CANONICAL),
	KEPT(MSR_CSTAR, cstar, MSR_RULE_CANONICAL),
	KEPT(MSR_SYSCALL_MASK, fmask, MSR_RULE_32BIT),
	CODE(MSR_FS_BASE, vmx_held),
	CODE(MSR_GS_BASE, vmx_held),
	CODE(MSR_KERNEL_GS_BASE, vmx_held),
	CODE(MSR_IA32_SYSENTER_CS, vmx_held),
	CODE(MSR_IA32_SYSENTER_ESP, vmx_held),
	CODE(MSR_IA32_SYSENTER_EIP, vmx_held),
	CODE(MSR_IA32_APICBASE, apic_base),
	CODE(MSR_IA32_MISC_ENABLE, misc_enable),
	KEPT(MSR_IA32_CR_PAT, pat, MSR_RULE_PAT),
	ZERO(MSR_IA32_MCG_STATUS),
	KEPT(MSR_MTRR_DEF_TYPE, mtrr_def_type, MSR_RULE_MTRR_DEF),
	MTRR_FIXED(MSR_MTRR_FIX64K, 0),
	MTRR_FIXED(MSR_MTRR_FIX16K(0), 1),
	MTRR_FIXED(MSR_MTRR_FIX16K(1), 2),
	MTRR_FIXED(MSR_MTRR_FIX4K(0), 3),
	MTRR_FIXED(MSR_MTRR_FIX4K(1), 4),
	MTRR_FIXED(MSR_MTRR_FIX4K(2), 5),
	MTRR_FIXED(MSR_MTRR_FIX4K(3), 6),
	MTRR_FIXED(MSR_MTRR_FIX4K(4), 7),
	MTRR_FIXED(MSR_MTRR_FIX4K(5), 8),
	MTRR_FIXED(MSR_MTRR_FIX4K(6), 9),
	MTRR_FIXED(MSR_MTRR_FIX4K(7), 10),
	MTRR_VAR(MSR_MTRR_BASE(0), 0, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(0), 1, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(1), 2, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(1), 3, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(2), 4, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(2), 5, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(3), 6, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(3), 7, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(4), 8, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(4), 9, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(5), 10, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(5), 11, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(6), 12, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(6), 13, MSR_RULE_MTRR_MASK),
	MTRR_VAR(MSR_MTRR_BASE(7), 14, MSR_RULE_MTRR_BASE),
	MTRR_VAR(MSR_MTRR_MASK(7), 15, MSR_RULE_MTRR_MASK),

	/* Not state: read-only, or without a value of their own. */
	CONSTANT(MSR_MTRR_CAP, MTRR_CAP),
	CONSTANT(MSR_IA32_MCG_CAP, 0),		/* no banks */
	CONSTANT(MSR_IA32_PLATFORM_ID, 0),
	CONSTANT(MSR_PLATFORM_INFO, 0),		/* no CPUID faulting */
	CODE(MSR_IA32_UCODE_REV, ucode_rev),
	CODE(MSR_IA32_ARCH_CAPABILITIES, arch_cap),
	ZERO(MSR_IA32_P5_MC_ADDR),
	ZERO(MSR_IA32_P5_MC_TYPE),
	ZERO(MSR_IA32_DEBUGCTLMSR),		/* no LBR, no BTF */
};

/* The state of a guest: what a VMM has to save and restore. All of it can be written. */
const u32 shvm_msr_list[] = {
	MSR_IA32_TSC, MSR_IA32_TSC_ADJUST, MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
	MSR_SYSCALL_MASK, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_IA32_SYSENTER_CS,
	MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_IA32_APICBASE, MSR_IA32_MISC_ENABLE,
	MSR_IA32_CR_PAT, MSR_IA32_MCG_STATUS, MSR_MTRR_DEF_TYPE, MSR_MTRR_FIX64K,
	MSR_MTRR_FIX16K(0), MSR_MTRR_FIX16K(1), MSR_MTRR_FIX4K(0), MSR_MTRR_FIX4K(1),
	MSR_MTRR_FIX4K(2), MSR_MTRR_FIX4K(3), MSR_MTRR_FIX4K(4), MSR_MTRR_FIX4K(5),
	MSR_MTRR_FIX4K(6), MSR_MTRR_FIX4K(7),
	MSR_MTRR_BASE(0), MSR_MTRR_MASK(0), MSR_MTRR_BASE(1), MSR_MTRR_MASK(1),
	MSR_MTRR_BASE(2), MSR_MTRR_MASK(2), MSR_MTRR_BASE(3), MSR_MTRR_MASK(3),
	MSR_MTRR_BASE(4), MSR_MTRR_MASK(4), MSR_MTRR_BASE(5), MSR_MTRR_MASK(5),
	MSR_MTRR_BASE(6), MSR_MTRR_MASK(6), MSR_MTRR_BASE(7), MSR_MTRR_MASK(7),
};

const unsigned int shvm_msr_list_len = ARRAY_SIZE(shvm_msr_list);

static const struct msr_desc *msr_find(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_table); i++)
		if (msr_table[i].index == index)
			return &msr_table[i];
	return NULL;
}

/* IA32_ARCH_CAPABILITIES exists only where CPUID can announce it. */
static bool msr_exists(const struct msr_desc *d)
{
	return d && (d->read != arch_cap_read || boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES));
}

static u64 *msr_field(struct shvm_vcpu *vcpu, const struct msr_desc *d)
{
	return (void *)&vcpu->msrs + d->offset;
}

/**
 * shvm_msr_read - RDMSR and SHVM_GET_MSRS
 * @vcpu: the vCPU
 * @index: any number
 * @val: result
 * Return: 0, or 1: raise #GP(0), *@val is untouched.
 */
int shvm_msr_read(struct shvm_vcpu *vcpu, u32 index, u64 *val)
{
	const struct msr_desc *d = msr_find(index);

	if (!msr_exists(d))
		return 1;
	if (d->read)
		*val = d->read(vcpu, index);
	else if (d->rule == MSR_RULE_CONSTANT)
		*val = d->constant;
	else if (d->rule == MSR_RULE_ZERO)
		*val = 0;
	else
		*val = *msr_field(vcpu, d);
	return 0;
}

/**
 * shvm_msr_write - WRMSR and SHVM_SET_MSRS
 * @vcpu: the vCPU
 * @index: any number
 * @val: any value
 * @from_user: SHVM_SET_MSRS: the TSC and its adjustment are separate, constants may be written back
 * Return: 0, or 1 with nothing changed: raise #GP(0).
 */
int shvm_msr_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user)
{
	const struct msr_desc *d = msr_find(index);

	if (!msr_exists(d))
		return 1;
	if (d->write)
		return d->write(vcpu, index, val, from_user);
	if (d->rule == MSR_RULE_CONSTANT)
		return !from_user || val != d->constant;
	if (!value_is_legal(vcpu, d->rule, val))
		return 1;
	if (d->rule != MSR_RULE_ZERO)
		*msr_field(vcpu, d) = val;
	return 0;
}

/**
 * shvm_msr_reset - values after RESET
 * @vcpu: being created, under vm->lock
 *
 * The TSC of the first vCPU starts at 0, those of the others agree with it.
 */
void shvm_msr_reset(struct shvm_vcpu *vcpu)
{
	const struct shvm_vcpu *first = READ_ONCE(vcpu->vm->vcpus[0]);

	vcpu->msrs = (struct shvm_msr_state){
		.misc_enable = MISC_ENABLE_RESET,
		.pat = PAT_RESET,
		.tsc_khz = tsc_khz,
	};
	if (first && first != vcpu)
		tsc_move(vcpu, READ_ONCE(first->msrs.tsc_offset));
	else
		tsc_move(vcpu, -rdtsc_ordered());
}
