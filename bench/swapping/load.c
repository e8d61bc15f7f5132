// SPDX-License-Identifier: GPL-2.0-only
/*
 * The load of bench/swap: the same program as a process of the machine and in a guest. Does what
 * the lines on its standard input say, and answers each by a line that starts with "load":
 *
 *	seed N	begin anew with another seed
 *	go N	N steps, see access.h
 *	clock	write marks, to compare clocks by
 *	touch	one access to each hot page
 *	quit
 *
 * Each page holds its own number, which every access checks, and the time of its last use.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "access.h"

#define FILLED_WORDS	256	/* of a page, by what does not compress */

static struct load_report *report;
static uint64_t *where, *step_time;
static uint8_t *pages;
static struct accesses accesses;

/* What a "go" found. */
static uint64_t longest;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void *map(unsigned long at, size_t size)
{
	void *mem = mmap((void *)at, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	check(mem != MAP_FAILED, "mmap");
	check(!madvise(mem, size, MADV_NOHUGEPAGE), "madvise");
	return mem;
}

static uint64_t *page_of(uint32_t nr)
{
	return (uint64_t *)(pages + nr * LOAD_PAGE);
}

static void fill(uint32_t nr)
{
	uint64_t state = nr + 1, *page = page_of(nr);
	int i;

	for (i = 2; i < FILLED_WORDS; i++)
		page[i] = random_next(&state);
	page[0] = 0;
	page[1] = nr;
}

static uint64_t frame_of(int fd, const void *at)
{
	uint64_t entry;

	check(pread(fd, &entry, 8, (uintptr_t)at / LOAD_PAGE * 8) == 8, "/proc/self/pagemap");
	return entry & ((1ULL << 55) - 1);
}

/* Where the host finds the load's pages, and this report. */
static void note_places(size_t report_size)
{
	uint32_t i;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY);
	check(fd >= 0, "/proc/self/pagemap");
	for (i = 0; i < report->pages; i++)
		where[i] = report->is_guest ? frame_of(fd, page_of(i)) : (uintptr_t)page_of(i);
	for (i = 0; i < report_size / LOAD_PAGE; i++)
		report->frame[i] = frame_of(fd, (uint8_t *)report + i * LOAD_PAGE);
	close(fd);
}

static void prepare(const struct load_setup *setup, uint32_t steps, bool is_guest)
{
	uint32_t i, nr = setup->hot + setup->cold;
	size_t size = LOAD_PAGE + (nr + steps) * sizeof(uint64_t);

	size = (size + LOAD_PAGE - 1) & -LOAD_PAGE;
	if (size > LOAD_FRAMES * LOAD_PAGE) {
		fprintf(stderr, "load: %u pages and %u steps are too many\n", nr, steps);
		exit(1);
	}
	report = map(0, size);
	where = (uint64_t *)((uint8_t *)report + LOAD_PAGE);
	step_time = where + nr;
	memset(where, 0xff, size - LOAD_PAGE);
	pages = map(LOAD_AT, nr * LOAD_PAGE);
	for (i = 0; i < nr; i++)
		fill(i);
	report->setup = *setup;
	report->steps_max = steps;
	report->is_guest = is_guest;
	report->pages = nr;
	note_places(size);
	accesses_init(&accesses, setup);
	report->magic = LOAD_MAGIC;
	printf("load ready %#llx\n", is_guest ? (unsigned long long)report->frame[0] * LOAD_PAGE :
						(unsigned long long)(uintptr_t)report);
}

static void use(uint32_t nr)
{
	volatile uint64_t *page = page_of(nr);
	uint64_t start = __rdtsc(), end;

	if (page[1] != nr) {
		printf("load corrupt: page %u says it is page %llu\n", nr,
		       (unsigned long long)page[1]);
		exit(2);
	}
	page[0] = start;
	end = __rdtsc();
	if (end - start > longest)
		longest = end - start;
}

/* The guest's TSC and the machine's differ by what the marks tell. */
static void note_clock(void)
{
	int i;

	check(!report->is_guest || !ioperm(PORT_MARK, 1, 1), "ioperm");
	for (i = 0; report->is_guest && i < LOAD_CLOCKS; i++) {
		report->clock[i].before = __rdtsc();
		outb(i, PORT_MARK);
		report->clock[i].after = __rdtsc();
	}
	check(!report->is_guest || !ioperm(PORT_MARK, 1, 0), "ioperm");
	puts("load clock");
}

static void go(uint32_t steps)
{
	uint64_t start = __rdtsc();
	uint32_t i, done;

	longest = 0;
	for (done = 0; done < steps && report->steps < report->steps_max; done++) {
		step_time[report->steps++] = __rdtsc();
		for (i = 0; i < report->setup.per_step; i++)
			use(accesses_hot(&accesses));
		use(accesses_cold(&accesses));
	}
	printf("load did %u steps, %llu ticks, longest %llu\n", done,
	       (unsigned long long)(__rdtsc() - start), (unsigned long long)longest);
}

static void begin(uint64_t seed)
{
	report->setup.seed = seed;
	report->steps = 0;
	free(accesses.order);
	free(accesses.share);
	accesses_init(&accesses, &report->setup);
	puts("load began");
}

static void touch(void)
{
	uint32_t i;

	for (i = 0; i < report->setup.hot; i++)
		use(accesses.order[i]);
	puts("load touched");
}

static void usage(void)
{
	puts("Usage: load [--guest] zipf|uniform HOT COLD PER_STEP STEPS\n"
	     "The load of bench/swap: HOT and COLD are pages, PER_STEP the hot accesses for each\n"
	     "cold one, STEPS the most steps of all. Controlled by standard input.\n"
	     "  --guest  runs in a guest: say physical addresses, and write marks");
}

static int run(void)
{
	char line[64];

	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "go ", 3))
			go(strtoul(line + 3, NULL, 10));
		else if (!strncmp(line, "seed ", 5))
			begin(strtoull(line + 5, NULL, 10));
		else if (!strcmp(line, "clock\n"))
			note_clock();
		else if (!strcmp(line, "touch\n"))
			touch();
		else if (!strcmp(line, "quit\n"))
			return 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool is_guest = argc > 1 && !strcmp(argv[1], "--guest");
	char **arg = argv + 1 + is_guest;
	struct load_setup setup;

	if (argc - is_guest != 6 || (strcmp(arg[0], "zipf") && strcmp(arg[0], "uniform"))) {
		usage();
		return !(argc == 2 && !strcmp(argv[1], "--help"));
	}
	setup.seed = 0;
	setup.zipf = !strcmp(arg[0], "zipf");
	setup.hot = strtoul(arg[1], NULL, 10);
	setup.cold = strtoul(arg[2], NULL, 10);
	setup.per_step = strtoul(arg[3], NULL, 10);
	setlinebuf(stdout);
	prepare(&setup, strtoul(arg[4], NULL, 10), is_guest);
	return run();
}
