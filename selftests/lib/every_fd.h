/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of tests that use the three kinds of fds: one of each. After kselftest_harness.h.
 */
#ifndef SHVM_SELFTESTS_EVERY_FD_H
#define SHVM_SELFTESTS_EVERY_FD_H

#include <unistd.h>

#include "ioctl_list.h"

FIXTURE(every_fd)
{
	int dev;
	bool is_shvm;
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	int fds[3];		/* by enum fd_kind */
};

FIXTURE_SETUP(every_fd)
{
	self->dev = test_dev_open();
	self->is_shvm = test_is_shvm();
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, guest_done);
	self->fds[SYSTEM] = self->dev;
	self->fds[VM] = self->vm->fd;
	self->fds[VCPU] = self->vcpu->fd;
}

FIXTURE_TEARDOWN(every_fd)
{
	/* Whatever was tried, the vCPU still works. */
	vcpu_set_long_mode(self->vcpu);
	vcpu_set_entry(self->vcpu, guest_done, 0, 0);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	vm_free(self->vm);
	close(self->dev);
}

#define dev_ioctl(req, arg)	__test_ioctl(self->dev, req, (unsigned long)(arg))

#endif
