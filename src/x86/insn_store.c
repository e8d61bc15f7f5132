// SPDX-License-Identifier: GPL-2.0-only
/*
 * The short way through a trapped store to a guest page table: the guest's kernel in 64-bit mode
 * stores one entry by a plain MOV or XCHG. What does not fit is left, with nothing changed, to
 * the emulator. The same rules hold: the instruction is fetched and decoded anew, must still
 * store where the fault was, and is all or nothing.
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

	if (!shvm_mmu_lookup_code(&vcpu->mmu, gva(rip), false, &at))
		return 0;
	return shvm_mmu_read(&vcpu->vm->mmu, at, insn, len) == SHVM_MEM_OK ? len : 0;
}

static enum shvm_mem_result store_exchange(struct shvm_vcpu *vcpu, gpa_t at, u64 val, u64 *old)
{
	enum shvm_mem_result ret = shvm_mmu_read(&vcpu->vm->mmu, at, old, ENTRY_BYTES);

	if (ret != SHVM_MEM_OK)
		return ret;
	return shvm_mmu_cmpxchg(&vcpu->mmu, at, old, &val, ENTRY_BYTES);
}

static bool store_entry(struct shvm_vcpu *vcpu, const struct shvm_emul_store *st, gpa_t at)
{
	u64 old;

	if (!st->exchange)
		return shvm_mmu_write(&vcpu->mmu, at, &st->value, ENTRY_BYTES) == SHVM_MEM_OK;
	if (store_exchange(vcpu, at, st->value, &old) != SHVM_MEM_OK)
		return false;
	vcpu->gpr[st->reg] = old;
	return true;
}

/* One entry, by the kernel, in 64-bit mode. */
static bool store_is_simple(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	return !(pf->addr.v & (ENTRY_BYTES - 1)) && (pf->error & SHVM_ACCESS_WRITE) &&
	       !(pf->error & SHVM_ACCESS_USER) && shvm_vmx_is_64bit(vcpu) && !shvm_vmx_cpl(vcpu);
}

bool shvm_insn_table_store(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	u64 rip = shvm_vmx_rip(vcpu);
	u8 insn[SHVM_EMUL_INSN_MAX];
	struct shvm_emul_store st;
	unsigned int len;

	if (!store_is_simple(vcpu, pf))
		return false;
	len = store_fetch(vcpu, rip, insn);
	if (!shvm_emul_decode_store(insn, len, vcpu->gpr, &st) || st.linear != pf->addr.v ||
	    !store_entry(vcpu, &st, pf->gpa))
		return false;
	shvm_vmx_retire_insn(vcpu, rip + st.len);
	vcpu->insn.stuck_tries = 0;
	vcpu->stats.insn_emulated++;
	return true;
}
