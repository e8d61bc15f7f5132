// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs the host to ask the hypervisor whether the guest used a page: by swapprobe, for the
 * hot pages of the load that are in memory, while the guest waits for a line.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define PROBE	"/sys/kernel/debug/swapprobe/ageing"

/* Of the launcher's counters, those that ageing may change. */
static const char *const counters[] = {
	"exits", "tlb_flush_requests", "ipis", "remote_tlb_flush", "remote_tlb_flush_requests",
};

#define NR_COUNTERS	(sizeof(counters) / sizeof(counters[0]))

struct pages {
	struct ageing head;
	uint64_t address[];
};

static struct pages *hot_pages(const struct watched *w)
{
	const struct load_setup *setup = &w->report.setup;
	struct pages *p = allocate(1, sizeof(*p) + setup->hot * sizeof(uint64_t));
	uint8_t *resident = allocate(w->report.pages, 1);
	struct accesses a;
	uint32_t i;

	watched_resident(w, resident);
	accesses_init(&a, setup);
	p->head.pid = w->pid;
	for (i = 0; i < setup->hot; i++)
		if (resident[a.order[i]])
			p->address[p->head.nr++] = w->page[a.order[i]];
	free(a.order);
	free(a.share);
	free(resident);
	return p;
}

static void touch(struct watched *w)
{
	watched_say(w, "touch");
	watched_answer(w, "touched");
}

static int compare_ticks(const void *a, const void *b)
{
	const struct aged_page *x = a, *y = b;

	return (x->ticks > y->ticks) - (x->ticks < y->ticks);
}

/* Sorted by what each cost. */
static struct aged_page *age(struct pages *p, uint32_t flags)
{
	size_t size = sizeof(*p) + p->head.nr * sizeof(uint64_t);
	struct aged_page *aged = allocate(p->head.nr, sizeof(*aged));
	int fd = open(PROBE, O_RDWR);

	p->head.flags = flags;
	if (fd < 0 || write(fd, p, size) != (ssize_t)size ||
	    pread(fd, aged, p->head.nr * sizeof(*aged), 0) !=
		    (ssize_t)(p->head.nr * sizeof(*aged)))
		die("cannot age pages by", PROBE);
	close(fd);
	qsort(aged, p->head.nr, sizeof(*aged), compare_ticks);
	return aged;
}

/* The median, since interrupts are part of some. */
static void print_age(const char *name, struct pages *p, uint32_t flags)
{
	struct aged_page *aged = age(p, flags);
	uint32_t i, young = 0, locks = 0;

	for (i = 0; i < p->head.nr; i++) {
		young += !!aged[i].young;
		locks += aged[i].locks;
	}
	if (flags & AGEING_LOCKS)
		printf("swap age_%s %.3f\n", name, (double)locks / p->head.nr);
	else
		printf("swap age_%s %u\n", name, aged[p->head.nr / 2].ticks);
	if (!flags)
		printf("swap age_%s_were_young %u\n", name, young);
	free(aged);
}

static void counters_read(struct watched *w, const char *marks, int64_t *to)
{
	char line[8192], last[8192] = "", name[64], *at;
	uint32_t i;
	FILE *f;

	watched_clock(w, marks);
	f = fopen(marks, "re");
	if (!f)
		die("cannot open", marks);
	while (fgets(line, sizeof(line), f))
		strcpy(last, line);
	fclose(f);
	for (i = 0; i < NR_COUNTERS; i++) {
		snprintf(name, sizeof(name), " %s=", counters[i]);
		at = strstr(last, name);
		to[i] = at ? strtoll(at + strlen(name), NULL, 10) : 0;
	}
}

/*
 * Also what the hypervisor counts from the ageing until the guest has used the pages again, less
 * what it counts if they are not aged.
 */
void ageing_report(struct watched *w, const char *marks)
{
	int64_t first[NR_COUNTERS], second[NR_COUNTERS], third[NR_COUNTERS];
	struct pages *p;
	uint32_t i;

	touch(w);
	p = hot_pages(w);
	printf("swap age_pages %u\n", p->head.nr);
	counters_read(w, marks, first);
	touch(w);
	counters_read(w, marks, second);
	print_age("young", p, 0);
	touch(w);
	counters_read(w, marks, third);
	for (i = 0; i < NR_COUNTERS; i++)
		printf("swap age_%s %lld\n", counters[i],
		       (long long)(third[i] - second[i] - (second[i] - first[i])));
	print_age("locks", p, AGEING_LOCKS);
	print_age("old", p, 0);
	print_age("nothing", p, AGEING_NOTHING);
	free(p);
}
