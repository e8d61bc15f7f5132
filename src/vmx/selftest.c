// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug module only: at load, switch VMX on everywhere and drive one VMCS through its life on this
 * CPU. Fails loudly but not fatally: the module stays loaded.
 */
#define pr_fmt(fmt) "shvm: " fmt

#include <linux/gfp.h>
#include <linux/smp.h>

#include "vmx_internal.h"

#ifdef SHVM_DEBUG

#define PATTERN_RIP	0x00001234abcd5678ULL
#define PATTERN_LIMIT	0x5a5a1234U

static const char *fields_check(void)
{
	vmcs_write_natural(GUEST_RIP, PATTERN_RIP);
	vmcs_write32(GUEST_CS_LIMIT, PATTERN_LIMIT);
	vmcs_write64(TSC_OFFSET, ~PATTERN_RIP);
	vmcs_write16(GUEST_CS_SELECTOR, 0x1230);
	if (vmcs_read_natural(GUEST_RIP) != PATTERN_RIP)
		return "natural-width field";
	if (vmcs_read32(GUEST_CS_LIMIT) != PATTERN_LIMIT)
		return "32-bit field";
	if (vmcs_read64(TSC_OFFSET) != ~PATTERN_RIP)
		return "64-bit field";
	if (vmcs_read16(GUEST_CS_SELECTOR) != 0x1230)
		return "16-bit field";
	return NULL;
}

/* VMCLEAR writes the fields back to memory, VMPTRLD finds them there again. */
static const char *vmcs_check(struct shvm_vmcs *vmcs)
{
	const char *what;

	if (vmx_vmclear(__pa(vmcs)))
		return "first VMCLEAR";
	if (vmx_vmptrld(__pa(vmcs)))
		return "VMPTRLD";
	what = fields_check();
	if (what)
		return what;
	if (vmx_vmclear(__pa(vmcs)) || vmx_vmptrld(__pa(vmcs)))
		return "VMCLEAR and VMPTRLD";
	if (vmcs_read_natural(GUEST_RIP) != PATTERN_RIP)
		return "field after VMCLEAR";
	return vmx_vmclear(__pa(vmcs)) ? "last VMCLEAR" : NULL;
}

void shvm_vmx_selftest(void)
{
	struct shvm_vmcs *vmcs = shvm_vmcs_alloc(numa_node_id());
	const char *what = "VMXON";

	if (!vmcs)
		return;
	if (!shvm_vmx_get()) {
		preempt_disable();
		what = shvm_vmx_is_on() ? vmcs_check(vmcs) : "VMXON of this CPU";
		preempt_enable();
		shvm_vmx_put();
	}
	shvm_vmcs_free(vmcs);
	if (what)
		pr_err("VT-x self-test failed: %s\n", what);
	else
		pr_info("VT-x self-test passed\n");
}

#endif
