// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fds and the run page among threads and processes: mappings, fork, passed fds, every order of
 * closing, and fds that another thread uses before they are announced.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "every_fd.h"
#include "shvm_test.h"

/* ---- the run page ---- */

TEST_F(every_fd, run_page_mappings)
{
	size_t size = self->vcpu->run_size;
	struct shvm_run *second = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
				       self->vcpu->fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)second);
	self->vcpu->run->cr8 = 3;
	EXPECT_EQ(3, second->cr8);
	second->cr8 = 0;
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_EXIT_IO, second->exit_reason);
	munmap(second, size);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

static sigjmp_buf sigbus_env;

static void on_sigbus(int sig)
{
	siglongjmp(sigbus_env, sig);
}

static bool write_gives_sigbus(volatile char *p)
{
	bool caught = true;

	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(sigbus_env, 1)) {
		*p = 1;
		caught = false;
	}
	signal(SIGBUS, SIG_DFL);
	return caught;
}

/* Beyond the end there is nothing: no mapping, or a mapping that gives SIGBUS. */
static bool nothing_at(int fd, size_t size, long offset)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	bool nothing;

	if (map == MAP_FAILED)
		return true;
	nothing = write_gives_sigbus(map + size - 1);
	munmap(map, size);
	return nothing;
}

TEST_F(every_fd, run_page_ends)
{
	size_t size = self->vcpu->run_size;
	int fd = self->vcpu->fd;

	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, size));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, size + PAGE_SIZE));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, size + (1 << 20)));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, 0x7ffffffff000));
	EXPECT_TRUE(nothing_at(fd, PAGE_SIZE, -PAGE_SIZE));
	EXPECT_TRUE(nothing_at(fd, size + PAGE_SIZE, 0));
	EXPECT_TRUE(nothing_at(fd, 4 * size, 0));
	EXPECT_TRUE(nothing_at(self->vm->fd, PAGE_SIZE, 0));
	EXPECT_TRUE(nothing_at(self->dev, PAGE_SIZE, 0));
}

/* ---- other processes ---- */

/*
 * Runs in a process with another mm: every ioctl but the one for the age of memory must give EIO.
 * Returns the number that do not.
 */
static int count_not_eio(const int fds[3], bool is_shvm)
{
	static char buffer[4096];
	const struct ioctl_info *info;
	int kind, bad = 0;

	for (info = ioctls; info < ioctls + ARRAY_LEN(ioctls); info++) {
		for (kind = VM; kind <= VCPU; kind++) {
			if (!(info->kinds & 1 << kind))
				continue;
			if (__test_ioctl(fds[kind], info->request, (u64)buffer) == -EIO)
				continue;
			fprintf(stderr, "# %s works in another process\n", info->name);
			bad++;
		}
	}
	for (info = own_ioctls; is_shvm && info < own_ioctls + ARRAY_LEN(own_ioctls); info++) {
		if (info->request == SHVM_GET_WORKING_SET)
			continue;
		if (__test_ioctl(fds[VM], info->request, (u64)buffer) != -EIO) {
			fprintf(stderr, "# %s works in another process\n", info->name);
			bad++;
		}
	}
	return bad;
}

TEST_F(every_fd, forked_child_gets_eio)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(count_not_eio(self->fds, self->is_shvm));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

static void send_fds(int sock, const int fds[3])
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, 3 * sizeof(int));
	sendmsg(sock, &msg, 0);
}

static int receive_fds(int sock, int fds[3])
{
	char control[CMSG_SPACE(3 * sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 3 * sizeof(int));
	return 0;
}

TEST_F(every_fd, passed_fds_give_eio)
{
	int sock[2], fds[3], status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = fork();
	if (!pid)
		_exit(receive_fds(sock[1], fds) ? 99 : count_not_eio(fds, self->is_shvm));
	send_fds(sock[0], self->fds);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

/* The owner is gone, a stranger holds the fds: nothing works, and closing them is safe. */
TEST_F(every_fd, owner_dies_first)
{
	int sock[2], fds[3];
	pid_t owner;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	owner = fork();
	if (!owner) {
		struct test_vm *vm = vm_create();
		struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
		int mine[3] = { self->dev, vm->fd, vcpu->fd };

		if (vcpu_run(vcpu) != EXIT_DONE)
			_exit(1);
		send_fds(sock[1], mine);
		_exit(read(sock[1], &byte, 1) == 1 ? 0 : 1);
	}
	ASSERT_EQ(0, receive_fds(sock[0], fds));
	EXPECT_EQ(0, count_not_eio(fds, self->is_shvm));
	ASSERT_EQ(1, write(sock[0], "x", 1));
	ASSERT_EQ(owner, waitpid(owner, NULL, 0));
	EXPECT_EQ(0, count_not_eio(fds, self->is_shvm));
	close(fds[VM]);
	EXPECT_EQ(-EIO, __test_ioctl(fds[VCPU], SHVM_RUN, 0));
	close(fds[VCPU]);
	close(fds[SYSTEM]);
}

/* ---- closing, in every order ---- */

enum thing { DEV_FD, VM_FD, VCPU_FD, RUN_PAGE, NR_THINGS };

static void drop(struct test_vm *vm, struct test_vcpu *vcpu, int dev, enum thing thing)
{
	switch (thing) {
	case DEV_FD:
		close(dev);
		break;
	case VM_FD:
		close(vm->fd);
		break;
	case VCPU_FD:
		close(vcpu->fd);
		break;
	default:
		munmap(vcpu->run, vcpu->run_size);
	}
}

static bool order_is_permutation(const int order[NR_THINGS])
{
	int seen = 0, i;

	for (i = 0; i < NR_THINGS; i++)
		seen |= 1 << order[i];
	return seen == (1 << NR_THINGS) - 1;
}

/* Drops the four in one order; as long as the vCPU is there, it runs. */
static int close_in_order(const int order[NR_THINGS])
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
	int dev = test_dev_open(), i, gone = 0, failed = 0;

	for (i = 0; i < NR_THINGS; i++) {
		drop(vm, vcpu, dev, order[i]);
		gone |= 1 << order[i];
		if (!(gone & 1 << VCPU_FD))
			failed |= __vcpu_run(vcpu);
		if (!(gone & 1 << RUN_PAGE))
			failed |= vcpu->run->exit_reason == ~0u;
	}
	return failed;
}

TEST_F(every_fd, close_orders)
{
	int order[NR_THINGS], n, i, tried = 0;

	for (n = 0; n < 256; n++) {
		for (i = 0; i < NR_THINGS; i++)
			order[i] = n >> 2 * i & 3;
		if (!order_is_permutation(order))
			continue;
		tried++;
		EXPECT_EQ(0, close_in_order(order))
			TH_LOG("order %d %d %d %d", order[0], order[1], order[2], order[3]);
	}
	EXPECT_EQ(24, tried);
}

/* ---- two threads on the same fds ---- */

static void *get_regs(void *arg)
{
	struct shvm_regs regs;

	return (void *)(long)__vcpu_ioctl((struct test_vcpu *)arg, SHVM_GET_REGS, &regs);
}

TEST_F(every_fd, ioctl_waits_for_run)
{
	pthread_t thread;
	void *result;

	vcpu_set_entry(self->vcpu, guest_spin, 0, 0);
	vcpu_start(self->vcpu);
	ASSERT_EQ(0, pthread_create(&thread, NULL, get_regs, self->vcpu));
	vcpu_kick(self->vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
	pthread_join(thread, &result);
	EXPECT_EQ(0, (long)result);
	self->vcpu->run->immediate_exit = 0;
}

#define GUESSES	6

struct meddler {
	int first_fd;
	volatile bool stop;
};

/* Knows which fd numbers come next, and uses and closes them as soon as they exist. */
static void *meddle(void *arg)
{
	struct meddler *m = arg;
	struct shvm_regs regs;
	int i = 0;

	while (!m->stop) {
		int fd = m->first_fd + i++ % GUESSES;

		__test_ioctl(fd, SHVM_CREATE_VCPU, i % 4);
		__test_ioctl(fd, SHVM_GET_REGS, (u64)&regs);
		__test_ioctl(fd, SHVM_SET_REGS, (u64)&regs);
		__test_ioctl(fd, SHVM_RUN, 0);
		if (i % 3 == 0)
			close(fd);
	}
	return NULL;
}

TEST_F(every_fd, fds_guessed_while_they_are_made)
{
	struct meddler m = { };
	pthread_t thread;
	int round, vm, i;

	do {	/* fill the gaps between the fds of this test */
		m.first_fd = dup(self->dev);
	} while (m.first_fd < self->vcpu->fd);
	close(m.first_fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, meddle, &m));
	for (round = 0; round < 200; round++) {
		vm = dev_ioctl(SHVM_CREATE_VM, 0);
		for (i = 0; i < 3; i++)
			__test_ioctl(vm, SHVM_CREATE_VCPU, i);
		for (i = 0; i < GUESSES; i++)
			close(m.first_fd + i);
	}
	m.stop = true;
	pthread_join(thread, NULL);
	for (i = 0; i < GUESSES; i++)
		close(m.first_fd + i);
}

SHVM_TEST_MAIN
