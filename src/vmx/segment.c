// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest segment registers, and the question whether VT-x without unrestricted guest can hold the
 * guest's state at all: the rules of SDM 27.3.1.2. The answer is kept until somebody other than
 * the guest changes what it rests on; what the guest itself loads always fits.
 */
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "vmx_internal.h"

struct seg_fields {
	u32 selector, base, limit, access;
};

#define SEG_FIELDS(name) {			\
	.selector = GUEST_##name##_SELECTOR,	\
	.base = GUEST_##name##_BASE,		\
	.limit = GUEST_##name##_LIMIT,		\
	.access = GUEST_##name##_AR_BYTES,	\
}

static const struct seg_fields seg_fields[SHVM_NR_SEGS] = {
	[SHVM_ES] = SEG_FIELDS(ES),
	[SHVM_CS] = SEG_FIELDS(CS),
	[SHVM_SS] = SEG_FIELDS(SS),
	[SHVM_DS] = SEG_FIELDS(DS),
	[SHVM_FS] = SEG_FIELDS(FS),
	[SHVM_GS] = SEG_FIELDS(GS),
	[SHVM_TR] = SEG_FIELDS(TR),
	[SHVM_LDTR] = SEG_FIELDS(LDTR),
};

/* SDM table 25-2: access rights. */
#define SEG_TYPE(ar)	((ar) & 0xf)
#define SEG_S		BIT(4)
#define SEG_DPL(ar)	(((ar) >> 5) & 3)
#define SEG_P		BIT(7)
#define SEG_RESERVED	0xfffe0f00u
#define SEG_AVL		BIT(12)
#define SEG_L		BIT(13)
#define SEG_DB		BIT(14)
#define SEG_G		BIT(15)
#define SEG_UNUSABLE	BIT(16)

#define TYPE_ACCESSED	BIT(0)
#define TYPE_READABLE	BIT(1)	/* of code; writable of data; busy of TSS */
#define TYPE_CONFORMING	BIT(2)
#define TYPE_CODE	BIT(3)
#define TYPE_LDT	2
#define TYPE_TSS16_BUSY	3
#define TYPE_TSS_BUSY	11

void shvm_vmx_get_segment(struct shvm_vcpu *vcpu, enum shvm_seg seg, struct shvm_segment *out)
{
	const struct seg_fields *f = &seg_fields[seg];
	u32 ar = vmcs_read_any(f->access);

	*out = (struct shvm_segment) {
		.base = vmcs_read_any(f->base),
		.limit = vmcs_read_any(f->limit),
		.selector = vmcs_read_any(f->selector),
		.type = SEG_TYPE(ar),
		.s = !!(ar & SEG_S),
		.dpl = SEG_DPL(ar),
		.present = !(ar & SEG_UNUSABLE),
		.avl = !!(ar & SEG_AVL),
		.l = !!(ar & SEG_L),
		.db = !!(ar & SEG_DB),
		.g = !!(ar & SEG_G),
		.unusable = !!(ar & SEG_UNUSABLE),
	};
}

static u32 segment_access(enum shvm_seg seg, const struct shvm_segment *in)
{
	u32 type = in->type & 0xf;
	u32 ar;

	/* A segment register load would have set these bits in the descriptor. */
	if (seg == SHVM_TR)
		type |= TYPE_READABLE;
	else if (in->s && !in->unusable)
		type |= TYPE_ACCESSED;

	ar = type | (in->dpl & 3) << 5;
	ar |= in->s ? SEG_S : 0;
	ar |= in->avl ? SEG_AVL : 0;
	ar |= in->l ? SEG_L : 0;
	ar |= in->db ? SEG_DB : 0;
	ar |= in->g ? SEG_G : 0;
	ar |= in->unusable || !in->present ? SEG_UNUSABLE : SEG_P;
	return ar;
}

void shvm_vmx_set_segment(struct shvm_vcpu *vcpu, enum shvm_seg seg, const struct shvm_segment *in)
{
	const struct seg_fields *f = &seg_fields[seg];

	vmcs_write_any(f->selector, in->selector);
	vmcs_write_any(f->base, in->base);
	vmcs_write_any(f->limit, in->limit);
	vmcs_write_any(f->access, segment_access(seg, in));
	vcpu->vmx.enterable = false;
}

u64 shvm_vmx_segment_base(struct shvm_vcpu *vcpu, enum shvm_seg seg)
{
	return vmcs_read_any(seg_fields[seg].base);
}

/* VT-x keeps the current privilege level there (SDM 25.4.1), also with an unusable SS. */
unsigned int shvm_vmx_cpl(struct shvm_vcpu *vcpu)
{
	if (!(vcpu->cr0 & X86_CR0_PE))
		return 0;
	return SEG_DPL(vmcs_read32(GUEST_SS_AR_BYTES));
}

bool shvm_vmx_is_64bit(struct shvm_vcpu *vcpu)
{
	return (vcpu->efer & EFER_LMA) && (vmcs_read32(GUEST_CS_AR_BYTES) & SEG_L);
}

static bool is_canonical(u64 addr)
{
	return addr == (u64)((s64)(addr << 16) >> 16);
}

static bool limit_fits_g(u32 limit, u32 ar)
{
	if ((limit & 0xfff) != 0xfff && (ar & SEG_G))
		return false;
	return !(limit & 0xfff00000) || (ar & SEG_G);
}

/* Rules common to all usable registers. */
static enum shvm_vmx_rule common_rule(const struct seg_fields *f, u32 ar, bool system)
{
	if (!(ar & SEG_P))
		return SHVM_RULE_SEG_ABSENT;
	if (ar & SEG_RESERVED)
		return SHVM_RULE_SEG_RESERVED;
	if (!!(ar & SEG_S) == system)
		return SHVM_RULE_SEG_S;
	if (!limit_fits_g(vmcs_read_any(f->limit), ar))
		return SHVM_RULE_SEG_LIMIT;
	return SHVM_RULE_OK;
}

static enum shvm_vmx_rule cs_rule(bool ia32e, u32 ss_ar)
{
	u32 ar = vmcs_read32(GUEST_CS_AR_BYTES);
	u32 type = SEG_TYPE(ar);

	if (ar & SEG_UNUSABLE || !(type & TYPE_CODE) || !(type & TYPE_ACCESSED))
		return SHVM_RULE_CS_TYPE;
	if (type & TYPE_CONFORMING ? SEG_DPL(ar) > SEG_DPL(ss_ar) : SEG_DPL(ar) != SEG_DPL(ss_ar))
		return SHVM_RULE_CS_DPL;
	if (ia32e && (ar & SEG_L) && (ar & SEG_DB))
		return SHVM_RULE_CS_L_AND_D;
	if (vmcs_read_natural(GUEST_CS_BASE) >> 32)
		return SHVM_RULE_CS_BASE;
	return common_rule(&seg_fields[SHVM_CS], ar, false);
}

static enum shvm_vmx_rule ss_rule(u32 ar)
{
	u32 rpl = vmcs_read16(GUEST_SS_SELECTOR) & 3;

	if (rpl != (vmcs_read16(GUEST_CS_SELECTOR) & 3))
		return SHVM_RULE_SS_RPL;
	if (SEG_DPL(ar) != rpl)
		return SHVM_RULE_SS_DPL;
	if (ar & SEG_UNUSABLE)
		return SHVM_RULE_OK;
	if ((SEG_TYPE(ar) & ~TYPE_CONFORMING) != (TYPE_READABLE | TYPE_ACCESSED))
		return SHVM_RULE_SS_TYPE;
	if (vmcs_read_natural(GUEST_SS_BASE) >> 32)
		return SHVM_RULE_SS_BASE;
	return common_rule(&seg_fields[SHVM_SS], ar, false);
}

static enum shvm_vmx_rule data_rule(enum shvm_seg seg)
{
	const struct seg_fields *f = &seg_fields[seg];
	u32 ar = vmcs_read_any(f->access);
	u64 base = vmcs_read_any(f->base);
	u32 type = SEG_TYPE(ar);

	if ((seg == SHVM_FS || seg == SHVM_GS) && !is_canonical(base))
		return SHVM_RULE_FS_GS_BASE;
	if (ar & SEG_UNUSABLE)
		return SHVM_RULE_OK;
	if (!(type & TYPE_ACCESSED) || ((type & TYPE_CODE) && !(type & TYPE_READABLE)))
		return SHVM_RULE_DATA_TYPE;
	if (type < (TYPE_CODE | TYPE_CONFORMING) &&
	    SEG_DPL(ar) < (vmcs_read_any(f->selector) & 3))
		return SHVM_RULE_DATA_RPL;
	if ((seg == SHVM_DS || seg == SHVM_ES) && base >> 32)
		return SHVM_RULE_DATA_BASE;
	return common_rule(f, ar, false);
}

static enum shvm_vmx_rule tr_rule(bool ia32e)
{
	u32 ar = vmcs_read32(GUEST_TR_AR_BYTES);

	if (ar & SEG_UNUSABLE || vmcs_read16(GUEST_TR_SELECTOR) & BIT(2))
		return SHVM_RULE_TR_ABSENT;
	if (SEG_TYPE(ar) != TYPE_TSS_BUSY && (ia32e || SEG_TYPE(ar) != TYPE_TSS16_BUSY))
		return SHVM_RULE_TR_TYPE;
	if (!is_canonical(vmcs_read_natural(GUEST_TR_BASE)))
		return SHVM_RULE_TR_BASE;
	return common_rule(&seg_fields[SHVM_TR], ar, true);
}

static enum shvm_vmx_rule ldtr_rule(void)
{
	u32 ar = vmcs_read32(GUEST_LDTR_AR_BYTES);

	if (ar & SEG_UNUSABLE)
		return SHVM_RULE_OK;
	if (vmcs_read16(GUEST_LDTR_SELECTOR) & BIT(2) || SEG_TYPE(ar) != TYPE_LDT)
		return SHVM_RULE_LDTR_TYPE;
	if (!is_canonical(vmcs_read_natural(GUEST_LDTR_BASE)))
		return SHVM_RULE_LDTR_BASE;
	return common_rule(&seg_fields[SHVM_LDTR], ar, true);
}

static enum shvm_vmx_rule dtable_rule(void)
{
	if (!is_canonical(vmcs_read_natural(GUEST_GDTR_BASE)) ||
	    !is_canonical(vmcs_read_natural(GUEST_IDTR_BASE)))
		return SHVM_RULE_DTABLE_BASE;
	return SHVM_RULE_OK;
}

/* Bit 47 may differ: the address after the last instruction of the lower half. */
static enum shvm_vmx_rule rip_rule(struct shvm_vcpu *vcpu)
{
	u64 rip = shvm_vmx_rip(vcpu);
	bool fits = shvm_vmx_is_64bit(vcpu) ? (u64)((s64)rip >> 48) + 1 <= 1 : !(rip >> 32);

	return fits ? SHVM_RULE_OK : SHVM_RULE_RIP;
}

/* Which rule of SDM 27.3.1 about segments, descriptor tables and RIP is broken. */
enum shvm_vmx_rule shvm_vmx_state_rule(struct shvm_vcpu *vcpu)
{
	bool ia32e = vcpu->efer & EFER_LMA;
	u32 ss_ar = vmcs_read32(GUEST_SS_AR_BYTES);
	enum shvm_vmx_rule rule;
	enum shvm_seg seg;

	rule = cs_rule(ia32e, ss_ar);
	if (!rule)
		rule = ss_rule(ss_ar);
	for (seg = SHVM_ES; !rule && seg <= SHVM_GS; seg++) {
		if (seg != SHVM_CS && seg != SHVM_SS)
			rule = data_rule(seg);
	}
	if (!rule)
		rule = tr_rule(ia32e);
	if (!rule)
		rule = ldtr_rule();
	if (!rule)
		rule = dtable_rule();
	if (!rule)
		rule = rip_rule(vcpu);
	return rule;
}

/**
 * shvm_vmx_state_is_enterable - can VT-x without unrestricted guest hold this state?
 * @vcpu: vCPU
 *
 * False for real mode, virtual-8086 mode, segments that no protected-mode load gives, and an
 * instruction pointer that does not fit the mode.
 */
bool shvm_vmx_state_is_enterable(struct shvm_vcpu *vcpu)
{
	if (likely(vcpu->vmx.enterable))
		return true;
	if (!(vcpu->cr0 & X86_CR0_PE) || (shvm_vmx_rflags(vcpu) & X86_EFLAGS_VM))
		return false;
	vcpu->vmx.enterable = shvm_vmx_state_rule(vcpu) == SHVM_RULE_OK;
	return vcpu->vmx.enterable;
}
