// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that a host and a VMM do to the memory of a guest without losing its contents.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "huge.h"
#include "squeeze.h"
#include "sysfile.h"

#define KSM		"/sys/kernel/mm/ksm/"
#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define MAX_RANGE	256	/* pages */
#define MAX_HOT		8

const char *const squeeze_names[NR_SQUEEZE_ACTIONS] = {
	[SQUEEZE_PAGE_OUT] = "page out",
	[SQUEEZE_COLD] = "cold",
	[SQUEEZE_PAGE_IN] = "page in",
	[SQUEEZE_RECLAIM] = "reclaim",
	[SQUEEZE_LIMIT] = "limit",
	[SQUEEZE_MERGE] = "merge",
	[SQUEEZE_UNMERGE] = "unmerge",
	[SQUEEZE_COLLAPSE] = "collapse",
	[SQUEEZE_SPLIT] = "split",
	[SQUEEZE_BALLOON] = "balloon",
	[SQUEEZE_READ_ONLY] = "read-only",
	[SQUEEZE_MOVE] = "move",
	[SQUEEZE_FORK] = "fork",
	[SQUEEZE_COMPACT] = "compact",
	[SQUEEZE_VMM_WRITES] = "VMM writes",
	[SQUEEZE_BUDGET] = "budget",
};

/* How often, in 64ths: what costs most is rare. */
static const u8 weights[NR_SQUEEZE_ACTIONS] = {
	[SQUEEZE_PAGE_OUT] = 12, [SQUEEZE_COLD] = 3, [SQUEEZE_PAGE_IN] = 2, [SQUEEZE_RECLAIM] = 4,
	[SQUEEZE_LIMIT] = 1, [SQUEEZE_MERGE] = 2, [SQUEEZE_UNMERGE] = 1, [SQUEEZE_COLLAPSE] = 5,
	[SQUEEZE_SPLIT] = 5, [SQUEEZE_BALLOON] = 5, [SQUEEZE_READ_ONLY] = 6, [SQUEEZE_MOVE] = 5,
	[SQUEEZE_FORK] = 4, [SQUEEZE_COMPACT] = 1, [SQUEEZE_VMM_WRITES] = 6, [SQUEEZE_BUDGET] = 2,
};

static u64 next(struct squeeze *s, u64 below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (s->random >> 8) % below;
}

struct range {
	char *at;
	size_t size;
};

static struct range range_of(struct squeeze *s, int area, u64 first, u64 nr)
{
	u64 left = s->areas[area].size / PAGE_SIZE - first;

	return (struct range){
		.at = s->areas[area].hva + first * PAGE_SIZE,
		.size = (nr < left ? nr : left) * PAGE_SIZE,
	};
}

/* The page that a vCPU uses in this moment, perhaps with some behind it. */
static struct range hot_range(struct squeeze *s)
{
	char *at = keyed_hot_page(s->k, next(s, s->k->nr));
	int i = 0;

	while (at - s->areas[i].hva >= s->areas[i].size)
		i++;
	return range_of(s, i, (at - s->areas[i].hva) / PAGE_SIZE, 1 + next(s, MAX_HOT));
}

/* Pages somewhere in the guest's memory, half of the time such as are in use. */
static struct range random_range(struct squeeze *s, bool anon)
{
	struct range r;
	int i;

	do {
		i = next(s, s->nr_areas);
	} while (anon && !s->areas[i].anon);
	r = range_of(s, i, next(s, s->areas[i].size / PAGE_SIZE), 1 + next(s, MAX_RANGE));
	return !anon && next(s, 2) ? hot_range(s) : r;
}

static char *random_huge(struct squeeze *s)
{
	struct range r = random_range(s, true);

	return (char *)((u64)r.at & ~(HUGE_SIZE - 1));
}

/* ---- swap ---- */

static bool advise(struct squeeze *s, int advice)
{
	struct range r = random_range(s, false);

	return !madvise(r.at, r.size, advice);
}

#define PAGE_OUTS	8

/* Pages that were used since the last time are spared, and are old the next time. */
static bool act_page_out(struct squeeze *s)
{
	struct range r;
	int i;

	for (i = 0; i < PAGE_OUTS; i++) {
		r = random_range(s, false);
		if (madvise(r.at, r.size, MADV_PAGEOUT) || madvise(r.at, r.size, MADV_PAGEOUT))
			return false;
	}
	return true;
}

static bool act_limit(struct squeeze *s)
{
	long now = sysfile_number(SQUEEZE_CGROUP "/memory.current", "");
	char text[32];

	snprintf(text, sizeof(text), "%ld", now - (256l << 10));
	if (sysfile_write(SQUEEZE_CGROUP "/memory.high", text))
		return false;
	return !sysfile_write(SQUEEZE_CGROUP "/memory.high", "max");
}

/* ---- huge pages ---- */

static bool act_collapse(struct squeeze *s)
{
	char *at = random_huge(s);

	madvise(at, HUGE_SIZE, MADV_HUGEPAGE);
	return !madvise(at, HUGE_SIZE, MADV_COLLAPSE);
}

/* A page in the middle with other rights, for a moment. */
static bool act_split(struct squeeze *s)
{
	struct range r = random_range(s, true);

	return !mprotect(r.at, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) &&
	       !mprotect(r.at, PAGE_SIZE, PROT_READ | PROT_WRITE);
}

/* ---- memory that cannot be used for a while ---- */

static void protected_end(struct squeeze *s)
{
	if (s->protected_at && mprotect(s->protected_at, s->protected_size, PROT_READ | PROT_WRITE))
		test_die("mprotect: %s", strerror(errno));
	s->protected_at = NULL;
}

/* SHVM_RUN failed with EFAULT: for vCPUs' threads. */
static void mend(void *data)
{
	struct squeeze *s = data;

	pthread_mutex_lock(&s->lock);
	protected_end(s);
	pthread_mutex_unlock(&s->lock);
}

static void wait_a_little(struct squeeze *s)
{
	usleep(next(s, 2000));
}

static bool act_read_only(struct squeeze *s)
{
	struct range r = random_range(s, false);
	bool done;

	pthread_mutex_lock(&s->lock);
	done = !mprotect(r.at, r.size, next(s, 4) ? PROT_READ : PROT_NONE);
	s->protected_at = r.at;
	s->protected_size = r.size;
	pthread_mutex_unlock(&s->lock);
	wait_a_little(s);
	mend(s);
	return done;
}

/* The pages at another address, and back. */
static bool act_move(struct squeeze *s)
{
	struct range r = random_range(s, false);
	char *to;

	pthread_mutex_lock(&s->lock);
	to = mmap(NULL, r.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (to == MAP_FAILED ||
	    mremap(r.at, r.size, r.size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		test_die("mremap: %s", strerror(errno));
	wait_a_little(s);
	if (mremap(to, r.size, r.size, MREMAP_MAYMOVE | MREMAP_FIXED, r.at) != r.at)
		test_die("mremap back: %s", strerror(errno));
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* ---- copies of the process ---- */

#define COPY_PAGES	64

static u64 checksum(const u64 *at)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < PAGE_SIZE / 8; i++)
		sum = sum * 31 + ((volatile const u64 *)at)[i];
	return sum;
}

/* What it sees stands still, and what it writes the guest does not see. */
static int watch_copy(char **pages)
{
	u64 sums[COPY_PAGES];
	int i, bad = 0;

	for (i = 0; i < COPY_PAGES; i++)
		sums[i] = checksum((u64 *)pages[i]);
	for (i = 0; i < 50; i++)
		sched_yield();
	for (i = 0; i < COPY_PAGES; i++)
		bad += checksum((u64 *)pages[i]) != sums[i];
	for (i = 0; i < COPY_PAGES; i++)
		memset(pages[i], 0x55, PAGE_SIZE);
	for (i = 0; i < 10; i++)
		sched_yield();
	return bad != 0;
}

static void child_end(struct squeeze *s)
{
	int status;

	if (!s->child)
		return;
	if (waitpid(s->child, &status, 0) != s->child || status) {
		fprintf(stderr, "# a copy of the process: status %#x; 0x100: its memory changed\n",
			status);
		s->bad++;
	}
	s->child = 0;
}

static bool act_fork(struct squeeze *s)
{
	char *pages[COPY_PAGES];
	int i;

	child_end(s);
	for (i = 0; i < COPY_PAGES; i++)
		pages[i] = random_range(s, true).at;
	s->child = fork();
	if (!s->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(watch_copy(pages));
	}
	return s->child > 0;
}

/* ---- the rest ---- */

static bool act_vmm_writes(struct squeeze *s)
{
	s->bad += keyed_vmm_writes(s->k, next(s, KEYED_PAGES), 16);
	return true;
}

static bool act_budget(struct squeeze *s)
{
	u64 budget = SHVM_MIN_MMU_PAGES << next(s, 4);

	return !__vm_ioctl(s->k->vm, SHVM_SET_NR_MMU_PAGES, budget);
}

static bool act(struct squeeze *s, enum squeeze_action action)
{
	switch (action) {
	case SQUEEZE_PAGE_OUT:
		return act_page_out(s);
	case SQUEEZE_COLD:
		return advise(s, MADV_COLD);
	case SQUEEZE_PAGE_IN:
		return advise(s, MADV_WILLNEED);
	case SQUEEZE_RECLAIM:
		return s->in_cgroup && !sysfile_write(SQUEEZE_CGROUP "/memory.reclaim", "512K");
	case SQUEEZE_LIMIT:
		return s->in_cgroup && act_limit(s);
	case SQUEEZE_MERGE:
		return !sysfile_write(KSM "run", "1");
	case SQUEEZE_UNMERGE:
		return !sysfile_write(KSM "run", "2");
	case SQUEEZE_COLLAPSE:
		return act_collapse(s);
	case SQUEEZE_SPLIT:
		return act_split(s);
	case SQUEEZE_BALLOON:
		return keyed_balloon(s->k) > 0;
	case SQUEEZE_READ_ONLY:
		return act_read_only(s);
	case SQUEEZE_MOVE:
		return act_move(s);
	case SQUEEZE_FORK:
		return act_fork(s);
	case SQUEEZE_COMPACT:
		return !sysfile_write("/proc/sys/vm/compact_memory", "1");
	case SQUEEZE_VMM_WRITES:
		return act_vmm_writes(s);
	case SQUEEZE_BUDGET:
		return act_budget(s);
	default:
		test_die("no action %d", action);
	}
}

enum squeeze_action squeeze_any(struct squeeze *s)
{
	int choice = next(s, 64), i = 0;

	while (choice >= weights[i])
		choice -= weights[i++];
	s->count[i] += act(s, i);
	return i;
}

void squeeze_calm(struct squeeze *s)
{
	child_end(s);
	sysfile_write(KSM "run", "0");
}

void squeeze_init(struct squeeze *s, u64 seed)
{
	*s = (struct squeeze){ .random = (seed + 1) * 0xd1342543de82ef95 };
	pthread_mutex_init(&s->lock, NULL);
	s->in_cgroup = cgroup_enter(SQUEEZE_CGROUP);
	sysfile_write(KSM "pages_to_scan", "200");
	sysfile_write(KSM "sleep_millisecs", "20");
	sysfile_write(KHUGEPAGED "scan_sleep_millisecs", "20");
	sysfile_write(KHUGEPAGED "alloc_sleep_millisecs", "20");
}

static void area_add(struct squeeze *s, void *hva, size_t size, bool anon)
{
	s->areas[s->nr_areas].hva = hva;
	s->areas[s->nr_areas].size = size;
	s->areas[s->nr_areas++].anon = anon;
	madvise(hva, size, MADV_MERGEABLE);
	madvise(hva, size, MADV_HUGEPAGE);
}

void squeeze_set_guest(struct squeeze *s, struct keyed *k)
{
	s->k = k;
	k->mend = mend;
	k->mend_data = s;
	area_add(s, k->anon, KEYED_ANON_PAGES * PAGE_SIZE, true);
	area_add(s, k->file, KEYED_FILE_PAGES * PAGE_SIZE, false);
	area_add(s, vm_hva(k->vm, 0), RAM_SIZE, true);
	area_add(s, vm_hva(k->vm, PAYLOAD_BASE), PAYLOAD_SIZE, true);
}

void squeeze_exit(struct squeeze *s)
{
	squeeze_calm(s);
	sysfile_write(KSM "run", "2");
	sysfile_write(KSM "run", "0");
	sysfile_write(KHUGEPAGED "scan_sleep_millisecs", "10000");
	sysfile_write(KHUGEPAGED "alloc_sleep_millisecs", "60000");
	if (s->in_cgroup)
		cgroup_leave(SQUEEZE_CGROUP);
}
