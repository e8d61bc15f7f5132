// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the tests, each in a process of its own, and says in TAP what came of them.
 */
#include <getopt.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"

#define MAX_TESTS	256
#define MAX_JOBS	16

static const char *program, *tsan_program, *sched_program, *replay_program;
static struct random_options options = { .steps = 100000, .audit = 1000 };
static u64 total_steps = 1200000;
static int jobs = 2;
static bool bail;

void fail_repeat(void)
{
	random_repeat();
}

struct test {
	char name[64];
	void (*run)(const struct test *t);
	void (*directed)(void);
	int config;
	u64 seed;
	enum direct direct;
	u32 off;
	bool tags;
	FILE *log;
	pid_t pid;
};

static const struct directed_set *const sets[] = {
	&directed_tests, &format_tests, &pae_tests, &two_level_tests, &limit_tests,
	&recycle_tests, &walker_tests, &class_tests, &race_tests, &coverage_tests,
	&large_tests, &size_tests, &direct_tests, &oos_tests, &tag_tests, &mmio_tests, &age_tests,
};

static struct test tests[MAX_TESTS];
static int nr_tests;

static struct test *test_add(void (*run)(const struct test *t), const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static struct test *test_add(void (*run)(const struct test *t), const char *fmt, ...)
{
	struct test *t = &tests[nr_tests++];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, ap);
	va_end(ap);
	t->run = run;
	return t;
}

/* Every technique is on, and off. */
static const struct {
	const char *name;
	bool every_fault_exits;
	u32 off;
	bool tags;
} positions[] = {
	{ "" },
	{ ", every fault exits, no prefetch", true, OFF_PREFETCH },
	{ ", tables in sync, each fault walks", false, OFF_OOS | OFF_LAST_ENTRY },
	{ ", TLB tags", false, 0, true },
};

static void run_directed(const struct test *t)
{
	t->directed();
}

static void run_random(const struct test *t)
{
	struct random_options opt = options;

	opt.seed = t->seed;
	opt.config = t->config;
	opt.direct = t->direct;
	opt.off = t->off;
	opt.tags = t->tags;
	opt.steps = total_steps / NR_CONFIGS / ARRAY_SIZE(positions);
	random_run(&opt);
}

static void run_alloc(const struct test *t)
{
	alloc_run(t->seed);
}

static void run_threads(const struct test *t)
{
	machine_tagged = t->tags;
	threads_run(t->seed, 4000);
}

static void run_tsan(const struct test *t)
{
	execl(tsan_program, tsan_program, "--threads", "4000", t->tags ? "--tags" : NULL, NULL);
	perror(tsan_program);
	exit(1);
}

/* Each scenario is a test; some with one, two and three preemptions, all in small scenarios. */
static void run_sched(const struct test *t)
{
	execl(sched_program, sched_program, "--scenario", strrchr(t->name, ' ') + 1, "--runs",
	      "800", NULL);
	perror(sched_program);
	exit(1);
}

static void list_scenarios(void)
{
	char command[512], line[256];
	FILE *list;

	snprintf(command, sizeof(command), "'%s' --list", sched_program);
	list = popen(command, "r");
	CHECK(list, "cannot run %s", sched_program);
	while (fgets(line, sizeof(line), list))
		test_add(run_sched, "schedules of %s", strtok(line, " "));
	CHECK(!pclose(list), "%s failed", command);
}

static void run_replay(const struct test *t)
{
	char command[512];

	snprintf(command, sizeof(command), "exec '%s' corpus/*", replay_program);
	execl("/bin/sh", "sh", "-c", command, NULL);
	perror(replay_program);
	exit(1);
}

static void list_tests(void)
{
	struct test *t;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		for (j = 0; j < sets[i]->nr; j++) {
			t = test_add(run_directed, "%s", sets[i]->tests[j].name);
			t->directed = sets[i]->tests[j].run;
		}
	for (j = 0; j < ARRAY_SIZE(positions); j++)
		for (i = 0; i < NR_CONFIGS; i++) {
			t = test_add(run_random, "random config %d seed %llu%s", i,
				     options.seed + j, positions[j].name);
			t->config = i;
			t->seed = options.seed + j;
			t->off = positions[j].off;
			t->tags = positions[j].tags;
			if (positions[j].every_fault_exits)
				t->direct = i & 1 ? DIRECT_OFF : DIRECT_NO_BIT;
		}
	test_add(run_alloc, "every allocation fails once");
	test_add(run_threads, "threads");
	test_add(run_threads, "threads, TLB tags")->tags = true;
	if (tsan_program) {
		test_add(run_tsan, "threads, TSAN");
		test_add(run_tsan, "threads, TLB tags, TSAN")->tags = true;
	}
	if (sched_program)
		list_scenarios();
	if (replay_program)
		test_add(run_replay, "what the fuzzer has found");
}

static void test_start(struct test *t)
{
	t->log = tmpfile();
	fflush(stdout);
	t->pid = fork();
	if (t->pid)
		return;
	dup2(fileno(t->log), 1);
	dup2(fileno(t->log), 2);
	t->run(t);
	exit(0);
}

static bool test_report(struct test *t, int number, int status)
{
	bool ok = WIFEXITED(status) && !WEXITSTATUS(status);
	char line[512];

	rewind(t->log);
	printf("%sok %d - %s\n", ok ? "" : "not ", number, t->name);
	while (fgets(line, sizeof(line), t->log))
		printf("%s%s", line[0] == '#' ? "" : "# ", line);
	fclose(t->log);
	fflush(stdout);
	return ok;
}

static int run_all(void)
{
	int next = 0, running = 0, number = 0, failed = 0, status, i;
	pid_t pid;

	list_tests();
	printf("TAP version 13\n1..%d\n", nr_tests);
	while (number < nr_tests) {
		for (; running < jobs && next < nr_tests; running++)
			test_start(&tests[next++]);
		pid = wait(&status);
		for (i = 0; i < next; i++)
			if (tests[i].pid == pid)
				failed += !test_report(&tests[i], ++number, status);
		running--;
		if (failed && bail)
			break;
	}
	return failed ? 1 : 0;
}

static void usage(void)
{
	printf("usage: %s [OPTION...]\n"
	       "Without --config, --test or --threads: all tests, TAP on stdout.\n"
	       "  --seed N       of the random tests (default: 0)\n"
	       "  --steps N      steps of one random run, or of all together (default: 1200000)\n"
	       "  --config N     one random run with this configuration, 0 to %d\n"
	       "  --audit N      check everything after every N steps (default: 1000, 0: never)\n"
	       "  --direct N     of one random run: 0 faults without an exit, 1 every fault exits,\n"
	       "                 2 the same with trap entries that are not present (default: 0)\n"
	       "  --tags         the TLB keeps what it has over exits, under tags (VPID)\n"
	       "  --off N        of one random run, a sum: 1 tables stay in sync, 2 no prefetch,\n"
	       "                 4 each fault walks\n"
	       "  --trace        print every step of a single random run\n"
	       "  --test NAME    one directed test\n"
	       "  --threads MS   the test with threads, for so many milliseconds\n"
	       "  --alloc        only the failing allocations\n"
	       "  --bail         stop after the first test that fails\n"
	       "  --jobs N       tests side by side (default: 2)\n"
	       "  --tsan FILE    the same program built with TSAN, for the test with threads\n"
	       "  --sched FILE   the controlled scheduler: each of its scenarios is a test\n"
	       "  --replay FILE  repeats corpus/*, from tests/host\n"
	       "Status: 0 if all passed, 1 if a test failed, 2 for a wrong option.\n",
	       program, NR_CONFIGS - 1);
}

static int run_one(const char *name)
{
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		for (j = 0; j < sets[i]->nr; j++)
			if (!strcmp(name, sets[i]->tests[j].name)) {
				sets[i]->tests[j].run();
				printf("ok - %s\n", name);
				return 0;
			}
	fprintf(stderr, "%s: no test is called '%s'\n", program, name);
	return 2;
}

/* What the command line asks for instead of all tests. */
static struct {
	const char *directed;
	int config, threads;
	bool alloc;
} only = { .config = -1 };

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", 1, NULL, 's' }, { "steps", 1, NULL, 'n' }, { "config", 1, NULL, 'c' },
		{ "audit", 1, NULL, 'a' }, { "trace", 0, NULL, 't' }, { "test", 1, NULL, 'd' },
		{ "threads", 1, NULL, 'p' }, { "alloc", 0, NULL, 'f' }, { "jobs", 1, NULL, 'j' },
		{ "tsan", 1, NULL, 'T' }, { "bail", 0, NULL, 'b' }, { "direct", 1, NULL, 'D' },
		{ "off", 1, NULL, 'o' }, { "tags", 0, NULL, 'g' },
		{ "sched", 1, NULL, 'S' }, { "replay", 1, NULL, 'R' },
		{ "help", 0, NULL, 'h' }, { }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			options.steps = strtoull(optarg, NULL, 0);
			total_steps = options.steps;
			break;
		case 'c':
			only.config = atoi(optarg);
			break;
		case 'a':
			options.audit = strtoull(optarg, NULL, 0);
			break;
		case 't':
			options.trace = true;
			break;
		case 'd':
			only.directed = optarg;
			break;
		case 'p':
			only.threads = atoi(optarg);
			break;
		case 'f':
			only.alloc = true;
			break;
		case 'j':
			jobs = clamp_t(int, atoi(optarg), 1, MAX_JOBS);
			break;
		case 'T':
			tsan_program = optarg;
			break;
		case 'S':
			sched_program = optarg;
			break;
		case 'R':
			replay_program = optarg;
			break;
		case 'o':
			options.off = atoi(optarg);
			break;
		case 'D':
			options.direct = atoi(optarg);
			break;
		case 'g':
			options.tags = true;
			break;
		case 'b':
			bail = true;
			break;
		case 'h':
			usage();
			exit(0);
		default:
			exit(2);
		}
	}
	if (only.config >= NR_CONFIGS) {
		fprintf(stderr, "%s: --config is 0 to %d\n", program, NR_CONFIGS - 1);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	program = argv[0];
	parse_options(argc, argv);
	if (only.directed)
		return run_one(only.directed);
	if (only.threads) {
		machine_tagged = options.tags;
		threads_run(options.seed, only.threads);
	} else if (only.alloc) {
		alloc_run(options.seed);
	} else if (only.config >= 0) {
		options.config = only.config;
		random_run(&options);
	} else {
		return run_all();
	}
	return 0;
}
