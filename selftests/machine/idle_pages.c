// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host marks pages as idle and asks later which were used since. Pages that only a guest uses
 * have no other witness than the shadow MMU. Needs CONFIG_IDLE_PAGE_TRACKING and root.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "sysfile.h"
#include "worker.h"

#define NR_WORKERS	2
#define NR_PAGES	256
#define CHUNK		64	/* frames that the bitmap has in one word */

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

/*
 * How many pages were marked. Where memory ends within a word of the bitmap, Linux 6.1 transfers
 * nothing: it says 0 and leaves the buffer alone.
 */
static int mark_idle(struct test_vm *vm, u64 gpa)
{
	u64 i, frame, bits;
	int n = 0;
	ssize_t ret;

	for (i = 0; i < NR_PAGES; i++) {
		frame = frame_of(vm, gpa + i * PAGE_SIZE);
		bits = 1ull << frame % CHUNK;
		ret = pwrite(bitmap, &bits, 8, frame / CHUNK * 8);
		if (ret != 8 && ret)
			test_die("cannot mark a page: %s", strerror(errno));
		n += ret == 8;
	}
	return n;
}

static int count_idle(struct test_vm *vm, u64 gpa)
{
	u64 i, frame, bits;
	int n = 0;

	for (i = 0; i < NR_PAGES; i++) {
		frame = frame_of(vm, gpa + i * PAGE_SIZE);
		bits = 0;
		if (pread(bitmap, &bits, 8, frame / CHUNK * 8) < 0)
			test_die("cannot look at a page: %s", strerror(errno));
		n += bits >> frame % CHUNK & 1;
	}
	return n;
}

TEST_F(idle_pages, a_guest_uses_pages)
{
	int marked;

	workers_start(&self->w);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	sysfile_put_pages_on_lists();
	EXPECT_LT(NR_PAGES - CHUNK, mark_idle(self->vm, self->used));
	marked = mark_idle(self->vm, self->unused);
	EXPECT_LT(NR_PAGES - CHUNK, marked);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	EXPECT_EQ(0, count_idle(self->vm, self->used));
	EXPECT_EQ(marked, count_idle(self->vm, self->unused));

	/* Nor is what stands still in use, however often it was used before. */
	EXPECT_EQ(0, workers_stop(&self->w));
	marked = mark_idle(self->vm, self->used);
	EXPECT_EQ(marked, count_idle(self->vm, self->used));

	workers_start(&self->w);
	ASSERT_TRUE(workers_sweep(&self->w, 1));
	EXPECT_EQ(0, count_idle(self->vm, self->used));
	EXPECT_EQ(0, workers_stop(&self->w));
}

SHVM_TEST_MAIN
