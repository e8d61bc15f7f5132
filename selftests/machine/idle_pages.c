// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host marks pages as idle and asks later which were used since. Pages that only a guest uses
 * have no other witness than the shadow MMU. Needs CONFIG_IDLE_PAGE_TRACKING and root.
 */
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "worker.h"

#define NR_WORKERS	2
#define NR_PAGES	64
#define ENOUGH		(NR_PAGES * 3 / 4)	/* new pages are on no list of the host yet */

#define PM_PRESENT	(1ull << 63)
#define PM_PFN		((1ull << 55) - 1)

static int bitmap, pagemap;

FIXTURE(idle_pages)
{
	struct test_vm *vm;
	struct workers w;
	u64 used, unused;	/* gpas of NR_PAGES pages */
};

FIXTURE_SETUP(idle_pages)
{
	/* A huge page has one mark. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	bitmap = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (bitmap < 0 || pagemap < 0)
		test_die("no idle page tracking in this kernel, or not root");
	self->vm = vm_create();
	self->used = vm_alloc_pages(self->vm, NR_PAGES);
	self->unused = vm_alloc_pages(self->vm, NR_PAGES);
	workers_create(&self->w, self->vm, NR_WORKERS, self->used, NR_PAGES);
}

FIXTURE_TEARDOWN(idle_pages)
{
	vm_free(self->vm);
	close(pagemap);
	close(bitmap);
}

/* Frame of the page that the guest has at gpa. */
static u64 frame_of(struct test_vm *vm, u64 gpa)
{
	u64 entry, page = (u64)vm_hva(vm, gpa) / PAGE_SIZE;

	if (pread(pagemap, &entry, 8, page * 8) != 8 || !(entry & PM_PRESENT))
		test_die("no page at guest address %#lx", (long)gpa);
	return entry & PM_PFN;
}

static void mark_idle(struct test_vm *vm, u64 gpa)
{
	u64 i, frame, bits;

	for (i = 0; i < NR_PAGES; i++) {
		frame = frame_of(vm, gpa + i * PAGE_SIZE);
		bits = 1ull << frame % 64;
		if (pwrite(bitmap, &bits, 8, frame / 64 * 8) != 8)
			test_die("cannot mark a page: %s", strerror(errno));
	}
}

static int count_idle(struct test_vm *vm, u64 gpa)
{
	u64 i, frame, bits;
	int n = 0;

	for (i = 0; i < NR_PAGES; i++) {
		frame = frame_of(vm, gpa + i * PAGE_SIZE);
		if (pread(bitmap, &bits, 8, frame / 64 * 8) != 8)
			test_die("cannot look at a page: %s", strerror(errno));
		n += bits >> frame % 64 & 1;
	}
	return n;
}

TEST_F(idle_pages, a_guest_uses_pages)
{
	workers_start(&self->w);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	mark_idle(self->vm, self->used);
	mark_idle(self->vm, self->unused);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	EXPECT_EQ(0, count_idle(self->vm, self->used));
	EXPECT_LE(ENOUGH, count_idle(self->vm, self->unused));

	/* Nor is what stands still in use, however often it was used before. */
	EXPECT_EQ(0, workers_stop(&self->w));
	mark_idle(self->vm, self->used);
	EXPECT_LE(ENOUGH, count_idle(self->vm, self->used));

	workers_start(&self->w);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	EXPECT_EQ(0, count_idle(self->vm, self->used));
	EXPECT_EQ(0, workers_stop(&self->w));
}

SHVM_TEST_MAIN
