// SPDX-License-Identifier: GPL-2.0-only
/*
 * What operations that live on page tables cost, in ticks of the TSC. Runs as a program of the
 * guest, or of the machine itself for comparison; in the emulated machine with one CPU a tick is
 * one instruction. Prints one line per row: "row NAME OPERATIONS TICKS", TICKS for all of them.
 *
 * The rows are defined here, by what the functions do; begin() and end() enclose what is measured.
 * Memory is never backed by huge pages.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE		4096UL
#define PAGES		4096U
#define CHURN_PAGES	16U
#define PORT_TIMER_GATE	0x61
#define MMIO_HOLE	0xd0000000	/* no memory and no device, here and in guests */

/* The launcher's port for "note the counters now"; MARK_BOOT, else 1 + the number of the row. */
#define PORT_MARK	0xf5
#define MARK_BOOT	0

static const char *self;
static bool marking;
static bool magic;	/* tell the emulator's debugger where the operations begin and end */
static uint8_t mark_of_row;
static uint64_t start, ticks;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Gives the port up again: a process that may use ports is slower to switch to. */
static void mark(uint8_t what)
{
	if (!marking)
		return;
	check(!ioperm(PORT_MARK, 1, 1), "ioperm");
	outb(what, PORT_MARK);
	check(!ioperm(PORT_MARK, 1, 0), "ioperm");
}

/* Stops an emulator that was told to take this for a breakpoint; does nothing elsewhere. */
static void magic_break(void)
{
	if (magic)
		asm volatile("xchg %bx, %bx");
}

static void begin(void)
{
	mark(mark_of_row);
	magic_break();
	start = __rdtsc();
}

static void end(void)
{
	ticks = __rdtsc() - start;
	magic_break();
	mark(mark_of_row);
}

static char *map(unsigned int pages)
{
	char *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(mem != MAP_FAILED, "mmap");
	check(!madvise(mem, pages * PAGE, MADV_NOHUGEPAGE), "madvise");
	return mem;
}

static void unmap(char *mem, unsigned int pages)
{
	check(!munmap(mem, pages * PAGE), "munmap");
}

static void touch(char *mem, unsigned int pages)
{
	unsigned int i;

	for (i = 0; i < pages; i++)
		*(volatile char *)(mem + i * PAGE) = i;
}

static void wait_for(pid_t pid)
{
	int status;

	check(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "child");
}

/* What the marks themselves cost in exits; to be taken off the other rows. */
static void row_marks(unsigned int n)
{
	(void)n;
	begin();
	end();
}

/* One system call that does nothing. */
static void row_getppid(unsigned int n)
{
	begin();
	while (n--)
		syscall(SYS_getppid);
	end();
}

static bool memory_used;

/* First store to each page of new memory that the kernel never handed out before. */
static void row_fault(unsigned int n)
{
	char *mem = map(n);

	begin();
	touch(mem, n);
	end();
	unmap(mem, n);
	memory_used = true;
}

/* The same on memory that the kernel has handed out before. */
static void row_refault(unsigned int n)
{
	char *mem;

	if (!memory_used) {
		mem = map(n);
		touch(mem, n);
		unmap(mem, n);
	}
	row_fault(n);
}

/* A child stores to every page that it shares with its parent; fork, exit and wait included. */
static void row_cow(unsigned int n)
{
	char *mem = map(n);
	pid_t pid;

	touch(mem, n);
	begin();
	pid = fork();
	if (!pid) {
		touch(mem, n);
		_exit(0);
	}
	wait_for(pid);
	end();
	unmap(mem, n);
}

/* Map 16 pages, store to each, unmap. */
static void row_churn(unsigned int n)
{
	begin();
	while (n--) {
		char *mem = map(CHURN_PAGES);

		touch(mem, CHURN_PAGES);
		unmap(mem, CHURN_PAGES);
	}
	end();
}

static void row_fork_exit(unsigned int n)
{
	begin();
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_for(pid);
	}
	end();
}

static void run_self(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl(self, self, "--nothing", (char *)NULL);
		_exit(1);
	}
	wait_for(pid);
}

/* A static program of 0.8 MB that ends at once, by vfork. */
static void row_fork_exec(unsigned int n)
{
	begin();
	while (n--)
		run_self();
	end();
}

static void pipe_partner(int from, int to, unsigned int n)
{
	char c;

	while (n--)
		check(read(from, &c, 1) == 1 && write(to, &c, 1) == 1, "pipe");
	_exit(0);
}

/* Two processes pass a byte to and fro: two switches per round trip, n switches. */
static void row_pipe(unsigned int n)
{
	unsigned int i;
	int a[2], b[2];
	char c = 0;
	pid_t pid;

	check(!pipe(a) && !pipe(b), "pipe");
	begin();
	pid = fork();
	if (!pid)
		pipe_partner(a[0], b[1], n / 2);
	for (i = 0; i < n / 2; i++)
		check(write(a[1], &c, 1) == 1 && read(b[0], &c, 1) == 1, "pipe");
	wait_for(pid);
	end();
}

/* Always an exit under VT-x. */
static void row_cpuid(unsigned int n)
{
	unsigned int a, b, c, d;

	begin();
	while (n--)
		__cpuid(0, a, b, c, d);
	end();
}

/* A port of the interrupt and timer chips, which the kernel module emulates itself. */
static void row_port(unsigned int n)
{
	check(!ioperm(PORT_TIMER_GATE, 1, 1), "ioperm");
	begin();
	while (n--)
		inb(PORT_TIMER_GATE);
	end();
	check(!ioperm(PORT_TIMER_GATE, 1, 0), "ioperm");
}

/* The guest has no device nodes. */
static int open_physical_memory(void)
{
	static const char path[] = "/dev/mem";
	int fd;

	check(!access(path, F_OK) || !mknod(path, S_IFCHR | 0600, makedev(1, 1)), "mknod");
	fd = open(path, O_RDONLY | O_SYNC);
	check(fd >= 0, path);
	return fd;
}

/* A device's register that the VMM answers: 4 bytes of physical addresses without memory. */
static void row_mmio(unsigned int n)
{
	int fd = open_physical_memory();
	const volatile uint32_t *reg = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, MMIO_HOLE);
	uint32_t seen = ~0U;

	check(reg != MAP_FAILED, "mmap");
	begin();
	while (n--)
		seen &= *reg;
	end();
	check(!munmap((void *)reg, PAGE) && !close(fd), "munmap");
	if (seen == ~0U)
		return;
	fprintf(stderr, "mmubench: something answers at %#x: the row mmio means nothing\n",
		MMIO_HOLE);
	exit(1);
}

static const struct row {
	const char *name;
	void (*run)(unsigned int n);
	unsigned int n;
} rows[] = {
	{ "marks", row_marks, 1 },
	{ "getppid", row_getppid, 10000 },
	{ "fault", row_fault, PAGES },
	{ "refault", row_refault, PAGES },
	{ "cow", row_cow, PAGES },
	{ "churn", row_churn, 300 },
	{ "fork_exit", row_fork_exit, 100 },
	{ "fork_exec", row_fork_exec, 60 },
	{ "pipe", row_pipe, 4000 },
	{ "cpuid", row_cpuid, 2000 },
	{ "port", row_port, 2000 },
	{ "mmio", row_mmio, 2000 },
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static void usage(void)
{
	size_t i;

	printf("Usage: mmubench [--marks] [ROW]...\n"
	       "       mmubench [--marks] --profile COUNT ROW\n"
	       "Measures the rows, all of them if none is named, and prints for each\n"
	       "\"row NAME OPERATIONS TICKS\".\n"
	       "  --marks   in a guest of shvm-run --marks: note its counters before and after\n"
	       "  --profile the row as usual, to warm up, then COUNT operations between two\n"
	       "            breakpoints of an emulator (xchg %%bx, %%bx)\n"
	       "Rows:");
	for (i = 0; i < NR_ROWS; i++)
		printf(" %s", rows[i].name);
	printf("\n");
}

static bool is_wanted(const struct row *row, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, row->name))
			return true;
	return false;
}

static bool is_row(const char *name)
{
	size_t i;

	for (i = 0; i < NR_ROWS; i++)
		if (!strcmp(name, rows[i].name))
			return true;
	return false;
}

static void run_row(const struct row *row, unsigned int n)
{
	mark_of_row = row - rows + 1;
	row->run(n);
	printf("row %s %u %llu\n", row->name, n, (unsigned long long)ticks);
	fflush(stdout);
}

/* args: COUNT ROW */
static int profile(char **args)
{
	unsigned long n = args[0] ? strtoul(args[0], NULL, 10) : 0;
	size_t i;

	if (!n || n > PAGES || !args[1] || !is_row(args[1]) || args[2]) {
		fprintf(stderr, "mmubench: --profile takes a count up to %u and a row\n", PAGES);
		return 1;
	}
	for (i = 0; strcmp(args[1], rows[i].name); i++)
		;
	run_row(&rows[i], rows[i].n);
	magic = true;
	run_row(&rows[i], n);
	return 0;
}

int main(int argc, char **argv)
{
	char **names = argv + 1;
	size_t i;

	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		usage();
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--marks")) {
		marking = true;
		names++;
	}
	if (names[0] && !strcmp(names[0], "--profile")) {
		mark(MARK_BOOT);
		return profile(names + 1);
	}
	for (i = 0; names[i]; i++) {
		if (is_row(names[i]))
			continue;
		fprintf(stderr, "mmubench: no row \"%s\"; --help lists them\n", names[i]);
		return 1;
	}
	mark(MARK_BOOT);
	for (i = 0; i < NR_ROWS; i++) {
		if (is_wanted(&rows[i], names))
			run_row(&rows[i], rows[i].n);
	}
	return 0;
}
