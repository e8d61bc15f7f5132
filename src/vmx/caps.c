// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which VT-x controls this machine has, and which of them shvm uses. Only bits named here are
 * ever set, apart from those the CPU forces to 1. EPT and unrestricted guest are not used even
 * where they exist. Probes once at module load; takes no locks; touches no VMCS.
 */
#define pr_fmt(fmt) "shvm: " fmt

#include <linux/bits.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>

#include "vmx_internal.h"

#define PIN_REQUIRED	(PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING | PIN_BASED_VIRTUAL_NMIS)

#define CPU_REQUIRED	(CPU_BASED_USE_TSC_OFFSETTING | CPU_BASED_HLT_EXITING |		\
			 CPU_BASED_INVLPG_EXITING | CPU_BASED_MWAIT_EXITING |		\
			 CPU_BASED_RDPMC_EXITING | CPU_BASED_CR3_LOAD_EXITING |		\
			 CPU_BASED_CR3_STORE_EXITING | CPU_BASED_CR8_LOAD_EXITING |	\
			 CPU_BASED_CR8_STORE_EXITING | CPU_BASED_MOV_DR_EXITING |	\
			 CPU_BASED_UNCOND_IO_EXITING | CPU_BASED_USE_MSR_BITMAPS |	\
			 CPU_BASED_MONITOR_EXITING)
/* Must be possible, but are set only while a window is wanted. */
#define CPU_WINDOWS	(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING)
#define CPU_OPTIONAL	CPU_BASED_ACTIVATE_SECONDARY_CONTROLS

#define SECONDARY_OPTIONAL (SECONDARY_EXEC_WBINVD_EXITING | SECONDARY_EXEC_ENABLE_VPID)

#define EXIT_REQUIRED	VM_EXIT_HOST_ADDR_SPACE_SIZE
#define ENTRY_REQUIRED	VM_ENTRY_LOAD_DEBUG_CONTROLS
/* Must be possible, and follows the guest's EFER.LMA. */
#define ENTRY_DYNAMIC	VM_ENTRY_IA32E_MODE

#define BASIC_SIZE(basic)	(((basic) >> 32) & 0x1fff)
#define BASIC_32BIT_ADDRESSES	BIT_ULL(48)
#define BASIC_MEMTYPE(basic)	(((basic) >> 50) & 0xf)
#define BASIC_TRUE_CONTROLS	BIT_ULL(55)
#define MEMTYPE_WB		6

struct shvm_vmx_caps shvm_vmx_caps __ro_after_init;

/* One control field: SDM appendix A.3. Low half of the MSR: must be 1; high half: may be 1. */
struct ctl_field {
	const char *name;
	u32 msr;
	u32 required, dynamic, optional;
	u32 *out;
};

static int __init ctl_probe(const struct ctl_field *f)
{
	u32 must = f->required | f->dynamic;
	u32 forced, allowed;
	u64 val;

	if (rdmsrl_safe(f->msr, &val)) {
		pr_err("cannot run here: VT-x capability MSR 0x%x (%s controls) is not readable\n",
		       f->msr, f->name);
		return -EOPNOTSUPP;
	}
	forced = val;
	allowed = val >> 32;
	if (must & ~allowed) {
		pr_err("cannot run here: the CPU lacks VT-x %s controls 0x%08x\n",
		       f->name, must & ~allowed);
		return -EOPNOTSUPP;
	}
	*f->out = f->required | (f->optional & allowed) | forced;
	return 0;
}

static int __init controls_probe(bool true_msrs)
{
	struct shvm_vmx_caps *c = &shvm_vmx_caps;
	const struct ctl_field fields[] = {
		{ "pin-based", true_msrs ? MSR_IA32_VMX_TRUE_PINBASED_CTLS :
				MSR_IA32_VMX_PINBASED_CTLS,
		  PIN_REQUIRED, 0, 0, &c->pin_ctl },
		{ "processor-based", true_msrs ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS :
				MSR_IA32_VMX_PROCBASED_CTLS,
		  CPU_REQUIRED, CPU_WINDOWS, CPU_OPTIONAL, &c->cpu_ctl },
		{ "VM-exit", true_msrs ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS,
		  EXIT_REQUIRED, 0, 0, &c->exit_ctl },
		{ "VM-entry", true_msrs ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS,
		  ENTRY_REQUIRED, ENTRY_DYNAMIC, 0, &c->entry_ctl },
	};
	const struct ctl_field secondary = {
		"secondary", MSR_IA32_VMX_PROCBASED_CTLS2, 0, 0, SECONDARY_OPTIONAL,
		&c->secondary_ctl
	};
	int i, err;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		err = ctl_probe(&fields[i]);
		if (err)
			return err;
	}
	if (!(c->cpu_ctl & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS))
		return 0;
	err = ctl_probe(&secondary);
	if ((c->secondary_ctl & SECONDARY_EXEC_ENABLE_VPID) && !shvm_vpid_probe())
		c->secondary_ctl &= ~SECONDARY_EXEC_ENABLE_VPID;
	return err;
}

/* The kernel locks this MSR at boot, so firmware that forbids VT-x shows here or in CPUID. */
static int __init feature_control_probe(void)
{
	u64 val;

	if (!boot_cpu_has(X86_FEATURE_VMX) || rdmsrl_safe(MSR_IA32_FEAT_CTL, &val)) {
		pr_err("cannot run here: no usable VT-x (CPU without it, or firmware disables it)\n");
		return -EOPNOTSUPP;
	}
	if (!(val & FEAT_CTL_LOCKED) || !(val & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("cannot run here: firmware does not allow VMXON (FEATURE_CONTROL 0x%llx)\n",
		       val);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int __init basic_probe(u64 *basic)
{
	if (rdmsrl_safe(MSR_IA32_VMX_BASIC, basic)) {
		pr_err("cannot run here: MSR IA32_VMX_BASIC is not readable\n");
		return -EOPNOTSUPP;
	}
	if (BASIC_SIZE(*basic) > sizeof(struct shvm_vmcs) || *basic & BASIC_32BIT_ADDRESSES ||
	    BASIC_MEMTYPE(*basic) != MEMTYPE_WB) {
		pr_err("cannot run here: IA32_VMX_BASIC 0x%llx asks for a VMCS layout not supported\n",
		       *basic);
		return -EOPNOTSUPP;
	}
	shvm_vmx_caps.revision = *basic & GENMASK(30, 0);
	return 0;
}

int __init shvm_vmx_caps_probe(void)
{
	struct shvm_vmx_caps *c = &shvm_vmx_caps;
	u64 basic;
	int err;

	err = feature_control_probe();
	if (!err)
		err = basic_probe(&basic);
	if (!err)
		err = controls_probe(basic & BASIC_TRUE_CONTROLS);
	if (err)
		return err;

	rdmsrl(MSR_IA32_VMX_CR0_FIXED0, c->cr0_fixed0);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED1, c->cr0_fixed1);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED0, c->cr4_fixed0);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED1, c->cr4_fixed1);
	return 0;
}
