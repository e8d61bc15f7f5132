/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit clusters: on the exit of a MOV from CR3, everything up to and with the MOV to CR3 that
 * follows, so that the guest exits once for a change of its page tables instead of twice. This is
 * what is done each time; cluster.c has what is found out once. Entry loop only: interrupts are
 * off and the vCPU counts as in the guest, so that no frame and no table goes away meanwhile.
 *
 * Whatever is not as it was found leaves everything as it is: the MOV from CR3 is finished alone,
 * and the guest executes the rest.
 */
#ifndef SHVM_VMX_CLUSTER_H
#define SHVM_VMX_CLUSTER_H

#include <asm/processor-flags.h>

#include "../compat/unaligned.h"
#include "cr3.h"
#include "exit_fields.h"
#include "vmx_internal.h"

/* Linux has its places in one page; these bits tell those apart that are used much. */
static __always_inline struct shvm_cluster *cluster_of(struct shvm_vcpu *vcpu, u64 rip)
{
	return &vcpu->vmx.clusters[(rip ^ rip >> 5) % SHVM_NR_CLUSTERS];
}

static __always_inline u64 cr3_form_value(const struct shvm_cr3_form *form, u64 cr3)
{
	return (cr3 & form->and) | form->or;
}

/* Another CPU may store to the code meanwhile: each byte counts as it is read here. */
static __always_inline bool cluster_word_is(const struct shvm_cluster *c, int i)
{
	return get_unaligned((const u64 *)c->code_at + i) == c->code[i];
}

static __always_inline bool cluster_code_is_same(const struct shvm_cluster *c)
{
	if (!cluster_word_is(c, 0) || !cluster_word_is(c, 1))
		return false;
	return c->is_short ||
	       (cluster_word_is(c, 2) && cluster_word_is(c, 3) && cluster_word_is(c, 4) &&
		cluster_word_is(c, 5) && cluster_word_is(c, 6) && cluster_word_is(c, 7));
}

/* The address leads where it led, and the instructions are the ones that were decoded. */
static __always_inline bool cluster_holds(struct shvm_vcpu *vcpu, const struct shvm_cluster *c,
					  u64 rip, u64 q)
{
	return likely(c->rip == rip && c->qualification == q) &&
	       likely(c->owed == shvm_mmu_rights_lost(&vcpu->mmu)) &&
	       likely(shvm_mmu_peek_holds(&vcpu->mmu, &c->page)) &&
	       likely(cluster_code_is_same(c));
}

/* False: they may be somewhere else now. */
static __always_inline bool cluster_data_holds(struct shvm_vcpu *vcpu, const struct shvm_cluster *c)
{
	unsigned long gs_base;

	return vmcs_try_read(GUEST_GS_BASE, &gs_base) && likely(gs_base == c->gs_base) &&
	       likely(shvm_mmu_peek_holds(&vcpu->mmu, &c->data));
}

/* The branch goes the way that was decoded if the bit is clear. */
static __always_inline bool cluster_bit_is_clear(const struct shvm_vcpu *vcpu,
						 const struct shvm_cluster *c)
{
	u64 bit = cr3_form_value(&c->bit, vcpu->cr3);

	return bit < 64 && !(get_unaligned((const u64 *)c->data_at) & BIT_ULL(bit));
}

#define RFLAGS_ARITHMETIC	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF |	\
				 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* As AND and OR leave them, by the CPU itself. */
static __always_inline u64 rflags_of_result(u64 rflags, u64 result)
{
	u64 flags;

	asm("test	%[result], %[result]\n"
	    "	pushfq\n"
	    "	popq	%[flags]" : [flags] "=r" (flags) : [result] "r" (result) : "cc");
	return (rflags & ~(u64)RFLAGS_ARITHMETIC) | (flags & RFLAGS_ARITHMETIC);
}

/*
 * Nothing may come between the instructions: no single step, no breakpoint, and no event that STI
 * or MOV SS has kept off until the first of them is done. What else waits does so for RFLAGS.IF or
 * for the end of NMI blocking, which none of them changes.
 */
static __always_inline bool cluster_is_undisturbed(struct shvm_vcpu *vcpu, u64 rflags)
{
	unsigned long blocked;

	return likely(!(rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF)) &&
		      !(vcpu->dr7 & SHVM_DR7_BREAKPOINTS)) &&
	       vmcs_try_read(GUEST_INTERRUPTIBILITY_INFO, &blocked) &&
	       likely(!(blocked & (SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS)));
}

/* CR3 is loaded: registers, flags and RIP. */
static __always_inline bool cluster_finish(struct shvm_vcpu *vcpu, const struct shvm_cluster *c,
					   u64 old, u64 rflags)
{
	u64 val = cr3_form_value(&c->value, old);
	unsigned int gpr = CR_GPR(c->qualification);

	if (c->has_copy)
		vcpu->gpr[c->copy_gpr % SHVM_NR_GPRS] = cr3_form_value(&c->copy, old);
	if (gpr != SHVM_RSP)
		vcpu->gpr[gpr] = val;
	else if (!vmcs_try_write(GUEST_RSP, val))
		return false;
	return (!c->sets_flags ||
		vmcs_try_write(GUEST_RFLAGS, rflags_of_result(rflags, val))) &&
	       vmcs_try_write(GUEST_RIP, c->next_rip);
}

/**
 * cluster_run - the MOV from CR3 that exited, and all up to the MOV to CR3
 * @vcpu: in the entry loop; the exit is by a MOV from CR3 in 64-bit code
 * @rip: of it
 * @q: exit qualification
 * @effort: CR3_SHORT: only if all is where it was the last time
 * Return: true: done, RIP is behind the MOV to CR3. False: nothing happened.
 */
static __always_inline bool cluster_run(struct shvm_vcpu *vcpu, u64 rip, u64 q,
					enum cr3_effort effort)
{
	struct shvm_cluster *c = cluster_of(vcpu, rip);
	u64 cr3 = vcpu->cr3;
	unsigned long rflags;

	OPTIMIZER_HIDE_VAR(c);		/* it has an address, not to be worked out each time */
	if (unlikely(!cluster_holds(vcpu, c, rip, q)) &&
	    (effort == CR3_SHORT || !shvm_vmx_cluster_find(vcpu, c, rip, q)))
		return false;
	if (c->tests_bit && unlikely(!cluster_data_holds(vcpu, c)) &&
	    (effort == CR3_SHORT || !shvm_vmx_cluster_find_data(vcpu, c)))
		return false;
	if (!vmcs_try_read(GUEST_RFLAGS, &rflags) || !cluster_is_undisturbed(vcpu, rflags) ||
	    (c->tests_bit && !cluster_bit_is_clear(vcpu, c)) ||
	    !cr3_try_load(vcpu, cr3_form_value(&c->value, cr3), effort))
		return false;
	if (unlikely(!cluster_finish(vcpu, c, cr3, rflags)))
		shvm_vmx_insn_failed("vmwrite", GUEST_RIP);
	return true;
}

#endif
