// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYSCALL MSRs. The kernel itself never executes SYSCALL, so the guest's values may stay in the
 * CPU until this CPU returns to user space: then the user-return notifier puts the host's back.
 * Without these, each exit to the run loop would cost eight MSR accesses. CSTAR is not here:
 * SYSCALL is undefined in compatibility mode on Intel CPUs, and TSC_AUX neither: RDTSCP and RDPID
 * are undefined for the guest as the secondary control is off.
 * Per-CPU state, touched on its CPU with preemption off; the notifier runs with interrupts off.
 */
#include <linux/percpu.h>
#include <linux/user-return-notifier.h>
#include <asm/msr.h>

#include "vmx_internal.h"

static const u32 uret_msr[] = { MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK };

#define URET_EFER	0
#define NR_URET		ARRAY_SIZE(uret_msr)

struct uret_cpu {
	struct user_return_notifier notifier;
	bool registered;
	u64 host[NR_URET];		/* valid while registered */
	u64 now[NR_URET];
};

static DEFINE_PER_CPU(struct uret_cpu, uret_cpu);

static void uret_restore(struct uret_cpu *c)
{
	int i;

	for (i = 0; i < NR_URET; i++) {
		if (c->now[i] != c->host[i])
			wrmsrl(uret_msr[i], c->host[i]);
		c->now[i] = c->host[i];
	}
}

static void uret_unregister(struct uret_cpu *c)
{
	unsigned long flags;

	local_irq_save(flags);
	if (c->registered) {
		c->registered = false;
		user_return_notifier_unregister(&c->notifier);
		uret_restore(c);
	}
	local_irq_restore(flags);
}

static void uret_on_user_return(struct user_return_notifier *notifier)
{
	uret_unregister(container_of(notifier, struct uret_cpu, notifier));
}

void shvm_uret_drop_cpu(void)
{
	uret_unregister(this_cpu_ptr(&uret_cpu));
}

static void uret_register(struct uret_cpu *c)
{
	unsigned long flags;
	int i;

	for (i = 0; i < NR_URET; i++) {
		rdmsrl(uret_msr[i], c->host[i]);
		c->now[i] = c->host[i];
	}
	local_irq_save(flags);
	c->registered = true;
	user_return_notifier_register(&c->notifier);
	local_irq_restore(flags);
}

static void uret_set(struct uret_cpu *c, int i, u64 val)
{
	if (c->now[i] == val)
		return;
	/* Before the write: an interrupt that ends in user space must not miss the change. */
	WRITE_ONCE(c->now[i], val);
	wrmsrl(uret_msr[i], val);
}

/* Outside long mode SYSCALL is undefined whatever the MSRs hold. */
void shvm_uret_load(struct shvm_vcpu *vcpu)
{
	struct uret_cpu *c = this_cpu_ptr(&uret_cpu);
	const struct shvm_msr_state *m = &vcpu->msrs;

	if (!(vcpu->efer & EFER_LMA))
		return;
	if (!c->registered)
		uret_register(c);
	/* LMA and LME follow the VM-entry control, NXE stays the host's (the shadow needs it). */
	uret_set(c, URET_EFER, (c->host[URET_EFER] & ~EFER_SCE) | (vcpu->efer & EFER_SCE));
	uret_set(c, 1, m->star);
	uret_set(c, 2, m->lstar);
	uret_set(c, 3, m->fmask);
}

void __init shvm_uret_module_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(uret_cpu, cpu).notifier.on_user_return = uret_on_user_return;
}
