/* SPDX-License-Identifier: GPL-2.0-only */
/* What swapprobe and the program that uses it tell each other. */
#ifndef SHVM_BENCH_EVENTS_H
#define SHVM_BENCH_EVENTS_H

#include <linux/types.h>

#define SWAP_EVENT_OUT	1	/* written to swap */
#define SWAP_EVENT_IN	2	/* a fault found it there */
#define SWAP_EVENT_MASK	3ULL

struct swap_event {
	__u64 tsc;
	__u64 what;	/* address of the page, with one of the above */
};

#define AGEING_LOCKS	1	/* count the locks that are taken, which takes time */
#define AGEING_NOTHING	2	/* the caller's pages, by a callback that does nothing */

/* The addresses of nr pages follow. */
struct ageing {
	__u32 pid, flags, nr, reserved;
};

struct aged_page {
	__u32 ticks;
	__u16 young, locks;
};

#endif
