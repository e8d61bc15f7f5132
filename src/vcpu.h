/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One virtual CPU: its software-held state, its requests and its life.
 * State that the hardware holds while the guest runs is reached by src/vmx/vmx.h.
 * Everything without another remark is guarded by vcpu->mutex.
 */
#ifndef SHVM_VCPU_H
#define SHVM_VCPU_H

#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <uapi/linux/shvm.h>

#include "mmu/mmu.h"
#include "stats.h"
#include "types.h"
#include "vmx/vmx_types.h"
#include "x86/x86_types.h"

struct shvm;

#define SHVM_VCPU_MMAP_PAGES	2	/* struct shvm_run, then the data of port I/O */

/* Order as the hardware numbers them. */
enum shvm_gpr {
	SHVM_RAX, SHVM_RCX, SHVM_RDX, SHVM_RBX, SHVM_RSP, SHVM_RBP, SHVM_RSI, SHVM_RDI,
	SHVM_R8, SHVM_R9, SHVM_R10, SHVM_R11, SHVM_R12, SHVM_R13, SHVM_R14, SHVM_R15,
	SHVM_NR_GPRS
};

enum shvm_seg {
	SHVM_ES, SHVM_CS, SHVM_SS, SHVM_DS, SHVM_FS, SHVM_GS, SHVM_TR, SHVM_LDTR, SHVM_NR_SEGS
};

/* Bits of vcpu->requests. Protocol: docs/locking.md "vCPU requests". */
enum shvm_request {
	SHVM_REQ_RELOAD_ROOT,	/* the loaded root is obsolete: shvm_mmu_prepare() rebuilds */
	SHVM_REQ_EVENT,		/* an interrupt, NMI or window may be due */
	SHVM_REQ_PAUSE,		/* stand aside: shvm_pause_all() */
};

/* vcpu->mode: what a kick has to do. */
enum shvm_vcpu_mode {
	SHVM_OUTSIDE_GUEST,
	SHVM_IN_GUEST,		/* between the last request check and the VM exit */
};

/* What a handler tells the run loop. */
enum shvm_next {
	SHVM_NEXT_ENTER,	/* enter the guest again */
	SHVM_NEXT_USER,		/* vcpu->run is filled: return 0 to user space */
	SHVM_NEXT_ERROR,	/* vcpu->run_error holds a negative errno */
};

struct shvm_vcpu {
	u64 gpr[SHVM_NR_GPRS];	/* first: entry.S. [SHVM_RSP] is valid only through the accessors */
	struct shvm *vm;
	u32 id;
	struct mutex mutex;		/* rank 2; held for the whole of RUN */
	struct shvm_run *run;		/* shared with user space: untrusted, read once */

	/* Atomic; see docs/locking.md. */
	unsigned long requests;
	int mode;			/* enum shvm_vcpu_mode */
	unsigned long ran_at;		/* jiffies; a VM whose vCPUs all stand still is idle */
	int cpu;			/* physical CPU that holds our VMCS, -1: none */
	struct rcuwait wait;		/* a halted vCPU sleeps here */
	struct preempt_notifier preempt_notifier;

	/* Guest registers held in software. RSP, RIP, RFLAGS: shvm_vmx_*() accessors. */
	u64 cr0, cr2, cr3, cr4, cr8, efer, apic_base;	/* as the guest sees them */
	u64 dr[4], dr6, dr7;
	u32 mp_state;			/* SHVM_MP_STATE_* */
	int run_error;			/* negative errno that goes with SHVM_NEXT_ERROR */
	bool want_irq_window;		/* user space asked for IRQ_WINDOW_OPEN in this RUN */
	bool has_run;			/* SHVM_RUN was called: the CPUID leaves are final */

	struct shvm_events events;	/* x86/events.c: what waits for injection */
	struct shvm_cpuid cpuid;	/* x86/cpuid.c */
	struct shvm_msr_state msrs;	/* x86/msr.c */
	struct shvm_fpu_state fpu;	/* x86/fpu.c */
	struct shvm_insn insn;		/* x86/insn.c: emulator context and pending user I/O */
	struct shvm_mmu_vcpu mmu;
	struct shvm_vmx_vcpu vmx;
	struct shvm_vcpu_stats stats;
};

/* --- life and residency (vcpu.c) --- */

/**
 * shvm_vcpu_create_fd - SHVM_CREATE_VCPU
 * @vm: vm->lock held
 * @id: as user space gave it
 * Return: an installed fd, or -errno with nothing changed.
 */
int shvm_vcpu_create_fd(struct shvm *vm, unsigned long id);

/**
 * shvm_vcpu_destroy - free a vCPU that no fd and no vm->vcpus[] reader can reach any more
 * @vcpu: the vCPU
 */
void shvm_vcpu_destroy(struct shvm_vcpu *vcpu);

/**
 * shvm_vcpu_load - make the VMCS current on this CPU, and again whenever the thread is scheduled
 * @vcpu: mutex held; not loaded. Sleeping is allowed until shvm_vcpu_put().
 */
void shvm_vcpu_load(struct shvm_vcpu *vcpu);
void shvm_vcpu_put(struct shvm_vcpu *vcpu);

/**
 * shvm_vcpu_request - make a vCPU act on something before it runs another guest instruction
 * @vcpu: any vCPU of a live VM
 * @req: what to do
 * Context: any, hard interrupts included. Does not wait; does not wake a halted vCPU.
 */
void shvm_vcpu_request(struct shvm_vcpu *vcpu, enum shvm_request req);

/**
 * shvm_vcpu_kick - make a vCPU that is in the guest leave it once
 * @vcpu: any vCPU of a live VM
 * Context: any. A full barrier comes before the look at vcpu->mode.
 */
void shvm_vcpu_kick(struct shvm_vcpu *vcpu);

/**
 * shvm_vcpu_wake - let a vCPU that sleeps in HLT look again whether an event is due
 * @vcpu: any vCPU of a live VM
 * Context: any, hard interrupts included.
 */
void shvm_vcpu_wake(struct shvm_vcpu *vcpu);

/* --- the ioctls of a vCPU: mutex held, VMCS loaded (run.c, sregs.c) --- */
int shvm_run_ioctl(struct shvm_vcpu *vcpu);
void shvm_sregs_get(struct shvm_vcpu *vcpu, struct shvm_sregs *out);
int shvm_sregs_set(struct shvm_vcpu *vcpu, const struct shvm_sregs *in);	/* 0 or -EINVAL */
void shvm_sregs_reset(struct shvm_vcpu *vcpu);	/* everything to its value after RESET */

/**
 * shvm_vcpu_ioctl - the ioctls of a vCPU fd other than SHVM_RUN (vcpu_ioctl.c)
 * @vcpu: mutex held, VMCS loaded
 * @cmd: ioctl number
 * @arg: third argument of ioctl()
 * Return: what ioctl() returns.
 */
long shvm_vcpu_ioctl(struct shvm_vcpu *vcpu, unsigned int cmd, unsigned long arg);

static inline bool shvm_vcpu_test_clear_request(struct shvm_vcpu *vcpu, enum shvm_request req)
{
	return test_bit(req, &vcpu->requests) && test_and_clear_bit(req, &vcpu->requests);
}

/* Work for this thread that only its return to user space does. Resume work of rseq can wait. */
static inline bool shvm_vcpu_must_return(void)
{
#ifdef CONFIG_MEMCG
	if (READ_ONCE(current->memcg_nr_pages_over_high))
		return true;
#endif
	return signal_pending(current) || task_work_pending(current);
}

/*
 * The last look before VM entry: interrupts off, mode already SHVM_IN_GUEST with a full barrier
 * after it. True: do not enter, mode = SHVM_OUTSIDE_GUEST, back to the run loop. What comes up
 * later sends an IPI, which is pending or ends the guest.
 */
static inline bool shvm_vcpu_work_pending(const struct shvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || need_resched() || shvm_vcpu_must_return();
}

#endif
