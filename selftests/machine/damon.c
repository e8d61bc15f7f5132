// SPDX-License-Identifier: GPL-2.0-only
/*
 * DAMON watches which memory is in use, by virtual and by physical address: it marks a page as old,
 * and asks later if somebody has used it. Of pages that only a guest uses the shadow MMU has to
 * tell it. Needs CONFIG_DAMON_SYSFS, _VADDR and _PADDR, and root.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "sysfile.h"
#include "worker.h"

#define NR_WORKERS	2
#define NR_PAGES	64
#define NR_LOOKS	(8 * NR_PAGES)

#define PM_PRESENT	(1ull << 63)
#define PM_PFN		((1ull << 55) - 1)

#define DIR		"/sys/kernel/mm/damon/admin/kdamonds"

/* One thread of the kernel for the pages in use, one for the others. */
enum { USED, UNUSED, NR_KDAMONDS };

/* What it counts: regions that were seen in use, and all that were looked at. */
enum { SEEN, ALL, NR_SCHEMES };

struct range {
	u64 start, end;
};

FIXTURE(damon)
{
	struct test_vm *vm;
	struct workers w;
	u64 gpa[NR_KDAMONDS];	/* of NR_PAGES pages */
};

FIXTURE_SETUP(damon)
{
	/* A huge page is looked at as a whole. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (access(DIR "/nr_kdamonds", W_OK))
		test_die("no DAMON in this kernel, or not root");
	self->vm = vm_create();
	self->gpa[USED] = vm_alloc_pages(self->vm, NR_PAGES);
	self->gpa[UNUSED] = vm_alloc_pages(self->vm, NR_PAGES);
	memset(vm_hva(self->vm, self->gpa[UNUSED]), 1, NR_PAGES * PAGE_SIZE);
	workers_create(&self->w, self->vm, NR_WORKERS, self->gpa[USED], NR_PAGES);
}

static void damon_write(const char *file, const char *text)
{
	char path[160];
	int err;

	snprintf(path, sizeof(path), DIR "/%s", file);
	err = sysfile_write(path, text);
	if (err)
		test_die("%s to %s: %s", text, path, strerror(-err));
}

static void damon_set(int k, const char *file, u64 value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%d/contexts/0/%s", k, file);
	snprintf(text, sizeof(text), "%lu", (unsigned long)value);
	damon_write(path, text);
}

static void damon_order(int k, const char *order)
{
	char path[32];

	snprintf(path, sizeof(path), "%d/state", k);
	damon_write(path, order);
}

/* Regions of a scheme so far; each counts once for a look. */
static long damon_count(int k, int scheme)
{
	char path[160];

	damon_order(k, "update_schemes_stats");
	snprintf(path, sizeof(path), DIR "/%d/contexts/0/schemes/%d/stats/nr_tried", k, scheme);
	return test_read_number(path);
}

FIXTURE_TEARDOWN(damon)
{
	int k;

	for (k = 0; k < NR_KDAMONDS; k++)
		damon_order(k, "off");
	damon_write("nr_kdamonds", "0");
	vm_free(self->vm);
}

/* ---- what is watched ---- */

static void set_scheme(int k, int scheme, u64 least_accesses)
{
	static const char *const all[] = { "sz", "nr_accesses", "age" };
	char file[96];
	u32 i;

	snprintf(file, sizeof(file), "%d/contexts/0/schemes/%d/action", k, scheme);
	damon_write(file, "stat");
	for (i = 0; i < ARRAY_LEN(all); i++) {
		snprintf(file, sizeof(file), "schemes/%d/access_pattern/%s/max", scheme, all[i]);
		damon_set(k, file, ~0u);
	}
	snprintf(file, sizeof(file), "schemes/%d/access_pattern/nr_accesses/min", scheme);
	damon_set(k, file, least_accesses);
}

static void watch(int k, const char *ops, const struct range *range, int nr)
{
	char file[96];
	int i;

	snprintf(file, sizeof(file), "%d/contexts/nr_contexts", k);
	damon_write(file, "1");
	snprintf(file, sizeof(file), "%d/contexts/0/operations", k);
	damon_write(file, ops);
	damon_set(k, "monitoring_attrs/intervals/sample_us", 2000);
	damon_set(k, "monitoring_attrs/intervals/aggr_us", 20000);
	damon_set(k, "targets/nr_targets", 1);
	damon_set(k, "targets/0/pid_target", getpid());
	damon_set(k, "targets/0/regions/nr_regions", nr);
	for (i = 0; i < nr; i++) {
		snprintf(file, sizeof(file), "targets/0/regions/%d/start", i);
		damon_set(k, file, range[i].start);
		snprintf(file, sizeof(file), "targets/0/regions/%d/end", i);
		damon_set(k, file, range[i].end);
	}
	damon_set(k, "schemes/nr_schemes", NR_SCHEMES);
	set_scheme(k, SEEN, 1);
	set_scheme(k, ALL, 0);
	damon_order(k, "on");
}

/* Until DAMON has looked at regions so many times more. */
static void wait_for_looks(int k, long n)
{
	long end = damon_count(k, ALL) + n;

	while (damon_count(k, ALL) < end)
		usleep(20000);
}

static int pages_of_age(struct test_vm *vm, u64 gpa, u32 least, u32 most)
{
	static u32 ages[NR_PAGES];
	struct shvm_working_set ws = {
		.first_page = gpa / PAGE_SIZE, .nr_pages = NR_PAGES, .ages = (u64)ages,
	};
	u32 i, age;
	int n = 0;

	vm_ioctl(vm, SHVM_GET_WORKING_SET, &ws);
	for (i = 0; i < NR_PAGES; i++) {
		age = ages[i] & SHVM_WORKING_SET_AGE;
		n += age >= least && age <= most;
	}
	return n;
}

/* Workers run. What DAMON has cleared since their last use must be known all the same. */
static void expect_seen(struct __test_metadata *_metadata, struct workers *w, const u64 *gpa)
{
	wait_for_looks(USED, NR_LOOKS);
	wait_for_looks(UNUSED, NR_LOOKS);
	EXPECT_LT(0, damon_count(USED, SEEN));
	EXPECT_EQ(0, damon_count(UNUSED, SEEN));
	EXPECT_EQ(0, workers_stop(w));
	wait_for_looks(USED, NR_LOOKS);
	EXPECT_EQ(NR_PAGES, pages_of_age(w->vm, gpa[USED], 0, SHVM_WORKING_SET_MOST));
	EXPECT_EQ(NR_PAGES, pages_of_age(w->vm, gpa[UNUSED], SHVM_WORKING_SET_NEVER,
					 SHVM_WORKING_SET_NEVER));
	/* Nor is what stands still in use, however often it was before. */
	damon_order(USED, "off");
	damon_order(USED, "on");
	wait_for_looks(USED, NR_LOOKS);
	EXPECT_EQ(0, damon_count(USED, SEEN));
}

TEST_F_TIMEOUT(damon, by_virtual_address, 120)
{
	struct range range;
	int k;

	workers_start(&self->w);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	damon_write("nr_kdamonds", "2");
	for (k = 0; k < NR_KDAMONDS; k++) {
		range.start = (u64)vm_hva(self->vm, self->gpa[k]);
		range.end = range.start + NR_PAGES * PAGE_SIZE;
		watch(k, "fvaddr", &range, 1);
	}
	expect_seen(_metadata, &self->w, self->gpa);
}

static int range_compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The frames that the pages at gpa have now. */
static void find_frames(struct test_vm *vm, u64 gpa, struct range *range)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY), i;
	u64 entry, page = (u64)vm_hva(vm, gpa) / PAGE_SIZE;

	for (i = 0; i < NR_PAGES; i++) {
		if (pread(pagemap, &entry, 8, (page + i) * 8) != 8 || !(entry & PM_PRESENT))
			test_die("no page at guest address %#lx", (long)gpa + i * PAGE_SIZE);
		range[i].start = (entry & PM_PFN) * PAGE_SIZE;
		range[i].end = range[i].start + PAGE_SIZE;
	}
	close(pagemap);
	qsort(range, NR_PAGES, sizeof(*range), range_compare);
}

TEST_F_TIMEOUT(damon, by_physical_address, 120)
{
	static struct range range[NR_PAGES];
	int k;

	workers_start(&self->w);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	sysfile_put_pages_on_lists();
	damon_write("nr_kdamonds", "2");
	for (k = 0; k < NR_KDAMONDS; k++) {
		find_frames(self->vm, self->gpa[k], range);
		watch(k, "paddr", range, NR_PAGES);
	}
	expect_seen(_metadata, &self->w, self->gpa);
}

SHVM_TEST_MAIN
