// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: calls the netlink family while a script takes the module out.
 *
 *	hold	begins a dump, says "ok", and reads no more of it until its input ends
 *	ask	calls a command again and again, until it is killed, also if the family is not there
 */
#include <stdio.h>
#include <string.h>

#include "snl.h"

static int hold(void)
{
	struct nl nl;

	snl_open(&nl);
	snl_send_dump(&nl, SHVM_CMD_VM_GET, NL_NONE);
	puts("ok");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

/* What comes back does not matter; it is one message. */
static void ask_family(struct nl_sock *sock, int family)
{
	int i;

	for (i = 0; i < 100; i++) {
		genl_send_simple(sock, family, SHVM_CMD_EVENT_GET, SHVM_FAMILY_VERSION, 0);
		nl_recvmsgs_default(sock);
	}
}

static int ask(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	int family;

	if (!sock || genl_connect(sock))
		test_die("no netlink socket");
	nl_socket_disable_auto_ack(sock);
	for (;;) {
		family = genl_ctrl_resolve(sock, SHVM_FAMILY_NAME);
		if (family > 0)
			ask_family(sock, family);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	if (argc == 2 && !strcmp(argv[1], "ask"))
		return ask();
	test_die("hold or ask?");
}
