// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host does to guest memory on its own account, as a running guest sees it: not at all.
 * Swap, merging of equal pages, huge pages made and split, a limit on the memory of the process.
 * All of guest memory is subject to it: data, code, stacks, descriptor and page tables.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "huge.h"
#include "shvm_test.h"
#include "sysfile.h"
#include "worker.h"

#define NR_WORKERS	2
#define NR_PAGES	64

FIXTURE(reclaim)
{
	struct test_vm *vm;
	struct workers w;
	u64 work;		/* gpa of NR_PAGES pages, checked by the workers */
};

static void pin_to_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(reclaim)
{
	/* Pages that come and go one by one. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	self->vm = vm_create();
	self->work = vm_alloc_pages(self->vm, NR_PAGES);
	workers_create(&self->w, self->vm, NR_WORKERS, self->work, NR_PAGES);
}

FIXTURE_TEARDOWN(reclaim)
{
	vm_free(self->vm);
}

/* ---- /proc/self/pagemap ---- */

#define PM_PRESENT	0x8000000000000000ull
#define PM_SWAPPED	0x4000000000000000ull

/* Pages of the area with any of these bits in /proc/self/pagemap. */
static int count_pages(const void *area, size_t size, u64 bits)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), n = 0;
	size_t i;
	u64 entry;

	for (i = 0; i < size / PAGE_SIZE; i++)
		if (pread(fd, &entry, 8, ((u64)area / PAGE_SIZE + i) * 8) == 8 && entry & bits)
			n++;
	close(fd);
	return n;
}

/* ---- swap ---- */

/* Pages that the guest used lately are spared once, and are old the second time. */
static void page_out_all(struct test_vm *vm)
{
	int i;

	for (i = 0; i < 2; i++)
		if (madvise(vm_hva(vm, 0), RAM_SIZE, MADV_PAGEOUT) ||
		    madvise(vm_hva(vm, PAYLOAD_BASE), PAYLOAD_SIZE, MADV_PAGEOUT))
			test_die("MADV_PAGEOUT: %s", strerror(errno));
}

/*
 * How many pages a round takes is up to the guest: those that it does not use meanwhile. The faster
 * it is, the fewer.
 */
TEST_F(reclaim, swapped_while_it_runs)
{
	long before = sysfile_number("/proc/vmstat", "pswpout "), swapped = 0;
	int i;

	if (!sysfile_have_swap())
		SKIP(return, "there is no swap");
	workers_start(&self->w);
	for (i = 0; i < 5000 && swapped <= 4 * NR_PAGES; i++) {
		page_out_all(self->vm);
		ASSERT_TRUE(workers_sweep(&self->w, 1));
		swapped = sysfile_number("/proc/vmstat", "pswpout ") - before;
	}
	EXPECT_EQ(0, vm_audit(self->vm));
	EXPECT_EQ(0, workers_stop(&self->w));
	EXPECT_LT(4 * NR_PAGES, swapped)
		TH_LOG("%d rounds", i);
}

/*
 * Nobody holds a page of a guest that stands still. All on one CPU: pages that were used on another
 * one just before may still be on a list of it, where the kernel does not take them from.
 */
TEST_F(reclaim, all_of_a_stopped_guest_can_be_swapped)
{
	struct test_vm *vm;
	struct workers w;
	char *ram;
	int i, there;

	if (!sysfile_have_swap())
		SKIP(return, "there is no swap");
	pin_to_one_cpu();
	vm = vm_create();
	ram = vm_hva(vm, 0);
	workers_create(&w, vm, NR_WORKERS, vm_alloc_pages(vm, NR_PAGES), NR_PAGES);
	for (i = 0; i < 3; i++) {
		workers_start(&w);
		ASSERT_TRUE(workers_sweep(&w, 1));
		ASSERT_EQ(0, workers_stop(&w));
		there = count_pages(ram, RAM_SIZE, PM_PRESENT);
		EXPECT_LT(NR_PAGES, there);
		page_out_all(vm);
		EXPECT_EQ(0, count_pages(ram, RAM_SIZE, PM_PRESENT));
		EXPECT_EQ(0, count_pages(vm_hva(vm, PAYLOAD_BASE), PAYLOAD_SIZE, PM_PRESENT));
		EXPECT_LE(there, count_pages(ram, RAM_SIZE, PM_SWAPPED));
		EXPECT_EQ(0, vm_audit(vm));
	}
	vm_free(vm);
}

/* ---- ageing ---- */

#define CGROUP		"/sys/fs/cgroup/shvm_reclaim"

#define COLD_PAGES	512

/*
 * The host asks which pages were used before it takes some. It must learn that the guest uses the
 * pages of the workers: what it takes are those that nobody touches. With KASAN this takes 27 s.
 */
TEST_F_TIMEOUT(reclaim, pages_in_use_are_young, 120)
{
	int i, taken = 0;
	struct test_vm *vm;
	long before, hot;
	struct workers w;
	u64 work, cold;

	if (!sysfile_have_swap() || !cgroup_enter(CGROUP))
		SKIP(return, "there is no swap or no memory cgroup");
	/* Charged to the cgroup are pages that are touched from now on. */
	vm = vm_create();
	work = vm_alloc_pages(vm, NR_PAGES);
	cold = vm_alloc_pages(vm, COLD_PAGES);
	workers_create(&w, vm, NR_WORKERS, work, NR_PAGES);
	workers_start(&w);
	ASSERT_TRUE(workers_sweep(&w, 1));
	/* What the host knows by itself speaks for the others: only the guest uses these. */
	ASSERT_EQ(0, madvise(vm_hva(vm, work), NR_PAGES * PAGE_SIZE, MADV_COLD));
	ASSERT_EQ(0, madvise(vm_hva(vm, cold), COLD_PAGES * PAGE_SIZE, MADV_DONTNEED));
	memset(vm_hva(vm, cold), 1, COLD_PAGES * PAGE_SIZE);
	ASSERT_TRUE(workers_sweep(&w, 1));
	before = sysfile_number("/proc/vmstat", "pswpin ");
	for (i = 0; i < 100 && taken < COLD_PAGES * 15 / 16; i++) {
		sysfile_write(CGROUP "/memory.reclaim", "128K");
		taken = count_pages(vm_hva(vm, cold), COLD_PAGES * PAGE_SIZE, PM_SWAPPED);
		ASSERT_TRUE(workers_sweep(&w, 1));
	}
	EXPECT_EQ(0, workers_stop(&w));
	/* A page in use that was taken is read again at once; nobody reads the idle ones. */
	hot = sysfile_number("/proc/vmstat", "pswpin ") - before;
	EXPECT_LE(COLD_PAGES * 15 / 16, taken);
	if (test_is_shvm())
		EXPECT_LT(0, vm_stats(vm).notifier_ages);
	EXPECT_LE(hot, taken / 8)
		TH_LOG("%d reclaims took %d idle pages, and %ld times one in use", i, taken, hot);
	vm_free(vm);
	cgroup_leave(CGROUP);
}

GUEST_CODE static void guest_numbers(u64 base, u64 nr_pages)
{
	u64 i;

	for (i = 0; i < nr_pages; i++)
		guest_write64(base + i * PAGE_SIZE, i);
	GUEST_DONE();
}

#define KPF_REFERENCED	(1ull << 2)

/* Pages of the area that the kernel has marked as used, apart from what their entries say. */
static int count_marked(const void *area, int nr_pages)
{
	int map = open("/proc/self/pagemap", O_RDONLY);
	int flags = open("/proc/kpageflags", O_RDONLY);
	int i, n = 0;
	u64 entry, bits;

	for (i = 0; i < nr_pages; i++) {
		if (pread(map, &entry, 8, ((u64)area / PAGE_SIZE + i) * 8) != 8 ||
		    !(entry & PM_PRESENT) ||
		    pread(flags, &bits, 8, (entry & ((1ull << 55) - 1)) * 8) != 8)
			test_die("page %d is not there, or has no flags", i);
		n += !!(bits & KPF_REFERENCED);
	}
	close(map);
	close(flags);
	return n;
}

/*
 * That the guest has used a page is told once, by an entry. A page that is marked besides counts as
 * used twice, and what was mapped beside a fault was not used at all.
 */
TEST_F(reclaim, faults_mark_no_page)
{
	u64 work = vm_alloc_pages(self->vm, NR_PAGES);
	struct test_vcpu *vcpu = vcpu_create(self->vm, NR_WORKERS, NULL);
	void *hva = vm_hva(self->vm, work);
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM marks what it maps");
	ASSERT_EQ(0, madvise(hva, NR_PAGES * PAGE_SIZE, MADV_DONTNEED));
	vcpu_set_entry(vcpu, guest_numbers, work, NR_PAGES);
	ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	EXPECT_EQ(0, count_marked(hva, NR_PAGES));
	/* Takes them from the shadow, not from memory. */
	ASSERT_EQ(0, mprotect(hva, NR_PAGES * PAGE_SIZE, PROT_READ));
	ASSERT_EQ(0, mprotect(hva, NR_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE));
	vcpu_set_entry(vcpu, guest_numbers, work + PAGE_SIZE, 1);
	ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	EXPECT_EQ(0, count_marked(hva, NR_PAGES));
	if (!sysfile_have_swap())
		return;
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, madvise(hva, NR_PAGES * PAGE_SIZE, MADV_PAGEOUT));
	vcpu_set_entry(vcpu, guest_numbers, work, NR_PAGES);
	ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	EXPECT_EQ(0, count_marked(hva, NR_PAGES));
}

/*
 * The host asks for pages that two vCPUs use, and takes none, for there is no swap for them. They
 * go on using them, without a fault, a flush or an interrupt.
 */
TEST_F(reclaim, ageing_disturbs_nobody)
{
	struct shvm_stats before, after;
	struct test_vm *vm;
	struct workers w;
	u64 work;
	int i;

	if (!test_is_shvm() || !cgroup_enter(CGROUP))
		SKIP(return, "no counters, or no memory cgroup");
	ASSERT_EQ(0, sysfile_write(CGROUP "/memory.swap.max", "0"));
	vm = vm_create();
	work = vm_alloc_pages(vm, NR_PAGES);
	workers_create(&w, vm, NR_WORKERS, work, NR_PAGES);
	workers_set_remapping(&w, false);
	workers_start(&w);
	ASSERT_TRUE(workers_sweep(&w, 2));
	before = vm_stats(vm);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, madvise(vm_hva(vm, work), NR_PAGES * PAGE_SIZE, MADV_PAGEOUT));
		ASSERT_TRUE(workers_sweep(&w, 1));
	}
	after = vm_stats(vm);
	EXPECT_EQ(0, workers_stop(&w));
	EXPECT_LT(before.notifier_ages + 4 * NR_PAGES, after.notifier_ages);
	EXPECT_EQ(before.notifier_invalidates, after.notifier_invalidates);
	EXPECT_EQ(before.pf_fixed, after.pf_fixed);
	EXPECT_EQ(before.tlb_flush_requests, after.tlb_flush_requests);
	EXPECT_EQ(before.ipis, after.ipis);
	sysfile_write(CGROUP "/memory.swap.max", "max");
	vm_free(vm);
	cgroup_leave(CGROUP);
}

/* ---- a limit ---- */

/*
 * The guest's working set does not fit: its pages come and go all the time, and stay intact. Each
 * time costs a fault and a compression, which takes long with KASAN.
 */
TEST_F_TIMEOUT(reclaim, under_a_memory_limit, 120)
{
	long before = sysfile_number("/proc/vmstat", "pswpin ");
	char limit[32];
	struct test_vm *vm;
	struct workers w;

	if (!sysfile_have_swap() || !cgroup_enter(CGROUP))
		SKIP(return, "there is no swap or no memory cgroup");
	vm = vm_create();
	workers_create(&w, vm, NR_WORKERS, vm_alloc_pages(vm, 512), 512);
	snprintf(limit, sizeof(limit), "%ld",
		 sysfile_number(CGROUP "/memory.current", "") - (1 << 20));
	ASSERT_EQ(0, sysfile_write(CGROUP "/memory.max", limit));
	workers_start(&w);
	EXPECT_TRUE(workers_sweep(&w, 4));
	EXPECT_EQ(0, vm_audit(vm));
	EXPECT_EQ(0, workers_stop(&w));
	EXPECT_LT(512, sysfile_number("/proc/vmstat", "pswpin ") - before);
	EXPECT_EQ(0, sysfile_number(CGROUP "/memory.events", "oom_kill "));
	vm_free(vm);
	cgroup_leave(CGROUP);
}

/* ---- merging ---- */

#define KSM	"/sys/kernel/mm/ksm/"
#define EQUAL	0x6b6b6b6b6b6b6b6bul

GUEST_CODE static void guest_reads_equal(u64 base, u64 nr_pages)
{
	u64 i;

	for (i = 0; i < nr_pages; i++)
		GUEST_ASSERT_EQ(EQUAL, guest_read64(base + i * PAGE_SIZE));
	GUEST_DONE();
}

/* Until ksmd has merged that many pages, or has been over all memory ten times in vain. */
static bool ksm_waits_for(long pages)
{
	long until = sysfile_number(KSM "full_scans", "") + 10;

	while (sysfile_number(KSM "pages_sharing", "") < pages) {
		if (sysfile_number(KSM "full_scans", "") > until)
			return false;
		sched_yield();
	}
	return true;
}

/* Equal pages become one page that nobody may write; a write of the guest makes it two again. */
TEST_F(reclaim, merged_and_copied)
{
	u64 same = vm_alloc_pages(self->vm, NR_PAGES);
	struct test_vcpu *vcpu = vcpu_create(self->vm, NR_WORKERS, NULL);
	u64 *hva = vm_hva(self->vm, same);
	int i, round;

	if (access(KSM "run", W_OK))
		SKIP(return, "the kernel has no KSM");
	ASSERT_EQ(0, madvise(vm_hva(self->vm, 0), RAM_SIZE, MADV_MERGEABLE));
	ASSERT_EQ(0, sysfile_write(KSM "pages_to_scan", "1000"));
	ASSERT_EQ(0, sysfile_write(KSM "sleep_millisecs", "1"));
	workers_start(&self->w);
	for (round = 0; round < 2; round++) {
		memset(hva, EQUAL & 0xff, NR_PAGES * PAGE_SIZE);
		vcpu_set_entry(vcpu, guest_reads_equal, same, NR_PAGES);
		ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
		ASSERT_EQ(0, sysfile_write(KSM "run", "1"));
		EXPECT_TRUE(ksm_waits_for(NR_PAGES - 2));
		ASSERT_EQ(0, vm_audit(self->vm));
		vcpu_set_entry(vcpu, guest_reads_equal, same, NR_PAGES);
		ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
		vcpu_set_entry(vcpu, guest_numbers, same, NR_PAGES);
		ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
		ASSERT_EQ(0, sysfile_write(KSM "run", "0"));
		for (i = 0; i < NR_PAGES; i++) {
			EXPECT_EQ(i, hva[i * 512]);
			EXPECT_EQ(EQUAL, hva[i * 512 + 1]);
		}
		ASSERT_TRUE(workers_sweep(&self->w, 2));
	}
	EXPECT_EQ(0, workers_stop(&self->w));
	EXPECT_EQ(0, sysfile_write(KSM "run", "2"));
	EXPECT_EQ(0, sysfile_write(KSM "run", "0"));
}

/* ---- huge pages ---- */

#define HUGE_GPA	0xc0000000ul
#define HUGE_SLOT	5
#define NR_ROUNDS	4

/*
 * The kernel looks for a while whether anybody holds a page. Each fault does so for a moment, so
 * the guest must not cause any, as it runs on in the memory.
 */
static bool collapse(struct workers *w, void *area)
{
	bool done;

	workers_set_remapping(w, false);
	done = workers_sweep(w, 1) && !madvise(area, HUGE_SIZE, MADV_COLLAPSE);
	workers_set_remapping(w, true);
	return done;
}

TEST_F(reclaim, huge_page_split_and_made)
{
	const u32 pages = HUGE_SIZE / PAGE_SIZE;
	struct test_vm *vm = vm_create();
	struct workers w;
	char *area;
	int i;

	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	area = huge_area(HUGE_SIZE);
	if (!area || !huge_is(area))
		SKIP(return, "the kernel gives no transparent huge pages");
	ASSERT_EQ(0, __vm_set_slot(vm, HUGE_SLOT, 0, HUGE_GPA, HUGE_SIZE, area));
	guest_map_range(vm, HUGE_GPA, HUGE_GPA, HUGE_SIZE, PTE_P | PTE_W);
	workers_create(&w, vm, NR_WORKERS, HUGE_GPA, pages);
	workers_start(&w);
	for (i = 0; i < NR_ROUNDS; i++) {
		ASSERT_TRUE(huge_is(area));
		ASSERT_TRUE(workers_sweep(&w, 1));
		ASSERT_EQ(0, mprotect(area + i * 7 * PAGE_SIZE, PAGE_SIZE,
				      PROT_READ | PROT_WRITE | PROT_EXEC));
		EXPECT_FALSE(huge_is(area));
		EXPECT_EQ(0, vm_audit(vm));
		ASSERT_TRUE(workers_sweep(&w, 1));
		ASSERT_EQ(0, mprotect(area, HUGE_SIZE, PROT_READ | PROT_WRITE));
		ASSERT_TRUE(collapse(&w, area))
			TH_LOG("MADV_COLLAPSE: %s", strerror(errno));
	}
	ASSERT_TRUE(workers_sweep(&w, 1));
	EXPECT_EQ(0, workers_stop(&w));
	vm_free(vm);
}

SHVM_TEST_MAIN
