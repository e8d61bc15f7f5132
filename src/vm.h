/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One virtual machine. Lock order of the whole module: src/rank.h.
 */
#ifndef SHVM_VM_H
#define SHVM_VM_H

#include <linux/bits.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <uapi/linux/shvm.h>

#include "mmu/mmu.h"
#include "mmu_notifier/mmu_notifier.h"
#include "netlink/netlink.h"
#include "vms.h"

#define SHVM_MAX_VCPUS		16
#define SHVM_MAX_SLOTS		64	/* slot ids, read-only and read-write together */
#define SHVM_IDENTITY_MAP_DEFAULT 0xfffbc000ULL

#ifdef SHVM_DEBUG
#define SHVM_IS_DEBUG		1
#else
#define SHVM_IS_DEBUG		0
#endif

struct file;
struct seq_file;
struct shvm_vcpu;
struct shvm_irqchip;
struct shvm_share;

#define SHVM_NR_PAUSE_POINTS	5	/* SHVM_PAUSE_* */

/* Debug build only; see debug.h. */
struct shvm_debug {
	bool zap_on_exit;		/* drop every SPTE at each VM exit but exceptions */
	bool refuse;			/* no entry passes the check */
	unsigned long armed;		/* bit per pause point; atomic */
	atomic_t waiting[SHVM_NR_PAUSE_POINTS];
	wait_queue_head_t change;	/* armed or waiting has changed */
};

/*
 * Stops all vCPUs without their mutexes. "active" counts the threads between shvm_pause_enter()
 * and shvm_pause_leave(); they may touch the guest and its shadow. Timeline: pause.c.
 */
struct shvm_pause {
	atomic_t requested;		/* callers of shvm_pause_all() that have not resumed */
	atomic_t active;
	wait_queue_head_t idle;		/* active has become 0 */
	wait_queue_head_t resume;	/* requested has become 0 */
};

struct shvm {
	/* Constant after the fd is published. */
	struct mm_struct *mm;		/* mmgrab(); ioctls of another mm get -EIO */
	struct shvm_share *share;	/* of the shadow pages of all VMs (recycle.c) */
	refcount_t users;		/* VM fd, each vCPU fd, a netlink command that changes it */
	struct shvm_owner owner;	/* vms.c */

	struct mutex lock;		/* rank 1: configuration, vcpus[], irqchip creation */
	struct mutex slots_lock;	/* rank 3: memory slot updates */

	/* Written under lock, read anywhere: nr_vcpus is released after vcpus[] is filled. */
	struct shvm_vcpu *vcpus[SHVM_MAX_VCPUS];	/* by creation order */
	int nr_vcpus;
	struct shvm_irqchip *irqchip;	/* NULL until SHVM_CREATE_PIC_PIT; release/acquire */

	const char *broken;		/* NULL; what failed: every ioctl gives -EIO; cmpxchg */
	u32 cpu_model;			/* SHVM_CPU_MODEL_*, 0 until the first RUN; cmpxchg */
	gpa_t tss_addr;			/* lock */
	gpa_t identity_map_addr;	/* lock */

	struct shvm_pause pause;
	atomic64_t ipis;		/* statistics: sent to make vCPUs leave the guest */

	struct shvm_mmu mmu;
	struct shvm_notifier notifier;
	struct shvm_nl_vm nl;
	struct shvm_debug debug;
};

/* What all vCPUs of a VM must agree on, as shvm->cpu_model. */
#define SHVM_CPU_MODEL_MAXPHYADDR	0xffu
#define SHVM_CPU_MODEL_GBPAGES		BIT(8)
#define SHVM_CPU_MODEL_PSE36		BIT(9)
#define SHVM_CPU_MODEL_FIXED		BIT(31)

/* --- life (vm.c) --- */
int shvm_vm_create_fd(unsigned long type);	/* SHVM_CREATE_VM: fd or -errno */
void shvm_vm_put(struct shvm *vm);		/* drops one of vm->users; may sleep */

/**
 * shvm_vm_break - stop a VM for good
 * @vm: any VM that is there
 * @why: what failed, a string that stays
 * Context: any but NMI.
 */
void shvm_vm_break(struct shvm *vm, const char *why);

/* --- ioctls (vm_ioctl.c): the caller's mm is the VM's, the VM is not broken --- */
long shvm_vm_ioctl(struct shvm *vm, unsigned int cmd, unsigned long arg);
int shvm_check_extension(unsigned long cap);	/* main.c; the same on the system and the VM fd */

/* --- pause.c --- */
void shvm_pause_init(struct shvm *vm);

/**
 * shvm_pause_enter - the thread is going to run the guest or change its shadow
 * @vm: the VM
 * Waits while somebody has paused the VM. Return: 0, or -EINTR with nothing to undo.
 */
int shvm_pause_enter(struct shvm *vm);
void shvm_pause_leave(struct shvm *vm);

/**
 * shvm_pause_stand_aside - let others pause the VM, in answer to SHVM_REQ_PAUSE
 * @vm: the VM; the thread is between enter and leave, and is so again on return
 * Return: 0, or -EINTR: the VM may still be paused, so only leave.
 */
int shvm_pause_stand_aside(struct shvm *vm);

/**
 * shvm_pause_all - stop all vCPUs and keep them out until shvm_pause_resume()
 * @vm: the caller holds no vcpu->mutex of it
 * Return: 0, or -EINTR when a signal came first, with nothing to undo.
 */
int shvm_pause_all(struct shvm *vm);
void shvm_pause_resume(struct shvm *vm);

/* --- stats.c --- */
void shvm_stats_sum(struct shvm *vm, struct shvm_stats *out);	/* @out is all 0 before */

/* --- fdinfo.c --- */
void shvm_vm_show_fdinfo(struct seq_file *m, struct file *file);

static inline bool shvm_vm_is_broken(const struct shvm *vm)
{
	return READ_ONCE(vm->broken);
}

/* Is the VM usable by the current thread? */
static inline bool shvm_vm_is_foreign(const struct shvm *vm)
{
	return current->mm != vm->mm || shvm_vm_is_broken(vm);
}

static inline int shvm_vm_nr_vcpus(const struct shvm *vm)
{
	return smp_load_acquire(&vm->nr_vcpus);	/* pairs with the release in vcpu.c */
}

/* Invariant of ours is violated: report once, stop this VM only. Returns the condition. */
#define SHVM_BUG_ON(vm, cond) ({					\
	bool shvm_bad = !!(cond);					\
	if (WARN_ONCE(shvm_bad, "shvm: %s\n", #cond))			\
		shvm_vm_break(vm, #cond);				\
	shvm_bad;							\
})

#endif
