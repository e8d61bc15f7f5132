// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_GET_WORKING_SET: the ages of pages that a guest uses, and leaves alone, and that come and go
 * in the host; what the host thinks of them does not change; large pages; every bad argument.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "huge.h"
#include "shvm_test.h"
#include "sysfile.h"
#include "worker.h"

#define NR_PAGES	96
#define STEP		3	/* the guest uses one page in so many */
#define SLOT		5
#define GPA		0xc0000000ul
#define GVA		0x100000000000ul
#define NR_WORKERS	2
#define LONG		600	/* tenths of a second: no test takes so long */

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

FIXTURE(working_set)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 gpa;		/* of NR_PAGES pages that the VMM has touched */
	u32 age[NR_PAGES];
};

FIXTURE_SETUP(working_set)
{
	if (!test_is_shvm())
		SKIP(return, "it is shvm's own");
	/* Pages that another CPU has just brought in may still be on a list of its own. */
	test_pin(pthread_self(), 0);
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	self->gpa = vm_alloc_pages(self->vm, NR_PAGES);
	memset(vm_hva(self->vm, self->gpa), 1, NR_PAGES * PAGE_SIZE);
}

FIXTURE_TEARDOWN(working_set)
{
	vm_free(self->vm);
}

static int __ask(struct test_vm *vm, u64 gpa, u64 nr, u32 *age, u32 flags)
{
	struct shvm_working_set ws = {
		.first_page = gpa / PAGE_SIZE, .nr_pages = nr, .ages = (u64)age, .flags = flags,
	};

	return __vm_ioctl(vm, SHVM_GET_WORKING_SET, &ws);
}

static void ask(struct test_vm *vm, u64 gpa, u64 nr, u32 *age)
{
	if (__ask(vm, gpa, nr, age, 0))
		test_die("no working set at %#lx", (long)gpa);
}

GUEST_CODE static void guest_uses(u64 gva, u64 step)
{
	u64 i;

	for (i = 0; i < NR_PAGES; i += step)
		guest_read64(gva + i * PAGE_SIZE);
	GUEST_SYNC(0);
}

static void use(struct test_vcpu *vcpu, u64 gva, u64 step)
{
	if (vcpu_call(vcpu, guest_uses, gva, step) != EXIT_SYNC)
		test_die("the guest failed");
}

/* In tenths of a second: the passing of time, which nothing else in this test stands for. */
static void let_pass(u32 tenths)
{
	struct timespec ts = { tenths / 10, tenths % 10 * 100000000 };

	while (nanosleep(&ts, &ts))
		;
}

static bool is_present(struct test_vm *vm, u64 gpa)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	u64 entry = 0;

	if (fd < 0 || pread(fd, &entry, 8, (u64)vm_hva(vm, gpa) / PAGE_SIZE * 8) != 8)
		test_die("no pagemap");
	close(fd);
	return entry >> 63;
}

static int count_present(struct test_vm *vm, u64 gpa, int from, int step)
{
	int i, n = 0;

	for (i = from; i < NR_PAGES; i += step)
		n += is_present(vm, gpa + i * PAGE_SIZE);
	return n;
}

static void page_out(struct test_vm *vm, u64 gpa)
{
	if (madvise(vm_hva(vm, gpa), NR_PAGES * PAGE_SIZE, MADV_PAGEOUT))
		test_die("MADV_PAGEOUT");
}

/* ---- ages ---- */

TEST_F(working_set, pages_in_use_and_others)
{
	u32 *age = self->age;
	int i;

	ask(self->vm, self->gpa, NR_PAGES, age);
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(SHVM_WORKING_SET_NEVER, age[i]);
	use(self->vcpu, self->gpa, STEP);
	ask(self->vm, self->gpa, NR_PAGES, age);
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(i % STEP ? SHVM_WORKING_SET_NEVER : 0, age[i]) TH_LOG("page %d", i);
	let_pass(5);
	/* Now the guest's own entries have A, and those beside each fault are mapped. */
	if (test_dev_cap(SHVM_CAP_DEBUG) > 0) {
		struct shvm_debug_ctl zap = { .op = SHVM_DEBUG_ZAP_ALL };

		ASSERT_EQ(0, __vm_ioctl(self->vm, SHVM_DEBUG_CTL, &zap));
	}
	use(self->vcpu, self->gpa, 2 * STEP);
	ask(self->vm, self->gpa, NR_PAGES, age);
	for (i = 0; i < NR_PAGES; i++) {
		if (i % STEP) {
			ASSERT_EQ(SHVM_WORKING_SET_NEVER, age[i]);
		} else if (i % (2 * STEP)) {
			/* The clock has steps of 32 jiffies. */
			ASSERT_LE(3, age[i]);
			ASSERT_GT(LONG, age[i]);
		} else {
			ASSERT_EQ(0, age[i]);
		}
	}
}

/* What the CPU walks is not seen, and that is said. */
TEST_F(working_set, tables)
{
	u64 table = self->vm->root;

	use(self->vcpu, self->gpa, 1);
	ask(self->vm, table, 1, self->age);
	EXPECT_EQ(SHVM_WORKING_SET_TABLE, self->age[0] & ~SHVM_WORKING_SET_AGE);
	ask(self->vm, self->gpa, 1, self->age);
	EXPECT_EQ(0, self->age[0]);
}

TEST_F(working_set, where_no_memory_is)
{
	u64 end = RAM_SIZE - 2 * PAGE_SIZE;
	u32 *age = self->age;

	ask(self->vm, end, 4, age);
	EXPECT_EQ(SHVM_WORKING_SET_NEVER, age[1]);
	EXPECT_EQ(SHVM_WORKING_SET_NO_MEMORY, age[2]);
	EXPECT_EQ(SHVM_WORKING_SET_NO_MEMORY, age[3]);
	vm_add_ram(self->vm, SLOT, 0, GPA, 2 * PAGE_SIZE);
	ask(self->vm, GPA - PAGE_SIZE, 4, age);
	EXPECT_EQ(SHVM_WORKING_SET_NO_MEMORY, age[0]);
	EXPECT_EQ(SHVM_WORKING_SET_NEVER, age[1]);
	EXPECT_EQ(SHVM_WORKING_SET_NO_MEMORY, age[3]);
	vm_del_slot(self->vm, SLOT);
	ask(self->vm, GPA, 1, age);
	EXPECT_EQ(SHVM_WORKING_SET_NO_MEMORY, age[0]);
}

/* ---- the host ---- */

/*
 * The host spares pages that were used since it asked last, and those only: with as many looks at
 * the working set in between as anybody likes.
 */
TEST_F(working_set, host_knows_what_it_knew)
{
	int round, i, of_them = NR_PAGES / STEP;

	if (!sysfile_have_swap())
		SKIP(return, "there is no swap");
	if (!pageout_spares_used())
		SKIP(return, "this kernel pages out whatever was used");
	use(self->vcpu, self->gpa, 1);
	page_out(self->vm, self->gpa);
	for (round = 0; round < 3; round++) {
		memset(vm_hva(self->vm, self->gpa), round, NR_PAGES * PAGE_SIZE);
		page_out(self->vm, self->gpa);
		memset(vm_hva(self->vm, self->gpa), round, NR_PAGES * PAGE_SIZE);
		use(self->vcpu, self->gpa, STEP);
		for (i = 0; i < round; i++)
			ask(self->vm, self->gpa, NR_PAGES, self->age);
		page_out(self->vm, self->gpa);
		EXPECT_EQ(of_them, count_present(self->vm, self->gpa, 0, STEP))
			TH_LOG("pages in use, after %d looks", round);
		EXPECT_EQ(0, count_present(self->vm, self->gpa, 1, STEP))
			TH_LOG("pages not in use, after %d looks", round);
		ask(self->vm, self->gpa, NR_PAGES, self->age);
		page_out(self->vm, self->gpa);
		EXPECT_EQ(0, count_present(self->vm, self->gpa, 0, STEP))
			TH_LOG("spared twice, after %d looks", round);
	}
}

/* A page keeps its age in swap, also when the VMM brings it back. */
TEST_F(working_set, swapped)
{
	int i;

	if (!sysfile_have_swap())
		SKIP(return, "there is no swap");
	use(self->vcpu, self->gpa, STEP);
	for (i = 0; i < 3; i++)
		page_out(self->vm, self->gpa);
	ASSERT_EQ(0, count_present(self->vm, self->gpa, 0, 1));
	let_pass(5);
	memset(vm_hva(self->vm, self->gpa), 7, NR_PAGES * PAGE_SIZE);
	ask(self->vm, self->gpa, NR_PAGES, self->age);
	for (i = 0; i < NR_PAGES; i++) {
		if (i % STEP) {
			ASSERT_EQ(SHVM_WORKING_SET_NEVER, self->age[i]);
		} else {
			ASSERT_LE(3, self->age[i]) TH_LOG("page %d", i);
			ASSERT_GT(LONG, self->age[i]);
		}
	}
	use(self->vcpu, self->gpa, STEP);
	ask(self->vm, self->gpa, 1, self->age);
	EXPECT_EQ(0, self->age[0]);
}

/* What is mapped in the place of memory that has gone was never used. */
TEST_F(working_set, unmapped)
{
	char *hva = vm_hva(self->vm, self->gpa);

	use(self->vcpu, self->gpa, 1);
	ASSERT_EQ(hva, mmap(hva, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_EQ(0, madvise(hva + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED));
	ask(self->vm, self->gpa, 2, self->age);
	EXPECT_EQ(SHVM_WORKING_SET_NEVER, self->age[0]);
	EXPECT_GT(LONG, self->age[1]);
	use(self->vcpu, self->gpa, NR_PAGES);
	ask(self->vm, self->gpa, 1, self->age);
	EXPECT_EQ(0, self->age[0]);
}

/* ---- large pages ---- */

#define HUGE_PAGES	(HUGE_SIZE / PAGE_SIZE)

TEST_F(working_set, large)
{
	static u32 age[2 * HUGE_PAGES];
	void *hva = huge_area(2 * HUGE_SIZE);
	u64 splits;
	int i;

	if (!hva || !huge_is(hva))
		SKIP(return, "the kernel gives no transparent huge pages");
	ASSERT_EQ(0, __vm_set_slot(self->vm, SLOT, 0, GPA, 2 * HUGE_SIZE, hva));
	*guest_pte(self->vm, self->vm->root, GVA, 2) = GPA | PTE_P | PTE_W | PTE_PS;
	use(self->vcpu, GVA, STEP);
	splits = vm_stats(self->vm).large_splits;
	ask(self->vm, GPA, 2 * HUGE_PAGES, age);
	for (i = 0; i < HUGE_PAGES; i++)
		ASSERT_EQ(SHVM_WORKING_SET_LARGE, age[i]);
	for (; i < 2 * HUGE_PAGES; i++)
		ASSERT_EQ(SHVM_WORKING_SET_NEVER, age[i]);
	/* Nobody has used it since. */
	ASSERT_EQ(0, __ask(self->vm, GPA, 2 * HUGE_PAGES, age, SHVM_WORKING_SET_FINE));
	EXPECT_EQ(splits, vm_stats(self->vm).large_splits);
	use(self->vcpu, GVA, STEP);
	ASSERT_EQ(0, __ask(self->vm, GPA, 2 * HUGE_PAGES, age, SHVM_WORKING_SET_FINE));
	EXPECT_EQ(splits + 1, vm_stats(self->vm).large_splits);
	EXPECT_EQ(SHVM_WORKING_SET_LARGE, age[1]);
	let_pass(4);
	use(self->vcpu, GVA, STEP);
	ask(self->vm, GPA, HUGE_PAGES, age);
	for (i = 0; i < HUGE_PAGES; i++) {
		if (i < NR_PAGES && i % STEP == 0) {
			ASSERT_EQ(0, age[i]) TH_LOG("page %d", i);
		} else {
			ASSERT_TRUE(age[i] & SHVM_WORKING_SET_LARGE) TH_LOG("page %d", i);
			ASSERT_LE(2, age[i] & SHVM_WORKING_SET_AGE) TH_LOG("page %d", i);
		}
	}
}

/* ---- arguments ---- */

#define EXPECT_REFUSED(error, field, value)					\
	do {									\
		struct shvm_working_set ws_ = good;				\
										\
		ws_.field = (value);						\
		EXPECT_EQ(-(error), __vm_ioctl(self->vm, SHVM_GET_WORKING_SET, &ws_))	\
			TH_LOG(#field " %#llx", (unsigned long long)(value));	\
	} while (0)

TEST_F(working_set, arguments)
{
	struct shvm_working_set good = { .nr_pages = 1, .ages = (u64)self->age };
	void *hole = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u32 flag;

	ASSERT_NE(MAP_FAILED, hole);
	ASSERT_EQ(0, munmap(hole + 2 * PAGE_SIZE, 2 * PAGE_SIZE));
	EXPECT_EQ(0, __vm_ioctl(self->vm, SHVM_GET_WORKING_SET, &good));
	for (flag = 2; flag; flag <<= 1)
		EXPECT_REFUSED(EINVAL, flags, flag);
	EXPECT_REFUSED(EINVAL, pad, 1);
	EXPECT_REFUSED(EINVAL, reserved[0], 1);
	EXPECT_REFUSED(EINVAL, reserved[1], 1ull << 63);
	EXPECT_REFUSED(EINVAL, nr_pages, 0);
	EXPECT_REFUSED(EINVAL, nr_pages, (1ull << 32) + 1);
	EXPECT_REFUSED(EINVAL, nr_pages, ~0ull);
	EXPECT_REFUSED(EINVAL, first_page, 1ull << 32);
	EXPECT_REFUSED(EINVAL, first_page, ~0ull);
	EXPECT_REFUSED(EFAULT, ages, 0);
	EXPECT_REFUSED(EFAULT, ages, (u64)hole + 2 * PAGE_SIZE);
	EXPECT_REFUSED(EFAULT, ages, 1ull << 63);
	EXPECT_REFUSED(EFAULT, ages, ~0ull - 3);
	/* Two pages hold 2048 answers. */
	good.ages = (u64)hole;
	good.nr_pages = 2048;
	EXPECT_EQ(0, __vm_ioctl(self->vm, SHVM_GET_WORKING_SET, &good));
	EXPECT_REFUSED(EFAULT, nr_pages, 2049);
	EXPECT_REFUSED(EFAULT, nr_pages, 1ull << 32);
	good.first_page = (1ull << 32) - 2048;
	EXPECT_EQ(0, __vm_ioctl(self->vm, SHVM_GET_WORKING_SET, &good));
	EXPECT_REFUSED(EINVAL, nr_pages, 2049);
	EXPECT_EQ(-EFAULT, __vm_ioctl(self->vm, SHVM_GET_WORKING_SET, NULL));
	EXPECT_EQ(-EFAULT, __vm_ioctl(self->vm, SHVM_GET_WORKING_SET, hole + 2 * PAGE_SIZE - 8));
	EXPECT_EQ(-ENOTTY, __vcpu_ioctl(self->vcpu, SHVM_GET_WORKING_SET, &good));
}

TEST_F(working_set, another_process)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(__ask(self->vm, self->gpa, 1, self->age, 0) == 0 ? 0 : 1);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, __ask(self->vm, self->gpa, 1, self->age, 0));
}

#define MANY	(1ul << 32)	/* pages: as many as there can be */
#define PART	(1ul << 22)

/* Room for MANY answers, all in the same memory. */
static u32 *endless_room(void)
{
	void *room = mmap(NULL, MANY * sizeof(u32), PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = memfd_create("working_set", MFD_CLOEXEC);
	u64 i;

	if (room == MAP_FAILED || ftruncate(fd, PART))
		test_die("no room for the answers: %s", strerror(errno));
	for (i = 0; i < MANY * sizeof(u32); i += PART)
		if (mmap(room + i, PART, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			test_die("no room for the answers: %s", strerror(errno));
	close(fd);
	return room;
}

/* A call that takes much longer than the time limit of this test ends with its process. */
TEST_F(working_set, killed)
{
	pid_t pid = fork();
	int status = 0;
	u32 *age;

	if (!pid) {
		age = endless_room();
		alarm(1);
		__ask(vm_create_bare(), 0, MANY, age, 0);
		_exit(1);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}

/* ---- at the same time ---- */

static volatile bool stop;

static void *asker(void *arg)
{
	static __thread u32 age[RAM_SIZE / PAGE_SIZE];
	u32 flags = 0;

	while (!stop) {
		if (__ask(arg, 0, RAM_SIZE / PAGE_SIZE, age, flags))
			return "refused";
		flags ^= SHVM_WORKING_SET_FINE;
	}
	return NULL;
}

/* Guests check their memory, which comes and goes, as do slots; vm_free() audits what is left. */
TEST_F_TIMEOUT(working_set, in_parallel, 120)
{
	struct test_vm *vm = vm_create();
	pthread_t thread[2];
	struct workers w;
	void *failed;
	u64 cold;
	int i;

	cold = vm_alloc_pages(vm, NR_PAGES);
	workers_create(&w, vm, NR_WORKERS, vm_alloc_pages(vm, NR_PAGES), NR_PAGES);
	workers_start(&w);
	stop = false;
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, asker, vm));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, madvise(vm_hva(vm, 0), RAM_SIZE, MADV_PAGEOUT));
		EXPECT_EQ(0, madvise(vm_hva(vm, cold), NR_PAGES * PAGE_SIZE, MADV_DONTNEED));
		vm_add_ram(vm, SLOT, 0, GPA, NR_PAGES * PAGE_SIZE);
		EXPECT_TRUE(workers_sweep(&w, 1));
		vm_del_slot(vm, SLOT);
	}
	stop = true;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
	EXPECT_EQ(0, workers_stop(&w));
	vm_free(vm);
}

SHVM_TEST_MAIN
