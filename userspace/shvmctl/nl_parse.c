// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of the family's answers, into structures. Attributes that are not there leave zeros;
 * unknown ones are left out, as a newer module may send them.
 */
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#include "nl_internal.h"

/* A number of any width: u64, or what is shorter. */
static u64 number(const struct nlattr *attr)
{
	if (!attr)
		return 0;
	if (nla_len(attr) >= (int)sizeof(u64))
		return nla_get_u64(attr);
	return nla_len(attr) >= (int)sizeof(u32) ? nla_get_u32(attr) : 0;
}

static void text(char *out, const struct nlattr *attr)
{
	if (attr)
		nla_strlcpy(out, attr, CTL_TEXT);
}

static int parse(struct nlmsghdr *hdr, struct nlattr **attrs, int max)
{
	return genlmsg_parse(hdr, 0, attrs, max, NULL) ? -EBADMSG : 0;
}

int ctl_parse_vm(struct nlmsghdr *hdr, void *out)
{
	struct nlattr *a[SHVM_A_VM_MAX + 1];
	struct ctl_vm *vm = out;

	if (parse(hdr, a, SHVM_A_VM_MAX) || !a[SHVM_A_VM_ID])
		return -EBADMSG;
	*vm = (struct ctl_vm){
		.id = number(a[SHVM_A_VM_ID]),
		.own = a[SHVM_A_VM_VCPUS],
		.pid = number(a[SHVM_A_VM_PID]),
		.uid = number(a[SHVM_A_VM_UID]),
		.vcpus = number(a[SHVM_A_VM_VCPUS]),
		.memory = number(a[SHVM_A_VM_MEMORY]),
		.shadow_pages = number(a[SHVM_A_VM_SHADOW_PAGES]),
		.shadow_pages_max = number(a[SHVM_A_VM_SHADOW_PAGES_MAX]),
		.shadow_budget = number(a[SHVM_A_VM_SHADOW_BUDGET]),
		.shadow_low = a[SHVM_A_VM_SHADOW_LOW],
	};
	text(vm->broken, a[SHVM_A_VM_BROKEN]);
	return 0;
}

int ctl_parse_vcpu(struct nlmsghdr *hdr, void *out)
{
	struct nlattr *a[SHVM_A_VCPU_MAX + 1];
	struct ctl_vcpu *vcpu = out;

	if (parse(hdr, a, SHVM_A_VCPU_MAX) || !a[SHVM_A_VCPU_ID])
		return -EBADMSG;
	*vcpu = (struct ctl_vcpu){
		.vm = number(a[SHVM_A_VCPU_VM_ID]),
		.id = number(a[SHVM_A_VCPU_ID]),
		.own = a[SHVM_A_VCPU_STATE],
		.state = number(a[SHVM_A_VCPU_STATE]),
		.mode = number(a[SHVM_A_VCPU_MODE]),
	};
	return 0;
}

static void stats_exit(struct ctl_stats *stats, struct nlattr *nest)
{
	struct nlattr *a[SHVM_A_EXIT_MAX + 1];
	u64 reason;

	if (nla_parse_nested(a, SHVM_A_EXIT_MAX, nest, NULL))
		return;
	reason = number(a[SHVM_A_EXIT_REASON]);
	if (reason >= CTL_EXIT_REASONS)
		reason = CTL_EXIT_REASONS - 1;
	stats->exit[reason] += number(a[SHVM_A_EXIT_COUNT]);
}

static void stats_fault(struct ctl_stats *stats, struct nlattr *nest)
{
	struct nlattr *a[SHVM_A_FAULT_MAX + 1];
	u64 result;

	if (nla_parse_nested(a, SHVM_A_FAULT_MAX, nest, NULL))
		return;
	result = number(a[SHVM_A_FAULT_RESULT]);
	if (result < CTL_FAULT_RESULTS)
		stats->fault[result] = number(a[SHVM_A_FAULT_COUNT]);
}

static void stats_shadow(struct ctl_stats *stats, struct nlattr *nest)
{
	struct nlattr *a[SHVM_A_SHADOW_MAX + 1];

	if (stats->nr_shadow == CTL_SHADOW_KINDS ||
	    nla_parse_nested(a, SHVM_A_SHADOW_MAX, nest, NULL))
		return;
	stats->shadow[stats->nr_shadow++] = (struct ctl_shadow){
		.level = number(a[SHVM_A_SHADOW_LEVEL]),
		.format = number(a[SHVM_A_SHADOW_FORMAT]),
		.direct = a[SHVM_A_SHADOW_DIRECT],
		.pages = number(a[SHVM_A_SHADOW_PAGES]),
	};
}

/* Nests of one type come several times, which nla_parse() cannot tell. */
int ctl_parse_stats(struct nlmsghdr *hdr, void *out)
{
	struct genlmsghdr *genl = genlmsg_hdr(hdr);
	struct ctl_stats *stats = out;
	struct nlattr *attr;
	int rest;

	memset(stats, 0, sizeof(*stats));
	nla_for_each_attr(attr, genlmsg_attrdata(genl, 0), genlmsg_attrlen(genl, 0), rest) {
		int type = nla_type(attr);

		if (type == SHVM_A_STATS_EXIT) {
			stats_exit(stats, attr);
		} else if (type == SHVM_A_STATS_FAULT) {
			stats_fault(stats, attr);
		} else if (type == SHVM_A_STATS_SHADOW) {
			stats_shadow(stats, attr);
		} else if (type <= SHVM_A_STATS_MAX) {
			stats->value[type] = number(attr);
			stats->there[type] = true;
		}
	}
	return 0;
}

int ctl_parse_reclaimed(struct nlmsghdr *hdr, void *out)
{
	struct nlattr *a[SHVM_A_VM_MAX + 1];

	if (parse(hdr, a, SHVM_A_VM_MAX) || !a[SHVM_A_VM_RECLAIM])
		return -EBADMSG;
	*(u32 *)out = number(a[SHVM_A_VM_RECLAIM]);
	return 0;
}

int ctl_parse_seq(struct nlmsghdr *hdr, void *out)
{
	struct nlattr *a[SHVM_A_EVENT_MAX + 1];

	if (parse(hdr, a, SHVM_A_EVENT_MAX) || !a[SHVM_A_EVENT_SEQ])
		return -EBADMSG;
	*(u64 *)out = number(a[SHVM_A_EVENT_SEQ]);
	return 0;
}

int ctl_parse_event(struct nlmsghdr *hdr, void *out)
{
	struct nlattr *a[SHVM_A_EVENT_MAX + 1];
	struct ctl_event *event = out;

	if (parse(hdr, a, SHVM_A_EVENT_MAX) || !a[SHVM_A_EVENT_SEQ])
		return -EBADMSG;
	*event = (struct ctl_event){
		.command = genlmsg_hdr(hdr)->cmd,
		.seq = number(a[SHVM_A_EVENT_SEQ]),
		.vm = number(a[SHVM_A_EVENT_VM_ID]),
		.has_vcpu = a[SHVM_A_EVENT_VCPU_ID],
		.vcpu = number(a[SHVM_A_EVENT_VCPU_ID]),
		.entry_error = number(a[SHVM_A_EVENT_ENTRY_ERROR]),
	};
	text(event->broken, a[SHVM_A_EVENT_BROKEN]);
	return 0;
}
