// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters that a hypervisor keeps of a VM, as names and values. What they count is said in
 * the documentation of the hypervisor; for shvm in linux/shvm.h.
 */
#include <sys/ioctl.h>

#include "hv.h"

#define COUNTER(field) { #field, offsetof(struct shvm_stats, field) }

static const struct counter {
	const char *name;
	size_t offset;
} counters[] = {
	COUNTER(exits),
	COUNTER(exits_fast),
	COUNTER(pf_fixed),
	COUNTER(pf_reflected),
	COUNTER(pf_emulated),
	COUNTER(pf_retried),
	COUNTER(pf_to_user),
	COUNTER(pt_writes),
	COUNTER(unshadows),
	COUNTER(shadow_pages),
	COUNTER(shadow_pages_max),
	COUNTER(shadow_budget),
	COUNTER(reclaims),
	COUNTER(reclaims_given),
	COUNTER(rmap_entries),
	COUNTER(chain_bytes),
	COUNTER(tlb_flush_requests),
	COUNTER(ipis),
	COUNTER(injections),
	COUNTER(notifier_invalidates),
	COUNTER(notifier_ages),
	COUNTER(cr3_fast),
	COUNTER(cr3_slow),
	COUNTER(large_maps),
	COUNTER(large_splits),
	COUNTER(oos_tables),
	COUNTER(oos_opens),
	COUNTER(oos_changes),
	COUNTER(pf_rescued),
};

/* Basic exit reasons of the SDM (volume 3, appendix C) that a small guest meets. */
static const char *const reasons[SHVM_STATS_NR_EXIT_REASONS] = {
	[0] = "exception_or_nmi",
	[1] = "external_interrupt",
	[2] = "triple_fault",
	[7] = "interrupt_window",
	[8] = "nmi_window",
	[10] = "cpuid",
	[12] = "hlt",
	[14] = "invlpg",
	[16] = "rdtsc",
	[18] = "vmcall",
	[28] = "control_register",
	[29] = "debug_register",
	[30] = "io_instruction",
	[31] = "rdmsr",
	[32] = "wrmsr",
	[33] = "entry_failure",
	[54] = "wbinvd",
	[55] = "xsetbv",
};

static u64 counter_value(const struct shvm_stats *stats, const struct counter *c)
{
	return *(const __u64 *)((const char *)stats + c->offset);
}

static void reason_print(unsigned int reason, u64 count, const char *separator, FILE *out)
{
	if (reasons[reason])
		fprintf(out, "%sexit_%s=%llu", separator, reasons[reason],
			(unsigned long long)count);
	else
		fprintf(out, "%sexit_reason_%u=%llu", separator, reason,
			(unsigned long long)count);
}

void hv_stats_print(struct hv *hv, const char *separator, FILE *out)
{
	struct shvm_stats stats;
	unsigned int i;

	if (ioctl(hv->vm_fd, SHVM_GET_STATS, &stats) < 0) {
		hv_kvm_stats_print(hv, separator, out);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		if (counters[i].offset < stats.size)
			fprintf(out, "%s%s=%llu", separator, counters[i].name,
				(unsigned long long)counter_value(&stats, &counters[i]));
	for (i = 0; i < SHVM_STATS_NR_EXIT_REASONS; i++)
		if (stats.exit_reason[i])
			reason_print(i, stats.exit_reason[i], separator, out);
}
