/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host side of the selftests: a VM in a few lines.
 *
 * Guest-physical layout (vm_create): low RAM from 0, identity-mapped except page 0; the test's
 * GUEST_CODE and GUEST_DATA at PAYLOAD_BASE, identity-mapped too. The first 2 MiB of RAM belong
 * to the library (descriptor tables, per-vCPU areas, page tables), the rest is for the test.
 *
 * x() ends the test with a message if anything goes wrong; __x() returns -errno.
 */
#ifndef SHVM_SELFTESTS_SHVM_TEST_H
#define SHVM_SELFTESTS_SHVM_TEST_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include <linux/shvm.h>
#include "guest.h"

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE	4096ul
#define KERNEL_ADDR	0xffff888000000000ul	/* of the host's kernel: nothing of ours */
#define NON_CANONICAL	0x0000800000000000ul

#define RAM_SIZE	0x800000ul	/* of vm_create() */
#define RAM_SLOT	0
#define GDT_BASE	0x1000ul	/* see SEL_* */
#define PT_POOL_BASE	0x80000ul	/* guest page tables, up to vm->pt_next */
#define PT_POOL_END	0x200000ul
#define HEAP_BASE	0x200000ul	/* first page that vm_alloc_pages() hands out */
#define PAYLOAD_BASE	0x40000000ul	/* where the Makefile links guest_text */
#define PAYLOAD_UTEXT	0x40080000ul	/* guest_utext, for ring 3 */
#define PAYLOAD_DATA	0x40100000ul	/* guest_data */
#define PAYLOAD_UDATA	0x40180000ul	/* guest_udata, for ring 3 */
#define PAYLOAD_SIZE	0x200000ul
#define PAYLOAD_SLOT	1
#define HOLE_BASE	0x80000000ul	/* never any memory, mapped by vm_map_hole() */

#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_PWT		(1ull << 3)
#define PTE_PCD		(1ull << 4)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_G		(1ull << 8)
#define PTE_NX		(1ull << 63)
#define PTE_ADDR	0x000ffffffffff000ull

#define CR0_PE		(1ull << 0)
#define CR0_MP		(1ull << 1)
#define CR0_TS		(1ull << 3)
#define CR0_ET		(1ull << 4)
#define CR0_NE		(1ull << 5)
#define CR0_WP		(1ull << 16)
#define CR0_NW		(1ull << 29)
#define CR0_CD		(1ull << 30)
#define CR0_PG		(1ull << 31)
#define CR4_PSE		(1ull << 4)
#define CR4_PAE		(1ull << 5)
#define CR4_PGE		(1ull << 7)
#define CR4_OSFXSR	(1ull << 9)
#define CR4_OSXMMEXCPT	(1ull << 10)
#define CR4_PCIDE	(1ull << 17)
#define CR4_SMEP	(1ull << 20)
#define CR4_SMAP	(1ull << 21)
#define EFER_SCE	(1ull << 0)
#define EFER_LME	(1ull << 8)
#define EFER_LMA	(1ull << 10)
#define EFER_NX		(1ull << 11)
#define RFLAGS_FIXED	(1ull << 1)
#define RFLAGS_TF	(1ull << 8)
#define RFLAGS_VM	(1ull << 17)

#define MAX_TEST_SLOTS	32
#define MAX_TEST_VCPUS	16

/* Results of vcpu_run() that are reports of guest code; the others are SHVM_EXIT_*. */
enum {
	EXIT_SYNC = 0x1000,	/* GUEST_SYNC(n): vcpu->uc[0] is n */
	EXIT_DONE,		/* GUEST_DONE() */
	EXIT_ASSERT,		/* GUEST_ASSERT: line, wanted, got */
	EXIT_EXCEPTION,		/* one that no GUEST_TRY expected: vector, error code, rip */
};

struct test_slot {
	u64 gpa, size;
	void *hva;
};

struct test_vcpu {
	struct test_vm *vm;
	int id;
	int fd;
	struct shvm_run *run;
	size_t run_size;
	u64 uc[3];		/* arguments of the last report */
	struct guest_cpu *cpu;	/* the guest's own per-CPU area */
	/* vcpu_start() .. vcpu_join() */
	pthread_t thread;
	volatile pid_t tid;
	int thread_result;
	volatile bool thread_ended;	/* by itself or by vcpu_kick() */
};

struct test_vm {
	int fd;
	u64 root;		/* gpa of the top-level page table */
	u64 pt_next;		/* next page of the page-table pool */
	u64 heap_next;
	struct test_slot slots[MAX_TEST_SLOTS];
	struct test_vcpu *vcpus[MAX_TEST_VCPUS];
};

/* ---- device.c: options, errors, ioctls, the host ---- */

/* Parses --dev, --only and --help; environment: SHVM_DEV. Returns the argument of --only. */
const char *test_options(int argc, char **argv);
const char *test_device(void);
int test_dev_open(void);
bool test_is_shvm(void);
int test_dev_cap(long cap);
/* Ends the test with a message: for what is not the matter of the test. */
void __attribute__((noreturn, format(printf, 1, 2))) test_die(const char *fmt, ...);
/* -errno instead of -1 */
int __test_ioctl(int fd, unsigned long request, unsigned long arg);
int test_ioctl(int fd, unsigned long request, const char *name, unsigned long arg);
/* What the device offers to guests; to be freed. */
struct shvm_cpuid2 *test_supported_cpuid(void);
/* The number in a file of the host's kernel; -1: there is none. */
long test_read_number(const char *path);
void test_pin(pthread_t thread, int cpu);	/* modulo the number of CPUs */

#define __vm_ioctl(vm, req, arg)	__test_ioctl((vm)->fd, req, (unsigned long)(arg))
#define vm_ioctl(vm, req, arg)		test_ioctl((vm)->fd, req, #req, (unsigned long)(arg))
#define __vcpu_ioctl(vcpu, req, arg)	__test_ioctl((vcpu)->fd, req, (unsigned long)(arg))
#define vcpu_ioctl(vcpu, req, arg)	test_ioctl((vcpu)->fd, req, #req, (unsigned long)(arg))

/* ---- vm.c: VMs, memory, vCPUs ---- */

struct test_vm *vm_create(void);
/* No memory, no page tables. */
struct test_vm *vm_create_bare(void);
/* Closes everything. On a debug module the whole shadow MMU is audited first. */
void vm_free(struct test_vm *vm);
struct shvm_stats vm_stats(struct test_vm *vm);		/* all 0 if it is not shvm */
/* 0 if the audit found nothing, or there is no audit on this device. */
int vm_audit(struct test_vm *vm);

int __vm_set_slot(struct test_vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva);
/* Fresh anonymous memory. Returns its address in this process. */
void *vm_add_ram(struct test_vm *vm, u32 slot, u32 flags, u64 gpa, u64 size);
void vm_del_slot(struct test_vm *vm, u32 slot);
/* Host address of guest memory. */
void *vm_hva(struct test_vm *vm, u64 gpa);
/* This VM's copy of a GUEST_DATA variable. */
#define vm_sym(vm, var)	((typeof(var) *)vm_hva(vm, (u64)&(var)))
/* gpa of zeroed pages that belong to the test, identity-mapped for ring 0. */
u64 vm_alloc_pages(struct test_vm *vm, unsigned int nr);

/* A vCPU about to call fn(0) in long mode, ring 0, interrupts off. */
struct test_vcpu *vcpu_create(struct test_vm *vm, int id, void (*fn)(void));
/* A vCPU as CREATE_VCPU makes it, plus CPUID. */
struct test_vcpu *vcpu_create_bare(struct test_vm *vm, int id);

/* ---- state.c: entry states ---- */

void vcpu_set_long_mode(struct test_vcpu *vcpu);
/* 32-bit protected mode, flat segments, paging off, same descriptor tables. */
void vcpu_set_protected_mode(struct test_vcpu *vcpu);
/* The next vcpu_run() calls fn with up to two arguments on a fresh stack. */
void vcpu_set_entry(struct test_vcpu *vcpu, const void *fn, u64 arg0, u64 arg1);
u64 vcpu_stack_top(struct test_vcpu *vcpu);
void vm_init_descriptors(struct test_vm *vm);
void vcpu_init_area(struct test_vcpu *vcpu);

/* ---- paging.c: guest page tables ---- */

u64 pt_alloc(struct test_vm *vm);
/* The entry for gva at a level (1: 4K, 2: 2M, 3: 1G, 4: top); makes the levels above it. */
u64 *guest_pte(struct test_vm *vm, u64 root, u64 gva, int level);
/* The same, as an address that guest code can use. */
u64 guest_pte_gpa(struct test_vm *vm, u64 root, u64 gva, int level);
void guest_map(struct test_vm *vm, u64 gva, u64 gpa, u64 flags);
void guest_map_range(struct test_vm *vm, u64 gva, u64 gpa, u64 size, u64 flags);
/* Another top level with the same entries. */
u64 guest_clone_root(struct test_vm *vm, u64 root);
/* Identity-maps pages at HOLE_BASE, where there is no memory: accesses are MMIO. */
void vm_map_hole(struct test_vm *vm, unsigned int nr_pages);

/* ---- run.c: running ---- */

/* SHVM_RUN: 0 or -errno. */
int __vcpu_run(struct test_vcpu *vcpu);
/* What SHVM_RUN returned 0 with: SHVM_EXIT_* or EXIT_*. Explains EXIT_ASSERT and EXIT_EXCEPTION. */
int vcpu_last_exit(struct test_vcpu *vcpu);
/* Both. An error ends the test, but a signal is SHVM_EXIT_INTR. */
int vcpu_run(struct test_vcpu *vcpu);
/* The same, from the start of fn. */
int vcpu_call(struct test_vcpu *vcpu, const void *fn, u64 arg0, u64 arg1);
/* vcpu_run() in a thread of its own, again and again until it returns something but EXIT_SYNC. */
void vcpu_start(struct test_vcpu *vcpu);
int vcpu_join(struct test_vcpu *vcpu);
/* Until its thread waits in SHVM_RUN, in a sleep that a signal ends: the guest is halted. */
void vcpu_wait_asleep(struct test_vcpu *vcpu);
/* Gets a vCPU that vcpu_start() runs out of the guest: SHVM_EXIT_INTR. */
void vcpu_kick(struct test_vcpu *vcpu);
/* An IN or MMIO read is pending: what it returns. */
void vcpu_set_io_data(struct test_vcpu *vcpu, const void *data, size_t size);
void vcpu_get_io_data(struct test_vcpu *vcpu, void *data, size_t size);

/* In place of TEST_HARNESS_MAIN; take(&argc, argv) takes options of its own out of the list. */
#define SHVM_TEST_MAIN_WITH(take)					\
	int main(int argc, char **argv)					\
	{								\
		struct __fixture_metadata *f;				\
		struct __test_metadata **t;				\
		const char *only;					\
									\
		take(&argc, argv);					\
		only = test_options(argc, argv);			\
		for (f = __fixture_list; f && only; f = f->next) {	\
			for (t = &f->tests; *t; ) {			\
				if (strstr((*t)->name, only))		\
					t = &(*t)->next;		\
				else					\
					*t = (*t)->next;		\
			}						\
		}							\
		return test_harness_run(argc, argv);			\
	}

static inline void test_no_options(int *argc, char **argv)
{
	(void)argc;
	(void)argv;
}

#define SHVM_TEST_MAIN	SHVM_TEST_MAIN_WITH(test_no_options)

#endif
