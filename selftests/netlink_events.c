// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the netlink family: each comes, once, with the next number; and one that does not come
 * is missed.
 */
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "snl.h"

#define FEW_PAGES	64	/* the smallest budget that netlink sets */
#define TABLES		80

FIXTURE(netlink_events)
{
	struct nl nl;		/* listens */
	struct nl ask;
	u64 seq;		/* of the last event */
};

FIXTURE_SETUP(netlink_events)
{
	if (!test_is_shvm())
		SKIP(return, "only shvm has this netlink family");
	snl_open(&self->nl);
	snl_open(&self->ask);
	snl_join(&self->nl);
	ASSERT_EQ(0, snl_ask(&self->ask, SHVM_CMD_EVENT_GET, NL_NONE));
	self->seq = snl_get(&self->ask, 0, SHVM_A_EVENT_SEQ);
}

FIXTURE_TEARDOWN(netlink_events)
{
	snl_close(&self->nl);
	snl_close(&self->ask);
}

/* The next event has the next number and is this one, of this VM. */
#define EXPECT_EVENT(event, vm) do {						\
	ASSERT_EQ(0, snl_event(&self->nl));					\
	EXPECT_EQ(SHVM_CMD_##event##_NTF, snl_cmd(&self->nl, 0));		\
	EXPECT_EQ(++self->seq, snl_get(&self->nl, 0, SHVM_A_EVENT_SEQ));		\
	EXPECT_EQ(vm, snl_get(&self->nl, 0, SHVM_A_EVENT_VM_ID));		\
} while (0)

#define EVENT(type)	snl_get(&self->nl, 0, SHVM_A_EVENT_##type)

TEST_F(netlink_events, a_life)
{
	struct test_vm *vm = vm_create_bare();
	u64 id = snl_newest(&self->ask);
	int vcpu[2];

	EXPECT_EVENT(VM_CREATED, id);
	EXPECT_FALSE(snl_has(&self->nl, 0, SHVM_A_EVENT_VCPU_ID));
	vcpu[0] = test_ioctl(vm->fd, SHVM_CREATE_VCPU, "SHVM_CREATE_VCPU", 4);
	EXPECT_EVENT(VCPU_CREATED, id);
	EXPECT_EQ(4, EVENT(VCPU_ID));
	vcpu[1] = test_ioctl(vm->fd, SHVM_CREATE_VCPU, "SHVM_CREATE_VCPU", 2);
	EXPECT_EVENT(VCPU_CREATED, id);
	EXPECT_EQ(2, EVENT(VCPU_ID));
	vm_free(vm);
	close(vcpu[1]);
	ASSERT_EQ(0, snl_ask(&self->ask, SHVM_CMD_EVENT_GET, NL_NONE));
	EXPECT_EQ(self->seq, snl_get(&self->ask, 0, SHVM_A_EVENT_SEQ));
	close(vcpu[0]);
	EXPECT_EVENT(VCPU_DESTROYED, id);
	EXPECT_EQ(4, EVENT(VCPU_ID));
	EXPECT_EVENT(VCPU_DESTROYED, id);
	EXPECT_EQ(2, EVENT(VCPU_ID));
	EXPECT_EVENT(VM_DESTROYED, id);
}

/* A vCPU that could not be made is no event. */
TEST_F(netlink_events, nothing_happened)
{
	struct test_vm *vm = vm_create_bare();
	u64 id = snl_newest(&self->ask);

	EXPECT_EQ(-EINVAL, __vm_ioctl(vm, SHVM_CREATE_VCPU, 1000));
	vm_free(vm);
	EXPECT_EVENT(VM_CREATED, id);
	EXPECT_EVENT(VM_DESTROYED, id);
}

TEST_F(netlink_events, broken)
{
	struct shvm_debug_ctl ctl = { .op = SHVM_DEBUG_BREAK };
	struct test_vm *vm;
	u64 id;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	vm = vm_create_bare();
	id = snl_newest(&self->ask);
	EXPECT_EVENT(VM_CREATED, id);
	vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
	EXPECT_EVENT(VM_BROKEN, id);
	EXPECT_STREQ("SHVM_DEBUG_BREAK", snl_get_string(&self->nl, 0, SHVM_A_EVENT_BROKEN));
	close(vm->fd);
	EXPECT_EVENT(VM_DESTROYED, id);
}

/* Also if nobody has had the time to tell it before. */
TEST_F(netlink_events, broken_and_gone)
{
	struct shvm_debug_ctl ctl = { .op = SHVM_DEBUG_BREAK };
	struct test_vm *vm;
	u64 id;
	int i;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	for (i = 0; i < 10; i++) {
		vm = vm_create_bare();
		id = snl_newest(&self->ask);
		EXPECT_EVENT(VM_CREATED, id);
		vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
		close(vm->fd);
		EXPECT_EVENT(VM_BROKEN, id);
		EXPECT_EVENT(VM_DESTROYED, id);
	}
}

TEST_F(netlink_events, entry_failure)
{
	struct shvm_debug_ctl ctl = { .op = SHVM_DEBUG_REFUSE, .arg = { 1 } };
	struct test_vcpu *vcpu;
	struct test_vm *vm;
	u64 id;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	vm = vm_create();
	id = snl_newest(&self->ask);
	EXPECT_EVENT(VM_CREATED, id);
	vcpu = vcpu_create(vm, 6, guest_done);
	EXPECT_EVENT(VCPU_CREATED, id);
	vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
	EXPECT_EQ(SHVM_EXIT_FAIL_ENTRY, vcpu_run(vcpu));
	EXPECT_EVENT(ENTRY_FAILED, id);
	EXPECT_EQ(6, EVENT(VCPU_ID));
	EXPECT_EQ(vcpu->run->fail_entry.hardware_entry_failure_reason, EVENT(ENTRY_ERROR));
	ctl.arg[0] = 0;
	vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
	EXPECT_EQ(EXIT_DONE, vcpu_run(vcpu));
	vm_free(vm);
	EXPECT_EVENT(VCPU_DESTROYED, id);
}

GUEST_CODE static void guest_stores(u64 at, u64 step)
{
	u64 i;

	for (i = 0; i < TABLES; i++)
		*(volatile u64 *)(at + i * step) = i;
	GUEST_DONE();
}

/* A page below each of so many page tables. */
#define TABLE_SPAN	0x200000ul
#define SPREAD_BASE	0x100000000ul

TEST_F(netlink_events, shadow_memory)
{
	struct test_vm *vm = vm_create();
	u64 id = snl_newest(&self->ask), work = vm_alloc_pages(vm, 1);
	struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_done);
	int i;

	for (i = 0; i < TABLES; i++)
		guest_map(vm, SPREAD_BASE + i * TABLE_SPAN, work, PTE_P | PTE_W);
	EXPECT_EVENT(VM_CREATED, id);
	EXPECT_EVENT(VCPU_CREATED, id);
	ASSERT_EQ(0, snl_set_budget(&self->ask, id, FEW_PAGES));
	ASSERT_EQ(EXIT_DONE, vcpu_call(vcpu, guest_stores, SPREAD_BASE, TABLE_SPAN));
	EXPECT_EVENT(SHADOW_LOW, id);
	ASSERT_EQ(0, snl_vm(&self->ask, id));
	EXPECT_TRUE(snl_has(&self->ask, 0, SHVM_A_VM_SHADOW_LOW));
	/* All but what one fault may need. */
	EXPECT_GE(FEW_PAGES, snl_get(&self->ask, 0, SHVM_A_VM_SHADOW_PAGES_MAX));
	EXPECT_LT(FEW_PAGES - 4, snl_get(&self->ask, 0, SHVM_A_VM_SHADOW_PAGES_MAX));

	ASSERT_EQ(0, snl_set_budget(&self->ask, id, 4 * FEW_PAGES));
	EXPECT_EVENT(SHADOW_RECOVERED, id);
	ASSERT_EQ(0, snl_vm(&self->ask, id));
	EXPECT_FALSE(snl_has(&self->ask, 0, SHVM_A_VM_SHADOW_LOW));

	/* Once more, by pages that go. */
	ASSERT_EQ(0, snl_set_budget(&self->ask, id, FEW_PAGES));
	ASSERT_EQ(EXIT_DONE, vcpu_call(vcpu, guest_stores, SPREAD_BASE, TABLE_SPAN));
	EXPECT_EVENT(SHADOW_LOW, id);
	ASSERT_EQ(0, snl_reclaim(&self->ask, id, FEW_PAGES));
	EXPECT_EVENT(SHADOW_RECOVERED, id);
	vm_free(vm);
}

/* ---- loss ---- */

TEST_F(netlink_events, a_lost_event_is_missed)
{
	u64 last, seq = self->seq;
	struct test_vm *vm;
	int err, lost = 0;

	ASSERT_EQ(0, nl_socket_set_buffer_size(self->nl.sock, 1, 0));
	/* Until the socket is full, and on. */
	while (seq < self->seq + 200) {
		vm = vm_create_bare();
		vm_free(vm);
		seq += 2;
	}
	ASSERT_EQ(0, snl_ask(&self->ask, SHVM_CMD_EVENT_GET, NL_NONE));
	last = snl_get(&self->ask, 0, SHVM_A_EVENT_SEQ);
	EXPECT_EQ(seq, last);
	/* The error comes first, then what there was room for: without a gap. */
	nl_socket_set_nonblocking(self->nl.sock);
	for (;;) {
		err = snl_event(&self->nl);
		if (err == -ENOBUFS) {
			lost++;
			continue;
		}
		if (err)
			break;
		EXPECT_EQ(self->seq + 1, EVENT(SEQ));
		self->seq = EVENT(SEQ);
	}
	EXPECT_EQ(-EAGAIN, err);
	EXPECT_EQ(1, lost);
	EXPECT_GT(last, self->seq);
	/* The next one is too high by as many as were lost. */
	vm = vm_create_bare();
	ASSERT_EQ(0, snl_event(&self->nl));
	EXPECT_EQ(last + 1, EVENT(SEQ));
	vm_free(vm);
}

SHVM_TEST_MAIN
