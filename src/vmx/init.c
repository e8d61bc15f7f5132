// SPDX-License-Identifier: GPL-2.0-only
/*
 * First contents of a vCPU's VMCS: controls, the part of the host state that never changes, and
 * the guest registers after reset (SDM table 10-1). Every field that the CPU reads at entry is
 * written here once: VMCLEAR leaves a fresh region's fields undefined.
 */
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>

#include "vmx_internal.h"

/* SDM 25.6.9: four 1 KiB maps, a 1 intercepts: read low, read high, write low, write high. */
static void msr_bitmap_allow(struct shvm_vcpu *vcpu, u32 msr)
{
	unsigned long *map = (unsigned long *)vcpu->vmx.msr_bitmap;
	u32 bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0);

	__clear_bit(bit, map);
	__clear_bit(bit + 0x4000, map);
}

/* VM exit saves these and VM entry loads them, or they are swapped with the thread. */
static void init_msr_bitmap(struct shvm_vcpu *vcpu)
{
	memset(vcpu->vmx.msr_bitmap, 0xff, PAGE_SIZE);
	msr_bitmap_allow(vcpu, MSR_IA32_SYSENTER_CS);
	msr_bitmap_allow(vcpu, MSR_IA32_SYSENTER_ESP);
	msr_bitmap_allow(vcpu, MSR_IA32_SYSENTER_EIP);
	msr_bitmap_allow(vcpu, MSR_FS_BASE);
	msr_bitmap_allow(vcpu, MSR_GS_BASE);
	msr_bitmap_allow(vcpu, MSR_KERNEL_GS_BASE);
	vmcs_write64(MSR_BITMAP, __pa(vcpu->vmx.msr_bitmap));
}

static void init_controls(struct shvm_vcpu *vcpu)
{
	const struct shvm_vmx_caps *c = &shvm_vmx_caps;

	vmcs_write32(PIN_BASED_VM_EXEC_CONTROL, c->pin_ctl);
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, c->cpu_ctl);
	if (c->cpu_ctl & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		vmcs_write32(SECONDARY_VM_EXEC_CONTROL, c->secondary_ctl);
	vmcs_write32(VM_EXIT_CONTROLS, c->exit_ctl);
	vmcs_write32(VM_ENTRY_CONTROLS, c->entry_ctl);
	vcpu->vmx.cpu_ctl = c->cpu_ctl;
	vcpu->vmx.entry_ctl = c->entry_ctl;

	vmcs_write32(CR3_TARGET_COUNT, 0);
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmcs_write64(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write64(TSC_OFFSET, 0);
	vmcs_write_natural(CR0_GUEST_HOST_MASK, ~0UL);
	vmcs_write_natural(CR4_GUEST_HOST_MASK, ~0UL);
}

static void init_host(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_host *h = &vcpu->vmx.host;
	struct desc_ptr idt;
	u64 eip;
	u32 cs;

	vmcs_write_natural(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	/* The rest is compared with these at the first entry. */
	memset(h, 0, sizeof(*h));
	vmcs_write_natural(HOST_CR3, 0);
	vmcs_write_natural(HOST_CR4, 0);
	vmcs_write_natural(HOST_FS_BASE, 0);
	vmcs_write_natural(HOST_GS_BASE, 0);

	/* Selectors must have RPL 0 and lie in the GDT; user selectors are put back by host.c. */
	vmcs_write16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_DS_SELECTOR, 0);
	vmcs_write16(HOST_ES_SELECTOR, 0);
	vmcs_write16(HOST_FS_SELECTOR, 0);
	vmcs_write16(HOST_GS_SELECTOR, 0);
	vmcs_write16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);

	store_idt(&idt);
	vmcs_write_natural(HOST_IDTR_BASE, idt.address);
	cs = __rdmsr(MSR_IA32_SYSENTER_CS);
	vmcs_write32(HOST_IA32_SYSENTER_CS, cs);
	rdmsrl(MSR_IA32_SYSENTER_EIP, eip);
	vmcs_write_natural(HOST_IA32_SYSENTER_EIP, eip);
	vmcs_write_natural(HOST_RIP, (unsigned long)shvm_vmx_exit_point);
	vmcs_write_natural(HOST_RSP, 0);
	vcpu->vmx.host_rsp = 0;
}

static void init_segments(struct shvm_vcpu *vcpu)
{
	static const struct shvm_segment data = {
		.limit = 0xffff, .type = 3, .present = 1, .s = 1,
	};
	static const struct shvm_segment code = {
		.base = 0xffff0000, .selector = 0xf000, .limit = 0xffff, .type = 0xb,
		.present = 1, .s = 1,
	};
	static const struct shvm_segment ldt = { .limit = 0xffff, .type = 2, .present = 1 };
	static const struct shvm_segment tss = { .limit = 0xffff, .type = 0xb, .present = 1 };
	static const struct shvm_dtable table = { .limit = 0xffff };

	shvm_vmx_set_segment(vcpu, SHVM_ES, &data);
	shvm_vmx_set_segment(vcpu, SHVM_CS, &code);
	shvm_vmx_set_segment(vcpu, SHVM_SS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_DS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_FS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_GS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_LDTR, &ldt);
	shvm_vmx_set_segment(vcpu, SHVM_TR, &tss);
	shvm_vmx_set_dtable(vcpu, false, &table);
	shvm_vmx_set_dtable(vcpu, true, &table);
}

#define CR0_RESET	(X86_CR0_CD | X86_CR0_NW | X86_CR0_ET)
#define DR6_RESET	0xffff0ff0
#define RIP_RESET	0xfff0

static void init_registers(struct shvm_vcpu *vcpu)
{
	vcpu->cr0 = CR0_RESET;
	vcpu->cr2 = 0;
	vcpu->cr3 = 0;
	vcpu->cr4 = 0;
	vcpu->cr8 = 0;
	vcpu->efer = 0;
	vcpu->dr6 = DR6_RESET;
	vcpu->dr7 = SHVM_DR7_FIXED;
	shvm_vmx_update_cr0(vcpu);
	shvm_vmx_update_efer(vcpu);
	shvm_vmx_update_dr7(vcpu);
	shvm_vmx_update_exceptions(vcpu);

	shvm_vmx_set_rip(vcpu, RIP_RESET);
	shvm_vmx_set_rsp(vcpu, 0);
	vmcs_write_natural(GUEST_RFLAGS, X86_EFLAGS_FIXED);
	vmcs_write_natural(GUEST_CR3, 0);
	vmcs_write64(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write32(GUEST_SYSENTER_CS, 0);
	vmcs_write_natural(GUEST_SYSENTER_ESP, 0);
	vmcs_write_natural(GUEST_SYSENTER_EIP, 0);
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmcs_write32(GUEST_ACTIVITY_STATE, 0);
	vmcs_write_natural(GUEST_PENDING_DBG_EXCEPTIONS, 0);
}

/* The VMCS was just loaded on this CPU for the first time; preemption off. */
void shvm_vmx_init_vmcs(struct shvm_vcpu *vcpu)
{
	init_controls(vcpu);
	init_msr_bitmap(vcpu);
	init_host(vcpu);
	init_segments(vcpu);
	init_registers(vcpu);
}
