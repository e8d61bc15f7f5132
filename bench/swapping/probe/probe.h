/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of swapprobe. */
#ifndef SHVM_BENCH_PROBE_H
#define SHVM_BENCH_PROBE_H

struct dentry;

int ageing_init(struct dentry *dir);
void ageing_exit(void);

#endif
