/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The generic netlink family "shvm": what runs on this host, what it costs, and what happens to it.
 * The same in a form for programs: docs/netlink/shvm.yaml. How it works: docs/netlink.md.
 *
 * Who sees what: a VM belongs to the network namespace, the user (effective uid) and the user
 * namespace of the process that made it. From another network namespace it is not there at all. In
 * its own, everybody is told its id, the ids of its vCPUs, and events. The rest, marked (o) below,
 * and the commands marked (o) are for the owner: a process with that uid, or with CAP_SYS_ADMIN in
 * that user namespace. Both the process and the one that opened the socket must be that.
 *
 * Rules for all commands:
 *
 *  - Attributes that a command does not name are EINVAL. A request that fails has changed nothing.
 *    Errors come with a message, and with the offset of the attribute that is to blame or the type
 *    of the one that is missing (NETLINK_EXT_ACK). Those of a dump may come with its NLMSG_DONE,
 *    then without an offset.
 *  - ENOENT: no such VM or vCPU in this network namespace. EPERM: the caller is not the owner.
 *  - Answers have the command of the request. Numbers are in host byte order, counters run from
 *    the creation of the VM, pages are of 4 KiB. Unknown attributes of answers are to be ignored.
 */
#ifndef _UAPI_LINUX_SHVM_NETLINK_H
#define _UAPI_LINUX_SHVM_NETLINK_H

#define SHVM_FAMILY_NAME	"shvm"
#define SHVM_FAMILY_VERSION	1

/* What a vCPU does at this moment. */
enum shvm_vcpu_state {
	SHVM_VCPU_STATE_STOPPED,	/* user space or the kernel runs, or nobody */
	SHVM_VCPU_STATE_GUEST,		/* the guest runs */
	SHVM_VCPU_STATE_HALTED,		/* the guest is in HLT */
};

/* How the guest's CPU translates addresses. */
enum shvm_guest_mode {
	SHVM_GUEST_MODE_REAL,		/* CR0.PE is 0 */
	SHVM_GUEST_MODE_FLAT,		/* protected mode without paging */
	SHVM_GUEST_MODE_PAGING_32,	/* two levels */
	SHVM_GUEST_MODE_PAGING_PAE,	/* three levels */
	SHVM_GUEST_MODE_PAGING_64,	/* four levels, long mode */
};

/* What became of a page fault that was an exit. */
enum shvm_fault_result {
	SHVM_FAULT_RESULT_FIXED,	/* a shadow entry was made or changed */
	SHVM_FAULT_RESULT_RETRIED,	/* raced with a change: the guest tries again */
	SHVM_FAULT_RESULT_REFLECTED,	/* the guest's own fault, given to it */
	SHVM_FAULT_RESULT_EMULATED,	/* the instruction was emulated */
	SHVM_FAULT_RESULT_TO_USER,	/* the host's memory is not there: an error of SHVM_RUN */
	SHVM_FAULT_RESULT_NO_MEMORY,	/* no memory for shadow pages: an error of SHVM_RUN */
};

/* Of which form the guest's table is that a shadow page stands for. */
enum shvm_table_format {
	SHVM_TABLE_FORMAT_NONE,		/* no paging: guest-physical addresses are mapped */
	SHVM_TABLE_FORMAT_32,		/* two levels, entries of 4 bytes */
	SHVM_TABLE_FORMAT_PAE,		/* three levels */
	SHVM_TABLE_FORMAT_64,		/* four levels */
	SHVM_TABLE_FORMAT_57,		/* five levels */
};

/* A VM: SHVM_CMD_VM_*. */
enum {
	SHVM_A_VM_ID = 1,		/* u64: counts up, never used again */
	SHVM_A_VM_PAD,
	SHVM_A_VM_PID,			/* (o) u32: who made it; 0: has ended, or not yours */
	SHVM_A_VM_UID,			/* (o) u32: owner, as seen from your user namespace */
	SHVM_A_VM_VCPUS,		/* (o) u32: how many */
	SHVM_A_VM_MEMORY,		/* (o) u64: bytes of guest memory, over all slots */
	SHVM_A_VM_SHADOW_PAGES,		/* (o) u32: in use */
	SHVM_A_VM_SHADOW_PAGES_MAX,	/* (o) u32: most in use since PEAKS_RESET */
	SHVM_A_VM_SHADOW_BUDGET,	/* (o) u32; to set: 0, the default, or >= 64 */
	SHVM_A_VM_SHADOW_LOW,		/* (o) flag: SHADOW_LOW was the last event of it */
	SHVM_A_VM_BROKEN,		/* (o) string: as in VM_BROKEN; absent: works */
	SHVM_A_VM_RECLAIM,		/* u32: shadow pages; asked, at least 1, and answered */

	__SHVM_A_VM_MAX,
	SHVM_A_VM_MAX = (__SHVM_A_VM_MAX - 1)
};

/* A vCPU: SHVM_CMD_VCPU_GET. */
enum {
	SHVM_A_VCPU_VM_ID = 1,		/* u64 */
	SHVM_A_VCPU_PAD,
	SHVM_A_VCPU_ID,			/* u32: as given to SHVM_CREATE_VCPU */
	SHVM_A_VCPU_STATE,		/* (o) u32: enum shvm_vcpu_state */
	SHVM_A_VCPU_MODE,		/* (o) u32: enum shvm_guest_mode */

	__SHVM_A_VCPU_MAX,
	SHVM_A_VCPU_MAX = (__SHVM_A_VCPU_MAX - 1)
};

/* Statistics: SHVM_CMD_STATS_GET. Those marked (VM) are absent where a vCPU is asked for. */
enum {
	SHVM_A_STATS_VM_ID = 1,		/* u64 */
	SHVM_A_STATS_PAD,
	SHVM_A_STATS_VCPU_ID,		/* u32 */
	SHVM_A_STATS_EXIT,		/* nest SHVM_A_EXIT_*, one for each reason that occurred */
	SHVM_A_STATS_EXITS_LEFT,	/* u64: exits that were not finished in the inner loop */
	SHVM_A_STATS_EXITS_USER,	/* u64: returns of SHVM_RUN */
	SHVM_A_STATS_INJECTIONS,	/* u64: events injected */
	SHVM_A_STATS_REINJECTIONS,	/* u64: of these, again as an exit came between */
	SHVM_A_STATS_HALTS,		/* u64: sleeps in HLT in the kernel */
	SHVM_A_STATS_EMULATED,		/* u64: instructions emulated */
	SHVM_A_STATS_FAULT,		/* nest SHVM_A_FAULT_*, one for each result */
	SHVM_A_STATS_TABLE_WRITES,	/* u64: trapped stores to guest page tables */
	SHVM_A_STATS_CR3_FAST,		/* u64: CR3 loads served by a root that was known */
	SHVM_A_STATS_CR3_SLOW,		/* (VM) u64: the others */
	SHVM_A_STATS_SHADOW,		/* (VM) nest SHVM_A_SHADOW_*, for each kind */
	SHVM_A_STATS_SHADOW_PAGES,	/* (VM) u32: in use */
	SHVM_A_STATS_SHADOW_PAGES_MAX,	/* (VM) u32: most since PEAKS_RESET */
	SHVM_A_STATS_SHADOW_BUDGET,	/* (VM) u32 */
	SHVM_A_STATS_OOS_TABLES,	/* (VM) u32: shadow pages out of sync now */
	SHVM_A_STATS_OOS_OPENS,		/* (VM) u64: tables let go out of sync */
	SHVM_A_STATS_OOS_CHANGES,	/* (VM) u64: entries that had changed when compared */
	SHVM_A_STATS_LEAVES,		/* (VM) u64: shadow entries that map memory now */
	SHVM_A_STATS_RMAP_BYTES,	/* (VM) u64: heads, states of frames, chains */
	SHVM_A_STATS_CHAIN_BYTES,	/* (VM) u64: of these, chains */
	SHVM_A_STATS_CHAIN_LONGEST,	/* (VM) u32: most since PEAKS_RESET */
	SHVM_A_STATS_AGE_CALLS,		/* (VM) u64: questions of the host for use */
	SHVM_A_STATS_AGE_YOUNG,		/* (VM) u64: pages told to be used */
	SHVM_A_STATS_INVALIDATIONS,	/* (VM) u64: calls of the host to take memory away */
	SHVM_A_STATS_RECYCLED,		/* (VM) u64: shadow pages, for any reason */
	SHVM_A_STATS_GIVEN,		/* (VM) u64: of these: host, other VM, RECLAIM */
	SHVM_A_STATS_UNSHADOWS,		/* (VM) u64: tables that a store made go */
	SHVM_A_STATS_ZAPS,		/* (VM) u64: times that all shadows went */
	SHVM_A_STATS_FLUSHES,		/* (VM) u64: flushes of the TLBs of all vCPUs */
	SHVM_A_STATS_IPIS,		/* (VM) u64: sent to make vCPUs leave */
	SHVM_A_STATS_LARGE_MAPS,	/* (VM) u64: large pages mapped */
	SHVM_A_STATS_LARGE_SPLITS,	/* (VM) u64: large pages torn */
	SHVM_A_STATS_RESCUED,		/* (VM) u64: stale faults without an exit */

	__SHVM_A_STATS_MAX,
	SHVM_A_STATS_MAX = (__SHVM_A_STATS_MAX - 1)
};

/* In SHVM_A_STATS_EXIT. */
enum {
	SHVM_A_EXIT_REASON = 1,		/* u32: basic exit reason of the SDM */
	SHVM_A_EXIT_PAD,
	SHVM_A_EXIT_COUNT,		/* u64 */

	__SHVM_A_EXIT_MAX,
	SHVM_A_EXIT_MAX = (__SHVM_A_EXIT_MAX - 1)
};

/* In SHVM_A_STATS_FAULT. */
enum {
	SHVM_A_FAULT_RESULT = 1,	/* u32: enum shvm_fault_result */
	SHVM_A_FAULT_PAD,
	SHVM_A_FAULT_COUNT,		/* u64 */

	__SHVM_A_FAULT_MAX,
	SHVM_A_FAULT_MAX = (__SHVM_A_FAULT_MAX - 1)
};

/* In SHVM_A_STATS_SHADOW. */
enum {
	SHVM_A_SHADOW_LEVEL = 1,	/* u32: 1 page table ... 4 top */
	SHVM_A_SHADOW_FORMAT,		/* u32: enum shvm_table_format */
	SHVM_A_SHADOW_DIRECT,		/* flag: of a large page, not of a table */
	SHVM_A_SHADOW_PAGES,		/* u32 */

	__SHVM_A_SHADOW_MAX,
	SHVM_A_SHADOW_MAX = (__SHVM_A_SHADOW_MAX - 1)
};

/* Events: SHVM_CMD_EVENT_GET, SHVM_CMD_*_NTF. */
enum {
	SHVM_A_EVENT_SEQ = 1,		/* u64: 1, 2, 3... in a network namespace */
	SHVM_A_EVENT_PAD,
	SHVM_A_EVENT_VM_ID,		/* u64 */
	SHVM_A_EVENT_VCPU_ID,		/* u32 */
	SHVM_A_EVENT_BROKEN,		/* string: which condition of the module's source failed */
	SHVM_A_EVENT_ENTRY_ERROR,	/* u64: hardware_entry_failure_reason of struct shvm_run */

	__SHVM_A_EVENT_MAX,
	SHVM_A_EVENT_MAX = (__SHVM_A_EVENT_MAX - 1)
};

/*
 * VM_GET: VM_ID; as a dump: nothing. Every attribute of a VM but RECLAIM.
 * VCPU_GET: VM_ID, ID; as a dump: VM_ID or nothing. Every attribute of a vCPU.
 *	Dumps are in the order of creation. NLM_F_DUMP_INTR in a dump: a VM or vCPU came or went
 *	while it was made; without it the dump is what there was at one moment.
 * STATS_GET (o): VM_ID, and VCPU_ID for one vCPU. Each number is exact, but they are read one
 *	after the other, without stopping the VM.
 * VM_SET (o): VM_ID, SHADOW_BUDGET. As SHVM_SET_NR_MMU_PAGES; EINVAL: 1 to 63 pages.
 *	EBUSY: its slots or its budget are being changed.
 * VM_RECLAIM (o): VM_ID, RECLAIM. Takes up to so many shadow pages from the VM, the least recently
 *	used first, never a root in use. Answers VM_ID and, as RECLAIM, how many went: more than
 *	asked for if those that went were the only way to others.
 * PEAKS_RESET (o): VM_ID. The maxima (SHADOW_PAGES_MAX, CHAIN_LONGEST) begin anew.
 * EVENT_GET: nothing. SEQ of the last event of this network namespace.
 *
 * Events, to the group SHVM_MCGRP_EVENTS: SEQ and VM_ID, and
 * VM_CREATED_NTF	nothing more. The VM has no vCPU yet.
 * VM_DESTROYED_NTF	nothing more. The last of its files is closed; its vCPUs are gone, too.
 * VCPU_CREATED_NTF	VCPU_ID
 * VCPU_DESTROYED_NTF	VCPU_ID. vCPUs go with their VM, immediately before it.
 * VM_BROKEN_NTF	BROKEN. The module found its own state inconsistent; the VM is stopped.
 * ENTRY_FAILED_NTF	VCPU_ID, ENTRY_ERROR. The CPU refused the guest's state.
 * SHADOW_LOW_NTF	nothing more. All of the shadow budget was used: pages are recycled.
 * SHADOW_RECOVERED_NTF	nothing more. Three quarters of the budget, or less, are in use again.
 *
 * A gap in SEQ is an event that was lost. A listener that joins the group and then asks EVENT_GET
 * knows the first SEQ that it must see; events with a lower one may come, too.
 */
enum {
	SHVM_CMD_VM_GET = 1,
	SHVM_CMD_VCPU_GET,
	SHVM_CMD_STATS_GET,
	SHVM_CMD_VM_SET,
	SHVM_CMD_VM_RECLAIM,
	SHVM_CMD_PEAKS_RESET,
	SHVM_CMD_EVENT_GET,
	SHVM_CMD_VM_CREATED_NTF,
	SHVM_CMD_VM_DESTROYED_NTF,
	SHVM_CMD_VCPU_CREATED_NTF,
	SHVM_CMD_VCPU_DESTROYED_NTF,
	SHVM_CMD_VM_BROKEN_NTF,
	SHVM_CMD_ENTRY_FAILED_NTF,
	SHVM_CMD_SHADOW_LOW_NTF,
	SHVM_CMD_SHADOW_RECOVERED_NTF,

	__SHVM_CMD_MAX,
	SHVM_CMD_MAX = (__SHVM_CMD_MAX - 1)
};

#define SHVM_MCGRP_EVENTS	"events"

#endif
