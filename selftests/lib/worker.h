/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vCPUs that check their memory without end while the test does something to it. Each worker owns
 * one word of every page of an area, changes it in every sweep and expects to find it next time;
 * other words of the page never change. In between it maps pages at other addresses, so that the
 * guest's page tables are part of what is checked. A worker that finds anything else ends.
 */
#ifndef SHVM_SELFTESTS_WORKER_H
#define SHVM_SELFTESTS_WORKER_H

#include "shvm_test.h"

#define MAX_WORKERS	4

struct workers {
	struct test_vm *vm;
	int nr;
	struct test_vcpu *vcpu[MAX_WORKERS];
};

/* Makes vCPUs 0 to nr - 1 and fills nr_pages pages at gpa, which the guest has at that address. */
void workers_create(struct workers *w, struct test_vm *vm, int nr, u64 gpa, u32 nr_pages);
void workers_start(struct workers *w);
/* Workers that map nothing anew cause no faults once they have done a sweep. At first they map. */
void workers_set_remapping(struct workers *w, bool on);
/* Every worker does this many more full sweeps. False: one of them ended. */
bool workers_sweep(struct workers *w, u64 sweeps);
/* Returns how many ended for another reason than this call. They can be started again. */
int workers_stop(struct workers *w);

#endif
