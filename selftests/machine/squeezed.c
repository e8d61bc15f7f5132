// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: a VM with few shadow pages whose memory the host swaps, merges, copies and moves till
 * it is killed. Says "ok" when all of that has begun. Its argument is the seed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "squeeze.h"

#define NR_VCPUS	2
#define FIRST_ACTIONS	20

static struct squeeze squeeze;
static struct keyed keyed;

static void options(int argc, char **argv)
{
	if (argc == 2 && atoi(argv[1]) > 0)
		return;
	fprintf(argc == 2 ? stdout : stderr, "usage: %s SEED\n\nRuns until it is killed.\n",
		argv[0]);
	exit(argc != 2);
}

int main(int argc, char **argv)
{
	u64 seed, i;

	options(argc, argv);
	seed = atoi(argv[1]);
	argv[1] = NULL;
	test_options(1, argv);
	squeeze_init(&squeeze, seed);
	keyed_create(&keyed, NR_VCPUS, seed);
	squeeze_set_guest(&squeeze, &keyed);
	vm_ioctl(keyed.vm, SHVM_SET_NR_MMU_PAGES, SHVM_MIN_MMU_PAGES);
	keyed_start(&keyed);
	for (i = 0; !keyed.stopped && !squeeze.bad; i++) {
		squeeze_any(&squeeze);
		if (i != FIRST_ACTIONS)
			continue;
		puts("ok");
		fflush(stdout);
	}
	return 1;
}
