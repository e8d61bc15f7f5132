/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of one vCPU. Written by the thread that runs it (and its interrupt handlers), read
 * without a lock by SHVM_GET_STATS: single u64 loads, a sum may be a moment old.
 */
#ifndef SHVM_STATS_H
#define SHVM_STATS_H

#include <linux/types.h>

/* A power of two, so that a mask keeps any reason in bounds. The SDM names 75 (appendix C). */
#define SHVM_NR_EXIT_REASONS	128

struct shvm_vcpu_stats {
	u64 exit_reason[SHVM_NR_EXIT_REASONS];	/* VM exits by basic reason */
	u64 exits_left;		/* of those, ended the entry loop; the others were finished in it */
	u64 exits_user;		/* returns to user space */
	u64 injections;		/* events put into the VM-entry interruption field */
	u64 reinjections;	/* of those, re-queued because an exit broke their delivery */
	u64 halts;		/* times the vCPU slept in HLT */
	u64 insn_emulated;	/* instructions finished by the emulator */
};

#endif
