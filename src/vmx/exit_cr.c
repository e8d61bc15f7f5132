// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits by control and debug register accesses: decoding of the exit qualification (SDM tables
 * 28-3 and 28-4); what the write means is src/x86/cr.c. The CPU has checked the privilege level.
 */
#include <linux/build_bug.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../x86/x86.h"
#include "vmx_internal.h"

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

#define CR_NUMBER(q)	((q) & 0xf)
#define CR_ACCESS(q)	((enum cr_access)(((q) >> 4) & 3))
#define CR_GPR(q)	(((q) >> 8) & 0xf)
#define CR_LMSW_SOURCE(q) ((u16)((q) >> 16))

#define DR_NUMBER(q)	((q) & 7)
#define DR_IS_READ(q)	((q) & BIT(4))
#define DR_GPR(q)	(((q) >> 8) & 0xf)

/* CR_GPR() and DR_GPR() are masks: no speculation gets out of the array. */
static_assert(SHVM_NR_GPRS == 16);

/* The operand has 64 bits in 64-bit code, else 32. */
static __always_inline u64 gpr_read(struct shvm_vcpu *vcpu, unsigned int gpr)
{
	u64 val = unlikely(gpr == SHVM_RSP) ? shvm_vmx_rsp(vcpu) : vcpu->gpr[gpr];

	if (val >> 32 && !shvm_vmx_is_64bit(vcpu))
		val = (u32)val;
	return val;
}

static __always_inline void gpr_write(struct shvm_vcpu *vcpu, unsigned int gpr, u64 val)
{
	if (val >> 32 && !shvm_vmx_is_64bit(vcpu))
		val = (u32)val;
	if (unlikely(gpr == SHVM_RSP))
		shvm_vmx_set_rsp(vcpu, val);
	else
		vcpu->gpr[gpr] = val;
}

#define CR3_NOFLUSH	BIT_ULL(63)

/* Only in long mode, and only a value that needs no #GP: the rest is done the slow way. */
static __always_inline bool cr3_load_short(struct shvm_vcpu *vcpu, u64 val)
{
	bool noflush = false;

	if (vcpu->cr4 & X86_CR4_PCIDE) {
		noflush = val & CR3_NOFLUSH;
		val &= ~CR3_NOFLUSH;
	}
	if (unlikely(!(vcpu->efer & EFER_LMA) || val >> vcpu->cpuid.maxphyaddr))
		return false;
	if (unlikely(!shvm_mmu_try_load_cr3(&vcpu->mmu, val, noflush)))
		return false;
	vcpu->cr3 = val;
	return true;
}

#define CR_READ_OF(n)	(CR_READ << 4 | (n))
#define CR_WRITE_OF(n)	(CR_WRITE << 4 | (n))

bool shvm_vmx_exit_cr_short(struct shvm_vcpu *vcpu)
{
	u64 q = vcpu->vmx.exit.qualification;
	bool done = true;

	switch (q & 0x3f) {
	case CR_WRITE_OF(3):
		done = cr3_load_short(vcpu, gpr_read(vcpu, CR_GPR(q)));
		break;
	case CR_READ_OF(3):
		gpr_write(vcpu, CR_GPR(q), vcpu->cr3);
		break;
	case CR_WRITE_OF(4):
		done = shvm_cr4_try_write(vcpu, gpr_read(vcpu, CR_GPR(q)));
		break;
	case CR_WRITE_OF(0):
		done = shvm_cr0_try_write(vcpu, gpr_read(vcpu, CR_GPR(q)));
		break;
	default:
		done = CR_ACCESS(q) == CR_CLTS &&
		       shvm_cr0_try_write(vcpu, vcpu->cr0 & ~(u64)X86_CR0_TS);
	}
	if (likely(done))
		shvm_vmx_skip_insn_short(vcpu);
	return done;
}

static int cr_write(struct shvm_vcpu *vcpu, unsigned int cr, u64 val)
{
	switch (cr) {
	case 0:
		return shvm_cr0_write(vcpu, val);
	case 3:
		return shvm_cr3_write(vcpu, val);
	case 4:
		return shvm_cr4_write(vcpu, val);
	case 8:
		return shvm_cr8_write(vcpu, val);
	default:
		return 1;
	}
}

/* The mask makes CR0 and CR4 reads come from the read shadow without an exit. */
static enum shvm_next cr_read(struct shvm_vcpu *vcpu, u64 q)
{
	if (CR_NUMBER(q) == 3)
		gpr_write(vcpu, CR_GPR(q), vcpu->cr3);
	else if (CR_NUMBER(q) == 8)
		gpr_write(vcpu, CR_GPR(q), vcpu->cr8);
	else
		return shvm_vmx_internal_error(vcpu, SHVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	shvm_vmx_skip_insn(vcpu);
	return SHVM_NEXT_ENTER;
}

/* LMSW loads MP, EM and TS and may set PE, but never clears it. */
static u64 lmsw_value(u64 cr0, u16 source)
{
	const u64 loaded = X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;

	return (cr0 & ~loaded) | (source & (loaded | X86_CR0_PE));
}

/* result: of a write to a control register, see shvm_cr0_write(). */
static enum shvm_next cr_written(struct shvm_vcpu *vcpu, int result)
{
	if (!result) {
		shvm_vmx_skip_insn(vcpu);
	} else if (result > 0) {
		shvm_event_exception_error(vcpu, X86_TRAP_GP, 0);
	} else if (result != -EAGAIN) {
		vcpu->run_error = result;
		return SHVM_NEXT_ERROR;
	}
	return SHVM_NEXT_ENTER;
}

enum shvm_next shvm_vmx_exit_cr(struct shvm_vcpu *vcpu)
{
	u64 q = vcpu->vmx.exit.qualification;

	switch (CR_ACCESS(q)) {
	case CR_WRITE:
		return cr_written(vcpu, cr_write(vcpu, CR_NUMBER(q), gpr_read(vcpu, CR_GPR(q))));
	case CR_READ:
		return cr_read(vcpu, q);
	case CR_CLTS:
		return cr_written(vcpu, shvm_cr0_write(vcpu, vcpu->cr0 & ~(u64)X86_CR0_TS));
	case CR_LMSW:
		break;
	}
	return cr_written(vcpu, shvm_cr0_write(vcpu, lmsw_value(vcpu->cr0, CR_LMSW_SOURCE(q))));
}

/* MOV DR exits before the CPU looks at CR4.DE, DR7.GD and the privilege level (SDM 26.1.3). */
enum shvm_next shvm_vmx_exit_dr(struct shvm_vcpu *vcpu)
{
	u64 q = vcpu->vmx.exit.qualification;
	unsigned int dr = DR_NUMBER(q);

	if (shvm_vmx_cpl(vcpu)) {
		shvm_event_exception_error(vcpu, X86_TRAP_GP, 0);
		return SHVM_NEXT_ENTER;
	}
	if (!shvm_dr_access(vcpu, dr))
		return SHVM_NEXT_ENTER;
	if (DR_IS_READ(q)) {
		gpr_write(vcpu, DR_GPR(q), shvm_dr_read(vcpu, dr));
	} else if (shvm_dr_write(vcpu, dr, gpr_read(vcpu, DR_GPR(q)))) {
		shvm_event_exception_error(vcpu, X86_TRAP_GP, 0);
		return SHVM_NEXT_ENTER;
	}
	shvm_vmx_skip_insn(vcpu);
	return SHVM_NEXT_ENTER;
}
