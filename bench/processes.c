// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that take turns, each with a working set of its own: what bench/recycle measures as a
 * program of the guest. A step: the parent wakes a child by a pipe, the child uses its pages and
 * answers. Which child is drawn by Zipf's law, so some run often and most seldom.
 *
 * processes ROW...: for each row takes the next number of shadow pages (the launcher's
 * --shadow-pages), warms up, and measures. Prints "row NAME STEPS TICKS" as mmubench does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE		4096UL
#define TABLE		(512 * PAGE)	/* what one page table maps */
#define PROCESSES	40
#define HOT_TABLES	5		/* used at each step */
#define COLD_TABLES	5		/* used at one step in COLD_SHARE, one of them */
#define COLD_SHARE	8
#define PAGES		3		/* in each of them */
#define WARM_UP		400
#define STEPS		1200

/* The launcher's port: note the counters; NEXT: take the next number of shadow pages. */
#define PORT_MARK	0xf5
#define NEXT		255

struct process {
	int wake[2], done[2];
};

static struct process process[PROCESSES];
static double share[PROCESSES];		/* of the steps, summed up */
static uint64_t seed = 88172645463325252ULL;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* xorshift64: the same sequence in each run. */
static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void mark(uint8_t what)
{
	check(!ioperm(PORT_MARK, 1, 1), "ioperm");
	outb(what, PORT_MARK);
	check(!ioperm(PORT_MARK, 1, 0), "ioperm");
}

static void use_table(char *mem, unsigned int table)
{
	unsigned int i;

	/* Not neighbours, which shvm would map with the first of them. */
	for (i = 0; i < PAGES; i++)
		++*(volatile char *)(mem + table * TABLE + i * 37 * PAGE);
}

static void child(const struct process *p, unsigned int nr)
{
	char *mem = mmap(NULL, (HOT_TABLES + COLD_TABLES + 1) * TABLE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned int i, step;
	char byte;

	check(mem != MAP_FAILED, "mmap");
	mem = (char *)(((uintptr_t)mem + TABLE - 1) & ~(TABLE - 1));
	check(!madvise(mem, (HOT_TABLES + COLD_TABLES) * TABLE, MADV_NOHUGEPAGE), "madvise");
	for (i = 0; i < HOT_TABLES + COLD_TABLES; i++)
		use_table(mem, i);
	for (step = nr; read(p->wake[0], &byte, 1) == 1; step++) {
		for (i = 0; i < HOT_TABLES; i++)
			use_table(mem, i);
		if (step % COLD_SHARE == 0)
			use_table(mem, HOT_TABLES + step / COLD_SHARE % COLD_TABLES);
		check(write(p->done[1], &byte, 1) == 1, "write");
	}
	exit(0);
}

static void start(unsigned int nr)
{
	struct process *p = &process[nr];
	pid_t pid;

	check(!pipe(p->wake) && !pipe(p->done), "pipe");
	pid = fork();
	check(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child(p, nr);
	}
}

static void step(unsigned int nr)
{
	char byte = 0;

	check(write(process[nr].wake[1], &byte, 1) == 1, "write");
	check(read(process[nr].done[0], &byte, 1) == 1, "read");
}

/* Which processes are the frequent ones has nothing to do with their age. */
static unsigned int choose(void)
{
	double at = (draw() >> 11) / 9007199254740992.0 * share[PROCESSES - 1];	/* 2^53 */
	unsigned int i;

	for (i = 0; i < PROCESSES - 1 && share[i] < at; i++)
		;
	return i * 17 % PROCESSES;
}

static void steps(unsigned int n)
{
	while (n--)
		step(choose());
}

static void measure(const char *name, uint8_t nr)
{
	uint64_t start_at;

	mark(NEXT);
	steps(WARM_UP);
	mark(nr);
	start_at = __rdtsc();
	steps(STEPS);
	start_at = __rdtsc() - start_at;
	mark(nr);
	printf("row %s %u %llu\n", name, STEPS, (unsigned long long)start_at);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 0; i < PROCESSES; i++)
		share[i] = (i ? share[i - 1] : 0) + 1.0 / (i + 1);
	for (i = 0; i < PROCESSES; i++)
		start(i);
	for (i = 0; i < PROCESSES; i++)
		step(i);
	for (i = 1; i < argc; i++)
		measure(argv[i], i);
	return 0;
}
