// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUID leaves of a vCPU: SHVM_SET_CPUID2, the CPUID instruction, and what the module derives
 * from the leaves (reserved bits, paging features). Owns vcpu->cpuid, under vcpu->mutex; the leaves
 * do not change after the first RUN, because shadow pages depend on them. The look-up is used with
 * interrupts off: it takes no lock and does not sleep.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "x86.h"
#include "../vm.h"

#define MAXPHYADDR_DEFAULT	36
#define MAXPHYADDR_LEAST	32
#define MAXPHYADDR_MOST		52

#define XSAVE_LEGACY_BYTES	576

#define F(name) BIT(X86_FEATURE_##name & 31)

/* Present in every guest, with or without a CPUID leaf that says so. */
#define CR4_ALWAYS	(X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | \
			 X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/* Basic leaves, those of hypervisors and the extended ones have places of their own. */
static u32 cpuid_hash(u32 function)
{
	BUILD_BUG_ON_NOT_POWER_OF_2(SHVM_CPUID_FIRST);
	return (function ^ function >> 26) % SHVM_CPUID_FIRST;
}

static void cpuid_hash_fill(struct shvm_cpuid *c)
{
	u32 i;

	BUILD_BUG_ON(SHVM_MAX_CPUID_ENTRIES > U16_MAX);
	for (i = 0; i < SHVM_CPUID_FIRST; i++)
		c->first[i] = c->nent;
	for (i = c->nent; i > 0; i--)
		c->first[cpuid_hash(c->entries[i - 1].function)] = i - 1;
}

static const struct shvm_cpuid_entry2 *cpuid_find(const struct shvm_cpuid *c, u32 function,
						  u32 index)
{
	u32 i;

	for (i = c->first[cpuid_hash(function)]; i < c->nent; i++) {
		const struct shvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function != function)
			continue;
		if (!(e->flags & SHVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index)
			return e;
	}
	return NULL;
}

/* Highest leaf of the class (basic, hypervisor, extended) that the leaf belongs to. */
static u32 cpuid_class_max(const struct shvm_cpuid *c, u32 function)
{
	const struct shvm_cpuid_entry2 *e = cpuid_find(c, function & 0xf0000000, 0);

	return e ? e->eax : 0;
}

/* Bytes of the XSAVE area for what XCR0 enables now; standard form or compacted. */
static u32 xsave_area_bytes(const struct shvm_vcpu *vcpu, bool compacted)
{
	const struct shvm_cpuid_entry2 *ymm;

	if (!(vcpu->fpu.xcr0 & XFEATURE_MASK_YMM))
		return XSAVE_LEGACY_BYTES;
	ymm = cpuid_find(&vcpu->cpuid, 0xd, XFEATURE_YMM);
	if (!ymm)
		return XSAVE_LEGACY_BYTES;
	return ymm->eax + (compacted ? XSAVE_LEGACY_BYTES : ymm->ebx);
}

/* Bits and fields that follow the state of the vCPU. */
static void cpuid_apply_state(const struct shvm_vcpu *vcpu, u32 function, u32 index,
			      struct shvm_cpuid_result *r)
{
	if (function == 1) {
		r->ecx &= ~F(OSXSAVE);
		if (vcpu->cr4 & X86_CR4_OSXSAVE)
			r->ecx |= F(OSXSAVE);
		if (!(vcpu->apic_base & MSR_IA32_APICBASE_ENABLE))
			r->edx &= ~F(APIC);
	} else if (function == 0xd && index == 0) {
		r->ebx = xsave_area_bytes(vcpu, false);
	} else if (function == 0xd && index == 1 && (r->eax & F(XSAVEC))) {
		r->ebx = xsave_area_bytes(vcpu, true);
	}
}

/**
 * shvm_cpuid_query - what the CPUID instruction returns
 * @vcpu: the vCPU; interrupts may be off
 * @function: leaf
 * @index: subleaf
 *
 * As on Intel CPUs a leaf beyond the last of its class returns the highest basic leaf, one that is
 * missing in between returns zeros.
 */
struct shvm_cpuid_result shvm_cpuid_query(struct shvm_vcpu *vcpu, u32 function, u32 index)
{
	const struct shvm_cpuid *c = &vcpu->cpuid;
	const struct shvm_cpuid_entry2 *e = cpuid_find(c, function, index);
	struct shvm_cpuid_result r = { };

	if (!e && function > cpuid_class_max(c, function)) {
		function = cpuid_class_max(c, 0);
		e = cpuid_find(c, function, index);
	}
	if (!e)
		return r;
	r = (struct shvm_cpuid_result){ e->eax, e->ebx, e->ecx, e->edx };
	if (function == 1 || function == 0xd)
		cpuid_apply_state(vcpu, function, index, &r);
	return r;
}

static u64 derive_cr4(const struct shvm_cpuid *c, u32 leaf1_ecx, u32 leaf7_ebx, u32 leaf7_ecx)
{
	u64 gated = 0;

	if (leaf1_ecx & F(PCID))
		gated |= X86_CR4_PCIDE;
	if (c->xcr0_allowed)
		gated |= X86_CR4_OSXSAVE;
	if (leaf7_ebx & F(FSGSBASE))
		gated |= X86_CR4_FSGSBASE;
	if (leaf7_ebx & F(SMEP))
		gated |= X86_CR4_SMEP;
	if (leaf7_ebx & F(SMAP))
		gated |= X86_CR4_SMAP;
	if (leaf7_ecx & F(UMIP))
		gated |= X86_CR4_UMIP;
	return CR4_ALWAYS | (gated & shvm_cpuid_host_cr4());
}

static u8 derive_maxphyaddr(const struct shvm_cpuid *c)
{
	const struct shvm_cpuid_entry2 *e = cpuid_find(c, 0x80000008, 0);

	if (!e || !(e->eax & 0xff))
		return MAXPHYADDR_DEFAULT;
	return clamp_t(u32, e->eax & 0xff, MAXPHYADDR_LEAST, MAXPHYADDR_MOST);
}

static u64 derive_xcr0(const struct shvm_cpuid *c, u32 leaf1_ecx)
{
	const struct shvm_cpuid_entry2 *e = cpuid_find(c, 0xd, 0);

	if (!(leaf1_ecx & F(XSAVE)) || !e)
		return 0;
	return (e->eax | (u64)e->edx << 32) & shvm_fpu_supported_xcr0();
}

/*
 * Fills all fields but the leaves. Without any leaf the vCPU takes what every CPU with VT-x has, so
 * that a small VMM may do without CPUID.
 */
static void cpuid_derive(struct shvm_cpuid *c)
{
	const struct shvm_cpuid_entry2 *leaf1 = cpuid_find(c, 1, 0);
	const struct shvm_cpuid_entry2 *leaf7 = cpuid_find(c, 7, 0);
	const struct shvm_cpuid_entry2 *ext1 = cpuid_find(c, 0x80000001, 0);
	u32 leaf1_ecx = leaf1 ? leaf1->ecx : 0;
	u32 leaf7_ebx = leaf7 ? leaf7->ebx : 0;
	u32 ext1_edx = ext1 ? ext1->edx : 0;
	u64 cr4;

	if (!c->nent)
		ext1_edx = F(NX) | F(SYSCALL) | F(LM);

	c->maxphyaddr = derive_maxphyaddr(c);
	c->xcr0_allowed = derive_xcr0(c, leaf1_ecx);
	cr4 = derive_cr4(c, leaf1_ecx, leaf7_ebx, leaf7 ? leaf7->ecx : 0);
	c->cr3_reserved = GENMASK_ULL(63, c->maxphyaddr);
	c->cr4_reserved = ~cr4;
	c->pge = true;
	c->pcid = cr4 & X86_CR4_PCIDE;
	c->smep = cr4 & X86_CR4_SMEP;
	c->smap = cr4 & X86_CR4_SMAP;
	c->fsgsbase = cr4 & X86_CR4_FSGSBASE;
	c->nx = ext1_edx & F(NX);
	c->lm = ext1_edx & F(LM);
	c->syscall = ext1_edx & F(SYSCALL);
	c->gbpages = c->lm && (ext1_edx & F(GBPAGES));
	c->pse36 = leaf1 && (leaf1->edx & F(PSE36));

	c->efer_reserved = ~0ULL;
	if (c->nx)
		c->efer_reserved &= ~(u64)EFER_NX;
	if (c->lm)
		c->efer_reserved &= ~(u64)(EFER_LME | EFER_LMA);
	if (c->syscall)
		c->efer_reserved &= ~(u64)EFER_SCE;
}

static int entries_check(const struct shvm_cpuid_entry2 *entries, u32 nent)
{
	const u32 flags = SHVM_CPUID_FLAG_SIGNIFCANT_INDEX | SHVM_CPUID_FLAG_STATEFUL_FUNC |
			  SHVM_CPUID_FLAG_STATE_READ_NEXT;
	u32 i;

	if (nent > SHVM_MAX_CPUID_ENTRIES)
		return -E2BIG;
	for (i = 0; i < nent; i++) {
		const struct shvm_cpuid_entry2 *e = &entries[i];

		if ((e->flags & ~flags) || e->padding[0] || e->padding[1] || e->padding[2])
			return -EINVAL;
	}
	return 0;
}

u32 shvm_cpuid_model(const struct shvm_cpuid *c)
{
	return SHVM_CPU_MODEL_FIXED | c->maxphyaddr |
	       (c->gbpages ? SHVM_CPU_MODEL_GBPAGES : 0) |
	       (c->pse36 ? SHVM_CPU_MODEL_PSE36 : 0);
}

/* Another vCPU of the VM has run: shadow pages exist that depend on its model. */
static bool model_fits_vm(const struct shvm *vm, const struct shvm_cpuid *c)
{
	u32 fixed = READ_ONCE(vm->cpu_model);

	return !fixed || fixed == shvm_cpuid_model(c);
}

/**
 * shvm_cpuid_set - SHVM_SET_CPUID2
 * @vcpu: the vCPU
 * @entries: kernel copy of the leaves; stays the caller's
 * @nent: their number
 * Return: 0; -E2BIG, -EINVAL or -ENOMEM with nothing changed.
 */
int shvm_cpuid_set(struct shvm_vcpu *vcpu, const struct shvm_cpuid_entry2 *entries, u32 nent)
{
	struct shvm_cpuid *c = &vcpu->cpuid;
	struct shvm_cpuid fresh = { .nent = nent };
	int err = entries_check(entries, nent);

	if (err)
		return err;
	if (vcpu->has_run) {
		if (nent != c->nent || memcmp(entries, c->entries, nent * sizeof(*entries)))
			return -EINVAL;
		return 0;
	}
	if (nent) {
		fresh.entries = kvmalloc_array(nent, sizeof(*entries), GFP_KERNEL_ACCOUNT);
		if (!fresh.entries)
			return -ENOMEM;
		memcpy(fresh.entries, entries, nent * sizeof(*entries));
	}
	cpuid_hash_fill(&fresh);
	cpuid_derive(&fresh);
	if (!model_fits_vm(vcpu->vm, &fresh)) {
		kvfree(fresh.entries);
		return -EINVAL;
	}

	kvfree(c->entries);
	*c = fresh;
	shvm_cr_sync_mmu(vcpu);
	return 0;
}

void shvm_cpuid_init(struct shvm_vcpu *vcpu)
{
	vcpu->cpuid = (struct shvm_cpuid){ 0 };
	cpuid_hash_fill(&vcpu->cpuid);
	cpuid_derive(&vcpu->cpuid);
}

void shvm_cpuid_destroy(struct shvm_vcpu *vcpu)
{
	kvfree(vcpu->cpuid.entries);
	vcpu->cpuid.entries = NULL;
	vcpu->cpuid.nent = 0;
}
