// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest writes to control registers, EFER and debug registers: first every check of the SDM
 * (vol. 2 "MOV to CR", vol. 3 2.5, 4.1.2, 4.10.4.1, 17.2), then the commit to the vCPU, VT-x and
 * the shadow MMU, which cannot fail. Caller holds vcpu->mutex and has the VMCS loaded. Privilege
 * was checked by whoever decoded the instruction.
 */
#include <linux/bits.h>
#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>

#include "x86.h"
#include "../vmx/vmx.h"

/* Bits that exist in CR0; loads of the others below bit 32 have no effect (SDM 2.5). */
#define CR0_DEFINED	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | \
			 X86_CR0_PG)

#define CR3_KEEP_PCID	BIT_ULL(63)
#define CR3_PCID_BITS	0xfffULL

/* A change of these bits drops all translations; SDM 4.10.4.1, PSE as all CPUs do. */
#define CR4_FLUSH_ON_CHANGE	(X86_CR4_PGE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PCIDE)
#define CR4_PAGING_BITS		(CR4_FLUSH_ON_CHANGE | X86_CR4_SMEP | X86_CR4_SMAP)

#define TSS_TYPE_16BIT		1	/* available; 3 if busy */
#define TSS_TYPE_BUSY		2

/* Without RTM and bus-lock detection; SDM 17.2.3, 17.2.4. */
#define DR6_FIXED_1		0xffff0ff0ULL
#define DR6_WRITABLE		0x0000e00fULL
#define DR7_FIXED_1		0x00000400ULL
#define DR7_WRITABLE		0xffff23ffULL
#define DR6_BD			BIT_ULL(13)
#define DR7_GD			BIT_ULL(13)

/* Changes of these bits load the PDPTEs again, if PAE paging is on then (SDM 4.4.1). */
#define CR0_LOADS_PDPTES	(X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)
#define CR4_LOADS_PDPTES	(X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)

/* What the control registers are about to be, and the PDPTEs that this loads. */
struct cr_change {
	u64 cr0, cr3, cr4, efer;
	bool has_pdptes;
	u64 pdpte[SHVM_PAE_ROOTS];
};

static struct cr_change cr_change(const struct shvm_vcpu *vcpu)
{
	return (struct cr_change){
		.cr0 = vcpu->cr0, .cr3 = vcpu->cr3, .cr4 = vcpu->cr4, .efer = vcpu->efer,
	};
}

static struct shvm_paging change_paging(const struct shvm_vcpu *vcpu, const struct cr_change *c)
{
	return (struct shvm_paging){
		.cr0 = c->cr0,
		.cr4 = c->cr4,
		.efer = c->efer,
		.maxphyaddr = vcpu->cpuid.maxphyaddr,
		.gbpages = vcpu->cpuid.gbpages,
		.pse36 = vcpu->cpuid.pse36,
	};
}

static void cr_set_paging(struct shvm_vcpu *vcpu)
{
	struct cr_change now = cr_change(vcpu);
	struct shvm_paging p = change_paging(vcpu, &now);

	shvm_mmu_set_paging(&vcpu->mmu, &p);
}

/* 0, 1 = #GP, -errno. Reads the PDPTEs if there will be PAE paging. */
static int change_read_pdptes(struct shvm_vcpu *vcpu, struct cr_change *c)
{
	struct shvm_paging p = change_paging(vcpu, c);

	if (!(c->cr0 & X86_CR0_PG) || !(c->cr4 & X86_CR4_PAE) || (c->efer & EFER_LMA))
		return 0;
	c->has_pdptes = true;
	return shvm_mmu_read_pdptes(&vcpu->mmu, &p, c->cr3, c->pdpte);
}

/* After the paging state, so that the MMU knows what they mean. */
static void change_commit_pdptes(struct shvm_vcpu *vcpu, const struct cr_change *c)
{
	if (c->has_pdptes)
		shvm_mmu_set_pdptes(&vcpu->mmu, c->pdpte);
}

/**
 * shvm_cr_sync_mmu - hand the whole paging state to the shadow MMU
 * @vcpu: its cr0, cr3, cr4, efer and CPUID are final
 *
 * All cached translations of the vCPU are dropped. If PDPTEs cannot be loaded, none is present.
 */
void shvm_cr_sync_mmu(struct shvm_vcpu *vcpu)
{
	struct cr_change change = cr_change(vcpu);

	if (change_read_pdptes(vcpu, &change))
		memset(change.pdpte, 0, sizeof(change.pdpte));
	cr_set_paging(vcpu);
	shvm_mmu_flush_all(&vcpu->mmu);
	shvm_mmu_load_cr3(&vcpu->mmu, vcpu->cr3, false);
	change_commit_pdptes(vcpu, &change);
}

/* What CR0.PG = 1 with EFER.LME = 1 asks of the rest of the state (SDM 9.8.5). */
static bool cr0_may_activate_long_mode(struct shvm_vcpu *vcpu)
{
	struct shvm_segment seg;

	if (!(vcpu->cr4 & X86_CR4_PAE))
		return false;
	shvm_vmx_get_segment(vcpu, SHVM_CS, &seg);
	if (seg.l)
		return false;
	shvm_vmx_get_segment(vcpu, SHVM_TR, &seg);
	return (seg.type & ~TSS_TYPE_BUSY) != TSS_TYPE_16BIT;
}

static bool cr0_may_clear_pg(struct shvm_vcpu *vcpu)
{
	struct shvm_segment cs;

	if (vcpu->cr4 & X86_CR4_PCIDE)
		return false;
	if (!(vcpu->efer & EFER_LMA))
		return true;
	shvm_vmx_get_segment(vcpu, SHVM_CS, &cs);
	return !cs.l;
}

static bool cr0_is_legal(struct shvm_vcpu *vcpu, u64 val)
{
	if (val >> 32)
		return false;
	if ((val & X86_CR0_PG) && !(val & X86_CR0_PE))
		return false;
	if ((val & X86_CR0_NW) && !(val & X86_CR0_CD))
		return false;
	if (!((val ^ vcpu->cr0) & X86_CR0_PG))
		return true;
	if (!(val & X86_CR0_PG))
		return cr0_may_clear_pg(vcpu);
	return !(vcpu->efer & EFER_LME) || cr0_may_activate_long_mode(vcpu);
}

/**
 * shvm_cr0_write - MOV to CR0, LMSW, CLTS
 * @vcpu: the vCPU
 * @val: new value, zero-extended if the operand has 32 bits
 * Return: 0, or with nothing changed 1: raise #GP(0), or -errno: see shvm_mmu_read_pdptes().
 */
int shvm_cr0_write(struct shvm_vcpu *vcpu, u64 val)
{
	struct cr_change change = cr_change(vcpu);
	u64 old = vcpu->cr0;
	int err = 0;

	if (!cr0_is_legal(vcpu, val))
		return 1;
	change.cr0 = (val & CR0_DEFINED) | X86_CR0_ET;
	if ((old ^ change.cr0) & X86_CR0_PG) {
		change.efer &= ~EFER_LMA;
		if ((change.cr0 & X86_CR0_PG) && (change.efer & EFER_LME))
			change.efer |= EFER_LMA;
	}
	if ((old ^ change.cr0) & CR0_LOADS_PDPTES)
		err = change_read_pdptes(vcpu, &change);
	if (err)
		return err;

	vcpu->cr0 = change.cr0;
	if (vcpu->efer != change.efer) {
		vcpu->efer = change.efer;
		shvm_vmx_update_efer(vcpu);
	}
	shvm_vmx_update_cr0(vcpu);
	if ((old ^ vcpu->cr0) & (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)) {
		cr_set_paging(vcpu);
		shvm_vmx_update_exceptions(vcpu);
	}
	change_commit_pdptes(vcpu, &change);
	if ((old ^ vcpu->cr0) & X86_CR0_PG)
		shvm_mmu_flush_all(&vcpu->mmu);
	return 0;
}

/**
 * shvm_cr0_try_write - shvm_cr0_write() in the entry loop, interrupts off
 * @vcpu: the vCPU
 * @val: as there
 * Return: true if it is done; false: not a mere change of TS, nothing happened.
 */
bool shvm_cr0_try_write(struct shvm_vcpu *vcpu, u64 val)
{
	if ((vcpu->cr0 ^ val) & ~(u64)X86_CR0_TS)
		return false;
	vcpu->cr0 = val;
	shvm_vmx_update_ts(vcpu);
	return true;
}

/**
 * shvm_cr3_write - MOV to CR3
 * @vcpu: the vCPU
 * @val: new value, zero-extended if the operand has 32 bits
 * Return: 0, or with nothing changed 1: raise #GP(0), or -errno: see shvm_mmu_read_pdptes().
 *
 * Bit 63 asks to keep the translations of the new PCID, exists only with CR4.PCIDE and is never
 * stored. Bits 11:0 that mean nothing are stored, as CPUs do.
 */
int shvm_cr3_write(struct shvm_vcpu *vcpu, u64 val)
{
	struct cr_change change = cr_change(vcpu);
	bool noflush = false;
	int err;

	if (vcpu->cr4 & X86_CR4_PCIDE) {
		noflush = val & CR3_KEEP_PCID;
		val &= ~CR3_KEEP_PCID;
	}
	if ((vcpu->efer & EFER_LMA) && (val & vcpu->cpuid.cr3_reserved))
		return 1;
	change.cr3 = val;
	err = change_read_pdptes(vcpu, &change);
	if (err)
		return err;

	vcpu->cr3 = val;
	shvm_mmu_load_cr3(&vcpu->mmu, val, noflush);
	change_commit_pdptes(vcpu, &change);
	return 0;
}

static bool cr4_is_legal(struct shvm_vcpu *vcpu, u64 val)
{
	u64 set = val & ~vcpu->cr4;

	if (val & vcpu->cpuid.cr4_reserved)
		return false;
	if ((vcpu->efer & EFER_LMA) && !(val & X86_CR4_PAE))
		return false;
	if (!(set & X86_CR4_PCIDE))
		return true;
	return (vcpu->efer & EFER_LMA) && !(vcpu->cr3 & CR3_PCID_BITS);
}

/**
 * shvm_cr4_write - MOV to CR4
 * @vcpu: the vCPU
 * @val: new value, zero-extended if the operand has 32 bits
 * Return: 0, or with nothing changed 1: raise #GP(0), or -errno: see shvm_mmu_read_pdptes().
 *
 * PCIDE also flushes when it is set: what was cached before carried no PCID.
 */
int shvm_cr4_write(struct shvm_vcpu *vcpu, u64 val)
{
	struct cr_change change = cr_change(vcpu);
	u64 changed = vcpu->cr4 ^ val;
	int err = 0;

	if (!cr4_is_legal(vcpu, val))
		return 1;
	change.cr4 = val;
	if (changed & CR4_LOADS_PDPTES)
		err = change_read_pdptes(vcpu, &change);
	if (err)
		return err;

	vcpu->cr4 = val;
	shvm_vmx_update_cr4(vcpu);
	if (changed & CR4_PAGING_BITS) {
		cr_set_paging(vcpu);
		shvm_vmx_update_exceptions(vcpu);
	}
	change_commit_pdptes(vcpu, &change);
	if ((changed & CR4_FLUSH_ON_CHANGE) || (changed & val & X86_CR4_SMEP))
		shvm_mmu_flush_all(&vcpu->mmu);
	return 0;
}

/**
 * shvm_cr4_try_write - shvm_cr4_write() in the entry loop, interrupts off
 * @vcpu: the vCPU
 * @val: as there
 * Return: true if it is done; false: not a mere change of PGE, or one that loads PDPTEs or needs a
 * lock; nothing happened.
 */
bool shvm_cr4_try_write(struct shvm_vcpu *vcpu, u64 val)
{
	if (((vcpu->cr4 ^ val) & ~(u64)X86_CR4_PGE) || !(vcpu->efer & EFER_LMA))
		return false;
	if (vcpu->cr4 == val)
		return true;
	if (!shvm_mmu_try_set_pge(&vcpu->mmu, val))
		return false;
	vcpu->cr4 = val;
	shvm_vmx_update_pge(vcpu);
	return true;
}

int shvm_cr8_write(struct shvm_vcpu *vcpu, u64 val)
{
	if (val & ~0xfULL)
		return 1;
	vcpu->cr8 = val;
	return 0;
}

/**
 * shvm_efer_write - WRMSR to IA32_EFER
 * @vcpu: the vCPU
 * @val: new value; its LMA is ignored, as that follows CR0.PG and LME
 * Return: 0, or 1 with nothing changed: raise #GP(0).
 */
int shvm_efer_write(struct shvm_vcpu *vcpu, u64 val)
{
	u64 old = vcpu->efer;

	if (val & vcpu->cpuid.efer_reserved)
		return 1;
	if (((val ^ old) & EFER_LME) && (vcpu->cr0 & X86_CR0_PG))
		return 1;

	vcpu->efer = (val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	if (vcpu->efer == old)
		return 0;
	shvm_vmx_update_efer(vcpu);
	if ((vcpu->efer ^ old) & (EFER_NX | EFER_LME)) {
		cr_set_paging(vcpu);
		shvm_vmx_update_exceptions(vcpu);
		shvm_mmu_flush_all(&vcpu->mmu);
	}
	return 0;
}

/* DR4 and DR5 are other names of DR6 and DR7 (CR4.DE = 0). */
static unsigned int dr_unalias(unsigned int dr)
{
	return dr == 4 || dr == 5 ? dr + 2 : dr;
}

bool shvm_dr_access(struct shvm_vcpu *vcpu, unsigned int dr)
{
	if ((dr == 4 || dr == 5) && (vcpu->cr4 & X86_CR4_DE)) {
		shvm_event_exception(vcpu, X86_TRAP_UD);
		return false;
	}
	if (!(vcpu->dr7 & DR7_GD))
		return true;

	/* The CPU clears GD when it enters the handler (SDM 17.2.4), which uses the registers. */
	vcpu->dr7 &= ~DR7_GD;
	shvm_vmx_update_dr7(vcpu);
	vcpu->dr6 |= DR6_BD;
	shvm_vmx_set_rflags(vcpu, shvm_vmx_rflags(vcpu) | X86_EFLAGS_RF);
	shvm_event_exception(vcpu, X86_TRAP_DB);
	return false;
}

u64 shvm_dr_read(struct shvm_vcpu *vcpu, unsigned int dr)
{
	switch (dr_unalias(dr)) {
	case 0 ... 3:
		return vcpu->dr[array_index_nospec(dr, 4)];
	case 6:
		return vcpu->dr6;
	default:
		return vcpu->dr7;
	}
}

/**
 * shvm_dr_write - MOV to a debug register, after shvm_dr_access()
 * @vcpu: the vCPU
 * @dr: 0-7
 * @val: new value, zero-extended if the operand has 32 bits
 * Return: 0, or 1 with nothing changed: raise #GP(0).
 */
int shvm_dr_write(struct shvm_vcpu *vcpu, unsigned int dr, u64 val)
{
	dr = dr_unalias(dr);
	if (dr < 4) {
		vcpu->dr[array_index_nospec(dr, 4)] = val;
		shvm_vmx_update_dr7(vcpu);
		return 0;
	}
	if (val >> 32)
		return 1;
	if (dr == 6) {
		vcpu->dr6 = (val & DR6_WRITABLE) | DR6_FIXED_1;
		return 0;
	}
	vcpu->dr7 = (val & DR7_WRITABLE) | DR7_FIXED_1;
	shvm_vmx_update_dr7(vcpu);
	return 0;
}
