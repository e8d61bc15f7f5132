// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMs cost: nothing of them is left when they are gone, however they went, and a small budget
 * of shadow pages is kept by guests that want more.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "shvm_test.h"
#include "worker.h"

#define NR_WORKERS	2
#define NR_PAGES	32
#define NR_CACHES	3

FIXTURE(resources)
{
	long refs;		/* to the module, before the test */
	long objects[NR_CACHES];
};

/* Unused memory of the computer in KiB. */
static long free_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (f && kb < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kb) != 1)
			kb = -1;
	if (f)
		fclose(f);
	return kb;
}

/* References to the module; -1 for another one. */
static long module_refs(void)
{
	return test_is_shvm() ? test_read_number("/sys/module/shvm/refcnt") : -1;
}

/* Objects in a slab cache of the module, after it was told to give back what it does not need. */
static long slab_objects(const char *cache)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return -1;
	close(fd);
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	return test_read_number(path);
}

static const char *const caches[NR_CACHES] = { "shvm_sp", "shvm_gfns", "shvm_chain" };

FIXTURE_SETUP(resources)
{
	int i;

	self->refs = module_refs();
	for (i = 0; i < NR_CACHES; i++)
		self->objects[i] = slab_objects(caches[i]);
}

FIXTURE_TEARDOWN(resources)
{
	int i;

	EXPECT_EQ(self->refs, module_refs());
	/* The kernel may have merged the cache with others, which do not stand still. */
	for (i = 0; i < NR_CACHES; i++)
		EXPECT_GE(self->objects[i] + 16, slab_objects(caches[i]));
}

static int vm_lives(void)
{
	struct test_vm *vm = vm_create();
	int ret = vcpu_run(vcpu_create(vm, 0, guest_done));

	vm_free(vm);
	return ret;
}

/*
 * A leak of two pages for each VM would show. With the debug module on a kernel with lockdep and
 * two CPUs, a VM may take 150 ms. KASAN keeps much of what is freed: not for its first run there.
 */
TEST_F_TIMEOUT(resources, many_vms, 120)
{
	const int nr = 200;
	long before;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(EXIT_DONE, vm_lives());
	before = free_memory();
	for (i = 0; i < nr; i++)
		ASSERT_EQ(EXIT_DONE, vm_lives());
	EXPECT_LT(before - free_memory(), nr * 8);
}

static void workers_live(struct workers *w)
{
	struct test_vm *vm = vm_create();

	workers_create(w, vm, NR_WORKERS, vm_alloc_pages(vm, NR_PAGES), NR_PAGES);
	workers_start(w);
}

TEST_F(resources, several_vms_at_once)
{
	struct workers w[4];
	int i, round;

	for (i = 0; i < 4; i++)
		workers_live(&w[i]);
	for (round = 0; round < 3; round++)
		for (i = 0; i < 4; i++)
			EXPECT_TRUE(workers_sweep(&w[i], 1));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, workers_stop(&w[i]));
		vm_free(w[i].vm);
	}
}

/* Two VMs with running vCPUs in a process that is killed at any moment. */
TEST_F(resources, killed)
{
	unsigned int seed = 7;
	struct workers w[2];
	int i, status, delay;
	pid_t pid;

	for (i = 0; i < 12; i++) {
		pid = fork();
		if (!pid) {
			workers_live(&w[0]);
			workers_live(&w[1]);
			for (;;)
				workers_sweep(&w[0], 1);
		}
		delay = rand_r(&seed) % 60000;
		usleep(delay);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status))
			TH_LOG("ended by itself, status %#x", status);
		ASSERT_EQ(self->refs, module_refs())
			TH_LOG("killed after %d us", delay);
	}
}

/* Another program takes the place of the one whose vCPUs run, and inherits the fds. */
TEST_F(resources, replaced_by_another_program)
{
	char *const argv[] = { "resources", "--dev", (char *)test_device(), "--help", NULL };
	struct workers w;
	int status;
	pid_t pid = fork();

	if (!pid) {
		workers_live(&w);
		workers_sweep(&w, 1);
		fcntl(w.vm->fd, F_SETFD, 0);
		fcntl(w.vcpu[0]->fd, F_SETFD, 0);
		close(1);
		open("/dev/null", O_WRONLY);
		execv("/proc/self/exe", argv);
		_exit(9);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* The last reference is the mapping of a run page, in a child that knows nothing of it. */
TEST_F(resources, run_page_outlives_all)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
	int down[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	ASSERT_EQ(0, pipe(down));
	pid = fork();
	if (!pid) {
		close(down[1]);
		close(vm->fd);
		close(vcpu->fd);
		status = read(down[0], &byte, 1) != 0;
		status |= vcpu->run->exit_reason != SHVM_EXIT_IO;
		_exit(status);
	}
	vm_free(vm);
	close(down[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* ---- the budget ---- */

#define SPREAD_BASE	0x100000000ul	/* a page in every 2 MiB: one leaf table each */
#define SPREAD_PAGES	90
#define SPREAD_STRIDE	0x200000ul
#define NR_ROOTS	6

static GUEST_DATA u64 roots[NR_ROOTS] = { };

/* Walks all address spaces; in each, one page in each of many tables. */
GUEST_CODE static void guest_spreads(u64 id, u64 rounds)
{
	u64 round, i, at;

	asm volatile("sti");
	for (round = 0; round < rounds * NR_ROOTS; round++) {
		guest_write_cr3(roots[(round + id) % NR_ROOTS]);
		for (i = 0; i < SPREAD_PAGES; i++) {
			at = SPREAD_BASE + i * SPREAD_STRIDE + 8 * id;
			GUEST_ASSERT_EQ(round, guest_read64(at) & 0xffff);
			guest_write64(at, i << 16 | (round + 1));
		}
	}
	GUEST_DONE();
}

static struct test_vm *spread_vm(unsigned int budget)
{
	struct test_vm *vm = vm_create();
	u64 pages = vm_alloc_pages(vm, SPREAD_PAGES);
	int i;

	for (i = 0; i < SPREAD_PAGES; i++)
		guest_map(vm, SPREAD_BASE + i * SPREAD_STRIDE, pages + i * PAGE_SIZE,
			  PTE_P | PTE_W);
	for (i = 0; i < NR_ROOTS; i++)
		(*vm_sym(vm, roots))[i] = guest_clone_root(vm, vm->root);
	vm_ioctl(vm, SHVM_SET_NR_MMU_PAGES, budget);
	return vm;
}

TEST_F(resources, small_budget)
{
	struct shvm_stats stats;
	struct test_vcpu *vcpu[NR_WORKERS];
	struct test_vm *vm;
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM does not say how many shadow pages there are");
	vm = spread_vm(SHVM_MIN_MMU_PAGES);
	for (i = 0; i < NR_WORKERS; i++) {
		vcpu[i] = vcpu_create(vm, i, NULL);
		vcpu_set_entry(vcpu[i], guest_spreads, i, 2);
		vcpu_start(vcpu[i]);
	}
	for (i = 0; i < NR_WORKERS; i++)
		EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu[i]));
	stats = vm_stats(vm);
	EXPECT_LE(stats.shadow_pages_max, SHVM_MIN_MMU_PAGES);
	EXPECT_LT(NR_ROOTS, stats.reclaims);
	vm_free(vm);
}

/* The budget shrinks under a running guest, and what is too much goes. */
TEST_F(resources, budget_shrinks_and_grows)
{
	struct shvm_stats stats;
	struct test_vcpu *vcpu;
	struct test_vm *vm;

	if (!test_is_shvm())
		SKIP(return, "KVM does not say how many shadow pages there are");
	vm = spread_vm(1000);
	vcpu = vcpu_create(vm, 0, NULL);
	vcpu_set_entry(vcpu, guest_spreads, 0, 1);
	ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	stats = vm_stats(vm);
	EXPECT_LT(SPREAD_PAGES, stats.shadow_pages);
	vm_ioctl(vm, SHVM_SET_NR_MMU_PAGES, SHVM_MIN_MMU_PAGES);
	stats = vm_stats(vm);
	EXPECT_GE(SHVM_MIN_MMU_PAGES, stats.shadow_pages);
	EXPECT_EQ(SHVM_MIN_MMU_PAGES, stats.shadow_budget);
	vm_free(vm);
}

SHVM_TEST_MAIN
