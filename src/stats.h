/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of one vCPU. Written by the thread that runs it (and its interrupt handlers), read
 * without a lock by SHVM_GET_STATS: single u64 loads, a sum may be a moment old.
 */
#ifndef SHVM_STATS_H
#define SHVM_STATS_H

#include <linux/types.h>

struct shvm_vcpu_stats {
	u64 exits;		/* VM exits of every kind */
	u64 exit_reason[72];	/* by basic exit reason, index clamped */
	u64 exits_short;	/* of those, finished in the entry loop with interrupts off */
	u64 exits_user;		/* returns to user space */
	u64 injections;		/* events put into the VM-entry interruption field */
	u64 reinjections;	/* of those, re-queued because an exit broke their delivery */
	u64 halts;		/* times the vCPU slept in HLT */
	u64 insn_emulated;	/* instructions finished by the emulator */
};

#endif
