/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * top: readings of all VMs, and the screen that shows them.
 */
#ifndef SHVMCTL_TOP_H
#define SHVMCTL_TOP_H

#include "rates.h"

struct top_vm {
	struct ctl_vm vm;
	struct ctl_stats stats;
	struct rates rates;
};

struct top {
	struct ctl ctl;
	struct top_vm *vms;	/* by exits per second, the most first */
	size_t nr;
	double when;		/* of this reading */
	u64 selected;		/* id of a VM, 0 if there is none */
	double interval;
};

/* 0, or -errno of a netlink request. VMs that end meanwhile are left out. */
int top_read(struct top *top);
/* Selects the next one by so many places. */
void top_select(struct top *top, int by);

/* ---- top_screen.c ---- */

/* Takes the terminal and shows top until the user or a signal ends it. -errno of top_read(). */
int top_screen(struct top *top, unsigned int count);

#endif
