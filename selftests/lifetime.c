// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs and vCPUs under everything that can happen to the threads and CPUs that run them: killed at
 * any point, moved between CPUs, CPUs that go away, stopped for the audit, asleep in HLT.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define WORK_PAGES	64
#define NR_WORKERS	2
#define SPARE_SLOT	20
#define SPARE_GPA	0x20000000ul
#define SPARE_SIZE	(16 * PAGE_SIZE)

FIXTURE(lifetime)
{
	int dev;
	u64 work;		/* gpa of WORK_PAGES pages */
	struct test_vm *vm;
	struct test_vcpu *workers[NR_WORKERS];
};

static GUEST_DATA volatile u64 beats[MAX_TEST_VCPUS];

/*
 * Keeps the shadow MMU busy and never leaves by itself. With interrupts on: in a guest that was
 * entered with them off, the emulated CPU takes none for the host either, against the SDM.
 */
GUEST_CODE static void guest_works(u64 work, u64 id)
{
	u64 i, cr3;

	asm volatile("sti");
	for (;;) {
		for (i = 0; i < WORK_PAGES; i++) {
			*(volatile u64 *)(work + i * PAGE_SIZE + 8 * id) += 1;
			asm volatile("invlpg (%0)" : : "r"(work + i * PAGE_SIZE) : "memory");
		}
		asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
		beats[id]++;
	}
}

static void workers_create(struct test_vm *vm, struct test_vcpu **workers, u64 work)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++) {
		workers[i] = vcpu_create(vm, i, guest_done);
		vcpu_set_entry(workers[i], guest_works, work, i);
	}
}

FIXTURE_SETUP(lifetime)
{
	self->dev = test_dev_open();
	self->vm = vm_create();
	self->work = vm_alloc_pages(self->vm, WORK_PAGES);
	workers_create(self->vm, self->workers, self->work);
}

FIXTURE_TEARDOWN(lifetime)
{
	/* Whatever was done, they still work. */
	vcpu_set_entry(self->workers[0], guest_done, 0, 0);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->workers[0]));
	vm_free(self->vm);
	close(self->dev);
}

static u64 beat(struct test_vm *vm, int id)
{
	return (*vm_sym(vm, beats))[id];
}

/* Every worker gets on. */
static void wait_for_beats(struct test_vm *vm, u64 more)
{
	u64 until;
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		for (until = beat(vm, i) + more; beat(vm, i) < until; )
			sched_yield();
}

static void workers_start(struct test_vcpu **workers)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		vcpu_start(workers[i]);
}

/* Returns how many ended otherwise than by the kick. */
static int workers_stop(struct test_vcpu **workers)
{
	int i, bad = 0;

	for (i = 0; i < NR_WORKERS; i++)
		vcpu_kick(workers[i]);
	for (i = 0; i < NR_WORKERS; i++) {
		bad += vcpu_join(workers[i]) != SHVM_EXIT_INTR;
		workers[i]->run->immediate_exit = 0;
	}
	return bad;
}

/* ---- kill ---- */

/* In a process of its own: slots come and go, the audit runs, vCPUs are made, until the end. */
static void live_until_killed(unsigned int seed)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *workers[NR_WORKERS];
	void *spare = mmap(NULL, SPARE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	int id;

	workers_create(vm, workers, vm_alloc_pages(vm, WORK_PAGES));
	workers_start(workers);
	for (id = NR_WORKERS; ; id++) {
		__vm_set_slot(vm, SPARE_SLOT, 0, SPARE_GPA, SPARE_SIZE, spare);
		vm_audit(vm);
		if (id < MAX_TEST_VCPUS && rand_r(&seed) % 4 == 0)
			vcpu_create(vm, id, guest_done);
		madvise(vm_hva(vm, 0), PAGE_SIZE * 16, MADV_PAGEOUT);
		vm_del_slot(vm, SPARE_SLOT);
	}
}

TEST_F(lifetime, killed_at_any_point)
{
	unsigned int seed = 1;
	int i, status;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		pid = fork();
		if (!pid)
			live_until_killed(i);
		usleep(rand_r(&seed) % 20000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status))
			TH_LOG("round %d: it ended by itself, status %#x", i, status);
	}
}

/* The leader exits while other threads are in the guest; the fds go with the last of them. */
TEST_F(lifetime, exit_with_running_vcpus)
{
	struct test_vcpu *workers[NR_WORKERS];
	struct test_vm *vm;
	int i, status;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		if (!pid) {
			vm = vm_create();
			workers_create(vm, workers, vm_alloc_pages(vm, WORK_PAGES));
			workers_start(workers);
			wait_for_beats(vm, i);
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* ---- CPUs ---- */

TEST_F(lifetime, vcpus_migrate)
{
	int i, j, nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (nr_cpus < 2)
		SKIP(return, "one CPU");
	workers_start(self->workers);
	for (i = 0; i < 30; i++) {
		for (j = 0; j < NR_WORKERS; j++)
			test_pin(self->workers[j]->thread, (i + j) % nr_cpus);
		wait_for_beats(self->vm, 1);
	}
	EXPECT_EQ(0, workers_stop(self->workers));
}

static int cpu1_set_online(bool online)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY), ret;

	if (fd < 0)
		return -1;
	ret = write(fd, online ? "1" : "0", 1);
	close(fd);
	return ret == 1 ? 0 : -1;
}

TEST_F(lifetime, a_cpu_goes_away_and_comes_back)
{
	int i;

	if (access("/sys/devices/system/cpu/cpu1/online", W_OK))
		SKIP(return, "there is no CPU that can be taken offline");
	workers_start(self->workers);
	for (i = 0; i < 3; i++) {
		wait_for_beats(self->vm, 1);
		ASSERT_EQ(0, cpu1_set_online(false));
		wait_for_beats(self->vm, 1);
		ASSERT_EQ(0, cpu1_set_online(true));
	}
	wait_for_beats(self->vm, 1);
	EXPECT_EQ(0, workers_stop(self->workers));
}

/* ---- the audit ---- */

TEST_F(lifetime, audit_of_running_vcpus)
{
	int i;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	workers_start(self->workers);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, vm_audit(self->vm));
		wait_for_beats(self->vm, 1);
	}
	EXPECT_EQ(0, workers_stop(self->workers));
}

static void *audit_again_and_again(void *arg)
{
	struct test_vm *vm = arg;
	int i, bad = 0;

	for (i = 0; i < 10; i++)
		bad += vm_audit(vm) != 0;
	return (void *)(long)bad;
}

/* Stopping is counted: what one audit lets go, another still holds. */
TEST_F(lifetime, two_audits_at_once)
{
	pthread_t other;
	void *bad;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	workers_start(self->workers);
	ASSERT_EQ(0, pthread_create(&other, NULL, audit_again_and_again, self->vm));
	EXPECT_EQ(NULL, audit_again_and_again(self->vm));
	pthread_join(other, &bad);
	EXPECT_EQ(NULL, bad);
	wait_for_beats(self->vm, 1);
	EXPECT_EQ(0, workers_stop(self->workers));
}

/* ---- HLT in the kernel ---- */

GUEST_CODE static void guest_sleeps(void)
{
	u64 i;

	for (i = 0; ; i++) {
		GUEST_SYNC(i);
		asm volatile("sti; hlt; cli");
	}
}

GUEST_CODE static void guest_sleeps_deaf(void)
{
	asm volatile("cli; hlt");
	GUEST_DONE();
}

struct sleeper {
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

static struct sleeper sleeper_create(void (*fn)(void))
{
	struct sleeper s = { .vm = vm_create() };

	vm_ioctl(s.vm, SHVM_CREATE_PIC_PIT, 0);
	s.vcpu = vcpu_create(s.vm, 0, fn);
	return s;
}

TEST_F(lifetime, a_signal_wakes_a_halted_vcpu)
{
	struct shvm_mp_state state;
	struct sleeper s;
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM has no such ioctl");
	s = sleeper_create(guest_sleeps);
	for (i = 0; i < 10; i++) {
		vcpu_start(s.vcpu);
		if (i < 9)
			usleep(1000 * i);
		else
			vcpu_wait_asleep(s.vcpu);
		vcpu_kick(s.vcpu);
		ASSERT_EQ(SHVM_EXIT_INTR, vcpu_join(s.vcpu));
	}
	vcpu_ioctl(s.vcpu, SHVM_GET_MP_STATE, &state);
	EXPECT_EQ(SHVM_MP_STATE_HALTED, state.mp_state);
	vm_free(s.vm);
}

/* The audit needs nothing from a vCPU that sleeps, and does not wake its guest. */
TEST_F(lifetime, audit_of_a_halted_vcpu)
{
	struct shvm_mp_state state;
	struct sleeper s;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	s = sleeper_create(guest_sleeps);
	vcpu_start(s.vcpu);
	vcpu_wait_asleep(s.vcpu);
	EXPECT_EQ(0, vm_audit(s.vm));
	EXPECT_EQ(0, vm_audit(s.vm));
	vcpu_kick(s.vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(s.vcpu));
	vcpu_ioctl(s.vcpu, SHVM_GET_MP_STATE, &state);
	EXPECT_EQ(SHVM_MP_STATE_HALTED, state.mp_state);
	vm_free(s.vm);
}

/* With interrupts off nothing in the kernel could end it. */
TEST_F(lifetime, deaf_halt_exits)
{
	struct sleeper s;

	if (!test_is_shvm())
		SKIP(return, "KVM has no such ioctl");
	s = sleeper_create(guest_sleeps_deaf);
	EXPECT_EQ(SHVM_EXIT_HLT, vcpu_run(s.vcpu));
	EXPECT_EQ(EXIT_DONE, vcpu_run(s.vcpu));
	vm_free(s.vm);
}

#define IRQ		5
#define IRQ_VECTOR	0x25

GUEST_INLINE void guest_outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "d"(port));
}

/* A PIC that ends interrupts by itself, IRQ 5 alone unmasked; then sleep, and count what comes. */
GUEST_CODE static void guest_counts_interrupts(void)
{
	guest_outb(0x20, 0x11);
	guest_outb(0x21, 0x20);		/* vector of IRQ 0 */
	guest_outb(0x21, 0x04);
	guest_outb(0x21, 0x03);		/* 8086 mode, automatic end of interrupt */
	guest_outb(0x21, (u8)~(1 << IRQ));
	for (;;)
		asm volatile("sti; hlt; cli");
}

TEST_F(lifetime, no_interrupt_is_slept_through)
{
	struct shvm_irq_level line = { .irq = IRQ };
	volatile u64 *count;
	struct sleeper s;
	u64 i;

	if (!test_is_shvm())
		SKIP(return, "KVM has no such ioctl");
	s = sleeper_create(guest_counts_interrupts);
	count = &s.vcpu->cpu->count[IRQ_VECTOR];
	vcpu_start(s.vcpu);
	vcpu_wait_asleep(s.vcpu);
	/* Each comes while the vCPU is about to sleep again. */
	for (i = 1; i <= 300; i++) {
		for (line.level = 1; (int)line.level >= 0; line.level--)
			vm_ioctl(s.vm, SHVM_IRQ_LINE, &line);
		while (*count < i)
			sched_yield();
	}
	vcpu_kick(s.vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(s.vcpu));
	EXPECT_EQ(300, *count);
	vm_free(s.vm);
}

SHVM_TEST_MAIN
