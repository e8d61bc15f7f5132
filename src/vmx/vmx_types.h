/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VT-x back end keeps per vCPU, embedded in struct shvm_vcpu. Only src/vmx looks inside.
 */
#ifndef SHVM_VMX_TYPES_H
#define SHVM_VMX_TYPES_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/types.h>

#include "../mmu/mmu.h"

struct shvm_vmcs;

/* Bits of shvm_vmx_cached.valid and .dirty. */
#define SHVM_VMX_REG_RIP	BIT(0)
#define SHVM_VMX_REG_RSP	BIT(1)
#define SHVM_VMX_REG_RFLAGS	BIT(2)

/*
 * Register fields read from the VMCS since the last exit (valid) or to be written (dirty). Empty in
 * the entry loop until a handler looks.
 */
struct shvm_vmx_cached {
	u64 rip, rsp, rflags;
	u32 valid, dirty;
};

/* What the last VM exit reported; read while interrupts are still off. */
struct shvm_vmx_exit {
	u32 reason;			/* all 32 bits */
	u32 insn_len;
	u64 qualification;
	u32 intr_info;			/* exceptions and NMIs only, else 0 */
	u32 idt_vectoring;		/* event whose delivery the exit broke; bit 31: valid */
	u32 intr_error;			/* exceptions only */
	bool is_mmio;			/* exceptions only: #PF, and where it leads no memory is: */
	gpa_t mmio;
};

/* Host state of the thread that runs the vCPU; saved by host.c when it loads the guest's. */
struct shvm_vmx_host {
	u64 cr3, cr4;			/* last written to the VMCS */
	u64 fs_base, gs_base;		/* last written to the VMCS */
	u64 kernel_gs_base;		/* of the user thread */
	u64 xcr0;			/* 0: the CPU has no XSAVE */
	unsigned long debugctl;
	u16 fs, gs, ds, es, ldt;	/* selectors; nearly always 0 */
};

/* What a TLB tag of the vCPU is called on the CPU that began this generation of names. */
struct shvm_vpid {
	u64 generation;
	u16 vpid;
};

/* What a register holds: (CR3 & and) | or. Closed under MOV, AND, OR and BTS with constants. */
struct shvm_cr3_form {
	u64 and, or;
};

#define SHVM_NR_CLUSTERS	16
#define SHVM_CLUSTER_WORDS	8

/* MOV from CR3 ... MOV to CR3 at one place of the guest's code: cluster.c. */
struct shvm_cluster {
	u64 rip;			/* of the MOV from CR3 */
	u64 qualification;		/* 0: it is not followed by what could be done at once, */
	u8 refused;			/* found out so many exits ago */

	/* The code behind the MOV from CR3, and what comes of it. */
	u64 code[SHVM_CLUSTER_WORDS];
	bool is_short;			/* only the first two words matter */
	u64 next_rip;			/* behind the MOV to CR3 */
	struct shvm_cr3_form value;	/* what is loaded */
	bool sets_flags;		/* as an AND or OR with that result */
	bool has_copy;			/* in another register, too: */
	u8 copy_gpr;
	struct shvm_cr3_form copy;
	bool tests_bit;			/* of a quadword at GS base + disp: must be clear */
	s32 disp;
	struct shvm_cr3_form bit;	/* its number */

	/* Where that is: good while no right was lost and both addresses lead there. */
	u64 owed;
	struct shvm_peek page, data;
	const u8 *code_at, *data_at;
	u64 gs_base;
};

struct shvm_vmx_vcpu {
	struct shvm_vmcs *vmcs;		/* region, 4 KiB */
	u64 *msr_bitmap;		/* 4 KiB */
	struct list_head resident;	/* on the list of the CPU in vcpu->cpu; IRQs off there */
	unsigned long host_rsp;		/* last written to the VMCS, by entry.S */
	bool launched;			/* VMRESUME instead of VMLAUNCH */
	bool enterable;			/* the segment and mode checks passed and still hold */
	bool failed;			/* the last entry failed before it loaded guest state */
	u32 insn_error;			/* then: VM-instruction error */
	u32 injected;			/* what went into the VM-entry interruption field, or 0 */
	bool guest_msrs_loaded;		/* KERNEL_GS_BASE is the guest's, selectors are saved */
	u32 cpu_ctl;			/* primary processor-based controls in the VMCS */
	u32 entry_ctl;			/* VM-entry controls in the VMCS */
	u32 exception_bitmap;
	u64 kernel_gs_base;		/* of the guest, while not in the MSR */
	u64 root;			/* last written to GUEST_CR3 */
	struct shvm_vpid vpids[SHVM_NR_TLB_TAGS];
	const struct shvm_vpid *vpid;	/* the one in the VMCS */
	unsigned long direct_tick;	/* jiffies at the last look for a stale fault */
	struct shvm_cluster clusters[SHVM_NR_CLUSTERS];	/* by a hash of RIP */
	struct shvm_vmx_exit exit;
	struct shvm_vmx_cached regs;
	struct shvm_vmx_host host;
};

#endif
