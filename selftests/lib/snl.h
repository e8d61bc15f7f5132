/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The netlink family of shvm, for the tests: one question at a time, and all of the answer, with
 * what libnl does not show (NLM_F_DUMP_INTR of the last message, the attribute to blame).
 */
#ifndef SHVM_SELFTESTS_SNL_H
#define SHVM_SELFTESTS_SNL_H

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdbool.h>

#include <linux/shvm_netlink.h>
#include "shvm_test.h"

#define NL_MESSAGES	512

/* An attribute of a request; type 0 ends a list of them. */
struct nl_attr {
	int type;
	int size;	/* of the value, which is up to 8 bytes; 0: none */
	u64 value;
};

#define NL_U32(type, value)	{ (type), 4, (value) }
#define NL_U64(type, value)	{ (type), 8, (value) }
/* No attribute; one; two. */
#define NL_NONE			((const struct nl_attr[]){ { 0 } })
#define NL_ONE(a)		((const struct nl_attr[]){ a, { 0 } })
#define NL_TWO(a, b)		((const struct nl_attr[]){ a, b, { 0 } })

struct nl {
	struct nl_sock *sock;
	int family;
	/* The last answer. */
	int err;		/* 0 or -errno */
	bool interrupted;	/* a dump: it is of several moments */
	char text[128];		/* of the error */
	int bad, missing;	/* types of attributes that the error names; 0: none */
	struct nlmsghdr *msg[NL_MESSAGES];
	int nr;			/* messages */
	int parts;		/* in which they came */
	struct nl_msg *request;
};

/* Ends the test if there is no such family. */
void snl_open(struct nl *nl);
void snl_close(struct nl *nl);

/* err of the answer. */
int snl_ask(struct nl *nl, u8 cmd, const struct nl_attr *attrs);
int snl_dump(struct nl *nl, u8 cmd, const struct nl_attr *attrs);
/* The commands, by what they are about. */
int snl_vm(struct nl *nl, u64 vm);
int snl_vcpu(struct nl *nl, u64 vm, u32 vcpu);
int snl_stats(struct nl *nl, u64 vm);
int snl_stats_vcpu(struct nl *nl, u64 vm, u32 vcpu);
int snl_set_budget(struct nl *nl, u64 vm, u32 pages);
int snl_reclaim(struct nl *nl, u64 vm, u32 pages);
int snl_reset_peaks(struct nl *nl, u64 vm);
/* In two steps: what happens in between may be seen, or not. */
void snl_send_dump(struct nl *nl, u8 cmd, const struct nl_attr *attrs);
int snl_read(struct nl *nl);

/* Attributes of a message of the last answer. A missing one ends the test. */
bool snl_has(const struct nl *nl, int msg, int type);
u64 snl_get(const struct nl *nl, int msg, int type);		/* u32 or u64 */
const char *snl_get_string(const struct nl *nl, int msg, int type);
u8 snl_cmd(const struct nl *nl, int msg);
/* Sum of the numbers of type get in those nested attributes in which that of type key is value. */
u64 snl_nested(const struct nl *nl, int msg, int type, int key, u64 value, int get);

/* Events: joins the group. */
void snl_join(struct nl *nl);
/* The next one, as message 0; waits. 0; -ENOBUFS: some were lost. */
int snl_event(struct nl *nl);

/* Id of the VM that was created last. */
u64 snl_newest(struct nl *nl);

#endif
