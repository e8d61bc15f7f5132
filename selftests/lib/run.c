// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running vCPUs: reports of the guest told from other exits, and vCPUs in threads of their own.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shvm_test.h"

#define KICK_SIGNAL	SIGUSR1

int __vcpu_run(struct test_vcpu *vcpu)
{
	return __vcpu_ioctl(vcpu, SHVM_RUN, 0);
}

static bool exit_is_report(const struct shvm_run *run)
{
	return run->exit_reason == SHVM_EXIT_IO && run->io.direction == SHVM_EXIT_IO_OUT &&
	       run->io.size == 4 && run->io.port >= UCALL_SYNC && run->io.port <= UCALL_EXCEPTION;
}

static int report_decode(struct test_vcpu *vcpu)
{
	struct shvm_regs regs;

	vcpu_ioctl(vcpu, SHVM_GET_REGS, &regs);
	vcpu->uc[0] = regs.rdi;
	vcpu->uc[1] = regs.rsi;
	vcpu->uc[2] = regs.rcx;
	switch (vcpu->run->io.port) {
	case UCALL_SYNC:
		return EXIT_SYNC;
	case UCALL_DONE:
		return EXIT_DONE;
	case UCALL_ASSERT:
		fprintf(stderr, "# guest assertion in line %ld: wanted %#lx, got %#lx\n",
			(long)regs.rdi, (long)regs.rsi, (long)regs.rcx);
		return EXIT_ASSERT;
	default:
		fprintf(stderr, "# guest exception %ld, error %#lx, at %#lx, cr2 %#lx\n",
			(long)regs.rdi, (long)regs.rsi, (long)regs.rcx,
			(long)vcpu->cpu->ex.cr2);
		return EXIT_EXCEPTION;
	}
}

int vcpu_last_exit(struct test_vcpu *vcpu)
{
	if (exit_is_report(vcpu->run))
		return report_decode(vcpu);
	if (vcpu->run->exit_reason == SHVM_EXIT_INTERNAL_ERROR)
		fprintf(stderr, "# internal error %#x, data %#lx %#lx %#lx\n",
			vcpu->run->internal.suberror, (long)vcpu->run->internal.data[0],
			(long)vcpu->run->internal.data[1], (long)vcpu->run->internal.data[2]);
	return vcpu->run->exit_reason;
}

int vcpu_run(struct test_vcpu *vcpu)
{
	int ret = __vcpu_run(vcpu);

	if (ret == -EINTR)
		return SHVM_EXIT_INTR;
	if (ret)
		test_die("SHVM_RUN failed: %s", strerror(-ret));
	return vcpu_last_exit(vcpu);
}

int vcpu_call(struct test_vcpu *vcpu, const void *fn, u64 arg0, u64 arg1)
{
	vcpu_set_entry(vcpu, fn, arg0, arg1);
	return vcpu_run(vcpu);
}

static void kick_handler(int sig)
{
	(void)sig;	/* it is enough that SHVM_RUN is interrupted */
}

static void *vcpu_thread(void *arg)
{
	struct test_vcpu *vcpu = arg;

	vcpu->tid = gettid();
	do {
		vcpu->thread_result = vcpu_run(vcpu);
	} while (vcpu->thread_result == EXIT_SYNC);
	vcpu->thread_ended = true;
	return NULL;
}

void vcpu_start(struct test_vcpu *vcpu)
{
	struct sigaction action = { .sa_handler = kick_handler };

	sigaction(KICK_SIGNAL, &action, NULL);
	vcpu->run->immediate_exit = 0;
	vcpu->thread_ended = false;
	vcpu->tid = 0;
	if (pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu))
		test_die("cannot start a thread");
}

int vcpu_join(struct test_vcpu *vcpu)
{
	pthread_join(vcpu->thread, NULL);
	return vcpu->thread_result;
}

/* The state is the letter after the name of the thread, which stands in parentheses. */
static char thread_state(pid_t tid)
{
	char path[64], stat[128] = "", *name_end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, stat, sizeof(stat) - 1) <= 0)
		test_die("cannot read %s", path);
	close(fd);
	name_end = strrchr(stat, ')');
	return name_end ? name_end[2] : 0;
}

void vcpu_wait_asleep(struct test_vcpu *vcpu)
{
	while (!vcpu->tid)
		sched_yield();
	while (thread_state(vcpu->tid) != 'S')
		sched_yield();
}

void vcpu_kick(struct test_vcpu *vcpu)
{
	/* The flag is for a signal that comes just before SHVM_RUN is entered. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, KICK_SIGNAL);
}

static void *io_data(struct test_vcpu *vcpu, size_t size)
{
	struct shvm_run *run = vcpu->run;

	if (run->exit_reason == SHVM_EXIT_MMIO && size <= sizeof(run->mmio.data))
		return run->mmio.data;
	if (run->exit_reason != SHVM_EXIT_IO || run->io.data_offset > vcpu->run_size ||
	    size > vcpu->run_size - run->io.data_offset)
		test_die("exit %u has no %zu bytes of data", run->exit_reason, size);
	return (char *)run + run->io.data_offset;
}

void vcpu_set_io_data(struct test_vcpu *vcpu, const void *data, size_t size)
{
	memcpy(io_data(vcpu, size), data, size);
}

void vcpu_get_io_data(struct test_vcpu *vcpu, void *data, size_t size)
{
	memcpy(data, io_data(vcpu, size), size);
}
