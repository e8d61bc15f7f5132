/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family "shvm" as C structures. What the commands and numbers mean:
 * include/uapi/linux/shvm_netlink.h. Every function returns 0 or -errno; CTL_NO_FAMILY stands for a
 * kernel without the module. No output, no exit: what an error means to the user is error.c.
 */
#ifndef SHVMCTL_NL_H
#define SHVMCTL_NL_H

#include <errno.h>
#include <linux/shvm_netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "../lib/util.h"

#define CTL_NO_FAMILY (-ENOPKG)
#define CTL_TEXT 128	  /* room for a string of the kernel, which may be cut */
#define CTL_EXIT_REASONS 96 /* by basic exit reason; the last one counts itself and all above */
#define CTL_FAULT_RESULTS (SHVM_FAULT_RESULT_NO_MEMORY + 1)
#define CTL_SHADOW_KINDS 32

struct ctl_vm {
	u64 id;
	bool own; /* if not, there is nothing but the id */
	u32 pid;
	u32 uid;
	u32 vcpus;
	u64 memory;
	u32 shadow_pages;
	u32 shadow_pages_max;
	u32 shadow_budget;
	bool shadow_low;
	char broken[CTL_TEXT]; /* empty: it works */
};

struct ctl_vcpu {
	u64 vm;
	u32 id;
	bool own; /* if not, there is nothing but the ids */
	u32 state;
	u32 mode;
};

struct ctl_shadow {
	u32 level;
	u32 format;
	bool direct;
	u32 pages;
};

struct ctl_stats {
	u64 value[SHVM_A_STATS_MAX + 1]; /* the attributes that are one number */
	bool there[SHVM_A_STATS_MAX + 1];
	u64 exit[CTL_EXIT_REASONS];
	u64 fault[CTL_FAULT_RESULTS];
	struct ctl_shadow shadow[CTL_SHADOW_KINDS];
	size_t nr_shadow;
};

struct ctl_event {
	u8 command; /* SHVM_CMD_*_NTF */
	u64 seq;
	u64 vm;
	bool has_vcpu;
	u32 vcpu;
	char broken[CTL_TEXT];
	u64 entry_error;
};

/* A connection: requests, or the events after ctl_join(). */
struct ctl {
	struct nl_sock *sock;
	int family;
	char message[CTL_TEXT]; /* the kernel's words about the last error, or empty */
};

int ctl_open(struct ctl *ctl);
void ctl_close(struct ctl *ctl);

/* The caller frees the lists. */
int ctl_get_vms(struct ctl *ctl, struct ctl_vm **vms, size_t *nr);
int ctl_get_vcpus(struct ctl *ctl, u64 vm, struct ctl_vcpu **vcpus, size_t *nr);

int ctl_get_vm(struct ctl *ctl, u64 id, struct ctl_vm *vm);
int ctl_get_stats(struct ctl *ctl, u64 vm, const u32 *vcpu, struct ctl_stats *stats);
int ctl_set_budget(struct ctl *ctl, u64 vm, u32 pages);
int ctl_reclaim(struct ctl *ctl, u64 vm, u32 pages, u32 *gone);
int ctl_get_last_event(struct ctl *ctl, u64 *seq);

/* From now on the connection is for ctl_wait_event() alone. */
int ctl_join(struct ctl *ctl);
/* Waits for one event. -ENOBUFS: some were lost, the connection goes on. */
int ctl_wait_event(struct ctl *ctl, struct ctl_event *event);

#endif
