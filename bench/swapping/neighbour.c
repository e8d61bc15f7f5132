// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process in the same memory cgroup as the program under watch: uses pages of its own, and notes
 * what that costs it. How many does not depend on how fast the other is: two for each page that
 * anybody reads back from swap.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "watch.h"

#define FAULTS		"/sys/kernel/debug/swapprobe/faults"
#define USES_PER_FAULT	2

static pid_t neighbour;

static void use(struct neighbour *n, volatile uint64_t *page)
{
	uint64_t ticks = __rdtsc();

	(*page)++;
	ticks = __rdtsc() - ticks;
	n->ticks += ticks;
	n->accesses++;
	if (ticks > n->longest)
		n->longest = ticks;
}

static uint32_t faults_read(void)
{
	char text[16] = "";
	int fd = open(FAULTS, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die("cannot read", FAULTS);
	close(fd);
	return strtoul(text, NULL, 10);
}

static void run(struct neighbour *n, uint32_t pages)
{
	static const struct timespec pause = { .tv_nsec = 2000000 };
	uint32_t now, then, todo, page;
	uint64_t random = 1;
	char *mem;

	mem = mmap((void *)NEIGHBOUR_AT, pages * LOAD_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (mem == MAP_FAILED)
		die("no memory for", "the neighbour");
	madvise(mem, pages * LOAD_PAGE, MADV_NOHUGEPAGE);
	for (then = faults_read();; then = now) {
		nanosleep(&pause, NULL);
		now = faults_read();
		for (todo = USES_PER_FAULT * (now - then); todo; todo--) {
			page = (random_next(&random) >> 32) * pages >> 32;
			use(n, (uint64_t *)(mem + page * LOAD_PAGE));
		}
	}
}

struct neighbour *neighbour_start(const char *group, uint32_t pages)
{
	struct neighbour *n = mmap(NULL, LOAD_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (n == MAP_FAILED)
		die("no memory for", "the neighbour");
	n->accesses = 0;
	neighbour = fork();
	if (!neighbour) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		group_join(group);
		run(n, pages);
	}
	return n;
}

void neighbour_pause(bool pause)
{
	kill(neighbour, pause ? SIGSTOP : SIGCONT);
}

void neighbour_end(void)
{
	kill(neighbour, SIGKILL);
	waitpid(neighbour, NULL, 0);
}
