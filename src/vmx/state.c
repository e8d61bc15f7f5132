// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest registers that the VMCS holds. RIP, RSP and RFLAGS are read at most once per exit and
 * written at most once per entry; control registers go out with what VT-x forces on them, the
 * guest sees its own values through the read shadows. The VMCS is loaded; nothing here sleeps.
 */
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>

#include "vmx_internal.h"

u64 shvm_vmx_rip(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	if (!(c->valid & SHVM_VMX_REG_RIP)) {
		c->rip = vmcs_read_natural(GUEST_RIP);
		c->valid |= SHVM_VMX_REG_RIP;
	}
	return c->rip;
}

u64 shvm_vmx_rsp(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	if (!(c->valid & SHVM_VMX_REG_RSP)) {
		c->rsp = vmcs_read_natural(GUEST_RSP);
		c->valid |= SHVM_VMX_REG_RSP;
	}
	return c->rsp;
}

u64 shvm_vmx_rflags(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	if (!(c->valid & SHVM_VMX_REG_RFLAGS)) {
		c->rflags = vmcs_read_natural(GUEST_RFLAGS);
		c->valid |= SHVM_VMX_REG_RFLAGS;
	}
	return c->rflags;
}

void shvm_vmx_set_rip(struct shvm_vcpu *vcpu, u64 val)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	c->rip = val;
	c->valid |= SHVM_VMX_REG_RIP;
	c->dirty |= SHVM_VMX_REG_RIP;
}

void shvm_vmx_set_rsp(struct shvm_vcpu *vcpu, u64 val)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	c->rsp = val;
	c->valid |= SHVM_VMX_REG_RSP;
	c->dirty |= SHVM_VMX_REG_RSP;
}

#define RFLAGS_DEFINED	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF |	\
			 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF |	\
			 X86_EFLAGS_OF | X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_RF |	\
			 X86_EFLAGS_VM | X86_EFLAGS_AC | X86_EFLAGS_VIF | X86_EFLAGS_VIP |	\
			 X86_EFLAGS_ID)

/* Undefined bits would fail the entry, so they are forced to their fixed values. */
void shvm_vmx_set_rflags(struct shvm_vcpu *vcpu, u64 val)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	if ((shvm_vmx_rflags(vcpu) ^ val) & X86_EFLAGS_VM)
		vcpu->vmx.enterable = false;
	c->rflags = (val & RFLAGS_DEFINED) | X86_EFLAGS_FIXED;
	c->dirty |= SHVM_VMX_REG_RFLAGS;
}

void shvm_vmx_regs_flush(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_cached *c = &vcpu->vmx.regs;

	if (c->dirty & SHVM_VMX_REG_RIP)
		vmcs_write_natural(GUEST_RIP, c->rip);
	if (c->dirty & SHVM_VMX_REG_RSP)
		vmcs_write_natural(GUEST_RSP, c->rsp);
	if (c->dirty & SHVM_VMX_REG_RFLAGS)
		vmcs_write_natural(GUEST_RFLAGS, c->rflags);
	c->dirty = 0;
	c->valid = 0;
}

void shvm_vmx_get_dtable(struct shvm_vcpu *vcpu, bool idt, struct shvm_dtable *out)
{
	memset(out, 0, sizeof(*out));
	if (idt) {
		out->base = vmcs_read_natural(GUEST_IDTR_BASE);
		out->limit = vmcs_read32(GUEST_IDTR_LIMIT);
	} else {
		out->base = vmcs_read_natural(GUEST_GDTR_BASE);
		out->limit = vmcs_read32(GUEST_GDTR_LIMIT);
	}
}

void shvm_vmx_set_dtable(struct shvm_vcpu *vcpu, bool idt, const struct shvm_dtable *in)
{
	vcpu->vmx.enterable = false;
	if (idt) {
		vmcs_write_natural(GUEST_IDTR_BASE, in->base);
		vmcs_write32(GUEST_IDTR_LIMIT, in->limit);
	} else {
		vmcs_write_natural(GUEST_GDTR_BASE, in->base);
		vmcs_write32(GUEST_GDTR_LIMIT, in->limit);
	}
}

/*
 * Without unrestricted guest PE, PG and NE are 1 in hardware. WP is 1 because the shadow relies
 * on it; CD and NW stay state only: the host's caches are not the guest's to switch off. TS, EM
 * and MP are real, so #NM and #UD of FPU instructions reach the guest without an exit.
 */
void shvm_vmx_update_cr0(struct shvm_vcpu *vcpu)
{
	u64 hw = vcpu->cr0 & ~(u64)(X86_CR0_CD | X86_CR0_NW);

	hw |= X86_CR0_PE | X86_CR0_PG | X86_CR0_NE | X86_CR0_WP | X86_CR0_ET;
	hw = (hw | shvm_vmx_caps.cr0_fixed0) & shvm_vmx_caps.cr0_fixed1;
	vmcs_write_natural(GUEST_CR0, hw);
	vmcs_write_natural(CR0_READ_SHADOW, vcpu->cr0);
	vcpu->vmx.enterable = false;
	/* Whether SMEP and SMAP act depends on CR0.PG. */
	shvm_vmx_update_cr4(vcpu);
}

/*
 * PAE is always on under the shadow; PCIDs are virtual; LA57 and SMX are not offered. MCE is the
 * host's: a machine check with it off would shut the whole machine down. A guest without paging
 * runs on user-accessible direct tables, where SMEP and SMAP would act on it.
 */
void shvm_vmx_update_cr4(struct shvm_vcpu *vcpu)
{
	u64 hw = vcpu->cr4 & ~(u64)(X86_CR4_PCIDE | X86_CR4_LA57 | X86_CR4_SMXE | X86_CR4_MCE);

	if (!(vcpu->cr0 & X86_CR0_PG))
		hw &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);
	hw |= (cr4_read_shadow() & X86_CR4_MCE) | X86_CR4_VMXE | X86_CR4_PAE;
	hw = (hw | shvm_vmx_caps.cr4_fixed0) & shvm_vmx_caps.cr4_fixed1;
	vmcs_write_natural(GUEST_CR4, hw);
	vmcs_write_natural(CR4_READ_SHADOW, vcpu->cr4);
	vcpu->vmx.enterable = false;
}

/* What the checks before an entry look at is the same. */
void shvm_vmx_update_ts(struct shvm_vcpu *vcpu)
{
	bool enterable = vcpu->vmx.enterable;

	shvm_vmx_update_cr0(vcpu);
	vcpu->vmx.enterable = enterable;
}

void shvm_vmx_update_pge(struct shvm_vcpu *vcpu)
{
	bool enterable = vcpu->vmx.enterable;

	shvm_vmx_update_cr4(vcpu);
	vcpu->vmx.enterable = enterable;
}

/* LMA becomes the VM-entry control; SCE is loaded with the user-return MSRs; NXE is the host's. */
void shvm_vmx_update_efer(struct shvm_vcpu *vcpu)
{
	u32 ctl = vcpu->vmx.entry_ctl & ~VM_ENTRY_IA32E_MODE;

	if (vcpu->efer & EFER_LMA)
		ctl |= VM_ENTRY_IA32E_MODE;
	if (ctl != vcpu->vmx.entry_ctl)
		vmcs_write32(VM_ENTRY_CONTROLS, ctl);
	vcpu->vmx.entry_ctl = ctl;
	vcpu->vmx.enterable = false;
}

void shvm_vmx_update_dr7(struct shvm_vcpu *vcpu)
{
	vmcs_write_natural(GUEST_DR7, (u32)vcpu->dr7 | SHVM_DR7_FIXED);
}

/*
 * #PF: with a mask of 0 every error code matches, and the bitmap says exit; else the bitmap says
 * no exit for those that match. #AC and #DB because their delivery can loop in the CPU for ever
 * (CVE-2015-5307, CVE-2015-8104).
 */
void shvm_vmx_update_exceptions(struct shvm_vcpu *vcpu)
{
	u32 bitmap = BIT(X86_TRAP_AC) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_MC);
	u32 mask = shvm_vmx_pf_mask(vcpu);

	if (!mask)
		bitmap |= BIT(X86_TRAP_PF);
	vcpu->vmx.exception_bitmap = bitmap;
	vmcs_write32(EXCEPTION_BITMAP, bitmap);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MASK, mask);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
}

u32 shvm_vmx_interruptibility(struct shvm_vcpu *vcpu)
{
	return vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
}

void shvm_vmx_set_interruptibility(struct shvm_vcpu *vcpu, u32 val)
{
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, val);
}

/* A step over TF ends in #DB, which the CPU raises from this field at the next entry. */
static void pend_single_step(void)
{
	u64 pending = vmcs_read_natural(GUEST_PENDING_DBG_EXCEPTIONS);

	vmcs_write_natural(GUEST_PENDING_DBG_EXCEPTIONS, pending | SHVM_PENDING_DBG_BS);
}

void shvm_vmx_drop_step(struct shvm_vcpu *vcpu)
{
	vmcs_write_natural(GUEST_PENDING_DBG_EXCEPTIONS, 0);
}

/**
 * shvm_vmx_retire_insn - architectural side effects of an instruction that was emulated
 * @vcpu: vCPU
 * @next_rip: address of the following instruction
 *
 * Sets RIP, ends STI and MOV SS blocking, clears RF, and steps if TF was set when the instruction
 * began; the caller changes RFLAGS.TF afterwards, if at all.
 */
void shvm_vmx_retire_insn(struct shvm_vcpu *vcpu, u64 next_rip)
{
	u32 blocking = shvm_vmx_interruptibility(vcpu);
	u64 rflags = shvm_vmx_rflags(vcpu);

	shvm_vmx_set_rip(vcpu, next_rip);
	if (blocking & (SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS))
		shvm_vmx_set_interruptibility(vcpu, blocking &
					      ~(SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS));
	if (rflags & X86_EFLAGS_RF)
		shvm_vmx_set_rflags(vcpu, rflags & ~(u64)X86_EFLAGS_RF);
	if (unlikely(rflags & X86_EFLAGS_TF))
		pend_single_step();
}

/* The address after the instruction that exited. Only 64-bit code may run past 4 GiB. */
u64 shvm_vmx_next_rip(struct shvm_vcpu *vcpu)
{
	u64 rip = shvm_vmx_rip(vcpu);
	u64 next = rip + vcpu->vmx.exit.insn_len;

	if (unlikely((rip ^ next) >> 32) && !shvm_vmx_is_64bit(vcpu))
		next = (u32)next;
	return next;
}

void shvm_vmx_skip_insn(struct shvm_vcpu *vcpu)
{
	shvm_vmx_retire_insn(vcpu, shvm_vmx_next_rip(vcpu));
}

static u64 kernel_gs_base_get(struct shvm_vcpu *vcpu)
{
	u64 val;

	preempt_disable();
	if (vcpu->vmx.guest_msrs_loaded)
		rdmsrl(MSR_KERNEL_GS_BASE, vcpu->vmx.kernel_gs_base);
	val = vcpu->vmx.kernel_gs_base;
	preempt_enable();
	return val;
}

static void kernel_gs_base_set(struct shvm_vcpu *vcpu, u64 val)
{
	preempt_disable();
	vcpu->vmx.kernel_gs_base = val;
	if (vcpu->vmx.guest_msrs_loaded)
		wrmsrl(MSR_KERNEL_GS_BASE, val);
	preempt_enable();
}

/**
 * shvm_vmx_get_msr - read an MSR that VT-x holds for the guest
 * @vcpu: vCPU
 * @index: number
 * @val: result
 *
 * Return: 0, or -ENOENT if it is not one of them.
 */
int shvm_vmx_get_msr(struct shvm_vcpu *vcpu, u32 index, u64 *val)
{
	switch (index) {
	case MSR_FS_BASE:
		*val = vmcs_read_natural(GUEST_FS_BASE);
		return 0;
	case MSR_GS_BASE:
		*val = vmcs_read_natural(GUEST_GS_BASE);
		return 0;
	case MSR_KERNEL_GS_BASE:
		*val = kernel_gs_base_get(vcpu);
		return 0;
	case MSR_IA32_SYSENTER_CS:
		*val = vmcs_read32(GUEST_SYSENTER_CS);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		*val = vmcs_read_natural(GUEST_SYSENTER_ESP);
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		*val = vmcs_read_natural(GUEST_SYSENTER_EIP);
		return 0;
	default:
		return -ENOENT;
	}
}

/**
 * shvm_vmx_set_msr - write an MSR that VT-x holds for the guest
 * @vcpu: vCPU
 * @index: number
 * @val: value; the caller has refused non-canonical addresses
 *
 * Return: 0, or -ENOENT if it is not one of them.
 */
int shvm_vmx_set_msr(struct shvm_vcpu *vcpu, u32 index, u64 val)
{
	switch (index) {
	case MSR_FS_BASE:
		vmcs_write_natural(GUEST_FS_BASE, val);
		return 0;
	case MSR_GS_BASE:
		vmcs_write_natural(GUEST_GS_BASE, val);
		return 0;
	case MSR_KERNEL_GS_BASE:
		kernel_gs_base_set(vcpu, val);
		return 0;
	case MSR_IA32_SYSENTER_CS:
		vmcs_write32(GUEST_SYSENTER_CS, val);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		vmcs_write_natural(GUEST_SYSENTER_ESP, val);
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		vmcs_write_natural(GUEST_SYSENTER_EIP, val);
		return 0;
	default:
		return -ENOENT;
	}
}

void shvm_vmx_set_tsc_offset(struct shvm_vcpu *vcpu, u64 offset)
{
	vmcs_write64(TSC_OFFSET, offset);
}

void shvm_vmx_cpu_ctl_set(struct shvm_vcpu *vcpu, u32 bits, bool on)
{
	u32 ctl = on ? vcpu->vmx.cpu_ctl | bits : vcpu->vmx.cpu_ctl & ~bits;

	if (ctl == vcpu->vmx.cpu_ctl)
		return;
	vcpu->vmx.cpu_ctl = ctl;
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, ctl);
}
