// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages are few: what guests do with a tiny budget, and who has to give when several VMs
 * share a limit or the host needs memory.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "shvm_test.h"
#include "sysfile.h"

FIXTURE(recycle)
{
	struct test_vm *vm;
};

static int write_number(const char *path, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", n);
	return sysfile_write(path, text);
}

#define PARAMETER(name)	"/sys/module/shvm/parameters/" name

/* The shadow pages of all VMs; the most of them that there may be. */
static long total_pages(void)
{
	return test_read_number(PARAMETER("shadow_pages"));
}

static int limit_pages(long n)
{
	return write_number(PARAMETER("shadow_pages_max"), n);
}

FIXTURE_SETUP(recycle)
{
	if (!test_is_shvm())
		SKIP(return, "KVM does not say how many shadow pages there are");
	ASSERT_EQ(0, total_pages());
	self->vm = vm_create();
}

FIXTURE_TEARDOWN(recycle)
{
	if (!self->vm)
		return;
	vm_free(self->vm);
	EXPECT_EQ(0, total_pages());
	EXPECT_EQ(0, limit_pages(0));
}

/* ---- tiny budgets ---- */

#define NR_FAR		4
#define FAR(i)		((1ul + (i)) << 39)	/* each with tables of its own */

/* Instructions that need the tables of three places at once: code, source and destination. */
GUEST_CODE static void guest_moves(u64 rounds, u64 unused)
{
	const void *from;
	void *to;
	u64 i;

	for (i = 0; i < rounds; i++) {
		from = (void *)FAR(i % NR_FAR);
		to = (void *)FAR((i + 1) % NR_FAR);
		guest_write64(FAR(i % NR_FAR), i);
		asm volatile("movsq" : "+S"(from), "+D"(to) : : "memory");
		GUEST_ASSERT_EQ(i, guest_read64(FAR((i + 1) % NR_FAR)));
	}
	GUEST_DONE();
}

static struct test_vcpu *moves_vcpu(struct test_vm *vm)
{
	u64 pages = vm_alloc_pages(vm, NR_FAR);
	int i;

	for (i = 0; i < NR_FAR; i++)
		guest_map(vm, FAR(i), pages + i * PAGE_SIZE, PTE_P | PTE_W);
	return vcpu_create(vm, 0, NULL);
}

/*
 * It works, or RUN says that it does not, at once and each time; with more it goes on where it was.
 * What does not fit at first may fit later, as far as the loop has come: so the least one that
 * works all the time.
 */
TEST_F(recycle, tiny_budgets)
{
	struct test_vcpu *vcpu = moves_vcpu(self->vm);
	int budget, ret, enough = 0;

	for (budget = 0; budget <= 40; budget++) {
		vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, budget);
		vcpu_set_entry(vcpu, guest_moves, 20, 0);
		ret = __vcpu_run(vcpu);
		if (!ret) {
			if (budget && !enough)
				enough = budget;
			continue;
		}
		ASSERT_EQ(-ENOMEM, ret);
		ASSERT_EQ(0, enough)
			TH_LOG("%d pages are enough, %d are not", enough, budget);
		EXPECT_EQ(-ENOMEM, __vcpu_run(vcpu));
		EXPECT_GE(budget > 2 ? budget : 2, vm_stats(self->vm).shadow_pages);
		vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 1000);
		ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	}
	EXPECT_LT(8, enough);
	EXPECT_GT(40, enough);
	TH_LOG("%d shadow pages are enough", enough);
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* ---- several VMs ---- */

#define SPREAD(i)	(0x100000000ul + (i) * 0x200000ul)	/* a table for each */
#define NR_TABLES	100
#define NR_IDLE		10

GUEST_CODE static void guest_spreads(u64 tables, u64 rounds)
{
	u64 i;

	while (rounds--)
		for (i = 0; i < tables; i++)
			guest_write64(SPREAD(i), i);
	GUEST_DONE();
}

/* It may have as many shadow pages as it likes. */
static struct test_vcpu *spread_vcpu(struct test_vm *vm)
{
	u64 page = vm_alloc_pages(vm, 1);
	int i;

	for (i = 0; i < NR_TABLES; i++)
		guest_map(vm, SPREAD(i), page, PTE_P | PTE_W);
	vm_ioctl(vm, SHVM_SET_NR_MMU_PAGES, 100000);
	return vcpu_create(vm, 0, NULL);
}

static int spread(struct test_vcpu *vcpu, u64 tables, u64 rounds)
{
	return vcpu_call(vcpu, guest_spreads, tables, rounds);
}

struct crowd {
	struct test_vcpu *vcpu[NR_IDLE];
};

/* VMs that have run once, the first one before the others. */
static void crowd_create(struct crowd *c, u64 tables)
{
	int i;

	for (i = 0; i < NR_IDLE; i++) {
		c->vcpu[i] = spread_vcpu(vm_create());
		if (spread(c->vcpu[i], tables, 1) != EXIT_DONE)
			test_die("VM %d of the crowd does not run", i);
	}
}

static long crowd_pages(const struct crowd *c)
{
	long n = 0;
	int i;

	for (i = 0; i < NR_IDLE; i++)
		n += vm_stats(c->vcpu[i]->vm).shadow_pages;
	return n;
}

static long crowd_given(const struct crowd *c)
{
	long n = 0;
	int i;

	for (i = 0; i < NR_IDLE; i++)
		n += vm_stats(c->vcpu[i]->vm).reclaims_given;
	return n;
}

static void crowd_free(struct crowd *c)
{
	int i;

	for (i = 0; i < NR_IDLE; i++)
		vm_free(c->vcpu[i]->vm);
}

/* Idle is who has not run for a second. */
static void wait_until_idle(void)
{
	usleep(1200000);
}

/* A busy VM needs room that there is not: it gets that of those who stand still. */
TEST_F_TIMEOUT(recycle, limit_takes_from_the_idle_first, 120)
{
	struct test_vcpu *busy = spread_vcpu(self->vm);
	struct crowd c;
	long limit;
	int i;

	crowd_create(&c, 40);
	wait_until_idle();
	ASSERT_EQ(EXIT_DONE, spread(busy, 4, 1));
	limit = total_pages();
	ASSERT_EQ(crowd_pages(&c) + vm_stats(self->vm).shadow_pages, limit);
	ASSERT_EQ(0, limit_pages(limit));
	ASSERT_EQ(EXIT_DONE, spread(busy, NR_TABLES, 10));
	EXPECT_GE(limit, total_pages());
	EXPECT_EQ(crowd_pages(&c) + vm_stats(self->vm).shadow_pages, total_pages());
	EXPECT_EQ(0, vm_stats(self->vm).reclaims);
	EXPECT_LT(NR_TABLES - 8, crowd_given(&c));
	EXPECT_EQ(0, vm_audit(self->vm));
	/* They go on as if nothing had been. */
	for (i = 0; i < NR_IDLE; i++) {
		EXPECT_EQ(0, vm_audit(c.vcpu[i]->vm));
		EXPECT_EQ(EXIT_DONE, spread(c.vcpu[i], 40, 1));
	}
	crowd_free(&c);
	EXPECT_EQ(vm_stats(self->vm).shadow_pages, total_pages());
}

/* Two who both want all: neither starves, and the limit holds but for a fault of each. */
TEST_F_TIMEOUT(recycle, limit_is_shared_by_the_busy, 120)
{
	const long limit = 120;
	struct test_vm *other = vm_create();
	struct test_vcpu *a = spread_vcpu(self->vm), *b = spread_vcpu(other);
	long most = 0, now;
	int i;

	ASSERT_EQ(0, limit_pages(limit));
	vcpu_set_entry(a, guest_spreads, NR_TABLES, 30);
	vcpu_set_entry(b, guest_spreads, NR_TABLES, 30);
	vcpu_start(a);
	vcpu_start(b);
	for (i = 0; i < 200; i++) {
		now = total_pages();
		most = now > most ? now : most;
		usleep(1000);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_join(a));
	EXPECT_EQ(EXIT_DONE, vcpu_join(b));
	EXPECT_GE(limit + 8, most);
	EXPECT_LT(0, vm_stats(self->vm).reclaims_given);
	EXPECT_LT(0, vm_stats(other).reclaims_given);
	EXPECT_EQ(0, vm_audit(self->vm));
	vm_free(other);
}

/* ---- the host needs memory ---- */

/* Asks every shrinker for all that it has: of what is dear to make, a fifth each time. */
static int ask_shrinkers(void)
{
	int i, err = 0;

	for (i = 0; i < 8 && !err; i++)
		err = sysfile_write("/proc/sys/vm/drop_caches", "2");
	return err;
}

TEST_F_TIMEOUT(recycle, shrinker_takes_all_but_roots_in_use, 120)
{
	struct test_vcpu *vcpu = spread_vcpu(self->vm);
	struct crowd c;

	crowd_create(&c, 40);
	ASSERT_EQ(EXIT_DONE, spread(vcpu, NR_TABLES, 1));
	ASSERT_LT(10 * 40 + NR_TABLES, total_pages());
	ASSERT_EQ(0, ask_shrinkers());
	/* A vCPU that stands still has its root all the same. */
	EXPECT_EQ(NR_IDLE + 1, total_pages());
	EXPECT_EQ(crowd_pages(&c) + vm_stats(self->vm).shadow_pages, total_pages());
	EXPECT_LT(10 * 40, crowd_given(&c));
	EXPECT_LT(NR_TABLES, vm_stats(self->vm).reclaims_given);
	EXPECT_EQ(0, vm_audit(self->vm));
	EXPECT_EQ(EXIT_DONE, spread(vcpu, NR_TABLES, 1));
	EXPECT_EQ(EXIT_DONE, spread(c.vcpu[0], 40, 1));
	crowd_free(&c);
}

/* All the time, while the guest runs. */
TEST_F_TIMEOUT(recycle, shrinker_under_a_running_guest, 120)
{
	struct test_vcpu *vcpu = spread_vcpu(self->vm);
	int i;

	vcpu_set_entry(vcpu, guest_spreads, NR_TABLES, 200);
	vcpu_start(vcpu);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, ask_shrinkers());
		usleep(500);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu));
	EXPECT_EQ(0, vm_audit(self->vm));
	EXPECT_LT(0, vm_stats(self->vm).reclaims_given);
}

/* Less than an instruction needs, for all of them: an error, not a hang; with more it goes on. */
TEST_F(recycle, tiny_limit)
{
	struct test_vcpu *vcpu = moves_vcpu(self->vm);
	int limit, ret, failed = 0;

	for (limit = 1; limit <= 24; limit++) {
		ASSERT_EQ(0, ask_shrinkers());
		ASSERT_EQ(0, limit_pages(limit));
		vcpu_set_entry(vcpu, guest_moves, 20, 0);
		ret = __vcpu_run(vcpu);
		if (!ret)
			continue;
		ASSERT_EQ(-ENOMEM, ret);
		failed++;
		ASSERT_EQ(0, limit_pages(0));
		ASSERT_EQ(EXIT_DONE, vcpu_run(vcpu));
	}
	EXPECT_LT(6, failed);
	EXPECT_GT(20, failed);
}

#define CGROUP	"/sys/fs/cgroup/shvm_recycle"

/*
 * A cgroup that needs memory gets it from the VM that it pays for, and not from another one. The
 * debug module keeps what it frees for a while, but counts it.
 */
TEST_F_TIMEOUT(recycle, cgroup_gets_memory_back, 120)
{
	const bool is_debug = test_dev_cap(SHVM_CAP_DEBUG);
	struct test_vcpu *outside = spread_vcpu(self->vm), *inside;
	struct test_vm *vm;
	long now;
	int err;

	ASSERT_EQ(EXIT_DONE, spread(outside, NR_TABLES, 1));
	if (!cgroup_enter(CGROUP))
		SKIP(return, "there is no memory cgroup");
	vm = vm_create();
	inside = spread_vcpu(vm);
	ASSERT_EQ(EXIT_DONE, spread(inside, NR_TABLES, 1));
	now = test_read_number(CGROUP "/memory.current");
	EXPECT_LT(NR_TABLES * 6 * 1024, now);
	/* Nothing but shadow pages can go. */
	ASSERT_EQ(0, sysfile_write(CGROUP "/memory.swap.max", "0"));
	/* Since 6.4 what shrinkers free does not count for the one who asks. */
	err = write_number(CGROUP "/memory.reclaim", NR_TABLES * 4096);
	EXPECT_TRUE(!err || err == -EAGAIN);
	EXPECT_LT(NR_TABLES / 2, vm_stats(vm).reclaims_given);
	now -= NR_TABLES * 2048;
	EXPECT_TRUE(is_debug || test_read_number(CGROUP "/memory.current") < now);
	EXPECT_EQ(0, vm_stats(self->vm).reclaims_given);
	EXPECT_EQ(EXIT_DONE, spread(inside, NR_TABLES, 3));
	EXPECT_EQ(0, vm_audit(vm));
	vm_free(vm);
	cgroup_leave(CGROUP);
}

/* The VMM dies at any moment while the host takes memory and other VMs want some. */
TEST_F_TIMEOUT(recycle, killed_meanwhile, 120)
{
	struct test_vcpu *vcpu = spread_vcpu(self->vm), *victim;
	unsigned int seed = 3;
	int i, status;
	pid_t pid;

	ASSERT_EQ(0, limit_pages(150));
	for (i = 0; i < 10; i++) {
		pid = fork();
		if (!pid) {
			victim = spread_vcpu(vm_create());
			for (;;)
				spread(victim, NR_TABLES, 1);
		}
		usleep(rand_r(&seed) % 40000);
		ASSERT_EQ(EXIT_DONE, spread(vcpu, NR_TABLES, 2));
		ASSERT_EQ(0, ask_shrinkers());
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(0, ask_shrinkers());
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
	}
	EXPECT_EQ(vm_stats(self->vm).shadow_pages, total_pages());
	EXPECT_EQ(0, vm_audit(self->vm));
}

struct closing {
	struct test_vm *vm;
	volatile pid_t tid;
	volatile bool done;
};

static void *close_vm(void *arg)
{
	struct closing *c = arg;

	c->tid = gettid();
	vm_free(c->vm);
	c->done = true;
	return NULL;
}

/* Does a thread wait for readers of an SRCU? */
static bool waits_for_readers(pid_t tid)
{
	char path[64], function[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/wchan", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, function, sizeof(function) - 1) < 0)
		test_die("cannot see what thread %d waits for", tid);
	close(fd);
	return strstr(function, "synchronize_srcu");
}

static void limit_pick(struct test_vm *vm, u32 op, u64 arm)
{
	struct shvm_debug_ctl ctl = { .op = op, .arg = { SHVM_PAUSE_LIMIT_PICK, arm } };

	vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
}

/* A VM stays until those who want pages of it have let go of it. */
TEST_F_TIMEOUT(recycle, freed_while_it_is_to_give, 120)
{
	struct closing c = { };
	struct test_vcpu *vcpu;
	pthread_t thread;

	if (!test_dev_cap(SHVM_CAP_DEBUG))
		SKIP(return, "not a debug module");
	c.vm = vm_create();
	ASSERT_EQ(EXIT_DONE, spread(spread_vcpu(c.vm), NR_TABLES, 1));
	/* Made after the other one, so looked at when that is picked. */
	vcpu = spread_vcpu(vm_create());
	ASSERT_EQ(0, limit_pages(total_pages()));
	limit_pick(vcpu->vm, SHVM_DEBUG_PAUSE, 1);
	vcpu_set_entry(vcpu, guest_spreads, NR_TABLES, 1);
	vcpu_start(vcpu);
	limit_pick(vcpu->vm, SHVM_DEBUG_PAUSE_WAIT, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_vm, &c));
	/* When its pages have gone nothing else is left to wait for. */
	while (total_pages() > vm_stats(vcpu->vm).shadow_pages)
		usleep(100);
	while (!c.done && !waits_for_readers(c.tid))
		usleep(100);
	EXPECT_FALSE(c.done);
	limit_pick(vcpu->vm, SHVM_DEBUG_PAUSE, 0);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu));
	vm_free(vcpu->vm);
}

SHVM_TEST_MAIN
