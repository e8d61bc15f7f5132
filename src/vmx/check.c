// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug module only: the rules of SDM 27.2 and 27.3 about the guest state area and event injection,
 * checked in software before each entry. Emulators and CPUs leave some of them out, and the CPU
 * itself says no more than "invalid guest state". Interrupts off; reads the VMCS and nothing else.
 */
#define pr_fmt(fmt) "shvm: " fmt

#include <linux/printk.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "vmx_internal.h"

#ifdef SHVM_DEBUG

static bool is_canonical(u64 addr)
{
	return addr == (u64)((s64)(addr << 16) >> 16);
}

static const char *control_register_rule(bool ia32e)
{
	const struct shvm_vmx_caps *c = &shvm_vmx_caps;
	u64 cr0 = vmcs_read_natural(GUEST_CR0);
	u64 cr4 = vmcs_read_natural(GUEST_CR4);

	if ((cr0 & c->cr0_fixed0) != c->cr0_fixed0 || cr0 & ~c->cr0_fixed1)
		return "fixed bits of CR0";
	if ((cr4 & c->cr4_fixed0) != c->cr4_fixed0 || cr4 & ~c->cr4_fixed1)
		return "fixed bits of CR4";
	if (!(cr0 & X86_CR0_PE) || !(cr0 & X86_CR0_PG) || !(cr4 & X86_CR4_PAE))
		return "PE, PG or PAE is off";
	if (!ia32e && (cr4 & X86_CR4_PCIDE))
		return "PCIDE outside long mode";
	if (vmcs_read_natural(GUEST_CR3) >> boot_cpu_data.x86_phys_bits)
		return "CR3 beyond the physical address width";
	if (!ia32e && vmcs_read_natural(GUEST_CR3) >> 32)
		return "PDPTEs above 4 GiB";
	if (vmcs_read_natural(GUEST_DR7) >> 32)
		return "DR7 has bits above 31";
	if (!is_canonical(vmcs_read_natural(GUEST_SYSENTER_ESP)) ||
	    !is_canonical(vmcs_read_natural(GUEST_SYSENTER_EIP)))
		return "SYSENTER MSR is not canonical";
	return NULL;
}

#define RFLAGS_MUST_BE_0 (~0ULL << 22 | BIT(15) | BIT(5) | BIT(3))

static const char *rflags_rule(struct shvm_vcpu *vcpu, bool ia32e)
{
	u64 rflags = shvm_vmx_rflags(vcpu);

	if ((rflags & RFLAGS_MUST_BE_0) || !(rflags & X86_EFLAGS_FIXED))
		return "reserved bits of RFLAGS";
	if (ia32e && (rflags & X86_EFLAGS_VM))
		return "RFLAGS.VM in long mode";
	return NULL;
}

static const char *const rule_texts[SHVM_NR_RULES] = {
	[SHVM_RULE_SEG_ABSENT] = "segment not present",
	[SHVM_RULE_SEG_RESERVED] = "reserved access bits",
	[SHVM_RULE_SEG_S] = "S bit",
	[SHVM_RULE_SEG_LIMIT] = "G bit and limit",
	[SHVM_RULE_CS_TYPE] = "CS is not an accessed code segment",
	[SHVM_RULE_CS_DPL] = "DPL of CS and SS",
	[SHVM_RULE_CS_L_AND_D] = "CS.L and CS.D",
	[SHVM_RULE_CS_BASE] = "CS base above 4 GiB",
	[SHVM_RULE_SS_RPL] = "RPL of SS and CS",
	[SHVM_RULE_SS_DPL] = "SS.DPL and SS.RPL",
	[SHVM_RULE_SS_TYPE] = "SS is not accessed writable data",
	[SHVM_RULE_SS_BASE] = "SS base above 4 GiB",
	[SHVM_RULE_FS_GS_BASE] = "FS or GS base is not canonical",
	[SHVM_RULE_DATA_TYPE] = "DS, ES, FS or GS is not readable and accessed",
	[SHVM_RULE_DATA_RPL] = "RPL above DPL of DS, ES, FS or GS",
	[SHVM_RULE_DATA_BASE] = "DS or ES base above 4 GiB",
	[SHVM_RULE_TR_ABSENT] = "TR is unusable or in the LDT",
	[SHVM_RULE_TR_TYPE] = "TR is not a busy TSS",
	[SHVM_RULE_TR_BASE] = "TR base is not canonical",
	[SHVM_RULE_LDTR_TYPE] = "LDTR is not an LDT in the GDT",
	[SHVM_RULE_LDTR_BASE] = "LDTR base is not canonical",
	[SHVM_RULE_DTABLE_BASE] = "GDTR or IDTR base is not canonical",
	[SHVM_RULE_RIP] = "RIP does not fit the mode",
};

static const char *activity_rule(struct shvm_vcpu *vcpu)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u64 pending = vmcs_read_natural(GUEST_PENDING_DBG_EXCEPTIONS);
	u64 rflags = shvm_vmx_rflags(vcpu);
	const u32 both = SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS;

	if (vmcs_read32(GUEST_ACTIVITY_STATE))
		return "activity state is not active";
	if (blocked & ~(both | SHVM_BLOCK_NMI))
		return "reserved bits of the interruptibility state";
	if ((blocked & both) == both)
		return "blocked by STI and by MOV SS";
	if ((blocked & SHVM_BLOCK_STI) && !(rflags & X86_EFLAGS_IF))
		return "blocked by STI with RFLAGS.IF = 0";
	if ((blocked & both) && !(pending & SHVM_PENDING_DBG_BS) != !(rflags & X86_EFLAGS_TF))
		return "pending single step and RFLAGS.TF under blocking";
	return NULL;
}

static bool vector_has_error(u8 vector)
{
	const u32 set = BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) |
			BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC);

	return vector < 32 && (set & BIT(vector));
}

static const char *injection_type_rule(u32 info)
{
	u8 vector = SHVM_INTR_VECTOR(info);

	switch (SHVM_INTR_TYPE(info)) {
	case SHVM_INTR_NMI:
		return vector == X86_TRAP_NMI ? NULL : "NMI with another vector";
	case SHVM_INTR_HW_EXCEPTION:
		if (vector > 31)
			return "exception with a vector above 31";
		if (!(info & SHVM_INTR_HAS_ERROR) != !vector_has_error(vector))
			return "error code and vector";
		return NULL;
	case 1:
	case 7:
		return "reserved event type";
	default:
		return info & SHVM_INTR_HAS_ERROR ? "error code of an interrupt" : NULL;
	}
}

static const char *injection_rule(struct shvm_vcpu *vcpu)
{
	u32 info = vmcs_read32(VM_ENTRY_INTR_INFO_FIELD);
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	enum shvm_intr_type type = SHVM_INTR_TYPE(info);
	u32 len;

	if (!(info & SHVM_INTR_VALID))
		return NULL;
	if (type == SHVM_INTR_EXTERNAL && !(shvm_vmx_rflags(vcpu) & X86_EFLAGS_IF))
		return "interrupt with RFLAGS.IF = 0";
	if (type == SHVM_INTR_EXTERNAL && (blocked & (SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS)))
		return "interrupt while blocked";
	if (type == SHVM_INTR_NMI && (blocked & (SHVM_BLOCK_MOV_SS | SHVM_BLOCK_NMI)))
		return "NMI while blocked";
	if ((info & SHVM_INTR_HAS_ERROR) && vmcs_read32(VM_ENTRY_EXCEPTION_ERROR_CODE) >> 16)
		return "error code has bits above 15";
	len = vmcs_read32(VM_ENTRY_INSTRUCTION_LEN);
	if (type >= SHVM_INTR_SOFT_INT && (len < 1 || len > 15))
		return "instruction length of a software event";
	return injection_type_rule(info);
}

bool shvm_vmx_check_entry(struct shvm_vcpu *vcpu)
{
	bool ia32e = vmcs_read32(VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE;
	const char *rule = NULL;

	if (ia32e != !!(vcpu->efer & EFER_LMA))
		rule = "IA-32e control and EFER.LMA";
	if (!rule)
		rule = control_register_rule(ia32e);
	if (!rule)
		rule = rule_texts[shvm_vmx_state_rule(vcpu)];
	if (!rule)
		rule = rflags_rule(vcpu, ia32e);
	if (!rule)
		rule = activity_rule(vcpu);
	if (!rule)
		rule = injection_rule(vcpu);
	if (!rule && vmcs_read32(PAGE_FAULT_ERROR_CODE_MASK) != shvm_vmx_pf_mask(vcpu))
		rule = "#PF mask of another paging mode";
	if (!rule && vcpu->vm && READ_ONCE(vcpu->vm->debug.refuse))
		rule = "SHVM_DEBUG_REFUSE";
	if (likely(!rule))
		return true;
	pr_err_ratelimited("VM entry would fail: %s\n", rule);
	return false;
}

#endif
