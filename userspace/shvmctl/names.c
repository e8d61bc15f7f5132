// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of what the family and the CPU have numbers for.
 */
#include "shvmctl.h"

static const char *const exits[CTL_EXIT_REASONS] = {
	[0] = "exception or NMI",
	[1] = "external interrupt",
	[2] = "triple fault",
	[3] = "INIT",
	[4] = "start-up IPI",
	[7] = "interrupt window",
	[8] = "NMI window",
	[9] = "task switch",
	[10] = "CPUID",
	[12] = "HLT",
	[13] = "INVD",
	[14] = "INVLPG",
	[15] = "RDPMC",
	[16] = "RDTSC",
	[17] = "RSM",
	[18] = "VMCALL",
	[19] = "VMCLEAR",
	[20] = "VMLAUNCH",
	[21] = "VMPTRLD",
	[22] = "VMPTRST",
	[23] = "VMREAD",
	[24] = "VMRESUME",
	[25] = "VMWRITE",
	[26] = "VMXOFF",
	[27] = "VMXON",
	[28] = "control register",
	[29] = "debug register",
	[30] = "I/O port",
	[31] = "RDMSR",
	[32] = "WRMSR",
	[33] = "invalid guest state",
	[34] = "MSR loading",
	[36] = "MWAIT",
	[37] = "monitor trap",
	[39] = "MONITOR",
	[40] = "PAUSE",
	[41] = "machine check at entry",
	[43] = "TPR threshold",
	[44] = "APIC access",
	[46] = "GDTR or IDTR",
	[47] = "LDTR or TR",
	[48] = "EPT violation",
	[49] = "EPT misconfiguration",
	[50] = "INVEPT",
	[51] = "RDTSCP",
	[52] = "preemption timer",
	[53] = "INVVPID",
	[54] = "WBINVD",
	[55] = "XSETBV",
	[57] = "RDRAND",
	[58] = "INVPCID",
	[59] = "VMFUNC",
	[61] = "RDSEED",
	[63] = "XSAVES",
	[64] = "XRSTORS",
	[CTL_EXIT_REASONS - 1] = "others",
};

static const char *const faults[] = {
	[SHVM_FAULT_RESULT_FIXED] = "fixed",
	[SHVM_FAULT_RESULT_RETRIED] = "retried",
	[SHVM_FAULT_RESULT_REFLECTED] = "reflected",
	[SHVM_FAULT_RESULT_EMULATED] = "emulated",
	[SHVM_FAULT_RESULT_TO_USER] = "to-user",
	[SHVM_FAULT_RESULT_NO_MEMORY] = "no-memory",
};

static const char *const formats[] = {
	[SHVM_TABLE_FORMAT_NONE] = "none",
	[SHVM_TABLE_FORMAT_32] = "32",
	[SHVM_TABLE_FORMAT_PAE] = "pae",
	[SHVM_TABLE_FORMAT_64] = "64",
	[SHVM_TABLE_FORMAT_57] = "57",
};

static const char *const states[] = {
	[SHVM_VCPU_STATE_STOPPED] = "stopped",
	[SHVM_VCPU_STATE_GUEST] = "guest",
	[SHVM_VCPU_STATE_HALTED] = "halted",
};

static const char *const modes[] = {
	[SHVM_GUEST_MODE_REAL] = "real",
	[SHVM_GUEST_MODE_FLAT] = "flat",
	[SHVM_GUEST_MODE_PAGING_32] = "paging-32",
	[SHVM_GUEST_MODE_PAGING_PAE] = "paging-pae",
	[SHVM_GUEST_MODE_PAGING_64] = "paging-64",
};

static const char *const events[] = {
	[SHVM_CMD_VM_CREATED_NTF] = "vm-created",
	[SHVM_CMD_VM_DESTROYED_NTF] = "vm-destroyed",
	[SHVM_CMD_VCPU_CREATED_NTF] = "vcpu-created",
	[SHVM_CMD_VCPU_DESTROYED_NTF] = "vcpu-destroyed",
	[SHVM_CMD_VM_BROKEN_NTF] = "vm-broken",
	[SHVM_CMD_ENTRY_FAILED_NTF] = "entry-failed",
	[SHVM_CMD_SHADOW_LOW_NTF] = "shadow-low",
	[SHVM_CMD_SHADOW_RECOVERED_NTF] = "shadow-recovered",
};

static const char *name(const char *const *names, size_t nr, unsigned int i)
{
	return i < nr && names[i] ? names[i] : "unknown";
}

const char *name_of_exit(unsigned int reason)
{
	return name(exits, ARRAY_SIZE(exits), reason);
}

const char *name_of_fault(unsigned int result)
{
	return name(faults, ARRAY_SIZE(faults), result);
}

const char *name_of_format(unsigned int format)
{
	return name(formats, ARRAY_SIZE(formats), format);
}

const char *name_of_vcpu_state(unsigned int state)
{
	return name(states, ARRAY_SIZE(states), state);
}

const char *name_of_mode(unsigned int mode)
{
	return name(modes, ARRAY_SIZE(modes), mode);
}

const char *name_of_event(unsigned int command)
{
	return name(events, ARRAY_SIZE(events), command);
}

const char *name_of_vm_state(const struct ctl_vm *vm)
{
	if (vm->broken[0])
		return "broken";
	return vm->shadow_low ? "shadow-low" : "ok";
}

const struct stats_field stats_fields[] = {
	{ SHVM_A_STATS_EXITS_LEFT, "exits_left", "exits out of the inner loop", false },
	{ SHVM_A_STATS_EXITS_USER, "exits_user", "exits to user space", false },
	{ SHVM_A_STATS_INJECTIONS, "injections", "events injected", false },
	{ SHVM_A_STATS_REINJECTIONS, "reinjections", "  of these, again", false },
	{ SHVM_A_STATS_HALTS, "halts", "sleeps in HLT", false },
	{ SHVM_A_STATS_EMULATED, "emulated", "instructions emulated", false },
	{ SHVM_A_STATS_TABLE_WRITES, "table_writes", "stores to page tables", false },
	{ SHVM_A_STATS_CR3_FAST, "cr3_fast", "CR3 loads, root known", false },
	{ SHVM_A_STATS_CR3_SLOW, "cr3_slow", "CR3 loads, others", false },
	{ SHVM_A_STATS_SHADOW_PAGES, "shadow_pages", "shadow pages", true },
	{ SHVM_A_STATS_SHADOW_PAGES_MAX, "shadow_pages_max", "  most in use", true },
	{ SHVM_A_STATS_SHADOW_BUDGET, "shadow_budget", "  budget", true },
	{ SHVM_A_STATS_OOS_TABLES, "oos_tables", "tables out of sync", true },
	{ SHVM_A_STATS_OOS_OPENS, "oos_opens", "tables let go out of sync", false },
	{ SHVM_A_STATS_OOS_CHANGES, "oos_changes", "  entries changed", false },
	{ SHVM_A_STATS_LEAVES, "leaves", "shadow entries", true },
	{ SHVM_A_STATS_RMAP_BYTES, "rmap_bytes", "bytes of reverse map", true },
	{ SHVM_A_STATS_CHAIN_BYTES, "chain_bytes", "  of these, chains", true },
	{ SHVM_A_STATS_CHAIN_LONGEST, "chain_longest", "longest chain", true },
	{ SHVM_A_STATS_AGE_CALLS, "age_calls", "questions of the host for use", false },
	{ SHVM_A_STATS_AGE_YOUNG, "age_young", "  pages told to be used", false },
	{ SHVM_A_STATS_INVALIDATIONS, "invalidations", "invalidations by the host", false },
	{ SHVM_A_STATS_RECYCLED, "recycled", "shadow pages recycled", false },
	{ SHVM_A_STATS_GIVEN, "given", "  given to host, other VM", false },
	{ SHVM_A_STATS_UNSHADOWS, "unshadows", "tables unshadowed by stores", false },
	{ SHVM_A_STATS_ZAPS, "zaps", "all shadows dropped", false },
	{ SHVM_A_STATS_FLUSHES, "flushes", "TLB flushes of all vCPUs", false },
	{ SHVM_A_STATS_IPIS, "ipis", "IPIs to vCPUs", false },
	{ SHVM_A_STATS_LARGE_MAPS, "large_maps", "large pages mapped", false },
	{ SHVM_A_STATS_LARGE_SPLITS, "large_splits", "large pages torn", false },
	{ SHVM_A_STATS_RESCUED, "rescued", "stale faults without an exit", false },
};

const size_t nr_stats_fields = ARRAY_SIZE(stats_fields);

u64 stats_exits(const struct ctl_stats *stats)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < CTL_EXIT_REASONS; i++)
		sum += stats->exit[i];
	return sum;
}

u64 stats_faults(const struct ctl_stats *stats)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < CTL_FAULT_RESULTS; i++)
		sum += stats->fault[i];
	return sum;
}
