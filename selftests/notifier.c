// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the process that owns a VM does to the guest's memory, as the guest sees it: discarding,
 * protecting, replacing, sharing and copying it, while vCPUs run. What the host does to memory on
 * its own account (swap, merging, huge pages): reclaim.c.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "shvm_test.h"
#include "worker.h"

#define SLOT		5
#define GPA		HOLE_BASE
#define NR_PAGES	32
#define SIZE		(NR_PAGES * PAGE_SIZE)
#define NR_WORKERS	2

FIXTURE(notifier)
{
	struct test_vm *vm;
};

FIXTURE_SETUP(notifier)
{
	self->vm = vm_create();
	vm_map_hole(self->vm, NR_PAGES);
}

FIXTURE_TEARDOWN(notifier)
{
	vm_free(self->vm);
}

static void *must_map(void *at, size_t size, int prot, int flags, int fd)
{
	void *p = mmap(at, size, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		test_die("cannot map %zu bytes: %s", size, strerror(errno));
	return p;
}

static void *anonymous(size_t size)
{
	return must_map(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void add_slot(struct test_vm *vm, void *hva)
{
	int ret = __vm_set_slot(vm, SLOT, 0, GPA, SIZE, hva);

	if (ret)
		test_die("cannot make a slot: %s", strerror(-ret));
}

/* ---- a single vCPU that reads or writes when it is told to ---- */

static u64 read_by_guest(struct test_vcpu *vcpu, u64 gva)
{
	vcpu_set_entry(vcpu, guest_read, gva, 0);
	if (vcpu_run(vcpu) != EXIT_SYNC)
		test_die("the guest could not read %#lx", (long)gva);
	return vcpu->uc[0];
}

static void write_by_guest(struct test_vcpu *vcpu, u64 gva, u64 value)
{
	vcpu_set_entry(vcpu, guest_write, gva, value);
	if (vcpu_run(vcpu) != EXIT_SYNC)
		test_die("the guest could not write %#lx", (long)gva);
}

TEST_F(notifier, discarded_pages_are_zero)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int i;

	for (i = 0; i < NR_PAGES; i++)
		write_by_guest(vcpu, GPA + i * PAGE_SIZE, i + 1);
	for (i = 0; i < NR_PAGES; i += 2)
		ASSERT_EQ(0, madvise(hva + i * 512, PAGE_SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, vm_audit(self->vm));
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i % 2 ? i + 1 : 0, read_by_guest(vcpu, GPA + i * PAGE_SIZE));
	/* What the guest writes now is in the page that the process sees. */
	for (i = 0; i < NR_PAGES; i++) {
		write_by_guest(vcpu, GPA + i * PAGE_SIZE, i + 100);
		EXPECT_EQ(i + 100, hva[i * 512]);
	}
}

/* The guest's write is as one of the process itself: EFAULT, and it can be tried again. */
TEST_F(notifier, protection_holds_for_the_guest)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int i;

	for (i = 0; i < 4; i++) {
		write_by_guest(vcpu, GPA + i * PAGE_SIZE, i);
		ASSERT_EQ(0, mprotect(hva + i * 512, PAGE_SIZE, PROT_READ));
		EXPECT_EQ(i, read_by_guest(vcpu, GPA + i * PAGE_SIZE));
		vcpu_set_entry(vcpu, guest_write, GPA + i * PAGE_SIZE, i + 50);
		EXPECT_EQ(-EFAULT, __vcpu_run(vcpu));
		EXPECT_EQ(-EFAULT, __vcpu_run(vcpu));
		EXPECT_EQ(i, hva[i * 512]);
		ASSERT_EQ(0, mprotect(hva + i * 512, PAGE_SIZE, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EXIT_SYNC, vcpu_run(vcpu));
		EXPECT_EQ(i + 50, hva[i * 512]);

		ASSERT_EQ(0, mprotect(hva + i * 512, PAGE_SIZE, PROT_NONE));
		vcpu_set_entry(vcpu, guest_read, GPA + i * PAGE_SIZE, 0);
		EXPECT_EQ(-EFAULT, __vcpu_run(vcpu));
		ASSERT_EQ(0, mprotect(hva + i * 512, PAGE_SIZE, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EXIT_SYNC, vcpu_run(vcpu));
		EXPECT_EQ(i + 50, vcpu->uc[0]);
	}
}

TEST_F(notifier, memory_that_went_and_came_back)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE), *moved;

	write_by_guest(vcpu, GPA, 1);
	moved = mremap(hva, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, anonymous(SIZE));
	ASSERT_NE(MAP_FAILED, (void *)moved);
	vcpu_set_entry(vcpu, guest_write, GPA, 2);
	EXPECT_EQ(-EFAULT, __vcpu_run(vcpu));
	EXPECT_EQ(1, *moved);
	must_map(hva, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
	EXPECT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	EXPECT_EQ(2, *hva);
	EXPECT_EQ(1, *moved);
	munmap(moved, SIZE);
	ASSERT_EQ(0, munmap(hva, SIZE));
	vcpu_set_entry(vcpu, guest_read, GPA, 0);
	EXPECT_EQ(-EFAULT, __vcpu_run(vcpu));
	must_map(hva, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
	EXPECT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	EXPECT_EQ(0, vcpu->uc[0]);
}

/* ---- files ---- */

TEST_F(notifier, shared_file)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	int fd = memfd_create("guest", MFD_CLOEXEC), i;
	u64 value;

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	add_slot(self->vm, must_map(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
	for (i = 0; i < NR_PAGES; i++)
		write_by_guest(vcpu, GPA + i * PAGE_SIZE, i + 1);
	for (i = 0; i < NR_PAGES; i++) {
		ASSERT_EQ(8, pread(fd, &value, 8, i * PAGE_SIZE));
		EXPECT_EQ(i + 1, value);
	}
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE_SIZE,
			       4 * PAGE_SIZE));
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i >= 1 && i < 5 ? 0 : i + 1, read_by_guest(vcpu, GPA + i * PAGE_SIZE));
	value = 77;
	ASSERT_EQ(8, pwrite(fd, &value, 8, PAGE_SIZE));
	EXPECT_EQ(77, read_by_guest(vcpu, GPA + PAGE_SIZE));
	/* Beyond the end of the file the process would get SIGBUS. */
	ASSERT_EQ(0, ftruncate(fd, SIZE / 2));
	vcpu_set_entry(vcpu, guest_read, GPA + SIZE / 2, 0);
	EXPECT_EQ(-EFAULT, __vcpu_run(vcpu));
	EXPECT_EQ(NR_PAGES / 2, read_by_guest(vcpu, GPA + SIZE / 2 - PAGE_SIZE));
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	EXPECT_EQ(0, read_by_guest(vcpu, GPA + SIZE / 2));
	close(fd);
}

static int write_number(const char *path, long n)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return -1;
	fprintf(f, "%ld", n);
	return fclose(f);
}

#define HUGE_SIZE	0x200000ul
#define HUGE_DIR	"/sys/kernel/mm/hugepages/hugepages-2048kB/"

TEST_F(notifier, hugetlb)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	long before = test_read_number(HUGE_DIR "nr_hugepages");
	u64 *hva;

	if (write_number(HUGE_DIR "nr_hugepages", before + 2) ||
	    test_read_number(HUGE_DIR "nr_hugepages") != before + 2)
		SKIP(return, "the kernel gives no huge pages");
	hva = must_map(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	add_slot(self->vm, hva + 512);	/* a piece of it, not at a boundary */
	write_by_guest(vcpu, GPA, 5);
	EXPECT_EQ(5, hva[512]);
	EXPECT_EQ(0, read_by_guest(vcpu, GPA + PAGE_SIZE));
	ASSERT_EQ(0, madvise(hva, HUGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, read_by_guest(vcpu, GPA));
	write_by_guest(vcpu, GPA + PAGE_SIZE, 6);
	EXPECT_EQ(6, hva[1024]);
	vm_del_slot(self->vm, SLOT);
	munmap(hva, HUGE_SIZE);
	EXPECT_EQ(0, write_number(HUGE_DIR "nr_hugepages", before));
	/* Huge pages that are in use stay: nobody holds these. */
	EXPECT_EQ(before, test_read_number(HUGE_DIR "nr_hugepages"));
}

/* ---- while the guest runs ---- */

static GUEST_DATA volatile u64 pages_seen_empty;
static GUEST_DATA volatile u64 last_seen, reads;

/* Reads on and on. Once a page was discarded, its old contents never come back. */
GUEST_CODE static void guest_watches(u64 base, u64 nr_pages)
{
	u64 empty, i, value;

	asm volatile("sti");
	do {
		empty = 0;
		for (i = 0; i < nr_pages; i++) {
			value = guest_read64(base + i * PAGE_SIZE);
			if (i < pages_seen_empty)
				GUEST_ASSERT_EQ(0, value);
			if (value)
				GUEST_ASSERT_EQ(i + 1, value);
			else if (empty == i)
				empty++;
		}
		pages_seen_empty = empty;
	} while (empty < nr_pages);
	GUEST_DONE();
}

TEST_F(notifier, discarded_under_a_running_guest)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int i;

	for (i = 0; i < NR_PAGES; i++)
		hva[i * 512] = i + 1;
	vcpu_set_entry(vcpu, guest_watches, GPA, NR_PAGES);
	vcpu_start(vcpu);
	for (i = 0; i < NR_PAGES; i++) {
		ASSERT_EQ(0, madvise(hva + i * 512, PAGE_SIZE, MADV_DONTNEED));
		while (*vm_sym(self->vm, pages_seen_empty) <= i)
			sched_yield();
	}
	EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu));
}

/* Every value that appears is at least as new as the one before. */
GUEST_CODE static void guest_follows(u64 gva, u64 end)
{
	u64 value;

	asm volatile("sti");
	do {
		value = guest_read64(gva);
		GUEST_ASSERT(value >= last_seen);
		last_seen = value;
		reads++;
	} while (value != end);
	GUEST_DONE();
}

TEST_F(notifier, replaced_under_a_running_guest)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE), *fresh;
	volatile u64 *nr = vm_sym(self->vm, reads);
	const u64 rounds = 60;
	u64 i, now;

	vcpu_set_entry(vcpu, guest_follows, GPA, rounds);
	vcpu_start(vcpu);
	for (i = 1; i <= rounds; i++) {
		fresh = anonymous(SIZE);
		*fresh = i;
		ASSERT_EQ(hva, mremap(fresh, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, hva));
		/* A read that begins now finds the new memory. */
		for (now = *nr; i < rounds && *nr < now + 2; )
			sched_yield();
		if (i < rounds)
			ASSERT_EQ(i, *vm_sym(self->vm, last_seen));
	}
	EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu));
}

/* ---- copies of the process ---- */

static u64 checksum(const u64 *p, size_t size)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < size / 8; i++)
		sum = sum * 31 + p[i];
	return sum;
}

/* The child's copy of the guest's memory stands still, and is its own. */
static int watch_copy(int from_parent, int to_parent, u64 *memory)
{
	u64 sum = checksum(memory, SIZE);
	char byte;

	if (write(to_parent, "s", 1) != 1 || read(from_parent, &byte, 1) != 1)
		return 1;
	if (checksum(memory, SIZE) != sum)
		return 2;
	memset(memory, 0x55, SIZE);
	if (write(to_parent, "w", 1) != 1 || read(from_parent, &byte, 1) != 1)
		return 3;
	return 0;
}

TEST_F(notifier, fork_copies)
{
	int down[2], up[2], status, i;
	u64 work = vm_alloc_pages(self->vm, NR_PAGES);
	struct workers w;
	char byte;
	pid_t pid;

	workers_create(&w, self->vm, NR_WORKERS, work, NR_PAGES);
	workers_start(&w);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pipe(down));
		ASSERT_EQ(0, pipe(up));
		pid = fork();
		if (!pid)
			_exit(watch_copy(down[0], up[1], vm_hva(self->vm, work)));
		ASSERT_EQ(1, read(up[0], &byte, 1));
		ASSERT_TRUE(workers_sweep(&w, 2));
		ASSERT_EQ(1, write(down[1], "c", 1));
		ASSERT_EQ(1, read(up[0], &byte, 1));
		ASSERT_TRUE(workers_sweep(&w, 2));
		ASSERT_EQ(0, vm_audit(self->vm));
		ASSERT_EQ(1, write(down[1], "e", 1));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		ASSERT_TRUE(workers_sweep(&w, 1));
		close(down[0]);
		close(down[1]);
		close(up[0]);
		close(up[1]);
	}
	EXPECT_EQ(0, workers_stop(&w));
}

/* Changes of the mapping that take no right the guest needs do not show in the guest. */
TEST_F(notifier, protected_under_a_running_guest)
{
	u64 work = vm_alloc_pages(self->vm, NR_PAGES);
	struct workers w;
	int i;

	workers_create(&w, self->vm, NR_WORKERS, work, NR_PAGES);
	workers_start(&w);
	for (i = 0; i < 20; i++) {
		/* Both calls split and join the mapping of all guest memory, tables included. */
		ASSERT_EQ(0, madvise(vm_hva(self->vm, work + i * PAGE_SIZE), PAGE_SIZE,
				     MADV_DONTFORK));
		ASSERT_EQ(0, mprotect(vm_hva(self->vm, 0), RAM_SIZE,
				      PROT_READ | PROT_WRITE | PROT_EXEC));
		ASSERT_EQ(0, mprotect(vm_hva(self->vm, 0), RAM_SIZE, PROT_READ | PROT_WRITE));
		ASSERT_EQ(0, madvise(vm_hva(self->vm, work + i * PAGE_SIZE), PAGE_SIZE,
				     MADV_DOFORK));
		ASSERT_TRUE(workers_sweep(&w, 1));
	}
	EXPECT_EQ(0, vm_audit(self->vm));
	EXPECT_EQ(0, workers_stop(&w));
}

/* ---- userfaultfd ---- */

static int uffd_open(void *at, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (u64)at, .len = size }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		test_die("userfaultfd: %s", strerror(errno));
	return fd;
}

struct server {
	int fd;
	u64 *hva;		/* of the area */
	u64 *contents;		/* what it shall contain */
	u32 left;		/* pages that nobody asked for yet */
};

static void *serve(void *arg)
{
	struct server *s = arg;
	struct uffdio_copy copy;
	struct uffd_msg msg;

	while (s->left && read(s->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		u64 off = (msg.arg.pagefault.address & ~(PAGE_SIZE - 1)) - (u64)s->hva;

		copy = (struct uffdio_copy){
			.dst = (u64)s->hva + off, .src = (u64)s->contents + off,
			.len = PAGE_SIZE,
		};
		if (!ioctl(s->fd, UFFDIO_COPY, &copy))
			s->left--;
		else if (errno != EEXIST)
			test_die("UFFDIO_COPY: %s", strerror(errno));
	}
	return NULL;
}

GUEST_CODE static void guest_sums(u64 base, u64 nr_pages)
{
	u64 sum = 0, i;

	asm volatile("sti");
	for (i = 0; i < nr_pages; i++)
		sum += guest_read64(base + i * PAGE_SIZE);
	GUEST_SYNC(sum);
}

#define TABLE_GVA	(HOLE_BASE + 0x8000000)	/* mapped by a table in the area */

/*
 * Pages that come when they are asked for, among them a page table: the vCPU waits in its walk of
 * the guest's tables as well as in the fault on memory.
 */
TEST_F(notifier, pages_on_demand)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	struct server s = {
		.hva = anonymous(SIZE), .contents = anonymous(SIZE), .left = NR_PAGES,
	};
	pthread_t thread;
	int i;

	s.fd = uffd_open(s.hva, SIZE);
	if (s.fd < 0)
		SKIP(return, "the kernel has no userfaultfd");
	add_slot(self->vm, s.hva);
	for (i = 1; i < NR_PAGES; i++) {
		s.contents[i * 512] = 1000 + i;
		s.contents[i] = (GPA + i * PAGE_SIZE) | PTE_P | PTE_W;
	}
	*guest_pte(self->vm, self->vm->root, TABLE_GVA, 2) = GPA | PTE_P | PTE_W;
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve, &s));
	vcpu_set_entry(vcpu, guest_sums, TABLE_GVA + PAGE_SIZE, NR_PAGES - 1);
	EXPECT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	EXPECT_EQ(1000 * (NR_PAGES - 1) + NR_PAGES * (NR_PAGES - 1) / 2, vcpu->uc[0]);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, s.left);
	/* The guest's accesses are marked in its table, which is the page that was served. */
	EXPECT_EQ(PTE_P | PTE_W | PTE_A, s.hva[1] & ~PTE_ADDR);
	close(s.fd);
}

GUEST_CODE static void guest_tries(u64 gva)
{
	u64 value;
	struct guest_fault fault = guest_try_read64(gva, &value);

	GUEST_SYNC2(fault.vector, value);
}

/* A page table is memory too: discarded, it maps nothing; filled again, it maps that. */
TEST_F(notifier, discarded_page_table)
{
	struct test_vcpu *vcpu = vcpu_create(self->vm, 0, NULL);
	u64 *hva = vm_add_ram(self->vm, SLOT, 0, GPA, SIZE);
	int i;

	*guest_pte(self->vm, self->vm->root, TABLE_GVA, 2) = GPA | PTE_P | PTE_W;
	for (i = 1; i < 5; i++) {
		hva[i * 512] = i;
		hva[0] = (GPA + i * PAGE_SIZE) | PTE_P | PTE_W;
		EXPECT_EQ(i, read_by_guest(vcpu, TABLE_GVA));
		ASSERT_EQ(0, madvise(hva, PAGE_SIZE, MADV_DONTNEED));
		ASSERT_EQ(0, vm_audit(self->vm));
		vcpu_set_entry(vcpu, guest_tries, TABLE_GVA, 0);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
		EXPECT_EQ(14, vcpu->uc[0]);
	}
}

/* A child whose vCPU waits for a page that never comes. */
static void wait_for_ever(int to_parent)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, NULL);
	void *hva = anonymous(SIZE);
	struct uffd_msg msg;
	int fd = uffd_open(hva, SIZE);

	vm_map_hole(vm, NR_PAGES);
	add_slot(vm, hva);
	vcpu_set_entry(vcpu, guest_read, GPA, 0);
	vcpu_start(vcpu);
	if (read(fd, &msg, sizeof(msg)) == sizeof(msg) && write(to_parent, "w", 1) == 1)
		vcpu_join(vcpu);
	_exit(1);
}

TEST_F(notifier, killed_while_it_waits_for_a_page)
{
	void *probe = anonymous(PAGE_SIZE);
	int fd = uffd_open(probe, PAGE_SIZE), up[2], status;
	char byte;
	pid_t pid;

	if (fd < 0)
		SKIP(return, "the kernel has no userfaultfd");
	close(fd);
	ASSERT_EQ(0, pipe(up));
	pid = fork();
	if (!pid)
		wait_for_ever(up[1]);
	ASSERT_EQ(1, read(up[0], &byte, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

SHVM_TEST_MAIN
