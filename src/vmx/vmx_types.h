/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VT-x back end keeps per vCPU, embedded in struct shvm_vcpu. Only src/vmx looks inside.
 */
#ifndef SHVM_VMX_TYPES_H
#define SHVM_VMX_TYPES_H

#include <linux/list.h>
#include <linux/types.h>

struct shvm_vmcs;

/* Register fields read from the VMCS since the last exit (valid) or to be written (dirty). */
struct shvm_vmx_cached {
	u64 rip, rsp, rflags;
	u32 valid, dirty;
};

struct shvm_vmx_vcpu {
	struct shvm_vmcs *vmcs;		/* region, 4 KiB */
	struct list_head resident;	/* on the list of the CPU in vcpu->cpu; IRQs off */
	bool launched;			/* VMRESUME instead of VMLAUNCH */
	u32 exit_reason;		/* of the last exit, whole 32 bits */
	u32 exit_intr_info;
	u32 exit_insn_len;
	u64 exit_qualification;
	u32 idt_vectoring;		/* event whose delivery the exit broke */
	u32 idt_vectoring_error;
	u32 cpu_ctl;			/* primary processor-based controls now in the VMCS */
	u32 exception_bitmap;
	u64 host_cr3, host_cr4;		/* last written to the VMCS */
	u64 host_fs_base, host_gs_base;
	u64 guest_kernel_gs_base;
	u64 spec_ctrl;
	struct shvm_vmx_cached regs;
	bool guest_msrs_loaded;		/* FS/GS/KERNEL_GS and segment selectors are the guest's */
	u64 *msr_bitmap;
};

#endif
