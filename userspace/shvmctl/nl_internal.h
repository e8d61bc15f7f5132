/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between nl.c (messages there and back) and nl_parse.c (attributes to structures).
 */
#ifndef SHVMCTL_NL_INTERNAL_H
#define SHVMCTL_NL_INTERNAL_H

#include <netlink/attr.h>

#include "nl.h"

/* One answer into one structure. 0 or -errno. */
typedef int (*ctl_parse_fn)(struct nlmsghdr *hdr, void *out);

int ctl_parse_vm(struct nlmsghdr *hdr, void *vm);
int ctl_parse_vcpu(struct nlmsghdr *hdr, void *vcpu);
int ctl_parse_stats(struct nlmsghdr *hdr, void *stats);
int ctl_parse_reclaimed(struct nlmsghdr *hdr, void *pages);
int ctl_parse_seq(struct nlmsghdr *hdr, void *seq);
int ctl_parse_event(struct nlmsghdr *hdr, void *event);

#endif
