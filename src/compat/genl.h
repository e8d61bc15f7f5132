/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generic netlink as it differs between kernels: since Linux 6.7 a dump has the same description of
 * the request as any other command.
 */
#ifndef SHVM_COMPAT_GENL_H
#define SHVM_COMPAT_GENL_H

#include <linux/version.h>
#include <net/genetlink.h>

/* By type; NULL where the request has none. */
static inline struct nlattr **shvm_genl_dump_attrs(struct netlink_callback *cb)
{
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	return genl_dumpit_info(cb)->info.attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif
