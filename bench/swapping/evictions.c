// SPDX-License-Identifier: GPL-2.0-only
/*
 * How well the kernel chose what to evict. Goes through the accesses of the load, which are known
 * from its seed, and through what the kernel wrote to swap and read back, side by side: so that of
 * each page that is evicted it is known when it was used last before.
 *
 * A fault is for one access: the first to that page from where the last fault was. Only that it is
 * not before the step that the load began last is taken from the clock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define SAMPLE	8	/* of so many evictions, one is compared with all pages in memory */
#define NO_PAGE	(~0U)

struct replay {
	const struct evictions *e;
	struct accesses accesses;
	uint32_t *step;		/* pages of this step */
	uint32_t now, at;	/* step, and access in it that comes next */
	uint64_t count;		/* accesses so far */
	uint64_t *last_use;	/* of each page, in accesses */
	uint8_t *is_hot, *resident;
	uint64_t *evicted;	/* last use of what was evicted, in order */
	uint32_t nr_evicted, evicted_hot;
	uint32_t refaults_hot, refaults_cold, unmatched;
	uint32_t neighbour_refaults, other_refaults;
	double rank_sum;
	uint32_t rank_samples;
};

static uint32_t per_step(const struct replay *r)
{
	return r->e->w->report.setup.per_step + 1;
}

static void step_load(struct replay *r)
{
	uint32_t i;

	for (i = 0; i < per_step(r) - 1; i++)
		r->step[i] = accesses_hot(&r->accesses);
	r->step[i] = accesses_cold(&r->accesses);
}

static void advance(struct replay *r)
{
	r->last_use[r->step[r->at]] = ++r->count;
	if (++r->at < per_step(r))
		return;
	r->at = 0;
	r->now++;
	step_load(r);
}

static void advance_to_step(struct replay *r, uint32_t step)
{
	while (r->now < step)
		advance(r);
}

/* The step in which the time lies. */
static uint32_t step_at(const struct replay *r, uint64_t time)
{
	uint32_t step = r->now;

	while (step + 1 < r->e->steps && (int64_t)(time - r->e->step_time[step + 1]) >= 0)
		step++;
	return step;
}

/* To the next access to the page, which is not done yet: in this step. */
static bool advance_to_page(struct replay *r, uint32_t page)
{
	uint32_t i;

	for (i = r->at; i < per_step(r); i++) {
		if (r->step[i] != page)
			continue;
		while (r->at < i)
			advance(r);
		return true;
	}
	return false;
}

static void fault(struct replay *r, uint32_t page)
{
	if (r->resident[page])
		return;		/* the same fault once more */
	r->resident[page] = 1;
	if (!advance_to_page(r, page)) {
		advance_to_step(r, r->now + 1);
		if (!advance_to_page(r, page)) {
			r->unmatched++;
			return;
		}
	}
	if (r->is_hot[page])
		r->refaults_hot++;
	else
		r->refaults_cold++;
}

/* Which part of the pages in memory is older than this one: 0 if it is the oldest. */
static void rank_add(struct replay *r, uint32_t page)
{
	uint64_t last_use = r->last_use[page];
	uint32_t i, older = 0, all = 0;

	for (i = 0; i < r->e->w->report.pages; i++) {
		all += r->resident[i];
		older += r->resident[i] & (r->last_use[i] < last_use);
	}
	if (!all)
		return;
	r->rank_sum += (double)older / all;
	r->rank_samples++;
}

static void evict(struct replay *r, uint32_t page)
{
	if (!r->resident[page])
		return;		/* written once more */
	r->resident[page] = 0;
	r->evicted[r->nr_evicted++] = r->last_use[page];
	r->evicted_hot += r->is_hot[page];
	if (r->nr_evicted % SAMPLE == 0)
		rank_add(r, page);
}

/* Addresses of the load's pages in order, to find one by. */
struct place {
	uint64_t address;
	uint32_t page;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static struct place *places_sort(const struct watched *w)
{
	struct place *places = allocate(w->report.pages, sizeof(*places));
	uint32_t i;

	for (i = 0; i < w->report.pages; i++)
		places[i] = (struct place){ w->page[i], i };
	qsort(places, w->report.pages, sizeof(*places), compare_places);
	return places;
}

static uint32_t page_at(const struct place *places, uint32_t n, uint64_t address)
{
	const struct place key = { .address = address };
	const struct place *found = bsearch(&key, places, n, sizeof(*places), compare_places);

	return found ? found->page : NO_PAGE;
}

static bool is_neighbour(uint64_t address)
{
	return address >> 32 == NEIGHBOUR_AT >> 32;
}

static void replay_event(struct replay *r, const struct place *places,
			 const struct swap_event *event)
{
	uint64_t address = event->what & ~SWAP_EVENT_MASK;
	uint32_t page = page_at(places, r->e->w->report.pages, address);
	bool in = (event->what & SWAP_EVENT_MASK) == SWAP_EVENT_IN;

	if (page == NO_PAGE) {
		if (in && is_neighbour(address))
			r->neighbour_refaults++;
		else if (in)
			r->other_refaults++;
		return;
	}
	advance_to_step(r, step_at(r, event->tsc));
	if (in)
		fault(r, page);
	else
		evict(r, page);
}

/* Sorts by merging; how many pairs were in the wrong order. */
static uint64_t sort_count(uint64_t *a, uint64_t *spare, uint32_t n)
{
	uint32_t half = n / 2, i = 0, j = half, k = 0;
	uint64_t wrong;

	if (n < 2)
		return 0;
	wrong = sort_count(a, spare, half) + sort_count(a + half, spare, n - half);
	while (i < half || j < n) {
		if (j == n || (i < half && a[i] <= a[j])) {
			spare[k++] = a[i++];
		} else {
			wrong += half - i;
			spare[k++] = a[j++];
		}
	}
	memcpy(a, spare, n * sizeof(*a));
	return wrong;
}

/* Kendall's tau-b of a list and its order; the order has no ties. */
static double tau_b(const uint64_t *list, uint32_t n)
{
	uint64_t *a = allocate(2 * n, sizeof(*a));
	double pairs = (double)n * (n - 1) / 2, tied = 0, run = 1, wrong, tau;
	uint32_t i;

	memcpy(a, list, n * sizeof(*a));
	wrong = sort_count(a, a + n, n);
	for (i = 1; i <= n; i++) {
		if (i < n && a[i] == a[i - 1]) {
			run++;
			continue;
		}
		tied += run * (run - 1) / 2;
		run = 1;
	}
	tau = (pairs - tied - 2 * wrong) / __builtin_sqrt(pairs * (pairs - tied));
	free(a);
	return tau;
}

/* The mean over windows of so many evictions: what time alone puts in order counts less. */
static double tau_windows(const struct replay *r, uint32_t window)
{
	double sum = 0;
	uint32_t i, n = r->nr_evicted / window;

	for (i = 0; i < n; i++)
		sum += tau_b(r->evicted + i * window, window);
	return n ? sum / n : 0;
}

static void print(const struct replay *r)
{
	printf("swap hot_refaults %u\n", r->refaults_hot);
	printf("swap cold_refaults %u\n", r->refaults_cold);
	printf("swap neighbour_refaults %u\n", r->neighbour_refaults);
	printf("swap other_refaults %u\n", r->other_refaults);
	printf("swap unmatched %u\n", r->unmatched);
	printf("swap evicted %u\n", r->nr_evicted);
	printf("swap evicted_hot %u\n", r->evicted_hot);
	printf("swap tau %.5f\n", tau_b(r->evicted, r->nr_evicted));
	printf("swap tau_1024 %.5f\n", tau_windows(r, 1024));
	printf("swap victim_rank %.5f\n", r->rank_samples ? r->rank_sum / r->rank_samples : 0);
}

void evictions_report(struct evictions *e)
{
	const struct load_report *report = &e->w->report;
	struct place *places = places_sort(e->w);
	struct replay r = { .e = e };
	uint32_t i;

	accesses_init(&r.accesses, &report->setup);
	r.step = allocate(report->setup.per_step + 1, sizeof(*r.step));
	r.last_use = allocate(report->pages, sizeof(*r.last_use));
	r.is_hot = allocate(report->pages, 1);
	r.resident = e->resident;
	r.evicted = allocate(e->nr_events + 1, sizeof(*r.evicted));
	for (i = 0; i < report->setup.hot; i++)
		r.is_hot[r.accesses.order[i]] = 1;
	step_load(&r);
	advance_to_step(&r, e->first);
	for (i = 0; i < e->nr_events; i++)
		replay_event(&r, places, &e->event[i]);
	print(&r);
	free(places);
	free(r.accesses.order);
	free(r.accesses.share);
	free(r.step);
	free(r.last_use);
	free(r.is_hot);
	free(r.evicted);
}
