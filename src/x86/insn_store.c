// SPDX-License-Identifier: GPL-2.0-only
/*
 * The short way through a trapped store to a guest page table: the guest's kernel in 64-bit mode
 * stores one entry by a plain MOV or XCHG, or clears a bit of one. What does not fit is left, with
 * nothing changed, to the emulator. The same rules hold: the instruction is fetched and decoded
 * anew, must still store where the fault was, and is all or nothing. Waits for nothing: it runs in
 * the entry loop, with interrupts off.
 */
#include "insn_internal.h"
#include "../vm.h"
#include "../vmx/vmx.h"

#define ENTRY_BYTES	8

/* One byte at the least: up to the end of the page. 0: the emulator may find out why. */
static unsigned int store_fetch(struct shvm_vcpu *vcpu, u64 rip, u8 insn[SHVM_EMUL_INSN_MAX])
{
	unsigned int room = SHVM_PAGE_SIZE - (rip & (SHVM_PAGE_SIZE - 1));
	unsigned int len = min_t(unsigned int, room, SHVM_EMUL_INSN_MAX);
	gpa_t at;

	if (!shvm_mmu_lookup_code_now(&vcpu->mmu, gva(rip), false, &at))
		return 0;
	return shvm_mmu_read_now(&vcpu->vm->mmu, at, insn, len) ? len : 0;
}

static bool store_entry(struct shvm_vcpu *vcpu, const struct shvm_emul_store *st, gpa_t at)
{
	u64 old, new = st->value, rflags = shvm_vmx_rflags(vcpu);

	if (!st->exchange && !st->and)
		return shvm_mmu_table_store_now(&vcpu->mmu, at, NULL, &new,
						ENTRY_BYTES) == SHVM_MEM_OK;
	if (!shvm_mmu_read_now(&vcpu->vm->mmu, at, &old, ENTRY_BYTES))
		return false;
	if (st->and)
		new = shvm_emul_store_and(st, old, &rflags);
	if (shvm_mmu_table_store_now(&vcpu->mmu, at, &old, &new, ENTRY_BYTES) != SHVM_MEM_OK)
		return false;
	if (st->and)
		shvm_vmx_set_rflags(vcpu, rflags);
	else
		vcpu->gpr[st->reg] = old;
	return true;
}

/* One entry, by the kernel, in 64-bit mode. */
static bool store_is_simple(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	return !(pf->addr.v & (ENTRY_BYTES - 1)) && (pf->error & SHVM_ACCESS_WRITE) &&
	       !(pf->error & SHVM_ACCESS_USER) && shvm_vmx_is_64bit(vcpu) && !shvm_vmx_cpl(vcpu);
}

/* Returns the length of the instruction that is done; 0: nothing is. */
static unsigned int store_short(struct shvm_vcpu *vcpu, const struct shvm_pf *pf, u64 rip)
{
	u8 insn[SHVM_EMUL_INSN_MAX];
	struct shvm_emul_store st;
	unsigned int len;

	len = store_fetch(vcpu, rip, insn);
	if (!shvm_emul_decode_store(insn, len, vcpu->gpr, &st) || st.linear != pf->addr.v ||
	    !store_entry(vcpu, &st, pf->gpa))
		return 0;
	return st.len;
}

/**
 * shvm_insn_table_store - do a trapped store to a page table if that is simple
 * @vcpu: the vCPU; interrupts may be off
 * @pf: its fault: EMULATE, of a tracked page
 * Return: false: nothing is done, shvm_insn_emulate_fault() can do it.
 */
bool shvm_insn_table_store(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	u64 rip = shvm_vmx_rip(vcpu);
	unsigned int len;
	int idx;

	if (!store_is_simple(vcpu, pf) || !shvm_mmu_try_begin(&vcpu->mmu, &idx))
		return false;
	len = store_short(vcpu, pf, rip);
	shvm_mmu_end(&vcpu->mmu, idx);
	if (!len)
		return false;
	shvm_vmx_retire_insn(vcpu, rip + len);
	vcpu->insn.stuck_tries = 0;
	vcpu->stats.insn_emulated++;
	return true;
}
