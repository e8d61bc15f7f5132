// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the load of bench/swap, in a guest or not, in a memory cgroup with too little memory, and
 * prints what became of it, as lines of "swap NAME VALUE".
 *
 * The limit is found, not given: it is changed until the wanted number of the load's pages is in
 * memory, whatever else is charged to the group, and then left alone.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define NEAR		32	/* a limit is found if as many pages as wanted but for 1/32 */
#define ROUNDS_GOOD	12	/* are in memory so often in a row */
#define PARTS		8	/* of a round, while the limit is far off */
#define NO_LIMIT	(1ULL << 40)
#define STRIDE		1024	/* pages */
#define EVENTS		"/sys/kernel/debug/swapprobe/events"

struct options {
	const char *group, *marks;
	const char *seeds;	/* with a space between them */
	uint32_t resident;	/* pages of the load that are to be in memory */
	uint32_t start;		/* a limit that is too high */
	uint32_t rounds, round;	/* to find the limit: at most so often so many steps */
	uint32_t steps;		/* measured ones */
	uint32_t neighbour;	/* pages */
};

void die(const char *what, const char *detail)
{
	fprintf(stderr, "watch: %s %s\n", what, detail);
	exit(1);
}

void *allocate(size_t n, size_t size)
{
	void *mem = calloc(n, size);

	if (!mem)
		die("out of", "memory");
	return mem;
}

static FILE *group_open(const struct options *o, const char *name, const char *mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", o->group, name);
	f = fopen(path, mode);
	if (!f)
		die("cannot open", path);
	return f;
}

static uint64_t group_usage(const struct options *o)
{
	FILE *f = group_open(o, "memory.current", "r");
	unsigned long long bytes = 0;

	if (fscanf(f, "%llu", &bytes) != 1)
		die("cannot read", "memory.current");
	fclose(f);
	return bytes / LOAD_PAGE;
}

static void group_limit(const struct options *o, uint64_t pages)
{
	FILE *f = group_open(o, "memory.max", "w");

	fprintf(f, "%llu\n", (unsigned long long)pages * LOAD_PAGE);
	if (fclose(f))
		die("cannot set", "memory.max");
}

/* A figure of a file of "NAME VALUE". */
static uint64_t figure(FILE *f, const char *name)
{
	char line[256];
	size_t len = strlen(name);
	uint64_t value = 0;

	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ' ')
			value = strtoull(line + len, NULL, 10);
	fclose(f);
	return value;
}

enum { IN, OUT, REFAULTS, FIGURES };

static void figures_read(const struct options *o, uint64_t *to)
{
	to[IN] = figure(fopen("/proc/vmstat", "r"), "pswpin");
	to[OUT] = figure(fopen("/proc/vmstat", "r"), "pswpout");
	to[REFAULTS] = figure(group_open(o, "memory.stat", "r"), "workingset_refault_anon");
}

static void go(struct watched *w, uint32_t steps, uint64_t *ticks, uint64_t *longest)
{
	unsigned long long t, l;
	char line[32];
	uint32_t did;

	snprintf(line, sizeof(line), "go %u", steps);
	watched_say(w, line);
	if (sscanf(watched_answer(w, "did "), "%u steps, %llu ticks, longest %llu", &did, &t,
		   &l) != 3 || did != steps)
		die("too few steps of", line);
	*ticks = t;
	*longest = l;
}

/*
 * Down to a limit that is surely too high, in small steps: what was never used since the guest
 * booted is the first to go, and the load runs in between so that its hot pages stay hot.
 */
static uint64_t approach(struct watched *w, const struct options *o)
{
	uint64_t limit = group_usage(o), ticks, longest;

	while (limit > o->start) {
		limit = limit > o->start + STRIDE ? limit - STRIDE : o->start;
		group_limit(o, limit);
		go(w, o->round / PARTS, &ticks, &longest);
	}
	return limit;
}

/* The limit at which the wanted number of the load's pages stays in memory. */
static uint64_t find_limit(struct watched *w, const struct options *o, uint64_t limit)
{
	const int near = o->resident / NEAR;
	uint64_t ticks, longest;
	uint32_t i, good = 0;
	int error;

	for (i = 0; good < ROUNDS_GOOD; i++) {
		if (i == o->rounds)
			die("found no limit for", o->group);
		error = (int)o->resident - (int)watched_resident(w, NULL);
		good = abs(error) <= near ? good + 1 : 0;
		limit += abs(error) <= near ? error / 2 : error;
		group_limit(o, limit);
		go(w, abs(error) > PARTS * near ? o->round / PARTS : o->round, &ticks, &longest);
		fprintf(stderr, "# round %u: error %d, limit %llu, ticks %llu\n", i, error,
			(unsigned long long)limit, (unsigned long long)ticks);
	}
	return limit;
}

static void events_reset(void)
{
	FILE *f = fopen(EVENTS, "w");

	if (!f)
		die("cannot open", EVENTS);
	fputs("0\n", f);
	fclose(f);
}

static struct swap_event *events_read(uint32_t *nr)
{
	uint32_t max = 1 << 16;
	struct swap_event *event = NULL;
	FILE *f = fopen(EVENTS, "r");
	size_t n;

	if (!f)
		die("cannot open", EVENTS);
	*nr = 0;
	do {
		max *= 2;
		event = realloc(event, max * sizeof(*event));
		if (!event)
			die("out of", "memory");
		n = fread(event + *nr, sizeof(*event), max - *nr, f);
		*nr += n;
	} while (n);
	fclose(f);
	return event;
}

static void measure(struct watched *w, const struct options *o, struct neighbour *n)
{
	uint64_t before[FIGURES], after[FIGURES], ticks, longest;
	struct evictions e = { .w = w };
	struct neighbour then, now;
	const uint32_t per_step = w->report.setup.per_step;

	watched_clock(w, o->marks);
	e.first = w->report.steps;
	e.resident = allocate(w->report.pages, 1);
	events_reset();
	figures_read(o, before);
	n->longest = 0;
	then = *n;
	printf("swap resident_first %u\n", watched_resident(w, e.resident));
	go(w, o->steps, &ticks, &longest);
	now = *n;
	if (now.accesses == then.accesses)
		die("nothing came from", "the neighbour");
	figures_read(o, after);
	e.event = events_read(&e.nr_events);
	printf("swap resident_last %u\n", watched_resident(w, NULL));
	e.step_time = watched_steps(w);
	e.steps = w->report.steps;
	printf("swap hot_accesses %llu\n", (unsigned long long)o->steps * per_step);
	printf("swap accesses %llu\n", (unsigned long long)o->steps * (per_step + 1));
	printf("swap ticks %llu\n", (unsigned long long)ticks);
	printf("swap longest %llu\n", (unsigned long long)longest);
	printf("swap pswpin %llu\n", (unsigned long long)(after[IN] - before[IN]));
	printf("swap pswpout %llu\n", (unsigned long long)(after[OUT] - before[OUT]));
	printf("swap refault_anon %llu\n",
	       (unsigned long long)(after[REFAULTS] - before[REFAULTS]));
	printf("swap neighbour_accesses %llu\n",
	       (unsigned long long)(now.accesses - then.accesses));
	printf("swap neighbour_ticks %llu\n", (unsigned long long)(now.ticks - then.ticks));
	printf("swap neighbour_longest %llu\n", (unsigned long long)now.longest);
	evictions_report(&e);
	free(e.resident);
	free((void *)e.event);
	free((void *)e.step_time);
}

/* Without reclaim and whom it would be for. */
static void measure_ageing(struct watched *w, const struct options *o, uint64_t limit)
{
	neighbour_pause(true);
	group_limit(o, NO_LIMIT);
	ageing_report(w, o->marks);
	group_limit(o, limit);
	neighbour_pause(false);
}

static void measure_all(struct watched *w, const struct options *o, struct neighbour *n)
{
	uint64_t limit = approach(w, o);
	unsigned long long seed;
	const char *at = o->seeds;
	char line[64];
	int used;

	for (; sscanf(at, "%llu%n", &seed, &used) == 1; at += used) {
		snprintf(line, sizeof(line), "seed %llu", seed);
		watched_say(w, line);
		watched_answer(w, "began");
		limit = find_limit(w, o, limit);
		printf("seed %llu\nswap limit %llu\n", seed, (unsigned long long)limit);
		measure(w, o, n);
		if (w->report.is_guest)
			measure_ageing(w, o, limit);
	}
}

static void usage(void)
{
	puts("Usage: watch --group DIR --resident PAGES --start PAGES --rounds N --round STEPS\n"
	     "             --steps STEPS --seeds \"N...\" --neighbour PAGES [--marks FILE] COMMAND...\n"
	     "Runs the load of bench/swap by COMMAND in the memory cgroup DIR; see bench/swap.");
}

static const char *next(char ***arg)
{
	if (!*++*arg)
		die("no value of", (*arg)[-1]);
	return **arg;
}

static char **parse(struct options *o, char **arg)
{
	for (; *arg && !strncmp(*arg, "--", 2); arg++) {
		if (!strcmp(*arg, "--group"))
			o->group = next(&arg);
		else if (!strcmp(*arg, "--marks"))
			o->marks = next(&arg);
		else if (!strcmp(*arg, "--seeds"))
			o->seeds = next(&arg);
		else if (!strcmp(*arg, "--resident"))
			o->resident = atoi(next(&arg));
		else if (!strcmp(*arg, "--start"))
			o->start = atoi(next(&arg));
		else if (!strcmp(*arg, "--rounds"))
			o->rounds = atoi(next(&arg));
		else if (!strcmp(*arg, "--round"))
			o->round = atoi(next(&arg));
		else if (!strcmp(*arg, "--steps"))
			o->steps = atoi(next(&arg));
		else if (!strcmp(*arg, "--neighbour"))
			o->neighbour = atoi(next(&arg));
		else
			die("see --help: no option", *arg);
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct watched w = { 0 };
	struct neighbour *n;
	char **command;

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		usage();
		return argc < 2;
	}
	command = parse(&o, argv + 1);
	if (!o.group || !o.seeds || !*command)
		die("no group, seeds or command;", "see --help");
	setlinebuf(stdout);
	n = neighbour_start(o.group, o.neighbour);
	watched_start(&w, o.group, command);
	watched_find(&w, watched_ready(&w));
	measure_all(&w, &o, n);
	neighbour_end();
	watched_end(&w);
	return 0;
}
