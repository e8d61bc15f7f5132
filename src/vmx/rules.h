/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules about guest state that user space can break and the CPU would only answer with a failed
 * entry (SDM 27.3.1). Their numbers are the detail of SHVM_MODE_STATE: append, do not reorder.
 */
#ifndef SHVM_VMX_RULES_H
#define SHVM_VMX_RULES_H

enum shvm_vmx_rule {
	SHVM_RULE_OK,
	SHVM_RULE_SEG_ABSENT,		/* segment not present */
	SHVM_RULE_SEG_RESERVED,		/* reserved access bits */
	SHVM_RULE_SEG_S,		/* S bit */
	SHVM_RULE_SEG_LIMIT,		/* G bit and limit */
	SHVM_RULE_CS_TYPE,		/* CS is not an accessed code segment */
	SHVM_RULE_CS_DPL,		/* DPL of CS and SS */
	SHVM_RULE_CS_L_AND_D,		/* CS.L and CS.D */
	SHVM_RULE_CS_BASE,		/* CS base above 4 GiB */
	SHVM_RULE_SS_RPL,		/* RPL of SS and CS */
	SHVM_RULE_SS_DPL,		/* SS.DPL and SS.RPL */
	SHVM_RULE_SS_TYPE,		/* SS is not accessed writable data */
	SHVM_RULE_SS_BASE,		/* SS base above 4 GiB */
	SHVM_RULE_FS_GS_BASE,		/* FS or GS base is not canonical */
	SHVM_RULE_DATA_TYPE,		/* DS, ES, FS or GS is not readable and accessed */
	SHVM_RULE_DATA_RPL,		/* RPL above DPL of DS, ES, FS or GS */
	SHVM_RULE_DATA_BASE,		/* DS or ES base above 4 GiB */
	SHVM_RULE_TR_ABSENT,		/* TR is unusable or in the LDT */
	SHVM_RULE_TR_TYPE,		/* TR is not a busy TSS */
	SHVM_RULE_TR_BASE,		/* TR base is not canonical */
	SHVM_RULE_LDTR_TYPE,		/* LDTR is not an LDT in the GDT */
	SHVM_RULE_LDTR_BASE,		/* LDTR base is not canonical */
	SHVM_RULE_DTABLE_BASE,		/* GDTR or IDTR base is not canonical */
	SHVM_RULE_RIP,			/* RIP does not fit the mode */
	SHVM_NR_RULES
};

#endif
