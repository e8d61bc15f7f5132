// SPDX-License-Identifier: GPL-2.0-only
/*
 * What operations that live on page tables cost, in TSC ticks per operation. Runs as a program of
 * the guest, or of the machine itself for comparison; in the emulated machine with one CPU a tick
 * is one instruction. Prints one line per row: "row NAME TICKS".
 *
 * The rows are defined here, by what the functions do. Memory is never backed by huge pages.
 */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE		4096UL
#define PAGES		4096UL
#define PORT_TIMER_GATE	0x61

static const char *self;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static char *map(unsigned long pages)
{
	char *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(mem != MAP_FAILED, "mmap");
	check(!madvise(mem, pages * PAGE, MADV_NOHUGEPAGE), "madvise");
	return mem;
}

static void touch(char *mem, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		*(volatile char *)(mem + i * PAGE) = i;
}

static void wait_for(pid_t pid)
{
	int status;

	check(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "child");
}

/* One system call that does nothing. */
static uint64_t row_getppid(void)
{
	const int n = 10000;
	uint64_t start = __rdtsc();
	int i;

	for (i = 0; i < n; i++)
		syscall(SYS_getppid);
	return (__rdtsc() - start) / n;
}

/* First store to each page of new memory that the kernel never handed out before. */
static uint64_t row_fault(void)
{
	char *mem = map(PAGES);
	uint64_t start = __rdtsc();

	touch(mem, PAGES);
	start = __rdtsc() - start;
	check(!munmap(mem, PAGES * PAGE), "munmap");
	return start / PAGES;
}

/* A child stores to every page that it shares with its parent; fork, exit and wait included. */
static uint64_t row_cow(void)
{
	char *mem = map(PAGES);
	uint64_t start;
	pid_t pid;

	touch(mem, PAGES);
	start = __rdtsc();
	pid = fork();
	if (!pid) {
		touch(mem, PAGES);
		_exit(0);
	}
	wait_for(pid);
	start = __rdtsc() - start;
	check(!munmap(mem, PAGES * PAGE), "munmap");
	return start / PAGES;
}

/* Map 16 pages, store to each, unmap. */
static uint64_t row_churn(void)
{
	const int n = 300;
	uint64_t start = __rdtsc();
	int i;

	for (i = 0; i < n; i++) {
		char *mem = map(16);

		touch(mem, 16);
		check(!munmap(mem, 16 * PAGE), "munmap");
	}
	return (__rdtsc() - start) / n;
}

static uint64_t row_fork_exit(void)
{
	const int n = 100;
	uint64_t start = __rdtsc();
	int i;

	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_for(pid);
	}
	return (__rdtsc() - start) / n;
}

static uint64_t row_fork_exec(void)
{
	const int n = 60;
	uint64_t start = __rdtsc();
	int i;

	for (i = 0; i < n; i++) {
		pid_t pid = vfork();

		if (!pid) {
			execl(self, self, "--nothing", (char *)NULL);
			_exit(1);
		}
		wait_for(pid);
	}
	return (__rdtsc() - start) / n;
}

static void pass_bytes(int from, int to, int n)
{
	char c = 0;

	while (n--)
		check(write(to, &c, 1) == 1 && read(from, &c, 1) == 1, "pipe");
}

/* Two processes pass a byte to and fro: two switches per round trip. */
static uint64_t row_pipe(void)
{
	const int n = 2000;
	uint64_t start;
	int a[2], b[2];
	pid_t pid;

	check(!pipe(a) && !pipe(b), "pipe");
	start = __rdtsc();
	pid = fork();
	if (!pid) {
		char c;
		int i;

		for (i = 0; i < n; i++)
			check(read(a[0], &c, 1) == 1 && write(b[1], &c, 1) == 1, "pipe");
		_exit(0);
	}
	pass_bytes(b[0], a[1], n);
	wait_for(pid);
	return (__rdtsc() - start) / (2 * n);
}

/* Always an exit under VT-x. */
static uint64_t row_cpuid(void)
{
	const int n = 2000;
	unsigned int a, b, c, d;
	uint64_t start = __rdtsc();
	int i;

	for (i = 0; i < n; i++)
		__cpuid(0, a, b, c, d);
	return (__rdtsc() - start) / n;
}

/* A port of the interrupt and timer chips, which the kernel module emulates itself. */
static uint64_t row_port(void)
{
	const int n = 2000;
	uint64_t start;
	int i;

	check(!ioperm(PORT_TIMER_GATE, 1, 1), "ioperm");
	start = __rdtsc();
	for (i = 0; i < n; i++)
		inb(PORT_TIMER_GATE);
	return (__rdtsc() - start) / n;
}

static const struct {
	const char *name;
	uint64_t (*run)(void);
} rows[] = {
	{ "getppid", row_getppid },
	{ "fault", row_fault },
	{ "refault", row_fault },	/* the same memory, which the guest has now used before */
	{ "cow", row_cow },
	{ "churn", row_churn },
	{ "fork_exit", row_fork_exit },
	{ "fork_exec", row_fork_exec },
	{ "pipe", row_pipe },
	{ "cpuid", row_cpuid },
	{ "port", row_port },
};

int main(int argc, char **argv)
{
	size_t i;

	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (argc > 1 && strcmp(argv[1], rows[i].name))
			continue;
		printf("row %s %llu\n", rows[i].name, (unsigned long long)rows[i].run());
		fflush(stdout);
	}
	return 0;
}
