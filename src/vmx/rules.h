/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules about guest state that user space can break and the CPU would only answer with a failed
 * entry (SDM 27.3.1). Their numbers are the detail of SHVM_MODE_STATE: append, do not reorder.
 */
#ifndef SHVM_VMX_RULES_H
#define SHVM_VMX_RULES_H

#define SHVM_VMX_RULES(X)							\
	X(SEG_ABSENT, "segment not present")					\
	X(SEG_RESERVED, "reserved access bits")					\
	X(SEG_S, "S bit")							\
	X(SEG_LIMIT, "G bit and limit")						\
	X(CS_TYPE, "CS is not an accessed code segment")			\
	X(CS_DPL, "DPL of CS and SS")						\
	X(CS_L_AND_D, "CS.L and CS.D")						\
	X(CS_BASE, "CS base above 4 GiB")					\
	X(SS_RPL, "RPL of SS and CS")						\
	X(SS_DPL, "SS.DPL and SS.RPL")						\
	X(SS_TYPE, "SS is not accessed writable data")				\
	X(SS_BASE, "SS base above 4 GiB")					\
	X(FS_GS_BASE, "FS or GS base is not canonical")				\
	X(DATA_TYPE, "DS, ES, FS or GS is not readable and accessed")		\
	X(DATA_RPL, "RPL above DPL of DS, ES, FS or GS")			\
	X(DATA_BASE, "DS or ES base above 4 GiB")				\
	X(TR_ABSENT, "TR is unusable or in the LDT")				\
	X(TR_TYPE, "TR is not a busy TSS")					\
	X(TR_BASE, "TR base is not canonical")					\
	X(LDTR_TYPE, "LDTR is not an LDT in the GDT")				\
	X(LDTR_BASE, "LDTR base is not canonical")				\
	X(DTABLE_BASE, "GDTR or IDTR base is not canonical")			\
	X(RIP, "RIP does not fit the mode")

#define SHVM_RULE(name, text) SHVM_RULE_##name,
enum shvm_vmx_rule { SHVM_RULE_OK, SHVM_VMX_RULES(SHVM_RULE) };
#undef SHVM_RULE

#endif
