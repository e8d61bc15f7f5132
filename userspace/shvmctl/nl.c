// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the family and their answers. One request at a time on a connection: the answer is
 * read to its end, so the next one finds the socket empty.
 */
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nl.h"
#include "nl_internal.h"

/* How often a list is asked for anew that changed while the kernel made it. */
#define DUMP_TRIES 20

/* A request under way. */
struct exchange {
	struct ctl *ctl;
	ctl_parse_fn parse;
	void *out;	/* one structure, or */
	void *items;	/* an array of them */
	size_t size;	/* of one, if it is an array */
	size_t nr;
	bool done;
	int err;
};

static int parse_item(struct exchange *x, struct nlmsghdr *hdr)
{
	void *bigger;
	int err;

	if (!x->size)
		return x->parse(hdr, x->out);
	bigger = realloc(x->items, (x->nr + 1) * x->size);
	if (!bigger)
		return -ENOMEM;
	x->items = bigger;
	err = x->parse(hdr, (char *)bigger + x->nr * x->size);
	x->nr += !err;
	return err;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct exchange *x = arg;

	if (x->parse && !x->err)
		x->err = parse_item(x, nlmsg_hdr(msg));
	return NL_OK;
}

/* The end of a dump may hold an error. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct exchange *x = arg;

	if (nlmsg_datalen(hdr) >= (int)sizeof(int) && *(int *)nlmsg_data(hdr) && !x->err)
		x->err = *(int *)nlmsg_data(hdr);
	x->done = true;
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct exchange *x = arg;

	(void)msg;
	x->done = true;
	return NL_STOP;
}

/* The message follows the error and, unless it is left out, the request. */
static void keep_message(struct ctl *ctl, const struct nlmsgerr *err)
{
	const struct nlmsghdr *hdr = (const void *)((const char *)err - NLMSG_HDRLEN);
	struct nlattr *a[NLMSGERR_ATTR_MAX + 1];
	size_t at = sizeof(*err);

	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(hdr->nlmsg_flags & NLM_F_CAPPED))
		at += NLMSG_ALIGN(err->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (hdr->nlmsg_len <= NLMSG_HDRLEN + at)
		return;
	if (nla_parse(a, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)err + at),
		      hdr->nlmsg_len - NLMSG_HDRLEN - at, NULL))
		return;
	if (a[NLMSGERR_ATTR_MSG])
		nla_strlcpy(ctl->message, a[NLMSGERR_ATTR_MSG], CTL_TEXT);
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct exchange *x = arg;

	(void)from;
	x->err = err->error;
	x->done = true;
	keep_message(x->ctl, err);
	return NL_STOP;
}

static int errno_of_libnl(int err)
{
	switch (-err) {
	case NLE_DUMP_INTR:
		return -EAGAIN;
	case NLE_NOMEM:		/* what libnl makes of ENOBUFS, too */
		return -ENOBUFS;
	case NLE_INTR:
		return -EINTR;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	default:
		return -EIO;
	}
}

static struct nl_cb *exchange_callbacks(struct exchange *x)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, x);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, x);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, x);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, x);
	return cb;
}

/* Sends the request, which is freed, and reads all of the answer. */
static int exchange(struct exchange *x, struct nl_msg *msg)
{
	struct nl_cb *cb = exchange_callbacks(x);
	int err;

	x->ctl->message[0] = 0;
	if (!cb || !msg) {
		nl_cb_put(cb);
		nlmsg_free(msg);
		return -ENOMEM;
	}
	err = nl_send_auto(x->ctl->sock, msg);
	nlmsg_free(msg);
	while (err >= 0 && !x->done)
		err = nl_recvmsgs(x->ctl->sock, cb);
	nl_cb_put(cb);
	if (x->err)
		return x->err;
	return err < 0 ? errno_of_libnl(err) : 0;
}

static struct nl_msg *request(struct ctl *ctl, u8 command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, ctl->family, 0, flags, command,
				SHVM_FAMILY_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_msg *put_u64(struct nl_msg *msg, int type, u64 value)
{
	if (msg && nla_put_u64(msg, type, value)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_msg *put_u32(struct nl_msg *msg, int type, u32 value)
{
	if (msg && nla_put_u32(msg, type, value)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int ctl_open(struct ctl *ctl)
{
	int on = 1, err;

	*ctl = (struct ctl){ .sock = nl_socket_alloc() };
	if (!ctl->sock)
		return -ENOMEM;
	err = genl_connect(ctl->sock);
	if (err)
		return errno_of_libnl(err);
	ctl->family = genl_ctrl_resolve(ctl->sock, SHVM_FAMILY_NAME);
	if (ctl->family < 0)
		return ctl->family == -NLE_OBJ_NOTFOUND ? CTL_NO_FAMILY :
							 errno_of_libnl(ctl->family);
	/* Without it there are no messages, but all else. */
	setsockopt(nl_socket_get_fd(ctl->sock), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return 0;
}

void ctl_close(struct ctl *ctl)
{
	nl_socket_free(ctl->sock);
	ctl->sock = NULL;
}

/* Builds a request, once for each time that it is sent. */
typedef struct nl_msg *(*make_fn)(struct ctl *ctl, u64 vm);

static int dump(struct ctl *ctl, struct exchange *x, make_fn make, u64 vm)
{
	struct exchange begin = *x;
	int i, err;

	for (i = 0; i < DUMP_TRIES; i++) {
		*x = begin;
		err = exchange(x, make(ctl, vm));
		if (!err)
			return 0;
		free(x->items);
		if (err != -EAGAIN)
			break;
	}
	return err;
}

static struct nl_msg *make_vms(struct ctl *ctl, u64 vm)
{
	(void)vm;
	return request(ctl, SHVM_CMD_VM_GET, NLM_F_DUMP);
}

int ctl_get_vms(struct ctl *ctl, struct ctl_vm **vms, size_t *nr)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_vm, .size = sizeof(**vms) };
	int err = dump(ctl, &x, make_vms, 0);

	if (err)
		return err;
	*vms = x.items;
	*nr = x.nr;
	return 0;
}

static struct nl_msg *make_vcpus(struct ctl *ctl, u64 vm)
{
	return put_u64(request(ctl, SHVM_CMD_VCPU_GET, NLM_F_DUMP), SHVM_A_VCPU_VM_ID, vm);
}

int ctl_get_vcpus(struct ctl *ctl, u64 vm, struct ctl_vcpu **vcpus, size_t *nr)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_vcpu, .size = sizeof(**vcpus) };
	int err = dump(ctl, &x, make_vcpus, vm);

	if (err)
		return err;
	*vcpus = x.items;
	*nr = x.nr;
	return 0;
}

int ctl_get_vm(struct ctl *ctl, u64 id, struct ctl_vm *vm)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_vm, .out = vm };

	return exchange(&x, put_u64(request(ctl, SHVM_CMD_VM_GET, 0), SHVM_A_VM_ID, id));
}

int ctl_get_stats(struct ctl *ctl, u64 vm, const u32 *vcpu, struct ctl_stats *stats)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_stats, .out = stats };
	struct nl_msg *msg = request(ctl, SHVM_CMD_STATS_GET, 0);

	msg = put_u64(msg, SHVM_A_STATS_VM_ID, vm);
	if (vcpu)
		msg = put_u32(msg, SHVM_A_STATS_VCPU_ID, *vcpu);
	return exchange(&x, msg);
}

int ctl_set_budget(struct ctl *ctl, u64 vm, u32 pages)
{
	struct exchange x = { .ctl = ctl };
	struct nl_msg *msg = put_u64(request(ctl, SHVM_CMD_VM_SET, 0), SHVM_A_VM_ID, vm);

	return exchange(&x, put_u32(msg, SHVM_A_VM_SHADOW_BUDGET, pages));
}

int ctl_reclaim(struct ctl *ctl, u64 vm, u32 pages, u32 *gone)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_reclaimed, .out = gone };
	struct nl_msg *msg = put_u64(request(ctl, SHVM_CMD_VM_RECLAIM, 0), SHVM_A_VM_ID, vm);

	return exchange(&x, put_u32(msg, SHVM_A_VM_RECLAIM, pages));
}

int ctl_get_last_event(struct ctl *ctl, u64 *seq)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_seq, .out = seq };

	return exchange(&x, request(ctl, SHVM_CMD_EVENT_GET, 0));
}

int ctl_join(struct ctl *ctl)
{
	int group = genl_ctrl_resolve_grp(ctl->sock, SHVM_FAMILY_NAME, SHVM_MCGRP_EVENTS);
	int err;

	if (group < 0)
		return group == -NLE_OBJ_NOTFOUND ? CTL_NO_FAMILY : errno_of_libnl(group);
	err = nl_socket_add_membership(ctl->sock, group);
	return err ? errno_of_libnl(err) : 0;
}

/* Events answer no request. */
static int on_any_seq(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

int ctl_wait_event(struct ctl *ctl, struct ctl_event *event)
{
	struct exchange x = { .ctl = ctl, .parse = ctl_parse_event, .out = event };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int err;

	if (!cb)
		return -ENOMEM;
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_seq, NULL);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &x);
	event->command = 0;
	do {
		err = nl_recvmsgs(ctl->sock, cb);
	} while (err >= 0 && !event->command);
	nl_cb_put(cb);
	return err < 0 ? errno_of_libnl(err) : x.err;
}
