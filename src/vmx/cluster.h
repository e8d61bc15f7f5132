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
#include <asm/unaligned.h>

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

/* The branch goes the way that was decoded if the bit is clear. */
static __always_inline bool cluster_bit_is_clear(struct shvm_vcpu *vcpu, struct shvm_cluster *c)
{
	u64 bit = cr3_form_value(&c->bit, vcpu->cr3);

	if (unlikely(vmcs_read_natural(GUEST_GS_BASE) != c->gs_base ||
		     !shvm_mmu_peek_holds(&vcpu->mmu, &c->data)) &&
	    !shvm_vmx_cluster_find_data(vcpu, c))
		return false;
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
	return likely(!(rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF)) &&
		      !(vcpu->dr7 & SHVM_DR7_BREAKPOINTS) &&
		      !(vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) &
			(SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS)));
}

/**
 * cluster_run - the MOV from CR3 that exited, and all up to the MOV to CR3
 * @vcpu: in the entry loop; the exit is by a MOV from CR3 in 64-bit code
 * @rip: of it
 * @q: exit qualification
 * Return: true: done, RIP is behind the MOV to CR3. False: nothing happened.
 */
static __always_inline bool cluster_run(struct shvm_vcpu *vcpu, u64 rip, u64 q)
{
	struct shvm_cluster *c = cluster_of(vcpu, rip);
	u64 rflags, val, cr3 = vcpu->cr3;

	OPTIMIZER_HIDE_VAR(c);		/* it has an address, not to be worked out each time */
	if (unlikely(!cluster_holds(vcpu, c, rip, q)) &&
	    !shvm_vmx_cluster_find(vcpu, c, rip, q))
		return false;
	rflags = vmcs_read_natural(GUEST_RFLAGS);
	if (!cluster_is_undisturbed(vcpu, rflags) ||
	    (c->tests_bit && !cluster_bit_is_clear(vcpu, c)))
		return false;
	val = cr3_form_value(&c->value, cr3);
	if (!cr3_try_load(vcpu, val))
		return false;

	if (c->has_copy)
		vcpu->gpr[c->copy_gpr % SHVM_NR_GPRS] = cr3_form_value(&c->copy, cr3);
	if (CR_GPR(q) == SHVM_RSP)
		vmcs_write_natural(GUEST_RSP, val);
	else
		vcpu->gpr[CR_GPR(q)] = val;
	if (c->sets_flags)
		vmcs_write_natural(GUEST_RFLAGS, rflags_of_result(rflags, val));
	vmcs_write_natural(GUEST_RIP, c->next_rip);
	return true;
}

#endif
