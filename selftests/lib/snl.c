// SPDX-License-Identifier: GPL-2.0-only
/*
 * Questions to the netlink family.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "snl.h"

static void snl_option(struct nl *nl, int option)
{
	int on = 1;

	if (setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, option, &on, sizeof(on)))
		test_die("netlink option %d: %s", option, strerror(errno));
}

void snl_open(struct nl *nl)
{
	memset(nl, 0, sizeof(*nl));
	nl->sock = nl_socket_alloc();
	if (!nl->sock || genl_connect(nl->sock))
		test_die("no netlink socket");
	nl->family = genl_ctrl_resolve(nl->sock, SHVM_FAMILY_NAME);
	if (nl->family < 0)
		test_die("no netlink family %s: %s", SHVM_FAMILY_NAME, nl_geterror(nl->family));
	snl_option(nl, NETLINK_EXT_ACK);
	snl_option(nl, NETLINK_GET_STRICT_CHK);
}

static void snl_forget(struct nl *nl)
{
	while (nl->nr)
		free(nl->msg[--nl->nr]);
	nl->err = 0;
	nl->parts = 0;
	nl->interrupted = false;
	nl->text[0] = 0;
	nl->bad = 0;
	nl->missing = 0;
}

void snl_close(struct nl *nl)
{
	snl_forget(nl);
	nlmsg_free(nl->request);
	nl_socket_free(nl->sock);
}

static void snl_send(struct nl *nl, u8 cmd, int flags, const struct nl_attr *attrs)
{
	int err = 0;

	snl_forget(nl);
	nlmsg_free(nl->request);
	nl->request = nlmsg_alloc();
	if (!nl->request || !genlmsg_put(nl->request, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0,
					 NLM_F_ACK | flags, cmd, SHVM_FAMILY_VERSION))
		test_die("no netlink message");
	for (; attrs->type && !err; attrs++)
		err = nla_put(nl->request, attrs->type, attrs->size, &attrs->value);
	if (!err)
		err = nl_send_auto(nl->sock, nl->request);
	if (err < 0)
		test_die("netlink request %d: %s", cmd, nl_geterror(err));
}

/* ---- answers ---- */

/* Which attribute of the request begins at an offset of it? */
static int snl_attr_at(const struct nl *nl, u32 offset)
{
	const struct nlmsghdr *hdr = nlmsg_hdr(nl->request);
	const struct nlattr *attr;
	int rest;

	nlmsg_for_each_attr(attr, (struct nlmsghdr *)hdr, GENL_HDRLEN, rest)
		if ((const char *)attr - (const char *)hdr == offset)
			return nla_type(attr);
	return -1;
}

/* What is said of an error begins so far into a message. */
static void snl_take_tlvs(struct nl *nl, struct nlmsghdr *hdr, int at)
{
	struct nlattr *tb[NLMSGERR_ATTR_MISS_TYPE + 1];

	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    nlmsg_parse(hdr, at, tb, NLMSGERR_ATTR_MISS_TYPE, NULL))
		return;
	if (tb[NLMSGERR_ATTR_MSG])
		nla_strlcpy(nl->text, tb[NLMSGERR_ATTR_MSG], sizeof(nl->text));
	if (tb[NLMSGERR_ATTR_OFFS])
		nl->bad = snl_attr_at(nl, nla_get_u32(tb[NLMSGERR_ATTR_OFFS]));
	if (tb[NLMSGERR_ATTR_MISS_TYPE])
		nl->missing = nla_get_u32(tb[NLMSGERR_ATTR_MISS_TYPE]);
}

static void snl_take_error(struct nl *nl, struct nlmsghdr *hdr)
{
	const struct nlmsgerr *err = nlmsg_data(hdr);
	/* Behind the request, which is repeated if it failed. */
	int at = sizeof(*err);

	nl->err = err->error;
	if (err->error && !(hdr->nlmsg_flags & NLM_F_CAPPED))
		at += NLMSG_ALIGN(err->msg.nlmsg_len - NLMSG_HDRLEN);
	snl_take_tlvs(nl, hdr, at);
}

/* A dump that ends by an error ends here all the same. */
static void snl_take_done(struct nl *nl, struct nlmsghdr *hdr)
{
	nl->err = *(int *)nlmsg_data(hdr);
	snl_take_tlvs(nl, hdr, sizeof(int));
}

static void snl_take_message(struct nl *nl, const struct nlmsghdr *hdr)
{
	if (nl->nr == NL_MESSAGES)
		test_die("more than %d netlink messages", NL_MESSAGES);
	nl->msg[nl->nr] = malloc(hdr->nlmsg_len);
	memcpy(nl->msg[nl->nr++], hdr, hdr->nlmsg_len);
}

/* True: it was the last one. */
static bool snl_take(struct nl *nl, struct nlmsghdr *hdr)
{
	if (hdr->nlmsg_flags & NLM_F_DUMP_INTR)
		nl->interrupted = true;
	switch (hdr->nlmsg_type) {
	case NLMSG_DONE:
		snl_take_done(nl, hdr);
		return true;
	case NLMSG_ERROR:
		snl_take_error(nl, hdr);
		return true;
	default:
		snl_take_message(nl, hdr);
		return false;
	}
}

/* -errno, or how many bytes of messages. */
static int snl_receive(struct nl *nl, void **buf)
{
	static __thread char room[1 << 16] __attribute__((aligned(8)));
	ssize_t len = recv(nl_socket_get_fd(nl->sock), room, sizeof(room), 0);

	*buf = room;
	return len < 0 ? -errno : len;
}

int snl_read(struct nl *nl)
{
	struct nlmsghdr *hdr;
	bool end = false;
	void *buf;
	int len;

	while (!end) {
		len = snl_receive(nl, &buf);
		if (len < 0)
			test_die("netlink answer: %s", strerror(-len));
		nl->parts++;
		for (hdr = buf; !end && nlmsg_ok(hdr, len); hdr = nlmsg_next(hdr, &len))
			end = snl_take(nl, hdr);
	}
	return nl->err;
}

int snl_ask(struct nl *nl, u8 cmd, const struct nl_attr *attrs)
{
	snl_send(nl, cmd, 0, attrs);
	return snl_read(nl);
}

void snl_send_dump(struct nl *nl, u8 cmd, const struct nl_attr *attrs)
{
	snl_send(nl, cmd, NLM_F_DUMP, attrs);
}

int snl_dump(struct nl *nl, u8 cmd, const struct nl_attr *attrs)
{
	snl_send_dump(nl, cmd, attrs);
	return snl_read(nl);
}

/* ---- what is in them ---- */

static struct nlattr *snl_find(const struct nl *nl, int msg, int type)
{
	if (msg >= nl->nr)
		test_die("netlink message %d of %d", msg, nl->nr);
	return nlmsg_find_attr(nl->msg[msg], GENL_HDRLEN, type);
}

bool snl_has(const struct nl *nl, int msg, int type)
{
	return snl_find(nl, msg, type);
}

static u64 snl_number(const struct nlattr *attr)
{
	return nla_len(attr) == sizeof(u64) ? nla_get_u64(attr) : nla_get_u32(attr);
}

u64 snl_get(const struct nl *nl, int msg, int type)
{
	const struct nlattr *attr = snl_find(nl, msg, type);

	if (!attr)
		test_die("netlink attribute %d is not in the answer", type);
	return snl_number(attr);
}

const char *snl_get_string(const struct nl *nl, int msg, int type)
{
	return snl_has(nl, msg, type) ? nla_get_string(snl_find(nl, msg, type)) : NULL;
}

u8 snl_cmd(const struct nl *nl, int msg)
{
	return genlmsg_hdr(nl->msg[msg])->cmd;
}

u64 snl_nested(const struct nl *nl, int msg, int type, int key, u64 value, int get)
{
	struct nlattr *attr, *in;
	u64 sum = 0;
	int rest;

	nlmsg_for_each_attr(attr, nl->msg[msg], GENL_HDRLEN, rest) {
		if (nla_type(attr) != type)
			continue;
		in = nla_find(nla_data(attr), nla_len(attr), key);
		if (!in || snl_number(in) != value)
			continue;
		in = nla_find(nla_data(attr), nla_len(attr), get);
		sum += in ? snl_number(in) : 0;
	}
	return sum;
}

/* ---- the commands ---- */

int snl_vm(struct nl *nl, u64 vm)
{
	return snl_ask(nl, SHVM_CMD_VM_GET, NL_ONE(NL_U64(SHVM_A_VM_ID, vm)));
}

int snl_vcpu(struct nl *nl, u64 vm, u32 vcpu)
{
	return snl_ask(nl, SHVM_CMD_VCPU_GET, NL_TWO(NL_U64(SHVM_A_VCPU_VM_ID, vm),
						     NL_U32(SHVM_A_VCPU_ID, vcpu)));
}

int snl_stats(struct nl *nl, u64 vm)
{
	return snl_ask(nl, SHVM_CMD_STATS_GET, NL_ONE(NL_U64(SHVM_A_STATS_VM_ID, vm)));
}

int snl_stats_vcpu(struct nl *nl, u64 vm, u32 vcpu)
{
	return snl_ask(nl, SHVM_CMD_STATS_GET, NL_TWO(NL_U64(SHVM_A_STATS_VM_ID, vm),
						      NL_U32(SHVM_A_STATS_VCPU_ID, vcpu)));
}

int snl_set_budget(struct nl *nl, u64 vm, u32 pages)
{
	return snl_ask(nl, SHVM_CMD_VM_SET, NL_TWO(NL_U64(SHVM_A_VM_ID, vm),
						   NL_U32(SHVM_A_VM_SHADOW_BUDGET, pages)));
}

int snl_reclaim(struct nl *nl, u64 vm, u32 pages)
{
	return snl_ask(nl, SHVM_CMD_VM_RECLAIM, NL_TWO(NL_U64(SHVM_A_VM_ID, vm),
						       NL_U32(SHVM_A_VM_RECLAIM, pages)));
}

int snl_reset_peaks(struct nl *nl, u64 vm)
{
	return snl_ask(nl, SHVM_CMD_PEAKS_RESET, NL_ONE(NL_U64(SHVM_A_VM_ID, vm)));
}

/* ---- events ---- */

void snl_join(struct nl *nl)
{
	int group = genl_ctrl_resolve_grp(nl->sock, SHVM_FAMILY_NAME, SHVM_MCGRP_EVENTS);

	if (group < 0 || nl_socket_add_membership(nl->sock, group))
		test_die("cannot join the netlink group");
}

int snl_event(struct nl *nl)
{
	void *buf;
	int len;

	snl_forget(nl);
	len = snl_receive(nl, &buf);
	if (len < 0)
		return len;
	snl_take_message(nl, buf);
	return 0;
}

u64 snl_newest(struct nl *nl)
{
	if (snl_dump(nl, SHVM_CMD_VM_GET, NL_NONE) || !nl->nr)
		test_die("no VM is listed: %s", nl->text);
	return snl_get(nl, nl->nr - 1, SHVM_A_VM_ID);
}
