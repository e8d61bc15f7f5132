// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs scenarios under many schedules: first without a preemption, then with one more after the
 * other, all that could matter as long as there are few of them, else a random choice. A failure
 * prints the schedule that repeats it.
 */
#include <getopt.h>
#include <signal.h>

#include "sched.h"

/* Not there without a sanitizer. */
#pragma weak __sanitizer_set_death_callback
void __sanitizer_set_death_callback(void (*fn)(void));

#define MAX_BOUND	4
#define MAX_BRANCHES	20000

static const char *program;

static struct {
	u64 runs, seed;
	int bound;
	bool trace;
} options = { .runs = 2000, .bound = 3 };

/* What is under way. */
static struct {
	const struct scenario *scenario;
	struct schedule schedule;
	bool told;
} now;

struct queue {
	struct schedule *s;
	u32 nr, size;
};

void fail_repeat(void)
{
	int i;

	if (!now.scenario || now.told)
		return;
	now.told = true;
	printf("\n# repeat: --scenario %s --schedule ", now.scenario->name);
	for (i = 0; i < now.schedule.nr; i++)
		printf("%s%u:%u", i ? "," : "", now.schedule.d[i].step, now.schedule.d[i].thread);
	printf("%s\n", now.schedule.nr ? "" : "none");
	sched_describe();
	fflush(stdout);
}

static void aborted(int sig)
{
	fail_repeat();
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void run(const struct scenario *sc, const struct schedule *s)
{
	now.scenario = sc;
	now.schedule = *s;
	scenario_run(sc, s);
	if (options.trace) {
		printf("# %u steps\n", sched_steps());
		fail_repeat();
	}
	now.scenario = NULL;
}

static void queue_add(struct queue *q, const struct schedule *s, const struct branch *b)
{
	struct schedule *new;

	if (q->nr == q->size) {
		q->size = q->size ? 2 * q->size : 1024;
		q->s = realloc(q->s, q->size * sizeof(*q->s));
		CHECK(q->s, "no memory for the test itself");
	}
	new = &q->s[q->nr++];
	*new = *s;
	if (b)
		new->d[new->nr++] = b->d;
	new->preemptions += b && b->is_preemption;
}

static void add_branches(struct queue *same, struct queue *next, const struct schedule *s)
{
	static struct branch branch[MAX_BRANCHES];
	u32 n, i;

	if (s->nr == MAX_DECISIONS)
		return;
	n = sched_branches(branch, MAX_BRANCHES);
	for (i = 0; i < n; i++)
		if (!branch[i].is_preemption)
			queue_add(same, s, &branch[i]);
		else if (next)
			queue_add(next, s, &branch[i]);
}

/* One level of preemptions. Returns how many runs; *rest: how many were left out. */
static u64 explore_level(const struct scenario *sc, struct queue *level, struct queue *next,
			 u64 most, u64 *rnd, u64 *rest)
{
	u64 n;
	u32 i;

	for (n = 0; level->nr && n < most; n++) {
		struct schedule s;

		i = rnd_next(rnd) % level->nr;
		s = level->s[i];
		level->s[i] = level->s[--level->nr];
		run(sc, &s);
		add_branches(level, next, &s);
	}
	*rest = level->nr;
	return n;
}

static void explore(const struct scenario *sc)
{
	struct queue level[MAX_BOUND + 2] = { };
	const struct schedule empty = { };
	u64 rnd = options.seed, left = options.runs, rest, n;
	int bound;

	queue_add(&level[0], &empty, NULL);
	printf("# %s:", sc->name);
	for (bound = 0; bound <= options.bound; bound++) {
		/* Half of what is left, so that deeper levels get something too. */
		n = explore_level(sc, &level[bound],
				  bound < options.bound ? &level[bound + 1] : NULL,
				  bound < options.bound ? (left + 1) / 2 : left, &rnd, &rest);
		left -= n;
		printf(" %llu with %d%s", n, bound, rest ? " (not all)" : "");
	}
	printf(" preemptions\n");
	for (bound = 0; bound <= options.bound; bound++)
		free(level[bound].s);
}

static int parse_schedule(const char *text, struct schedule *s)
{
	unsigned int step, thread;
	int used;

	memset(s, 0, sizeof(*s));
	while (*text && strcmp(text, "none")) {
		if (s->nr == MAX_DECISIONS || sscanf(text, "%u:%u%n", &step, &thread, &used) != 2 ||
		    thread >= MAX_THREADS)
			return -EINVAL;
		s->d[s->nr++] = (struct decision){ step, thread };
		text += used;
		text += *text == ',';
	}
	return 0;
}

static void usage(void)
{
	printf("usage: %s [OPTION...]\n"
	       "Runs the shadow MMU's races under a controlled scheduler.\n"
	       "  --list             names of the scenarios\n"
	       "  --scenario NAME    only this one\n"
	       "  --bound N          most preemptions in one schedule (default: 3, at most %d)\n"
	       "  --runs N           most schedules for one scenario (default: 2000)\n"
	       "  --seed N           which ones, where not all can be tried (default: 0)\n"
	       "  --schedule TEXT    one run, as a failure has printed it\n"
	       "  --trace            with --schedule: print every switch\n"
	       "Status: 0 if all passed, 2 for a wrong option; a failure aborts.\n",
	       program, MAX_BOUND);
}

static const struct scenario *scenario_by_name(const char *name)
{
	int i;

	for (i = 0; i < nr_scenarios; i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	fprintf(stderr, "%s: no scenario is called '%s', see --list\n", program, name);
	exit(2);
}

static void list(void)
{
	int i;

	for (i = 0; i < nr_scenarios; i++)
		printf("%-20s %s\n", scenarios[i].name, scenarios[i].what);
}

static void run_all(const struct scenario *only, const struct schedule *s)
{
	int i;

	CHECK(!machine_module_init(), "module");
	sched_start();
	for (i = 0; i < nr_scenarios; i++)
		if (only && only != &scenarios[i])
			continue;
		else if (s)
			run(&scenarios[i], s);
		else
			explore(&scenarios[i]);
	machine_module_exit();
	CHECK(!shim_alloc_live, "%ld objects are left", shim_alloc_live);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "list", 0, NULL, 'l' }, { "scenario", 1, NULL, 'n' }, { "bound", 1, NULL, 'b' },
		{ "runs", 1, NULL, 'r' }, { "seed", 1, NULL, 's' }, { "schedule", 1, NULL, 'S' },
		{ "trace", 0, NULL, 't' }, { "help", 0, NULL, 'h' }, { }
	};
	const struct scenario *only = NULL;
	struct schedule schedule;
	bool given = false;
	int c;

	program = argv[0];
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			list();
			return 0;
		case 'n':
			only = scenario_by_name(optarg);
			break;
		case 'b':
			options.bound = clamp_t(int, atoi(optarg), 0, MAX_BOUND);
			break;
		case 'r':
			options.runs = strtoull(optarg, NULL, 0);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			given = true;
			if (!parse_schedule(optarg, &schedule))
				break;
			fprintf(stderr, "%s: '%s' is not STEP:THREAD,...\n", program, optarg);
			return 2;
		case 't':
			options.trace = true;
			break;
		case 'h':
			usage();
			return 0;
		default:
			return 2;
		}
	}
	if (given && !only) {
		fprintf(stderr, "%s: --schedule needs --scenario\n", program);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, aborted);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(fail_repeat);
	run_all(only, given ? &schedule : NULL);
	return 0;
}
