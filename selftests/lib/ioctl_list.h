/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every ioctl of the header and the fds that it belongs to.
 */
#ifndef SHVM_SELFTESTS_IOCTL_LIST_H
#define SHVM_SELFTESTS_IOCTL_LIST_H

#include "shvm_test.h"

enum fd_kind { SYSTEM, VM, VCPU };

struct ioctl_info {
	const char *name;
	unsigned long request;
	int kinds;		/* on which fds: bits of enum fd_kind */
};

#define I(name, kinds) { #name, name, kinds }
#define ON_SYSTEM	(1 << SYSTEM)
#define ON_VM		(1 << VM)
#define ON_VCPU		(1 << VCPU)

static const struct ioctl_info ioctls[] = {
	I(SHVM_GET_API_VERSION, ON_SYSTEM),
	I(SHVM_CREATE_VM, ON_SYSTEM),
	I(SHVM_GET_MSR_INDEX_LIST, ON_SYSTEM),
	I(SHVM_CHECK_EXTENSION, ON_SYSTEM | ON_VM),
	I(SHVM_GET_VCPU_MMAP_SIZE, ON_SYSTEM),
	I(SHVM_GET_SUPPORTED_CPUID, ON_SYSTEM),
	I(SHVM_CREATE_VCPU, ON_VM),
	I(SHVM_SET_NR_MMU_PAGES, ON_VM),
	I(SHVM_GET_NR_MMU_PAGES, ON_VM),
	I(SHVM_SET_USER_MEMORY_REGION, ON_VM),
	I(SHVM_SET_TSS_ADDR, ON_VM),
	I(SHVM_SET_IDENTITY_MAP_ADDR, ON_VM),
	I(SHVM_IRQ_LINE, ON_VM),
	I(SHVM_RUN, ON_VCPU),
	I(SHVM_GET_REGS, ON_VCPU),
	I(SHVM_SET_REGS, ON_VCPU),
	I(SHVM_GET_SREGS, ON_VCPU),
	I(SHVM_SET_SREGS, ON_VCPU),
	I(SHVM_INTERRUPT, ON_VCPU),
	I(SHVM_GET_MSRS, ON_VCPU),
	I(SHVM_SET_MSRS, ON_VCPU),
	I(SHVM_GET_FPU, ON_VCPU),
	I(SHVM_SET_FPU, ON_VCPU),
	I(SHVM_SET_CPUID2, ON_VCPU),
	I(SHVM_GET_CPUID2, ON_VCPU),
	I(SHVM_GET_MP_STATE, ON_VCPU),
	I(SHVM_SET_MP_STATE, ON_VCPU),
	I(SHVM_NMI, ON_VCPU),
	I(SHVM_GET_VCPU_EVENTS, ON_VCPU),
	I(SHVM_SET_VCPU_EVENTS, ON_VCPU),
	I(SHVM_GET_DEBUGREGS, ON_VCPU),
	I(SHVM_SET_DEBUGREGS, ON_VCPU),
	I(SHVM_SET_TSC_KHZ, ON_VCPU),
	I(SHVM_GET_TSC_KHZ, ON_VCPU),
};

static const struct ioctl_info own_ioctls[] = {
	I(SHVM_CREATE_PIC_PIT, ON_VM),
	I(SHVM_GET_STATS, ON_VM),
	I(SHVM_AUDIT, ON_VM),
	I(SHVM_DEBUG_CTL, ON_VM),
};

#endif
