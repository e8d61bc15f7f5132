/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vendor-neutral CPU state embedded in struct shvm_vcpu. Each struct is owned by the file named
 * above it; others use the functions in x86.h.
 */
#ifndef SHVM_X86_TYPES_H
#define SHVM_X86_TYPES_H

#include <linux/types.h>
#include <asm/fpu/api.h>
#include <uapi/linux/shvm.h>

#include "../types.h"
#include "emulate.h"

/* events.c */
struct shvm_exception {
	bool pending;		/* raised by a handler, not yet given to the hardware */
	bool injected;		/* given to the hardware; delivery not known to be complete */
	u8 vector;
	bool has_error;
	bool soft;		/* INT3, INTO: needs the instruction length */
	u32 error_code;
	u32 insn_len;
};

struct shvm_events {
	struct shvm_exception exception;
	bool irq_injected;	/* delivery of irq_vector was broken by an exit, or is under way */
	bool irq_soft;		/* INT n */
	u8 irq_vector;
	bool irq_queued;	/* SHVM_INTERRUPT from user space, not yet injected */
	u8 irq_queued_vector;
	u8 nmi_pending;		/* at most 2 wait; guarded by atomic access */
	bool nmi_injected;
	bool triple_fault;
	u32 insn_len;		/* of the soft event that is re-queued */
};

/* cpuid.c: what SET_CPUID2 gave, and what the module derives from it. */
#define SHVM_CPUID_FIRST 64
struct shvm_cpuid {
	struct shvm_cpuid_entry2 *entries;	/* kvmalloc'ed, NULL: none */
	u32 nent;
	u16 first[SHVM_CPUID_FIRST];	/* by a hash of the leaf: none of these is before it */
	u8 maxphyaddr;		/* 32..52; 36 without leaf 0x80000008 */
	bool nx, gbpages, pse36, smep, smap, pcid, fsgsbase, pge, syscall, lm;
	u64 cr3_reserved;	/* bits whose setting is #GP; bit 63 is looked at before */
	u64 cr4_reserved;
	u64 efer_reserved;
	u64 xcr0_allowed;	/* 0: the guest has no XSAVE */
};

/* msr.c: MSRs held in software. */
struct shvm_msr_state {
	u64 star, lstar, cstar, fmask;		/* loaded through user-return notifiers */
	u64 pat, misc_enable, mtrr_def_type;
	u64 mtrr_fixed[11], mtrr_var[16];
	u64 tsc_offset;
	u32 tsc_khz;
	u64 tsc_adjust;
};

/* fpu.c */
struct shvm_fpu_state {
	struct fpu_guest guest;
	u64 xcr0;		/* the guest's; src/vmx loads it around VM entry */
};

/*
 * insn.c: the emulator bound to this vCPU, and what it waits for from user space. An instruction
 * that needs user space is run again from its start for each answer; the log holds the accesses
 * that are done, in order, so that they are not done twice. A write that fits one exit needs no
 * answer: it is posted, the instruction goes on, and the exit is made at its end or before the
 * next access for user space.
 */
#define SHVM_MAX_FRAGMENTS 8
struct shvm_io_fragment {
	bool done;		/* user space has answered (or taken) it */
	bool write, mmio;
	u64 addr;		/* gpa or port */
	u32 len;		/* bytes; for ports: size * count */
	u8 data[8];		/* mmio only; of ports it stays in pio_page */
};

enum shvm_insn_wait {
	SHVM_INSN_IDLE,		/* no request is out; the log may not be empty */
	SHVM_INSN_WAIT_LOG,	/* frag[nr_frags - 1] is in the run page */
	SHVM_INSN_WAIT_PORT,	/* the IN of shvm_insn_port_io() is */
};

#define SHVM_INSN_NO_FAULT	(~0u)	/* no access has these flags */

struct shvm_insn {
	struct shvm_emul emul;
	struct shvm_io_fragment frag[SHVM_MAX_FRAGMENTS];
	int nr_frags;		/* recorded for the instruction being run */
	int next_frag;		/* replay position */
	enum shvm_insn_wait waiting;
	bool posted;		/* the run page holds a write whose instruction is done */
	u8 *pio_page;		/* page shared with user space for PIO data (run mmap page 1) */
	u32 port_size;		/* WAIT_PORT: bytes */
	bool halted;		/* the instruction was HLT */
	int error;		/* negative errno that ended the run of the emulator */
	bool fault_tracked;	/* a store to a shadowed table at fault_la brought us here */
	u64 fault_la;
	gpa_t fault_gpa;	/* where it leads for the access that faulted */
	u32 fault_access;	/* SHVM_ACCESS_WRITE and _USER of that, or NO_FAULT */
	/* Progress check for instructions that cannot be emulated: bounded retries. */
	u64 stuck_key;		/* of the registers at the last retry */
	int stuck_tries;
};

#endif
