/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The interface of /dev/shvm, and its manual.
 *
 * shvm runs virtual machines on VT-x without EPT. It speaks a subset of the KVM ioctl interface:
 * where a name here has a KVM twin (SHVM_RUN and KVM_RUN, struct shvm_run and struct kvm_run),
 * number, size and every offset are the same, so that a program built for /dev/kvm runs on
 * /dev/shvm unchanged. selftests/abi_header.c proves it. What has no KVM twin uses the ioctl type
 * SHVMIO_OWN and numbers from SHVM_OWN_BASE, which KVM does not hand out.
 *
 * Each ioctl has a block:
 *
 *	name (fd; direction: type of the argument). What it does, parameters, units.
 *	Returns: what a success returns, if not 0.   Errors: errno, and why.
 *
 * Rules for all of them; the blocks do not repeat them:
 *
 *  - An unknown flag and a non-zero reserved, pad or padding field are EINVAL. Results have their
 *    padding zeroed.
 *  - All arguments are checked before anything changes; a call that fails has changed nothing.
 *    (SHVM_SET_MSRS alone stops in the middle, and says how far it came.)
 *  - EFAULT: the argument points to memory that cannot be read or written. ENOMEM: out of memory.
 *    EINTR: a signal came while waiting for another thread. ENOTTY: no such ioctl on this fd.
 *  - EIO: a VM or vCPU fd was used by a process with another address space than the one that
 *    created the VM (after fork or fd passing; not SHVM_GET_WORKING_SET), or the VM is broken:
 *    the module found its own state inconsistent, said so in the kernel log, and refuses to go
 *    on with this VM.
 *  - Addresses and sizes are bytes, unless a unit is given. "gpa" is a guest-physical address.
 *  - "arg 0" means that the third argument of ioctl() must be 0, else EINVAL. Where it says
 *    "no argument", the third argument is ignored.
 *
 * All of it since interface revision 1 (module 0.1), unless a block says otherwise.
 */
#ifndef _UAPI_LINUX_SHVM_H
#define _UAPI_LINUX_SHVM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SHVM_API_VERSION	12	/* of the KVM interface that this follows */

#define SHVMIO			0xAE		/* ioctl type of everything that KVM has too */
#define SHVMIO_OWN		0xB9		/* ioctl type of what only shvm has */
#define SHVM_OWN_BASE		0x53480000	/* first own capability and own suberror */

#define SHVM_NR_INTERRUPTS	256	/* vectors of a CPU */
#define SHVM_MAX_CPUID_ENTRIES	256	/* most entries in a struct shvm_cpuid2 */
#define SHVM_MAX_MSR_ENTRIES	255	/* most entries in a struct shvm_msrs */
#define SHVM_MIN_MMU_PAGES	64	/* shadow pages with which a vCPU always gets on */

/*
 * ---- Capabilities: SHVM_CHECK_EXTENSION -------------------------------------------------------
 *
 * 0 = not there. Every number that is not in this list is 0; in particular KVM_CAP_IRQCHIP, which
 * promises PIC, IOAPIC and local APIC.
 */
#define SHVM_CAP_HLT				1   /* guest HLT works */
#define SHVM_CAP_MMU_SHADOW_CACHE_CONTROL	2   /* SHVM_SET_NR_MMU_PAGES */
#define SHVM_CAP_USER_MEMORY			3   /* SHVM_SET_USER_MEMORY_REGION */
#define SHVM_CAP_SET_TSS_ADDR			4   /* SHVM_SET_TSS_ADDR */
#define SHVM_CAP_EXT_CPUID			7   /* SHVM_GET_SUPPORTED_CPUID, SHVM_SET_CPUID2 */
#define SHVM_CAP_NR_VCPUS			9   /* value: sensible number of vCPUs per VM */
#define SHVM_CAP_NR_MEMSLOTS			10  /* value: number of slots per VM */
#define SHVM_CAP_MP_STATE			14  /* SHVM_GET_MP_STATE, SHVM_SET_MP_STATE */
#define SHVM_CAP_SYNC_MMU			16  /* the guest follows munmap and swap at once */
#define SHVM_CAP_DESTROY_MEMORY_REGION_WORKS	21  /* a slot can be deleted */
#define SHVM_CAP_USER_NMI			22  /* SHVM_NMI */
#define SHVM_CAP_JOIN_MEMORY_REGIONS_WORKS	30  /* adjacent slots behave as one */
#define SHVM_CAP_SET_IDENTITY_MAP_ADDR		37  /* SHVM_SET_IDENTITY_MAP_ADDR */
#define SHVM_CAP_INTERNAL_ERROR_DATA		40  /* shvm_run.internal.ndata and data are valid */
#define SHVM_CAP_VCPU_EVENTS			41  /* SHVM_GET_VCPU_EVENTS, ..SET.. */
#define SHVM_CAP_INTR_SHADOW			49  /* shvm_vcpu_events.interrupt.shadow is valid */
#define SHVM_CAP_DEBUGREGS			50  /* SHVM_GET_DEBUGREGS, ..SET.. */
#define SHVM_CAP_GET_TSC_KHZ			61  /* SHVM_GET_TSC_KHZ */
#define SHVM_CAP_MAX_VCPUS			66  /* value: most vCPUs per VM */
#define SHVM_CAP_READONLY_MEM			81  /* SHVM_MEM_READONLY */
#define SHVM_CAP_CHECK_EXTENSION_VM		105 /* SHVM_CHECK_EXTENSION on a VM fd */
#define SHVM_CAP_MAX_VCPU_ID			128 /* value: vCPU ids are below it */
#define SHVM_CAP_IMMEDIATE_EXIT			136 /* shvm_run.immediate_exit */

#define SHVM_CAP_PIC_PIT	(SHVM_OWN_BASE + 0) /* SHVM_CREATE_PIC_PIT, SHVM_IRQ_LINE */
#define SHVM_CAP_STATS		(SHVM_OWN_BASE + 1) /* SHVM_GET_STATS */
#define SHVM_CAP_DEBUG		(SHVM_OWN_BASE + 2) /* debug module: SHVM_AUDIT, SHVM_DEBUG_CTL */
#define SHVM_CAP_WORKING_SET	(SHVM_OWN_BASE + 3) /* SHVM_GET_WORKING_SET */

/*
 * ---- Structures of the system fd --------------------------------------------------------------
 */

/* SHVM_GET_MSR_INDEX_LIST */
struct shvm_msr_list {
	__u32 nmsrs;		/* in: room in indices; out: number of MSRs */
	__u32 indices[];
};

struct shvm_cpuid_entry2 {
	__u32 function;		/* EAX that selects the leaf */
	__u32 index;		/* ECX that selects the subleaf; compared only with the flag */
	__u32 flags;		/* SHVM_CPUID_FLAG_* */
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 padding[3];
};

/* The entry answers only for ECX == index. */
#define SHVM_CPUID_FLAG_SIGNIFCANT_INDEX	(1 << 0)
/* Accepted for leaf 2, which returns the same on each call here; otherwise without effect. */
#define SHVM_CPUID_FLAG_STATEFUL_FUNC		(1 << 1)
#define SHVM_CPUID_FLAG_STATE_READ_NEXT		(1 << 2)

/* SHVM_GET_SUPPORTED_CPUID, SHVM_SET_CPUID2, SHVM_GET_CPUID2 */
struct shvm_cpuid2 {
	__u32 nent;
	__u32 padding;
	struct shvm_cpuid_entry2 entries[];
};

/*
 * ---- Structures of the VM fd ------------------------------------------------------------------
 */

/* SHVM_SET_USER_MEMORY_REGION */
struct shvm_userspace_memory_region {
	__u32 slot;
	__u32 flags;		/* SHVM_MEM_* */
	__u64 guest_phys_addr;
	__u64 memory_size;	/* 0 deletes the slot */
	__u64 userspace_addr;
};

#define SHVM_MEM_READONLY	(1UL << 1)	/* guest writes become MMIO exits */

/* SHVM_IRQ_LINE */
struct shvm_irq_level {
	__u32 irq;		/* 0-15 */
	__u32 level;		/* 0 low, else high */
};

/*
 * SHVM_GET_STATS. Counters run from the creation of the VM, over all of its vCPUs, and are read
 * without stopping them: each is exact, but two of them may be of slightly different moments.
 */
#define SHVM_STATS_NR_EXIT_REASONS	64

struct shvm_stats {
	__u64 size;		/* bytes that this module fills; what follows them is 0 */

	__u64 exits;		/* VM exits */
	__u64 exits_fast;	/* of these: handled without leaving the inner loop */
	/* By basic exit reason of the SDM; the last element counts itself and all above. */
	__u64 exit_reason[SHVM_STATS_NR_EXIT_REASONS];

	__u64 pf_fixed;		/* guest page faults: a shadow entry was made or changed */
	__u64 pf_reflected;	/* the guest's own fault, given to it */
	__u64 pf_emulated;	/* the instruction was emulated */
	__u64 pf_retried;	/* raced with a change; the guest tries again */
	__u64 pf_to_user;	/* became an exit or an error of SHVM_RUN */

	__u64 pt_writes;	/* emulated writes to guest page tables */
	__u64 unshadows;	/* shadow pages given up because of such writes */

	__u64 shadow_pages;	/* in use now, 4 KiB each */
	__u64 shadow_pages_max;	/* most in use at any time */
	__u64 shadow_budget;	/* as SHVM_GET_NR_MMU_PAGES */
	__u64 reclaims;		/* shadow pages recycled */

	__u64 rmap_entries;	/* leaf shadow entries now */
	__u64 chain_bytes;	/* memory of reverse-map chains now, with what vCPUs have ready */

	__u64 tlb_flush_requests; /* flushes asked of all vCPUs */
	__u64 ipis;		/* interprocessor interrupts sent to make vCPUs notice */
	__u64 injections;	/* events injected into guests */

	__u64 notifier_invalidates; /* calls of the host's MMU to invalidate a range */
	__u64 notifier_ages;	/* calls of the host's MMU to test or clear accessed bits */

	__u64 cr3_fast;		/* guest CR3 loads in the inner loop */
	__u64 cr3_slow;		/* the other guest CR3 loads */

	__u64 large_maps;	/* shadow entries of 2 MiB or 1 GiB made */
	__u64 large_splits;	/* large pages torn: a page table in them, SHVM_WORKING_SET_FINE */

	__u64 oos_tables;	/* shadow pages of tables to which stores go through now */
	__u64 oos_opens;	/* page tables to which stores were let through */
	__u64 oos_changes;	/* entries found changed at the guest's next flush */

	__u64 pf_rescued;	/* faults without an exit made stale by stores of the VMM */

	__u64 reclaims_given;	/* of reclaims: the host or another VM needed the memory */

	__u64 reserved[34];
};

/* SHVM_GET_WORKING_SET */
struct shvm_working_set {
	__u64 first_page;	/* guest frame: guest-physical address / 4096 */
	__u64 nr_pages;		/* at least 1 */
	__u64 ages;		/* address of __u32[nr_pages]: an answer for each page */
	__u32 flags;		/* SHVM_WORKING_SET_FINE */
	__u32 pad;
	__u64 reserved[2];
};

/*
 * Up to SHVM_WORKING_SET_TEARS large pages that the guest has used since the last call are left in
 * pieces of 4 KiB for a while, the first ones of the range, so that later calls tell which of their
 * pages are used. Each costs the guest some 64 faults.
 */
#define SHVM_WORKING_SET_FINE	(1U << 0)
#define SHVM_WORKING_SET_TEARS	16

/*
 * An answer. The age is in tenths of a second (with steps of 32 jiffies of the host, 1.3 tenths if
 * HZ is 250) and counts from when the last use was seen, which is at this call for all since the
 * one before. So it says for how long at least the page is idle.
 */
#define SHVM_WORKING_SET_AGE		0x3fffffffU /* mask of the age */
#define SHVM_WORKING_SET_NO_MEMORY	0x3fffffffU /* as the age: no slot is there */
#define SHVM_WORKING_SET_NEVER		0x3ffffffeU /* as the age: no use was seen */
#define SHVM_WORKING_SET_MOST		0x3ffffffdU /* highest age */
#define SHVM_WORKING_SET_TABLE		(1U << 30)  /* a page table; the CPU's walks are not seen */
#define SHVM_WORKING_SET_LARGE		(1U << 31)  /* the age is that of a large page around it */

/* SHVM_DEBUG_CTL, struct shvm_debug_ctl.op */
#define SHVM_DEBUG_ZAP_ALL	1	/* drop every shadow entry of the VM now */
#define SHVM_DEBUG_ZAP_ON_EXIT	2	/* arg[0] 1: at each VM exit but exceptions; 0: no longer */
#define SHVM_DEBUG_PAUSE	3	/* arg[0]: pause point; arg[1] 1: arm, 0: release */
#define SHVM_DEBUG_PAUSE_WAIT	4	/* arg[0]: pause point; return when a thread waits there */
#define SHVM_DEBUG_BREAK	5	/* the VM is broken from now on */
#define SHVM_DEBUG_REFUSE	6	/* arg[0] 1: each entry of the guest fails; 0: no longer */

/* Pause points */
#define SHVM_PAUSE_FAULT_MAP	0	/* a fault knows its host page, has not mapped it yet */
#define SHVM_PAUSE_ENTER	1	/* a vCPU has looked at its requests, has not entered yet */
#define SHVM_PAUSE_SLOT_MARKED	2	/* a slot that goes or moves takes no new mappings */
#define SHVM_PAUSE_SLOT_ZAPPED	3	/* the same slot: nothing of it is mapped any more */
#define SHVM_PAUSE_LIMIT_PICK	4	/* who wants pages under the common limit sees this VM */

struct shvm_debug_ctl {
	__u32 op;
	__u32 flags;		/* 0 */
	__u64 arg[3];		/* those not named above: 0 */
};

/*
 * ---- Structures of the vCPU fd ----------------------------------------------------------------
 */

/* SHVM_GET_REGS, SHVM_SET_REGS */
struct shvm_regs {
	__u64 rax, rbx, rcx, rdx;
	__u64 rsi, rdi, rsp, rbp;
	__u64 r8,  r9,  r10, r11;
	__u64 r12, r13, r14, r15;
	__u64 rip, rflags;
};

/* limit in bytes, whatever g says; the other fields as in a descriptor */
struct shvm_segment {
	__u64 base;
	__u32 limit;
	__u16 selector;
	__u8  type;
	__u8  present, dpl, db, s, l, g, avl;
	__u8  unusable;		/* 1: holds no segment, the other fields mean little */
	__u8  padding;
};

struct shvm_dtable {
	__u64 base;
	__u16 limit;
	__u16 padding[3];
};

/* SHVM_GET_SREGS, SHVM_SET_SREGS */
struct shvm_sregs {
	struct shvm_segment cs, ds, es, fs, gs, ss;
	struct shvm_segment tr, ldt;
	struct shvm_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	/* The external interrupt waiting to be delivered, as one bit; all 0: none. */
	__u64 interrupt_bitmap[(SHVM_NR_INTERRUPTS + 63) / 64];
};

/* SHVM_GET_FPU, SHVM_SET_FPU: what FXSAVE stores, in other places */
struct shvm_fpu {
	__u8  fpr[8][16];
	__u16 fcw;
	__u16 fsw;
	__u8  ftwx;		/* one bit per register, 1 = in use, as in an FXSAVE image */
	__u8  pad1;
	__u16 last_opcode;
	__u64 last_ip;
	__u64 last_dp;
	__u8  xmm[16][16];
	__u32 mxcsr;
	__u32 pad2;
};

struct shvm_msr_entry {
	__u32 index;
	__u32 reserved;
	__u64 data;
};

/* SHVM_GET_MSRS, SHVM_SET_MSRS */
struct shvm_msrs {
	__u32 nmsrs;
	__u32 pad;
	struct shvm_msr_entry entries[];
};

/* SHVM_INTERRUPT */
struct shvm_interrupt {
	__u32 irq;		/* the vector, 0-255 */
};

/* SHVM_GET_MP_STATE, SHVM_SET_MP_STATE */
#define SHVM_MP_STATE_RUNNABLE	0
#define SHVM_MP_STATE_HALTED	3	/* in HLT: SHVM_RUN waits for an event first */

struct shvm_mp_state {
	__u32 mp_state;
};

/* SHVM_SET_VCPU_EVENTS: without its flag, the field is left as it is. */
#define SHVM_VCPUEVENT_VALID_NMI_PENDING	0x00000001
#define SHVM_VCPUEVENT_VALID_SHADOW		0x00000004
#define SHVM_VCPUEVENT_VALID_SMM		0x00000008 /* smi; there is no SMM: all of it 0 */

/* interrupt.shadow: the instruction before blocks interrupts for one more instruction */
#define SHVM_X86_SHADOW_INT_MOV_SS	0x01
#define SHVM_X86_SHADOW_INT_STI		0x02

/*
 * SHVM_GET_VCPU_EVENTS, SHVM_SET_VCPU_EVENTS. An event that waits is "injected": it will be
 * delivered at the next entry, and was possibly being delivered at the last exit.
 */
struct shvm_vcpu_events {
	struct {
		__u8 injected;
		__u8 nr;		/* vector, 0-31, not 2 */
		__u8 has_error_code;
		__u8 pending;		/* reads as 0; as input the same as injected */
		__u32 error_code;
	} exception;
	struct {
		__u8 injected;
		__u8 nr;		/* vector */
		__u8 soft;		/* 1: by INT n; the RIP to return to is that after it */
		__u8 shadow;		/* SHVM_X86_SHADOW_INT_* */
	} interrupt;
	struct {
		__u8 injected;
		__u8 pending;		/* number of NMIs that wait for their turn, 0-2 */
		__u8 masked;		/* between an NMI and its IRET */
		__u8 pad;
	} nmi;
	__u32 sipi_vector;		/* reads as 0; ignored */
	__u32 flags;			/* SHVM_VCPUEVENT_VALID_* */
	struct {
		__u8 smm;
		__u8 pending;
		__u8 smm_inside_nmi;
		__u8 latched_init;
	} smi;				/* 0 */
	struct {
		__u8 pending;
	} triple_fault;			/* 0 */
	__u8 reserved[26];
	__u8 exception_has_payload;	/* 0 */
	__u64 exception_payload;	/* 0 */
};

/* SHVM_GET_DEBUGREGS, SHVM_SET_DEBUGREGS */
struct shvm_debugregs {
	__u64 db[4];
	__u64 dr6;
	__u64 dr7;
	__u64 flags;			/* 0 */
	__u64 reserved[9];
};

/*
 * ---- The run page: mmap() of a vCPU fd at offset 0 --------------------------------------------
 *
 * SHVM_GET_VCPU_MMAP_SIZE bytes, shared, for struct shvm_run and the data of IO exits. Writable at
 * any time by user space; the module reads each input once per SHVM_RUN and trusts none of it.
 */

/* shvm_run.exit_reason */
#define SHVM_EXIT_UNKNOWN		0  /* nothing happened yet */
#define SHVM_EXIT_IO			2  /* io: port access; IN completes with the next RUN */
#define SHVM_EXIT_HLT			5  /* HLT; see SHVM_RUN */
#define SHVM_EXIT_MMIO			6  /* mmio: access to memory without a slot, or a write to a
					    * read-only one; a read completes with the next RUN
					    */
#define SHVM_EXIT_IRQ_WINDOW_OPEN	7  /* asked by request_interrupt_window */
#define SHVM_EXIT_SHUTDOWN		8  /* triple fault */
#define SHVM_EXIT_FAIL_ENTRY		9  /* fail_entry: the CPU refused the guest state */
#define SHVM_EXIT_INTR			10 /* with EINTR: a signal, or immediate_exit */
#define SHVM_EXIT_INTERNAL_ERROR	17 /* internal: shvm cannot go on with this guest */

#define SHVM_EXIT_IO_IN			0
#define SHVM_EXIT_IO_OUT		1

/*
 * shvm_run.internal.suberror. The registers are those before the instruction in question, nothing
 * of it has been done; RUN again does the same again unless user space changes something.
 */
/* emulation_failure: an instruction that must be emulated and cannot be, with its bytes. */
#define SHVM_INTERNAL_ERROR_EMULATION			1
/* data: IDT-vectoring information, exit reason, exit qualification. An exit that cannot be
 * handled while an event was being delivered; the event waits, see SHVM_GET_VCPU_EVENTS.
 */
#define SHVM_INTERNAL_ERROR_DELIVERY_EV			3
/* data: exit reason, exit qualification. An exit that shvm never asked the CPU for. */
#define SHVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON	4
/* data: SHVM_MODE_*, detail. The vCPU is in, or goes to, a state that shvm cannot run. */
#define SHVM_INTERNAL_ERROR_MODE			(SHVM_OWN_BASE + 0)

#define SHVM_MODE_REAL		1	/* CR0.PE = 0; the state after reset */
#define SHVM_MODE_VM86		2	/* RFLAGS.VM = 1 */
#define SHVM_MODE_TASK_SWITCH	3	/* detail: the exit qualification */
#define SHVM_MODE_STATE		5	/* VT-x cannot hold it; detail: number of the rule that is
					 * broken, from 1 in src/vmx/rules.h
					 */

/* emulation_failure.flags: insn_size and insn_bytes are valid */
#define SHVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES	(1ULL << 0)

struct shvm_run {
	/* in */
	__u8 request_interrupt_window;	/* 1: exit when an interrupt could be injected */
	__u8 immediate_exit;		/* 1: complete what is pending, do not enter the guest */
	__u8 padding1[6];

	/* out */
	__u32 exit_reason;		/* SHVM_EXIT_* */
	__u8 ready_for_interrupt_injection; /* SHVM_INTERRUPT would be delivered at once */
	__u8 if_flag;			/* RFLAGS.IF */
	__u16 flags;			/* 0 */

	__u64 cr8;			/* in and out: task priority, 0-15 */
	__u64 apic_base;		/* out */

	union {
		/* SHVM_EXIT_UNKNOWN */
		struct {
			__u64 hardware_exit_reason;
		} hw;
		/* SHVM_EXIT_FAIL_ENTRY */
		struct {
			/* exit reason, or VM-instruction error if the exit reason bit 31 is 0 */
			__u64 hardware_entry_failure_reason;
			__u32 cpu;	/* host CPU */
		} fail_entry;
		/* SHVM_EXIT_IO */
		struct {
			__u8 direction;	/* SHVM_EXIT_IO_* */
			__u8 size;	/* bytes per unit: 1, 2 or 4 */
			__u16 port;
			__u32 count;	/* units; more than 1 only for INS and OUTS */
			__u64 data_offset; /* of count * size bytes, from the start of this page */
		} io;
		/* SHVM_EXIT_MMIO */
		struct {
			__u64 phys_addr;
			__u8  data[8];	/* little endian; bytes from len on are 0 */
			__u32 len;	/* 1-8; larger or page-crossing accesses come in pieces */
			__u8  is_write;
		} mmio;
		/* SHVM_EXIT_INTERNAL_ERROR */
		struct {
			__u32 suberror;	/* SHVM_INTERNAL_ERROR_* */
			__u32 ndata;	/* valid words of data */
			__u64 data[16];
		} internal;
		/* The same with SHVM_INTERNAL_ERROR_EMULATION; ndata counts from flags on. */
		struct {
			__u32 suberror;
			__u32 ndata;
			__u64 flags;
			struct {
				__u8 insn_size;
				__u8 insn_bytes[15];
			};
		} emulation_failure;
		char padding[256];
	};

	/* Register classes shared through this page: there are none yet, both must be 0. */
	__u64 shvm_valid_regs;
	__u64 shvm_dirty_regs;
	union {
		char padding[2048];
	} s;
};

/*
 * ---- ioctls of the system fd: open("/dev/shvm") -----------------------------------------------
 */

/*
 * SHVM_GET_API_VERSION (system; arg 0).
 * Returns: SHVM_API_VERSION. Errors: EINVAL.
 */
#define SHVM_GET_API_VERSION	_IO(SHVMIO, 0x00)

/*
 * SHVM_CREATE_VM (system; in: machine type, which must be 0).
 * An empty VM, bound to the address space of the caller. The first VM takes VMX on all CPUs.
 * Returns: a VM fd, close-on-exec. Errors: EINVAL unknown type; EBUSY another hypervisor holds
 * VMX, the kernel log says what to do; EMFILE, ENFILE no fd left.
 */
#define SHVM_CREATE_VM		_IO(SHVMIO, 0x01)

/*
 * SHVM_GET_MSR_INDEX_LIST (system; in and out: struct shvm_msr_list).
 * The MSRs that SHVM_GET_MSRS reads and SHVM_SET_MSRS writes, which make up the state of a guest.
 * nmsrs is set to their number, also with E2BIG. Errors: E2BIG nmsrs is too small.
 */
#define SHVM_GET_MSR_INDEX_LIST	_IOWR(SHVMIO, 0x02, struct shvm_msr_list)

/*
 * SHVM_CHECK_EXTENSION (system and VM; in: SHVM_CAP_*).
 * Returns: 0 not there (and so for every unknown number), 1 there, or the value of the capability.
 */
#define SHVM_CHECK_EXTENSION	_IO(SHVMIO, 0x03)

/*
 * SHVM_GET_VCPU_MMAP_SIZE (system; arg 0).
 * Returns: bytes to mmap() from a vCPU fd, a multiple of the page size. Errors: EINVAL.
 */
#define SHVM_GET_VCPU_MMAP_SIZE	_IO(SHVMIO, 0x04)

/*
 * SHVM_GET_SUPPORTED_CPUID (system; in and out: struct shvm_cpuid2).
 * The CPUID leaves that a guest can have on this host: everything in them works. nent is set to
 * their number, also with E2BIG. Errors: E2BIG nent is too small.
 */
#define SHVM_GET_SUPPORTED_CPUID _IOWR(SHVMIO, 0x05, struct shvm_cpuid2)

/*
 * ---- ioctls of the VM fd ----------------------------------------------------------------------
 */

/*
 * SHVM_CREATE_VCPU (VM; in: id, below SHVM_CAP_MAX_VCPU_ID).
 * A vCPU in the state after reset, runnable, without CPUID leaves.
 * Returns: a vCPU fd, close-on-exec. Errors: EINVAL id too large, or SHVM_CAP_MAX_VCPUS reached;
 * EEXIST id in use; EMFILE, ENFILE no fd left.
 */
#define SHVM_CREATE_VCPU	_IO(SHVMIO, 0x41)

/*
 * SHVM_SET_NR_MMU_PAGES (VM; in: number of 4 KiB shadow pages).
 * The budget for shadow page tables; 0: the default, which follows the size of the memory slots. A
 * smaller one takes effect before the call returns. With less than SHVM_MIN_MMU_PAGES SHVM_RUN
 * gives ENOMEM if the tables of one instruction do not fit; with a larger budget the guest goes on.
 * Errors: EINVAL more than 2^32 - 1.
 */
#define SHVM_SET_NR_MMU_PAGES	_IO(SHVMIO, 0x44)

/*
 * SHVM_GET_NR_MMU_PAGES (VM; no argument).
 * Returns: the budget, in 4 KiB shadow pages; INT_MAX if it is larger.
 */
#define SHVM_GET_NR_MMU_PAGES	_IO(SHVMIO, 0x45)

/*
 * SHVM_SET_USER_MEMORY_REGION (VM; in: struct shvm_userspace_memory_region).
 * Makes [userspace_addr, + memory_size) of the caller guest memory at guest_phys_addr; for a slot
 * that exists, moves it (same size) or changes nothing; memory_size 0 deletes it. In force on every
 * vCPU when the call returns. The mapping behind userspace_addr may be changed at any time; guest
 * accesses follow it. Errors: EINVAL slot not below SHVM_CAP_NR_MEMSLOTS, an address or the size
 * not a multiple of 4 KiB, a range that wraps, is not user memory, is beyond the guest-physical
 * addresses of this CPU or has 2^31 pages or more, a slot that exists with another size, another
 * userspace_addr or another SHVM_MEM_READONLY, deleting a slot that is not there; EEXIST the range
 * overlaps another slot.
 */
#define SHVM_SET_USER_MEMORY_REGION _IOW(SHVMIO, 0x46, struct shvm_userspace_memory_region)

/*
 * SHVM_SET_TSS_ADDR (VM; in: gpa of three pages below 4 GiB that no slot covers).
 * Recorded for real mode; without effect until that exists. Errors: EINVAL not a multiple of
 * 4 KiB, or above 4 GiB - 12 KiB.
 */
#define SHVM_SET_TSS_ADDR	_IO(SHVMIO, 0x47)

/*
 * SHVM_SET_IDENTITY_MAP_ADDR (VM; in: pointer to the gpa of one page that no slot covers).
 * Recorded, without effect: shvm keeps no tables in guest memory. 0 selects the default,
 * 0xfffbc000. Errors: EINVAL a vCPU exists, or the gpa is not a multiple of 4 KiB.
 */
#define SHVM_SET_IDENTITY_MAP_ADDR _IOW(SHVMIO, 0x48, __u64)

/*
 * SHVM_IRQ_LINE (VM; in: struct shvm_irq_level).
 * Sets the level of an input of the 8259 pair. Errors: ENXIO no SHVM_CREATE_PIC_PIT before;
 * EINVAL irq above 15.
 */
#define SHVM_IRQ_LINE		_IOW(SHVMIO, 0x61, struct shvm_irq_level)

/*
 * SHVM_CREATE_PIC_PIT (VM; no argument).
 * A pair of 8259 (ports 0x20-0x21, 0xa0-0xa1, 0x4d0-0x4d1), whose output goes to vCPU 0, and a
 * 8254 (ports 0x40-0x43, and 0x61 for channel 2), whose channel 0 is IRQ 0. These ports then make
 * no exits, HLT with RFLAGS.IF = 1 waits in the kernel, and SHVM_INTERRUPT is refused. Errors:
 * EEXIST there is one; EINVAL a vCPU exists.
 */
#define SHVM_CREATE_PIC_PIT	_IO(SHVMIO_OWN, 0x00)

/*
 * SHVM_GET_STATS (VM; out: struct shvm_stats). The counters of this VM.
 */
#define SHVM_GET_STATS		_IOR(SHVMIO_OWN, 0x01, struct shvm_stats)

/*
 * SHVM_AUDIT (VM; no argument). Debug module only, else ENOTTY.
 * Stops the vCPUs, derives the whole shadow MMU again from guest and host page tables, compares,
 * lets them go. Errors: EUCLEAN there is a difference; the kernel log names it.
 */
#define SHVM_AUDIT		_IO(SHVMIO_OWN, 0x02)

/*
 * SHVM_DEBUG_CTL (VM; in: struct shvm_debug_ctl). Debug module only, else ENOTTY.
 * A thread that reaches an armed pause point waits there until it is released or killed. An audit
 * waits for a vCPU that waits. Errors: EINVAL unknown op or pause point, or an arg out of range.
 */
#define SHVM_DEBUG_CTL		_IOW(SHVMIO_OWN, 0x03, struct shvm_debug_ctl)

/*
 * SHVM_GET_WORKING_SET (VM; in: struct shvm_working_set; out: what it points to).
 * How long ago the guest has used each page of a range; what the VMM does to the memory by itself
 * is no use, but what shvm reads and writes for an instruction that it emulates is; walks of page
 * tables are not seen. Holds no vCPU up. What the host learns of the use of its pages, and so what
 * it swaps out, is the same with and without these calls. Any number of calls may run at a time,
 * each of them sees the uses that others have seen. Memory that was unmapped in the VMM begins as
 * SHVM_WORKING_SET_NEVER, swapped out memory keeps its age. Works in other address spaces, too;
 * /proc/PID/fdinfo of the VM has the slots (docs/api.md). Errors: EINVAL no page, pages beyond
 * 2^32; EFAULT also when part of the answers was written; EINTR only for a fatal signal.
 */
#define SHVM_GET_WORKING_SET	_IOW(SHVMIO_OWN, 0x04, struct shvm_working_set)

/*
 * ---- ioctls of the vCPU fd --------------------------------------------------------------------
 *
 * One at a time per vCPU: a second thread waits until the first, also if it is in SHVM_RUN, is
 * done. Only SHVM_INTERRUPT and SHVM_NMI from a signal handler or after an exit need no thought.
 */

/*
 * SHVM_RUN (vCPU; arg 0).
 * Completes the access of the last IO or MMIO exit with the data in the run page, then runs the
 * guest until there is something to do for user space: shvm_run.exit_reason. With immediate_exit
 * it does the first half only. Setting registers between an exit and SHVM_RUN (SHVM_SET_REGS,
 * SHVM_SET_SREGS, SHVM_SET_VCPU_EVENTS) cancels the access.
 * HLT exits, unless SHVM_CREATE_PIC_PIT was called and RFLAGS.IF is 1.
 * Errors: EINTR a signal or immediate_exit (call again), exit_reason is SHVM_EXIT_INTR; EINVAL
 * shvm_run.cr8 above 15, shvm_valid_regs or shvm_dirty_regs not 0, or CPUID leaves that give this
 * vCPU another physical address width or other page sizes than a vCPU that has run; EFAULT guest
 * memory has no host memory behind it; ENOMEM also: the shadow budget is too small for one guest
 * instruction.
 */
#define SHVM_RUN		_IO(SHVMIO, 0x80)

/* SHVM_GET_REGS (vCPU; out: struct shvm_regs). */
#define SHVM_GET_REGS		_IOR(SHVMIO, 0x81, struct shvm_regs)

/*
 * SHVM_SET_REGS (vCPU; in: struct shvm_regs). Drops an exception that waits to be delivered.
 * Bit 1 of rflags is set by itself. Errors: EINVAL another reserved bit of rflags is set.
 */
#define SHVM_SET_REGS		_IOW(SHVMIO, 0x82, struct shvm_regs)

/* SHVM_GET_SREGS (vCPU; out: struct shvm_sregs). */
#define SHVM_GET_SREGS		_IOR(SHVMIO, 0x83, struct shvm_sregs)

/*
 * SHVM_SET_SREGS (vCPU; in: struct shvm_sregs).
 * Any state that a real CPU can be in is accepted, also one that shvm cannot run: that is
 * for SHVM_RUN to say. Errors: EINVAL reserved bits in CR0, CR4, CR8 or EFER, CR0.PG without PE,
 * CR0.NW without CD, EFER.LMA other than EFER.LME and CR0.PG, long mode without CR4.PAE, CR4.PCIDE
 * outside long mode, CS.L and CS.D both set in long mode or CS.L set outside it, CR3 above the
 * physical addresses of the guest, a base that is not canonical (FS, GS, LDT, TR, GDT, IDT), a
 * field of a segment wider than in the descriptor, apic_base changed, more than one bit in
 * interrupt_bitmap.
 */
#define SHVM_SET_SREGS		_IOW(SHVMIO, 0x84, struct shvm_sregs)

/*
 * SHVM_INTERRUPT (vCPU; in: struct shvm_interrupt).
 * Queues an external interrupt, delivered as soon as the guest takes one; see
 * shvm_run.ready_for_interrupt_injection. Errors: EINVAL vector above 255; EEXIST one waits
 * already; ENXIO the VM has a PIC in the kernel.
 */
#define SHVM_INTERRUPT		_IOW(SHVMIO, 0x86, struct shvm_interrupt)

/*
 * SHVM_GET_MSRS (vCPU; in and out: struct shvm_msrs).
 * Reads the MSRs entries[].index into entries[].data, in order, up to the first that does not
 * exist. Returns: how many were read. Errors: E2BIG nmsrs above SHVM_MAX_MSR_ENTRIES.
 */
#define SHVM_GET_MSRS		_IOWR(SHVMIO, 0x88, struct shvm_msrs)

/*
 * SHVM_SET_MSRS (vCPU; in: struct shvm_msrs).
 * Writes entries[].data, in order, up to the first that does not exist or does not take the value.
 * Returns: how many were written. Errors: E2BIG nmsrs above SHVM_MAX_MSR_ENTRIES.
 */
#define SHVM_SET_MSRS		_IOW(SHVMIO, 0x89, struct shvm_msrs)

/* SHVM_GET_FPU (vCPU; out: struct shvm_fpu). */
#define SHVM_GET_FPU		_IOR(SHVMIO, 0x8c, struct shvm_fpu)

/*
 * SHVM_SET_FPU (vCPU; in: struct shvm_fpu). Errors: EINVAL reserved bits of mxcsr.
 */
#define SHVM_SET_FPU		_IOW(SHVMIO, 0x8d, struct shvm_fpu)

/*
 * SHVM_SET_CPUID2 (vCPU; in: struct shvm_cpuid2).
 * What CPUID returns in the guest, and so which control bits and MSRs exist there. Features that
 * the host cannot give may be listed, but do not work. Errors: E2BIG nent above
 * SHVM_MAX_CPUID_ENTRIES; EINVAL unknown flags, or a change after the first SHVM_RUN.
 */
#define SHVM_SET_CPUID2		_IOW(SHVMIO, 0x90, struct shvm_cpuid2)

/*
 * SHVM_GET_CPUID2 (vCPU; in and out: struct shvm_cpuid2).
 * The leaves of the vCPU. nent is set to their number, also with E2BIG. Errors: E2BIG nent is too
 * small.
 */
#define SHVM_GET_CPUID2		_IOWR(SHVMIO, 0x91, struct shvm_cpuid2)

/* SHVM_GET_MP_STATE (vCPU; out: struct shvm_mp_state). */
#define SHVM_GET_MP_STATE	_IOR(SHVMIO, 0x98, struct shvm_mp_state)

/*
 * SHVM_SET_MP_STATE (vCPU; in: struct shvm_mp_state). Errors: EINVAL a state that is not
 * SHVM_MP_STATE_RUNNABLE or SHVM_MP_STATE_HALTED.
 */
#define SHVM_SET_MP_STATE	_IOW(SHVMIO, 0x99, struct shvm_mp_state)

/*
 * SHVM_NMI (vCPU; no argument). Queues an NMI; one more than the one being delivered is kept.
 */
#define SHVM_NMI		_IO(SHVMIO, 0x9a)

/* SHVM_GET_VCPU_EVENTS (vCPU; out: struct shvm_vcpu_events). All flags that SET takes are set. */
#define SHVM_GET_VCPU_EVENTS	_IOR(SHVMIO, 0x9f, struct shvm_vcpu_events)

/*
 * SHVM_SET_VCPU_EVENTS (vCPU; in: struct shvm_vcpu_events). Replaces the events that wait.
 * Errors: EINVAL an exception vector above 31 or 2, an unknown shadow, a smi, triple_fault or
 * payload field that is not 0.
 */
#define SHVM_SET_VCPU_EVENTS	_IOW(SHVMIO, 0xa0, struct shvm_vcpu_events)

/* SHVM_GET_DEBUGREGS (vCPU; out: struct shvm_debugregs). */
#define SHVM_GET_DEBUGREGS	_IOR(SHVMIO, 0xa1, struct shvm_debugregs)

/*
 * SHVM_SET_DEBUGREGS (vCPU; in: struct shvm_debugregs). Bits of dr6 and dr7 that are fixed in
 * hardware are fixed by themselves. Errors: EINVAL dr6 or dr7 has bits above 31.
 */
#define SHVM_SET_DEBUGREGS	_IOW(SHVMIO, 0xa2, struct shvm_debugregs)

/*
 * SHVM_SET_TSC_KHZ (vCPU; in: kHz).
 * The rate of the guest's TSC is that of the host: 0, or the value of SHVM_GET_TSC_KHZ with a
 * tolerance of 250 ppm. Errors: EINVAL any other rate.
 */
#define SHVM_SET_TSC_KHZ	_IO(SHVMIO, 0xa2)

/*
 * SHVM_GET_TSC_KHZ (vCPU; no argument). Returns: the rate of the guest's TSC, in kHz.
 */
#define SHVM_GET_TSC_KHZ	_IO(SHVMIO, 0xa3)

#endif /* _UAPI_LINUX_SHVM_H */
