// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storms of shadow page faults by several vCPUs, each a thread on a CPU of its own and with an
 * address space of its own: how many a second, and how often one has to wait for another. Prints
 * records for the script; the kinds of storms are explained there and in docs/performance.md.
 */
#include <getopt.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "mmu/gpt.h"

#ifdef EXCLUSIVE
#define DESIGN "exclusive"
#else
#define DESIGN "shared"
#endif

#define MAX_RUNS	99
#define MAX_VCPUS	4
#define GROUP		8	/* pages that a fill maps at once */
#define FULL_SHARE	0.97	/* of a core: less, and somebody else was there */

static struct {
	int runs, ms, retakes;
	const char *only;
} opt = { .runs = 9, .ms = 100, .retakes = 3 };

/* --- storms: prepare is not measured, run is. A round is both. --- */

struct storm {
	const char *name;
	bool fresh;		/* without shadows, but for the root */
	u64 bits;		/* of the guest's entries */
	void (*run)(struct vcpu *v, int round);
};

/* The tables are there, and the guest has used all pages: one fault maps eight. */
static void run_fill(struct vcpu *v, int round)
{
	u64 page;

	for (page = GROUP; page < NR_DENSE * ENTRIES; page += GROUP)
		if (page % ENTRIES)
			vcpu_touch(v, page);
}

/* The tables are there, the pages have not been used: each faults. */
static void run_touch(struct vcpu *v, int round)
{
	u64 page;

	for (page = 1; page < NR_DENSE * ENTRIES; page++)
		if (page % ENTRIES)
			vcpu_touch(v, page);
}

/* Each fault needs a page table that has no shadow. */
static void run_tables(struct vcpu *v, int round)
{
	u64 table;

	for (table = 0; table < NR_PTS; table++)
		vcpu_touch(v, table * ENTRIES);
}

/* As a demand fault of Linux: the kernel makes the entry, the page is used, and so on. */
static void run_stores(struct vcpu *v, int round)
{
	u64 page, other;

	for (page = 0; page < NR_DENSE * ENTRIES; page++) {
		other = round & 1 ? page : page ^ 1;
		vcpu_set_pte(v, page, gfn_to_gpa(data_frame(v, other)).v | GPTE_P | GPTE_W |
			     GPTE_U | GPTE_A | GPTE_D);
		vcpu_touch(v, page);
	}
}

static void run_mixed(struct vcpu *v, int round)
{
	u64 table, i;

	for (table = 0; table < NR_DENSE; table++) {
		for (i = 1; i < ENTRIES / 2; i++)
			vcpu_touch(v, table * ENTRIES + i);
		for (; i < ENTRIES * 3 / 4; i++) {
			vcpu_set_pte(v, table * ENTRIES + i,
				     gfn_to_gpa(data_frame(v, table * ENTRIES + i)).v | GPTE_P |
				     GPTE_W | GPTE_U | GPTE_A | GPTE_D);
			vcpu_touch(v, table * ENTRIES + i);
		}
		for (i = 0; i < 2; i++)
			vcpu_touch(v, (NR_DENSE + 2 * table + i) * ENTRIES);
	}
}

static const struct storm storms[] = {
	{ "fill", false, GPTE_A | GPTE_D, run_fill },
	{ "touch", false, 0, run_touch },
	{ "tables", true, 0, run_tables },
	{ "stores", false, GPTE_A | GPTE_D, run_stores },
	{ "mixed", true, 0, run_mixed },
};

/* --- threads --- */

struct runner {
	struct vcpu *v;
	pthread_t thread;
	int cpu;
	u64 start, end;			/* of this round, ns */
	u64 faults, total_ns, cpu_ns;	/* all rounds */
	struct measured measured;
	u64 again;
} __attribute__((aligned(2 * CACHE_LINE)));

static struct {
	const struct storm *storm;
	int nr, waiting, turn;
	bool stop;
	u64 ns;				/* all rounds, each from its first start to its last end */
	struct runner runner[MAX_VCPUS];
} run;

static u64 now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Everybody is here, whom it is worth a few microseconds of spinning. */
static void meet(void)
{
	int turn = __atomic_load_n(&run.turn, __ATOMIC_SEQ_CST);
	u64 spins = 0;

	if (__atomic_add_fetch(&run.waiting, 1, __ATOMIC_SEQ_CST) == run.nr) {
		run.waiting = 0;
		__atomic_fetch_add(&run.turn, 1, __ATOMIC_SEQ_CST);
		return;
	}
	while (__atomic_load_n(&run.turn, __ATOMIC_SEQ_CST) == turn)
		measured_wait(&spins);
}

static void prepare(struct vcpu *v)
{
	u64 page;

	/* By each vCPU for itself: what is freed lies in the caches of its CPU. */
	vcpu_unmap(v, run.storm->fresh);
	for (page = 0; page < NR_PTS * ENTRIES; page += page < NR_DENSE * ENTRIES ? 1 : ENTRIES)
		*guest_pte(v, page) = gfn_to_gpa(data_frame(v, page)).v | GPTE_P | GPTE_W |
				      GPTE_U | run.storm->bits;
	meet();
	/* Nobody's invalidation is under way any more. */
	if (run.storm->fresh && shvm_mmu_prepare(&v->mv))
		abort();
	if (!run.storm->fresh) {
		vcpu_read_pts(v);
		for (page = 0; page < NR_DENSE * ENTRIES; page += ENTRIES)
			vcpu_touch(v, page);
	}
	/* What was taken away until now has been flushed before it begins. */
	shvm_mmu_settle(v->mv.mmu);
}

static void round_run(struct runner *r, int round)
{
	struct vcpu *v = r->v;
	u64 cpu;

	prepare(v);
	meet();
	v->faults = 0;
	v->again = 0;
	memset(&measured, 0, sizeof(measured));
	cpu = now(CLOCK_THREAD_CPUTIME_ID);
	r->start = now(CLOCK_MONOTONIC);
	run.storm->run(v, round);
	r->end = now(CLOCK_MONOTONIC);
	r->cpu_ns += now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	r->total_ns += r->end - r->start;
	r->faults += v->faults;
	r->again += v->again;
	r->measured.retries += measured.retries;
	r->measured.spins += measured.spins;
	r->measured.flushes += measured.flushes;
	r->measured.ipis += measured.ipis;
}

static void round_add(void)
{
	u64 start = U64_MAX, end = 0;
	int i;

	for (i = 0; i < run.nr; i++) {
		start = min_t(u64, start, run.runner[i].start);
		end = max_t(u64, end, run.runner[i].end);
	}
	run.ns += end - start;
	run.stop = run.ns >= opt.ms * 1000000ULL;
}

static void *thread_main(void *arg)
{
	struct runner *r = arg;
	cpu_set_t cpus;
	int round;

	CPU_ZERO(&cpus);
	CPU_SET(r->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		perror("faults: sched_setaffinity");
	measured_cpu = r - run.runner;
	for (round = 0; ; round++) {
		round_run(r, round);
		meet();
		if (r == run.runner)
			round_add();
		meet();
		if (run.stop)
			return NULL;
	}
}

/* --- figures --- */

struct figures {
	double rate;			/* faults per second, of all threads */
	double faults, share;
	double retries, spins, flushes, ipis, again;
};

static struct machine *shared, *alone[MAX_VCPUS];

static struct figures storm_run(const struct storm *storm, int nr, bool vms)
{
	struct figures f = { .share = 1 };
	int i;

	memset(&run, 0, sizeof(run));
	run.storm = storm;
	run.nr = nr;
	shared->running = nr;
	for (i = 0; i < nr; i++) {
		struct runner *r = &run.runner[i];

		r->v = vms ? &alone[i]->vcpu[0] : &shared->vcpu[i];
		r->cpu = i % sysconf(_SC_NPROCESSORS_ONLN);
		if (pthread_create(&r->thread, NULL, thread_main, r))
			abort();
	}
	for (i = 0; i < nr; i++) {
		struct runner *r = &run.runner[i];
		double share;

		pthread_join(r->thread, NULL);
		share = (double)r->cpu_ns / r->total_ns;
		f.share = share < f.share ? share : f.share;
		f.faults += r->faults;
		f.retries += r->measured.retries;
		f.spins += r->measured.spins;
		f.flushes += r->measured.flushes;
		f.ipis += r->measured.ipis;
		f.again += r->again;
	}
	f.rate = f.faults * 1e9 / run.ns;
	return f;
}

/* With a core for each thread, or the best of a few tries. */
static struct figures storm_run_quietly(const struct storm *storm, int nr, bool vms)
{
	struct figures f, best = { .share = 0 };
	int i;

	for (i = 0; i <= opt.retakes; i++) {
		f = storm_run(storm, nr, vms);
		if (f.share > best.share)
			best = f;
		if (best.share >= FULL_SHARE || nr > sysconf(_SC_NPROCESSORS_ONLN))
			break;
	}
	return best;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

struct series {
	int nr;
	bool vms;
	struct figures sum;
	double rate[MAX_RUNS];
	int disturbed;
};

static void series_add(struct series *s, int i, const struct figures *f)
{
	s->rate[i] = f->rate;
	s->sum.faults += f->faults;
	s->sum.retries += f->retries;
	s->sum.spins += f->spins;
	s->sum.flushes += f->flushes;
	s->sum.ipis += f->ipis;
	s->sum.again += f->again;
	s->disturbed += f->share < FULL_SHARE;
}

static void series_print(const struct storm *storm, struct series *s)
{
	char key[64];

	snprintf(key, sizeof(key), "%s %s %d", s->vms ? "vms" : DESIGN, storm->name, s->nr);
	printf("%s runs %d\n%s disturbed %d\n", key, opt.runs, key, s->disturbed);
	printf("%s faults_per_second %.0f\n", key, median(s->rate, opt.runs));
	printf("%s faults %.0f\n%s retries %.0f\n%s spins %.0f\n", key, s->sum.faults, key,
	       s->sum.retries, key, s->sum.spins);
	printf("%s flushes %.0f\n%s ipis %.0f\n%s again %.0f\n", key, s->sum.flushes, key,
	       s->sum.ipis, key, s->sum.again);
}

/* Alternating, so that what the computer does beside is the same for all. */
static void storm_measure(const struct storm *storm)
{
	struct series series[] = {
		{ .nr = 1 }, { .nr = 2 }, { .nr = 4 }, { .nr = 2, .vms = true },
	};
	int i, j;

	for (i = 0; i < opt.runs; i++)
		for (j = 0; j < ARRAY_SIZE(series); j++) {
			struct figures f = storm_run_quietly(storm, series[j].nr, series[j].vms);

			series_add(&series[j], i, &f);
		}
	for (j = 0; j < ARRAY_SIZE(series); j++)
		series_print(storm, &series[j]);
	fflush(stdout);
}

static void usage(FILE *to)
{
	unsigned int i;

	fprintf(to, "usage: faults [--runs N] [--ms N] [--retakes N] [STORM]\n"
		"--runs: of each number of threads (default 9, odd); --ms: how long each (100);\n"
		"--retakes: of a run in which a thread had no core for itself (3). Storms:");
	for (i = 0; i < ARRAY_SIZE(storms); i++)
		fprintf(to, " %s", storms[i].name);
	fprintf(to, "\nPrints records: DESIGN STORM THREADS COUNTER VALUE\n");
}

static bool parse_number(const char *text, int least, int most, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "faults: \"%s\" is not a number from %d to %d\n", text, least,
			most);
		return false;
	}
	*out = n;
	return true;
}

static bool parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "runs", required_argument, NULL, 'r' },
		{ "ms", required_argument, NULL, 'm' },
		{ "retakes", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ },
	};
	bool ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			ok = parse_number(optarg, 1, MAX_RUNS, &opt.runs);
			break;
		case 'm':
			ok = parse_number(optarg, 1, 60000, &opt.ms);
			break;
		case 't':
			ok = parse_number(optarg, 0, 100, &opt.retakes);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			ok = false;
		}
	}
	opt.only = argv[optind];
	return ok && (optind == argc || optind == argc - 1);
}

static void machines_make(void)
{
	int i;

	tables_init();
	if (shvm_mmu_module_init())
		abort();
	shared = machine_create(MAX_VCPUS);
	for (i = 0; i < 2; i++)
		alone[i] = machine_create(1);
}

int main(int argc, char **argv)
{
	bool found = false;
	unsigned int i;

	if (!parse(argc, argv)) {
		usage(stderr);
		return 2;
	}
	machines_make();
	for (i = 0; i < ARRAY_SIZE(storms); i++) {
		if (opt.only && strcmp(opt.only, storms[i].name))
			continue;
		found = true;
		storm_measure(&storms[i]);
	}
	if (!found) {
		fprintf(stderr, "faults: no storm \"%s\" (see --help)\n", opt.only);
		return 2;
	}
	return 0;
}
