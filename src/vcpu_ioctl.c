// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a vCPU fd other than SHVM_RUN. All of them run with vcpu->mutex held and the VMCS
 * loaded, and may sleep. Each copies its argument, checks all of it, then commits.
 */
#include <linux/bits.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include <asm/tsc.h>

#include "mmu/mmu.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx/vmx.h"
#include "x86/x86.h"

#define RFLAGS_BITS	(X86_EFLAGS_CF | X86_EFLAGS_FIXED | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_IF | \
			 X86_EFLAGS_DF | X86_EFLAGS_OF | X86_EFLAGS_IOPL | X86_EFLAGS_NT | \
			 X86_EFLAGS_RF | X86_EFLAGS_VM | X86_EFLAGS_AC | X86_EFLAGS_VIF | \
			 X86_EFLAGS_VIP | X86_EFLAGS_ID)

#define DR6_FIXED	0xffff0ff0ULL
#define DR6_BITS	0x0000e00fULL
#define DR7_FIXED	0x00000400ULL
#define DR7_CLEAR	0x0000dc00ULL	/* bits 15, 14, 12, 11 read 0; 10 reads 1 */

#define TSC_TOLERANCE_PPM	250

/* ---- general registers ---- */

static long vcpu_get_regs(struct shvm_vcpu *vcpu, void __user *arg)
{
	const u64 *gpr = vcpu->gpr;
	struct shvm_regs regs = {
		.rax = gpr[SHVM_RAX], .rbx = gpr[SHVM_RBX],
		.rcx = gpr[SHVM_RCX], .rdx = gpr[SHVM_RDX],
		.rsi = gpr[SHVM_RSI], .rdi = gpr[SHVM_RDI],
		.rsp = shvm_vmx_rsp(vcpu), .rbp = gpr[SHVM_RBP],
		.r8 = gpr[SHVM_R8], .r9 = gpr[SHVM_R9],
		.r10 = gpr[SHVM_R10], .r11 = gpr[SHVM_R11],
		.r12 = gpr[SHVM_R12], .r13 = gpr[SHVM_R13],
		.r14 = gpr[SHVM_R14], .r15 = gpr[SHVM_R15],
		.rip = shvm_vmx_rip(vcpu),
		.rflags = shvm_vmx_rflags(vcpu),
	};

	return copy_to_user(arg, &regs, sizeof(regs)) ? -EFAULT : 0;
}

static void regs_commit(struct shvm_vcpu *vcpu, const struct shvm_regs *regs)
{
	u64 *gpr = vcpu->gpr;

	gpr[SHVM_RAX] = regs->rax;
	gpr[SHVM_RBX] = regs->rbx;
	gpr[SHVM_RCX] = regs->rcx;
	gpr[SHVM_RDX] = regs->rdx;
	gpr[SHVM_RSI] = regs->rsi;
	gpr[SHVM_RDI] = regs->rdi;
	gpr[SHVM_RBP] = regs->rbp;
	gpr[SHVM_R8] = regs->r8;
	gpr[SHVM_R9] = regs->r9;
	gpr[SHVM_R10] = regs->r10;
	gpr[SHVM_R11] = regs->r11;
	gpr[SHVM_R12] = regs->r12;
	gpr[SHVM_R13] = regs->r13;
	gpr[SHVM_R14] = regs->r14;
	gpr[SHVM_R15] = regs->r15;
	shvm_vmx_set_rsp(vcpu, regs->rsp);
	shvm_vmx_set_rip(vcpu, regs->rip);
	shvm_vmx_state_recheck(vcpu);
	shvm_vmx_set_rflags(vcpu, regs->rflags | X86_EFLAGS_FIXED);
}

static long vcpu_set_regs(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_regs regs;

	if (copy_from_user(&regs, arg, sizeof(regs)))
		return -EFAULT;
	if (regs.rflags & ~(u64)RFLAGS_BITS)
		return -EINVAL;
	regs_commit(vcpu, &regs);
	vcpu->events.exception = (struct shvm_exception){};
	shvm_vmx_drop_step(vcpu);	/* a #DB that waits is an exception, too */
	shvm_insn_forget(vcpu);
	return 0;
}

static long vcpu_get_sregs(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_sregs sregs;

	shvm_sregs_get(vcpu, &sregs);
	return copy_to_user(arg, &sregs, sizeof(sregs)) ? -EFAULT : 0;
}

static long vcpu_set_sregs(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_sregs sregs;

	if (copy_from_user(&sregs, arg, sizeof(sregs)))
		return -EFAULT;
	return shvm_sregs_set(vcpu, &sregs);
}

/* ---- MSRs ---- */

/* Returns how many entries were done, which is less than nmsrs if one was refused. */
static u32 msrs_transfer(struct shvm_vcpu *vcpu, struct shvm_msr_entry *entry, u32 nr, bool set)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		if (set && entry[i].reserved)
			break;
		if (set ? shvm_msr_write(vcpu, entry[i].index, entry[i].data, true) :
			  shvm_msr_read(vcpu, entry[i].index, &entry[i].data))
			break;
	}
	return i;
}

static long vcpu_msrs(struct shvm_vcpu *vcpu, struct shvm_msrs __user *user, bool set)
{
	struct shvm_msr_entry *entries;
	struct shvm_msrs head;
	size_t size;
	long done;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.pad)
		return -EINVAL;
	if (head.nmsrs > SHVM_MAX_MSR_ENTRIES)
		return -E2BIG;
	size = array_size(head.nmsrs, sizeof(*entries));
	entries = memdup_user(user->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	if (set)
		shvm_insn_forget_translation(vcpu);
	done = msrs_transfer(vcpu, entries, head.nmsrs, set);
	if (!set && copy_to_user(user->entries, entries, size))
		done = -EFAULT;
	kfree(entries);
	return done;
}

/* ---- CPUID ---- */

static bool cpuid_is_same(const struct shvm_vcpu *vcpu, const struct shvm_cpuid_entry2 *entries,
			  u32 nent)
{
	return nent == vcpu->cpuid.nent &&
	       !memcmp(entries, vcpu->cpuid.entries, array_size(nent, sizeof(*entries)));
}

static long vcpu_set_cpuid(struct shvm_vcpu *vcpu, struct shvm_cpuid2 __user *user)
{
	struct shvm_cpuid_entry2 *entries;
	struct shvm_cpuid2 head;
	long ret;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.padding)
		return -EINVAL;
	if (head.nent > SHVM_MAX_CPUID_ENTRIES)
		return -E2BIG;
	entries = vmemdup_user(user->entries, array_size(head.nent, sizeof(*entries)));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	if (!vcpu->has_run)
		ret = shvm_cpuid_set(vcpu, entries, head.nent);
	else	/* saying again what was said is no change */
		ret = cpuid_is_same(vcpu, entries, head.nent) ? 0 : -EINVAL;
	kvfree(entries);
	return ret;
}

static long vcpu_get_cpuid(struct shvm_vcpu *vcpu, struct shvm_cpuid2 __user *user)
{
	struct shvm_cpuid2 head;
	u32 nr = vcpu->cpuid.nent;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.padding)
		return -EINVAL;
	if (put_user(nr, &user->nent))
		return -EFAULT;
	if (head.nent < nr)
		return -E2BIG;
	if (nr && copy_to_user(user->entries, vcpu->cpuid.entries,
			       array_size(nr, sizeof(*vcpu->cpuid.entries))))
		return -EFAULT;
	return 0;
}

/* ---- FPU, events, debug registers ---- */

static long vcpu_get_fpu(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_fpu fpu = {};
	long ret = shvm_fpu_get(vcpu, &fpu);

	if (ret)
		return ret;
	return copy_to_user(arg, &fpu, sizeof(fpu)) ? -EFAULT : 0;
}

static long vcpu_set_fpu(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_fpu fpu;
	long ret;

	if (copy_from_user(&fpu, arg, sizeof(fpu)))
		return -EFAULT;
	if (fpu.pad1 || fpu.pad2)
		return -EINVAL;
	ret = shvm_fpu_set(vcpu, &fpu);
	if (!ret)
		shvm_insn_forget(vcpu);
	return ret;
}

static long vcpu_get_events(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_vcpu_events events = {};
	long ret = shvm_event_get(vcpu, &events);

	if (ret)
		return ret;
	return copy_to_user(arg, &events, sizeof(events)) ? -EFAULT : 0;
}

static long vcpu_set_events(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_vcpu_events events;
	long ret;

	if (copy_from_user(&events, arg, sizeof(events)))
		return -EFAULT;
	ret = shvm_event_set(vcpu, &events);
	if (!ret)
		shvm_insn_forget(vcpu);
	return ret;
}

static long vcpu_get_debugregs(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_debugregs regs = { .dr6 = vcpu->dr6, .dr7 = vcpu->dr7 };

	memcpy(regs.db, vcpu->dr, sizeof(regs.db));
	return copy_to_user(arg, &regs, sizeof(regs)) ? -EFAULT : 0;
}

static long vcpu_set_debugregs(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_debugregs regs;

	if (copy_from_user(&regs, arg, sizeof(regs)))
		return -EFAULT;
	if (regs.flags || memchr_inv(regs.reserved, 0, sizeof(regs.reserved)))
		return -EINVAL;
	if (upper_32_bits(regs.dr6) || upper_32_bits(regs.dr7))
		return -EINVAL;
	memcpy(vcpu->dr, regs.db, sizeof(vcpu->dr));
	vcpu->dr6 = (regs.dr6 & DR6_BITS) | DR6_FIXED;
	vcpu->dr7 = (regs.dr7 & ~DR7_CLEAR) | DR7_FIXED;
	shvm_vmx_update_dr7(vcpu);
	return 0;
}

/* ---- run state, interrupts, time ---- */

static long vcpu_get_mp_state(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_mp_state state = { .mp_state = vcpu->mp_state };

	return copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0;
}

static long vcpu_set_mp_state(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_mp_state state;

	if (copy_from_user(&state, arg, sizeof(state)))
		return -EFAULT;
	if (state.mp_state != SHVM_MP_STATE_RUNNABLE && state.mp_state != SHVM_MP_STATE_HALTED)
		return -EINVAL;
	vcpu->mp_state = state.mp_state;
	return 0;
}

static long vcpu_interrupt(struct shvm_vcpu *vcpu, void __user *arg)
{
	struct shvm_interrupt intr;

	if (copy_from_user(&intr, arg, sizeof(intr)))
		return -EFAULT;
	if (intr.irq >= SHVM_NR_INTERRUPTS)
		return -EINVAL;
	if (smp_load_acquire(&vcpu->vm->irqchip))	/* pairs with irqchip_create() */
		return -ENXIO;
	return shvm_event_interrupt(vcpu, intr.irq);
}

static long vcpu_set_tsc_khz(struct shvm_vcpu *vcpu, unsigned long khz)
{
	u64 own = vcpu->msrs.tsc_khz;
	u64 slack = own * TSC_TOLERANCE_PPM / 1000000;

	if (khz && (khz < own - slack || khz > own + slack))
		return -EINVAL;
	return 0;
}

long shvm_vcpu_ioctl(struct shvm_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case SHVM_GET_REGS:
		return vcpu_get_regs(vcpu, argp);
	case SHVM_SET_REGS:
		return vcpu_set_regs(vcpu, argp);
	case SHVM_GET_SREGS:
		return vcpu_get_sregs(vcpu, argp);
	case SHVM_SET_SREGS:
		return vcpu_set_sregs(vcpu, argp);
	case SHVM_GET_MSRS:
		return vcpu_msrs(vcpu, argp, false);
	case SHVM_SET_MSRS:
		return vcpu_msrs(vcpu, argp, true);
	case SHVM_GET_FPU:
		return vcpu_get_fpu(vcpu, argp);
	case SHVM_SET_FPU:
		return vcpu_set_fpu(vcpu, argp);
	case SHVM_GET_CPUID2:
		return vcpu_get_cpuid(vcpu, argp);
	case SHVM_SET_CPUID2:
		return vcpu_set_cpuid(vcpu, argp);
	case SHVM_GET_VCPU_EVENTS:
		return vcpu_get_events(vcpu, argp);
	case SHVM_SET_VCPU_EVENTS:
		return vcpu_set_events(vcpu, argp);
	case SHVM_GET_DEBUGREGS:
		return vcpu_get_debugregs(vcpu, argp);
	case SHVM_SET_DEBUGREGS:
		return vcpu_set_debugregs(vcpu, argp);
	case SHVM_GET_MP_STATE:
		return vcpu_get_mp_state(vcpu, argp);
	case SHVM_SET_MP_STATE:
		return vcpu_set_mp_state(vcpu, argp);
	case SHVM_INTERRUPT:
		return vcpu_interrupt(vcpu, argp);
	case SHVM_NMI:
		shvm_event_nmi(vcpu);
		return 0;
	case SHVM_GET_TSC_KHZ:
		return vcpu->msrs.tsc_khz;
	case SHVM_SET_TSC_KHZ:
		return vcpu_set_tsc_khz(vcpu, arg);
	default:
		return -ENOTTY;
	}
}
