/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor device as a launcher sees it: one VM with one vCPU behind the KVM ABI.
 * The same calls work on /dev/shvm and /dev/kvm. Whatever cannot be done ends the program with
 * cause and cure, so callers check nothing.
 */
#ifndef SHVM_USERSPACE_HV_H
#define SHVM_USERSPACE_HV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/shvm.h>

#include "util.h"

struct hv {
	const char *path;
	int dev_fd;
	int vm_fd;
	int vcpu_fd;
	struct shvm_run *run; /* shared with the kernel; valid from hv_vcpu_create() on */
	size_t run_size;
	unsigned int nr_slots;
	bool own_chip; /* the PIC and PIT are shvm's own; else KVM's irqchip and PIT2 */
};

enum hv_run_result {
	HV_RUN_EXIT, /* look at run->exit_reason */
	HV_RUN_KICKED, /* a signal or immediate_exit */
	HV_RUN_FAILED, /* errno says why */
};

void hv_open(struct hv *hv, const char *path);
int hv_cap(struct hv *hv, unsigned long cap);

/* Makes the VM with its PIC and PIT. */
void hv_vm_create(struct hv *hv);
void hv_memory_add(struct hv *hv, u64 gpa, void *host, u64 size);
/* The most memory for shadow page tables, in pages of 4 KiB; behind hv_memory_add(). */
void hv_shadow_pages_set(struct hv *hv, unsigned int pages);
void hv_vcpu_create(struct hv *hv);

/* Any thread. Level of an ISA interrupt line; wakes a vCPU that waits in HLT. */
void hv_irq_set(struct hv *hv, unsigned int gsi, bool level);

/* An ioctl on the vCPU that must not fail; @what names it in the message. */
void hv_vcpu_do(struct hv *hv, unsigned long request, void *arg, const char *what);

enum hv_run_result hv_run(struct hv *hv);

/* hv_stats.c: the hypervisor's counters of this VM, each as @separator, name, "=", value. */
void hv_stats_print(struct hv *hv, const char *separator, FILE *out);

/* hv_kvm.c: PIC and PIT of /dev/kvm, which come with a LAPIC and an IOAPIC; its counters. */
void hv_kvm_chip_create(struct hv *hv);
void hv_kvm_stats_print(struct hv *hv, const char *separator, FILE *out);

#endif
