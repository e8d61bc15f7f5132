// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a VM, again and again, with the first, second, third... allocation of its kernel side
 * failing, until one is reached that it does not need. Each life is a process of its own: it may
 * end early with an error, but not by a signal, and what it had is gone afterwards. Needs a kernel
 * with FAULT_INJECTION, root, and debugfs set up as testbed/tests/debug.sh does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shvm_test.h"

#define NR_PAGES	64
#define MAX_NTH		20000	/* a life has some hundreds of allocations */
#define STATUS_UNUSED	100	/* a whole life with fewer allocations than that */

GUEST_DATA static u64 first_page;

GUEST_CODE static void guest_touch(void)
{
	u64 i;

	for (i = 0; i < NR_PAGES; i++)
		*(volatile u64 *)(first_page + i * PAGE_SIZE) = i;
	GUEST_DONE();
}

static void write_nth(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, len, 0) != len)
		test_die("cannot write /proc/self/fail-nth: the kernel has no FAULT_INJECTION?");
}

/* What is left of the count: 0 if the allocation was reached and failed. */
static unsigned int read_nth(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		test_die("cannot read /proc/self/fail-nth");
	return strtoul(text, NULL, 0);
}

static void __attribute__((noreturn)) life(unsigned int nth)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	struct test_vcpu *vcpu;
	struct test_vm *vm;

	if (fd < 0)
		test_die("no /proc/thread-self/fail-nth: the kernel has no FAULT_INJECTION?");
	write_nth(fd, nth);
	vm = vm_create();
	*vm_sym(vm, first_page) = vm_alloc_pages(vm, NR_PAGES);
	vcpu = vcpu_create(vm, 0, guest_touch);
	if (vcpu_run(vcpu) != EXIT_DONE)
		test_die("the guest did not get through");
	vm_del_slot(vm, RAM_SLOT);
	vm_free(vm);
	nth = read_nth(fd);
	write_nth(fd, 0);
	_exit(nth ? STATUS_UNUSED : 0);
}

/* The wait status of one life. */
static int live(unsigned int nth)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		test_die("fork: %s", strerror(errno));
	if (!pid) {
		/* Its complaints are expected. */
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(1);
		life(nth);
	}
	if (waitpid(pid, &status, 0) != pid)
		test_die("waitpid: %s", strerror(errno));
	return status;
}

int main(int argc, char **argv)
{
	unsigned int nth, survived = 0, ended = 0, killed = 0;
	int status = 0;

	test_options(argc, argv);
	printf("TAP version 13\n1..3\n");
	for (nth = 1; nth <= MAX_NTH; nth++) {
		status = live(nth);
		if (WIFSIGNALED(status)) {
			printf("# allocation %u: killed by signal %d\n", nth, WTERMSIG(status));
			killed++;
		} else if (WEXITSTATUS(status) == STATUS_UNUSED) {
			break;
		} else if (WEXITSTATUS(status)) {
			ended++;
		} else {
			survived++;
		}
	}
	printf("# %u allocations: %u lives ended by the failure, %u went on\n", nth - 1, ended,
	       survived);
	printf("%sok 1 - no life was ended by a signal\n", killed ? "not " : "");
	printf("%sok 2 - some were ended with an error\n", ended ? "" : "not ");
	printf("%sok 3 - all allocations of a life were made to fail\n",
	       nth > MAX_NTH ? "not " : "");
	return killed || !ended || nth > MAX_NTH;
}
