// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who sees what of a VM by the netlink family, and may do what to it: other users, other user
 * namespaces, other network namespaces; and many at a time while VMs come and go.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "snl.h"

#define STRANGER	12345
#define OTHERS		"the VM with this id belongs to another user"

FIXTURE(netlink_rights)
{
	struct nl nl;
	struct test_vm *vm;
	int vcpu;
	u64 id;
};

FIXTURE_SETUP(netlink_rights)
{
	if (!test_is_shvm())
		SKIP(return, "only shvm has this netlink family");
	snl_open(&self->nl);
	self->vm = vm_create();
	self->vcpu = test_ioctl(self->vm->fd, SHVM_CREATE_VCPU, "SHVM_CREATE_VCPU", 1);
	self->id = snl_newest(&self->nl);
}

FIXTURE_TEARDOWN(netlink_rights)
{
	vm_free(self->vm);
	close(self->vcpu);
	snl_close(&self->nl);
}

/* Runs what in a process of its own: the line of the first check that failed, or 0. */
static int in_child(int (*what)(u64 id, struct nl *nl), u64 id, struct nl *nl)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(what(id, nl) ? 1 : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* For such a function: says which check it was. */
#define CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "# line %d: %s\n", __LINE__, #cond);	\
		return __LINE__;					\
	}								\
} while (0)

/* ---- users ---- */

/* Ids, and nothing else; and no change. */
static int is_stranger(struct nl *nl, u64 id)
{
	int type, i;

	CHECK(!snl_vm(nl, id));
	CHECK(snl_get(nl, 0, SHVM_A_VM_ID) == id);
	for (type = SHVM_A_VM_ID + 1; type <= SHVM_A_VM_MAX; type++)
		CHECK(!snl_has(nl, 0, type));
	CHECK(!snl_dump(nl, SHVM_CMD_VM_GET, NL_NONE));
	CHECK(nl->nr > 0);
	for (i = 0; i < nl->nr; i++)
		for (type = SHVM_A_VM_ID + 1; type <= SHVM_A_VM_MAX; type++)
			CHECK(snl_get(nl, i, SHVM_A_VM_ID) != id || !snl_has(nl, i, type));
	CHECK(!snl_dump(nl, SHVM_CMD_VCPU_GET, NL_ONE(NL_U64(SHVM_A_VCPU_VM_ID, id))));
	CHECK(nl->nr == 1 && snl_get(nl, 0, SHVM_A_VCPU_ID) == 1);
	CHECK(!snl_has(nl, 0, SHVM_A_VCPU_STATE) && !snl_has(nl, 0, SHVM_A_VCPU_MODE));
	CHECK(snl_stats(nl, id) == -EPERM && nl->bad == SHVM_A_STATS_VM_ID);
	CHECK(!strcmp(nl->text, OTHERS));
	CHECK(snl_reset_peaks(nl, id) == -EPERM && nl->bad == SHVM_A_VM_ID);
	CHECK(!strcmp(nl->text, OTHERS));
	CHECK(snl_set_budget(nl, id, 64) == -EPERM && snl_reclaim(nl, id, 1) == -EPERM);
	return 0;
}

static int is_owner(struct nl *nl, u64 id)
{
	CHECK(!snl_vm(nl, id));
	CHECK(snl_has(nl, 0, SHVM_A_VM_UID) && snl_has(nl, 0, SHVM_A_VM_MEMORY));
	CHECK(!snl_dump(nl, SHVM_CMD_VCPU_GET, NL_ONE(NL_U64(SHVM_A_VCPU_VM_ID, id))));
	CHECK(snl_has(nl, 0, SHVM_A_VCPU_STATE));
	CHECK(!snl_stats(nl, id) && !snl_reset_peaks(nl, id) && !snl_reclaim(nl, id, 1));
	CHECK(!snl_set_budget(nl, id, 0));
	return 0;
}

static int another_user(u64 id, struct nl *root)
{
	struct nl own;

	CHECK(!setresuid(STRANGER, STRANGER, STRANGER));
	snl_open(&own);
	return is_stranger(&own, id);
}

TEST_F(netlink_rights, another_user_sees_ids)
{
	if (geteuid())
		SKIP(return, "not root");
	EXPECT_EQ(0, in_child(another_user, self->id, NULL));
	EXPECT_EQ(0, is_owner(&self->nl, self->id));
}

/* The socket of somebody else gives nothing, in either direction. */
static int sockets_of_others(u64 id, struct nl *root)
{
	struct nl own;

	CHECK(!seteuid(STRANGER));
	CHECK(!is_stranger(root, id));
	snl_open(&own);
	CHECK(!seteuid(0));
	CHECK(!is_stranger(&own, id));
	CHECK(!is_owner(root, id));
	return 0;
}

TEST_F(netlink_rights, a_socket_of_another_user)
{
	if (geteuid())
		SKIP(return, "not root");
	EXPECT_EQ(0, in_child(sockets_of_others, self->id, &self->nl));
}

/* The device is opened before, as its file belongs to root. */
static int an_unprivileged_owner(u64 id, struct nl *root)
{
	int dev = open(test_device(), O_RDWR), vm;
	struct nl own;

	CHECK(dev >= 0 && !setresuid(-1, STRANGER, -1));
	vm = ioctl(dev, SHVM_CREATE_VM, 0);
	CHECK(vm >= 0 && ioctl(vm, SHVM_CREATE_VCPU, 1) >= 0);
	CHECK(!setresuid(0, 0, 0));
	id = snl_newest(root);
	CHECK(!is_owner(root, id) && snl_newest(root) == id);
	CHECK(snl_get(root, root->nr - 1, SHVM_A_VM_UID) == STRANGER);
	CHECK(!setresuid(STRANGER, STRANGER, STRANGER));
	snl_open(&own);
	CHECK(!is_owner(&own, id));
	return 0;
}

TEST_F(netlink_rights, an_owner_without_privileges)
{
	if (geteuid())
		SKIP(return, "not root");
	EXPECT_EQ(0, in_child(an_unprivileged_owner, 0, &self->nl));
}

/* ---- namespaces ---- */

static bool has_namespaces(int flags)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(unshare(flags) != 0);
	waitpid(pid, &status, 0);
	return status == 0;
}

/* All capabilities there are nothing to a VM of the namespace above. */
static int root_of_a_namespace(u64 id, struct nl *root)
{
	struct nl own;

	CHECK(!setresuid(STRANGER, STRANGER, STRANGER) && !unshare(CLONE_NEWUSER));
	snl_open(&own);
	return is_stranger(&own, id);
}

TEST_F(netlink_rights, another_user_namespace)
{
	if (geteuid() || !has_namespaces(CLONE_NEWUSER))
		SKIP(return, "not root, or no user namespaces");
	EXPECT_EQ(0, in_child(root_of_a_namespace, self->id, NULL));
}

static int another_network(u64 id, struct nl *root)
{
	struct nl own, ear;
	struct test_vm *vm;

	CHECK(!unshare(CLONE_NEWNET));
	snl_open(&own);
	snl_open(&ear);
	snl_join(&ear);
	CHECK(!snl_dump(&own, SHVM_CMD_VM_GET, NL_NONE) && !own.nr);
	CHECK(!snl_dump(&own, SHVM_CMD_VCPU_GET, NL_NONE) && !own.nr);
	CHECK(snl_vm(&own, id) == -ENOENT);
	CHECK(snl_stats(&own, id) == -ENOENT && snl_set_budget(&own, id, 64) == -ENOENT);
	CHECK(snl_reclaim(&own, id, 1) == -ENOENT && snl_reset_peaks(&own, id) == -ENOENT);
	CHECK(!snl_ask(&own, SHVM_CMD_EVENT_GET, NL_NONE));
	CHECK(!snl_get(&own, 0, SHVM_A_EVENT_SEQ));

	/* Nor does what is here count there, or change a dump. */
	snl_send_dump(root, SHVM_CMD_VM_GET, NL_NONE);
	vm = vm_create_bare();
	CHECK(!snl_read(root) && root->nr == 1 && !root->interrupted);
	CHECK(snl_newest(&own) == 1 && own.nr == 1);
	CHECK(!snl_event(&ear) && snl_get(&ear, 0, SHVM_A_EVENT_SEQ) == 1);
	CHECK(snl_newest(root) == id && root->nr == 1);
	vm_free(vm);
	CHECK(!snl_event(&ear) && snl_get(&ear, 0, SHVM_A_EVENT_SEQ) == 2);
	return 0;
}

TEST_F(netlink_rights, another_network_namespace)
{
	u64 seq;

	if (geteuid() || !has_namespaces(CLONE_NEWNET))
		SKIP(return, "not root, or no network namespaces");
	ASSERT_EQ(0, snl_ask(&self->nl, SHVM_CMD_EVENT_GET, NL_NONE));
	seq = snl_get(&self->nl, 0, SHVM_A_EVENT_SEQ);
	EXPECT_EQ(0, in_child(another_network, self->id, &self->nl));
	ASSERT_EQ(0, snl_ask(&self->nl, SHVM_CMD_EVENT_GET, NL_NONE));
	EXPECT_EQ(seq, snl_get(&self->nl, 0, SHVM_A_EVENT_SEQ));
}

/* ---- while VMs come and go ---- */

#define CALLERS		3
#define ROUNDS		60

static volatile bool callers_end;
static u64 stays;

/* With interrupts on: in a guest without, the emulated CPU takes none for the host either. */
GUEST_CODE static void guest_beats(void)
{
	u64 cr3;

	asm volatile("sti");
	for (;;)
		asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
}

/* What is told of one moment holds the VM that stays, and each one once. Returns what was wrong. */
static int check_dump(struct nl *nl)
{
	bool found = false;
	int i;

	CHECK(!snl_dump(nl, SHVM_CMD_VM_GET, NL_NONE));
	for (i = 0; i < nl->nr; i++) {
		found |= snl_get(nl, i, SHVM_A_VM_ID) == stays;
		CHECK(!i || snl_get(nl, i - 1, SHVM_A_VM_ID) < snl_get(nl, i, SHVM_A_VM_ID));
	}
	CHECK(found);
	return 0;
}

static int check_newest(struct nl *nl)
{
	u64 id = snl_get(nl, nl->nr - 1, SHVM_A_VM_ID);
	int err;

	err = snl_stats(nl, id);
	CHECK(!err || err == -ENOENT);
	err = snl_reclaim(nl, id, 1);
	CHECK(!err || err == -ENOENT);
	err = snl_set_budget(nl, id, 64);
	CHECK(!err || err == -ENOENT || err == -EBUSY);
	err = snl_reset_peaks(nl, id);
	CHECK(!err || err == -ENOENT);
	CHECK(!snl_dump(nl, SHVM_CMD_VCPU_GET, NL_NONE) && nl->nr > 0);
	return 0;
}

static void *caller(void *arg)
{
	struct nl nl;
	long bad = 0;

	snl_open(&nl);
	while (!bad && !callers_end)
		bad = check_dump(&nl) ?: check_newest(&nl);
	snl_close(&nl);
	return (void *)bad;
}

TEST_F(netlink_rights, callers_while_vms_come_and_go)
{
	pthread_t thread[CALLERS];
	struct test_vcpu *vcpu;
	struct test_vm *vm;
	void *bad;
	int i;

	stays = self->id;
	callers_end = false;
	for (i = 0; i < CALLERS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, caller, NULL));
	for (i = 0; i < ROUNDS; i++) {
		vm = vm_create();
		vcpu = vcpu_create(vm, 0, guest_beats);
		vcpu_start(vcpu);
		vcpu_kick(vcpu);
		EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(vcpu));
		vm_free(vm);
	}
	callers_end = true;
	for (i = 0; i < CALLERS; i++) {
		pthread_join(thread[i], &bad);
		EXPECT_EQ(NULL, bad);
	}
}

SHVM_TEST_MAIN
