// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_GET_SREGS and SHVM_SET_SREGS, and the state of a vCPU after RESET. Runs with vcpu->mutex
 * held and the VMCS loaded. SET accepts every state that a CPU can be in, also those that cannot
 * be run (real mode): RUN reports them. Nothing changes unless everything is in order.
 */
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <asm/processor-flags.h>
#include <asm/msr-index.h>

#include "mmu/mmu.h"
#include "vcpu.h"
#include "vmx/vmx.h"
#include "x86/x86.h"

#define SREGS_CR0_BITS	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | \
			 X86_CR0_PG)

#define RESET_CR0	(X86_CR0_CD | X86_CR0_NW | X86_CR0_ET)	/* SDM 3A 10.1.1, table 10-1 */
#define RESET_DR6	0xffff0ff0
#define RESET_DR7	0x400
#define RESET_RIP	0xfff0
#define RESET_CS	0xf000
#define RESET_CS_BASE	0xffff0000
#define RESET_EDX	0x600	/* family 6 */
#define RESET_APIC_BASE	0xfee00000

/* Segment types, SDM 3A 3.4.5.1 and 3.5 */
#define TYPE_DATA_RW	3	/* accessed */
#define TYPE_CODE_XR	11	/* accessed */
#define TYPE_LDT	2
#define TYPE_TSS_BUSY	11

/* Where struct shvm_sregs keeps each segment. */
static const u16 sregs_seg_offset[SHVM_NR_SEGS] = {
	[SHVM_ES] = offsetof(struct shvm_sregs, es),
	[SHVM_CS] = offsetof(struct shvm_sregs, cs),
	[SHVM_SS] = offsetof(struct shvm_sregs, ss),
	[SHVM_DS] = offsetof(struct shvm_sregs, ds),
	[SHVM_FS] = offsetof(struct shvm_sregs, fs),
	[SHVM_GS] = offsetof(struct shvm_sregs, gs),
	[SHVM_TR] = offsetof(struct shvm_sregs, tr),
	[SHVM_LDTR] = offsetof(struct shvm_sregs, ldt),
};

static const struct shvm_segment *sregs_seg(const struct shvm_sregs *sregs, enum shvm_seg seg)
{
	return (const void *)sregs + sregs_seg_offset[seg];
}

static bool base_is_canonical(u64 base)
{
	return (u64)((s64)(base << 16) >> 16) == base;	/* 48 bits: no LA57 in guests */
}

/* ---- get ---- */

void shvm_sregs_get(struct shvm_vcpu *vcpu, struct shvm_sregs *out)
{
	enum shvm_seg seg;

	memset(out, 0, sizeof(*out));
	for (seg = 0; seg < SHVM_NR_SEGS; seg++)
		shvm_vmx_get_segment(vcpu, seg, (void *)out + sregs_seg_offset[seg]);
	shvm_vmx_get_dtable(vcpu, false, &out->gdt);
	shvm_vmx_get_dtable(vcpu, true, &out->idt);
	out->cr0 = vcpu->cr0;
	out->cr2 = vcpu->cr2;
	out->cr3 = vcpu->cr3;
	out->cr4 = vcpu->cr4;
	out->cr8 = vcpu->cr8;
	out->efer = vcpu->efer;
	out->apic_base = vcpu->apic_base;
	if (vcpu->events.irq_queued)
		out->interrupt_bitmap[vcpu->events.irq_queued_vector / 64] =
			BIT_ULL(vcpu->events.irq_queued_vector % 64);
}

/* ---- set: checks ---- */

static bool segment_is_valid(const struct shvm_segment *s)
{
	return s->type <= 15 && s->dpl <= 3 && !s->padding &&
	       (s->present | s->db | s->s | s->l | s->g | s->avl | s->unusable) <= 1;
}

static bool segments_are_valid(const struct shvm_sregs *in)
{
	enum shvm_seg seg;

	for (seg = 0; seg < SHVM_NR_SEGS; seg++)
		if (!segment_is_valid(sregs_seg(in, seg)))
			return false;
	return base_is_canonical(in->fs.base) && base_is_canonical(in->gs.base) &&
	       base_is_canonical(in->tr.base) && base_is_canonical(in->ldt.base);
}

static bool dtable_is_valid(const struct shvm_dtable *d)
{
	return base_is_canonical(d->base) && !(d->padding[0] | d->padding[1] | d->padding[2]);
}

/* The rules between CR0, CR4, EFER and CS: SDM 3A 2.5 and 4.1, 3C 27.3.1.1. */
static bool mode_is_valid(const struct shvm_sregs *in)
{
	bool pg = in->cr0 & X86_CR0_PG, lme = in->efer & EFER_LME, lma = in->efer & EFER_LMA;

	if (pg && !(in->cr0 & X86_CR0_PE))
		return false;
	if ((in->cr0 & X86_CR0_NW) && !(in->cr0 & X86_CR0_CD))
		return false;
	if (lma != (lme && pg))
		return false;
	if (lma && (!(in->cr4 & X86_CR4_PAE) || (in->cs.l && in->cs.db)))
		return false;
	return lma || (!(in->cr4 & X86_CR4_PCIDE) && !in->cs.l);
}

static bool control_is_valid(const struct shvm_vcpu *vcpu, const struct shvm_sregs *in)
{
	const struct shvm_cpuid *cpuid = &vcpu->cpuid;

	return !(in->cr0 & ~(u64)SREGS_CR0_BITS) && !(in->cr3 >> cpuid->maxphyaddr) &&
	       !(in->cr4 & cpuid->cr4_reserved) && in->cr8 <= 15 &&
	       !(in->efer & cpuid->efer_reserved) && in->apic_base == vcpu->apic_base;
}

static unsigned int bitmap_weight64(const u64 *map)
{
	unsigned int i, sum = 0;

	for (i = 0; i < SHVM_NR_INTERRUPTS / 64; i++)
		sum += hweight64(map[i]);
	return sum;
}

/* ---- set: commit ---- */

static void interrupt_set(struct shvm_vcpu *vcpu, const u64 *map)
{
	unsigned int i;

	vcpu->events.irq_queued = false;
	for (i = 0; i < SHVM_NR_INTERRUPTS / 64; i++) {
		if (!map[i])
			continue;
		vcpu->events.irq_queued = true;
		vcpu->events.irq_queued_vector = i * 64 + __ffs64(map[i]);
	}
}

static void sregs_commit(struct shvm_vcpu *vcpu, const struct shvm_sregs *in)
{
	enum shvm_seg seg;

	vcpu->cr0 = in->cr0 | X86_CR0_ET;
	vcpu->cr2 = in->cr2;
	vcpu->cr3 = in->cr3;
	vcpu->cr4 = in->cr4;
	vcpu->cr8 = in->cr8;
	vcpu->efer = in->efer;
	shvm_vmx_update_efer(vcpu);
	shvm_vmx_update_cr0(vcpu);
	shvm_vmx_update_cr4(vcpu);
	for (seg = 0; seg < SHVM_NR_SEGS; seg++)
		shvm_vmx_set_segment(vcpu, seg, sregs_seg(in, seg));
	shvm_vmx_set_dtable(vcpu, false, &in->gdt);
	shvm_vmx_set_dtable(vcpu, true, &in->idt);
	interrupt_set(vcpu, in->interrupt_bitmap);
	shvm_cr_sync_mmu(vcpu);
	shvm_vmx_update_exceptions(vcpu);
	shvm_insn_forget(vcpu);
}

int shvm_sregs_set(struct shvm_vcpu *vcpu, const struct shvm_sregs *in)
{
	if (!segments_are_valid(in) || !dtable_is_valid(&in->gdt) || !dtable_is_valid(&in->idt) ||
	    !control_is_valid(vcpu, in) || !mode_is_valid(in) ||
	    bitmap_weight64(in->interrupt_bitmap) > 1)
		return -EINVAL;
	sregs_commit(vcpu, in);
	return 0;
}

/* ---- RESET: SDM 3A 10.1.1 ---- */

static void reset_segments(struct shvm_sregs *sregs)
{
	const struct shvm_segment data = {
		.limit = 0xffff, .type = TYPE_DATA_RW, .present = 1, .s = 1,
	};

	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = data;
	sregs->cs = data;
	sregs->cs.type = TYPE_CODE_XR;
	sregs->cs.selector = RESET_CS;
	sregs->cs.base = RESET_CS_BASE;
	sregs->ldt = data;
	sregs->ldt.type = TYPE_LDT;
	sregs->ldt.s = 0;
	sregs->tr = sregs->ldt;
	sregs->tr.type = TYPE_TSS_BUSY;
	sregs->gdt.limit = 0xffff;
	sregs->idt.limit = 0xffff;
}

static void reset_regs(struct shvm_vcpu *vcpu)
{
	memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
	vcpu->gpr[SHVM_RDX] = RESET_EDX;
	shvm_vmx_set_rsp(vcpu, 0);
	shvm_vmx_set_rip(vcpu, RESET_RIP);
	shvm_vmx_set_rflags(vcpu, X86_EFLAGS_FIXED);
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = RESET_DR6;
	vcpu->dr7 = RESET_DR7;
	shvm_vmx_update_dr7(vcpu);
}

void shvm_sregs_reset(struct shvm_vcpu *vcpu)
{
	struct shvm_sregs sregs = { .cr0 = RESET_CR0 };

	vcpu->apic_base = RESET_APIC_BASE | MSR_IA32_APICBASE_ENABLE |
			  (vcpu->id ? 0 : MSR_IA32_APICBASE_BSP);
	vcpu->mp_state = SHVM_MP_STATE_RUNNABLE;
	shvm_cpuid_init(vcpu);
	shvm_msr_reset(vcpu);
	reset_segments(&sregs);
	reset_regs(vcpu);
	sregs_commit(vcpu, &sregs);
}
