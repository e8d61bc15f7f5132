// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: keeps a VM with running vCPUs for a script that does something to the computer
 * meanwhile. Says "ok" when they run; each line on its standard input asks whether they still do,
 * and is answered by "ok" or "failed"; the end of its input stops and audits them.
 * Exit status 0: nothing was wrong.
 */
#include <stdio.h>

#include "worker.h"

#define NR_WORKERS	2
#define NR_PAGES	32

static void answer(struct workers *w)
{
	puts(workers_sweep(w, 2) ? "ok" : "failed");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct test_vm *vm;
	struct workers w;
	char line[16];
	int bad;

	test_options(argc, argv);
	vm = vm_create();
	workers_create(&w, vm, NR_WORKERS, vm_alloc_pages(vm, NR_PAGES), NR_PAGES);
	workers_start(&w);
	do {
		answer(&w);
	} while (fgets(line, sizeof(line), stdin));
	bad = workers_stop(&w);
	vm_free(vm);
	return bad != 0;
}
