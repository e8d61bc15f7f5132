// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits by control and debug register accesses: decoding of the exit qualification (SDM tables
 * 28-3 and 28-4); what the write means is src/x86/cr.c. The CPU has checked the privilege level.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../x86/x86.h"
#include "exit_fields.h"
#include "vmx_internal.h"

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
