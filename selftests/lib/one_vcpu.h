/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of tests that set and get the state of a vCPU. After kselftest_harness.h.
 */
#ifndef SHVM_SELFTESTS_ONE_VCPU_H
#define SHVM_SELFTESTS_ONE_VCPU_H

#include "shvm_test.h"

FIXTURE(one_vcpu)
{
	bool is_shvm;
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(one_vcpu)
{
	self->is_shvm = test_is_shvm();
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(one_vcpu)
{
	vm_free(self->vm);
}

#define get(what, to)	vcpu_ioctl(self->vcpu, SHVM_GET_##what, to)
#define set(what, from)	__vcpu_ioctl(self->vcpu, SHVM_SET_##what, from)

#endif
