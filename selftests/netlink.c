// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: what its commands tell and do, what they refuse and how, and what a
 * dump guarantees. Who may do what and events: netlink_rights.c, netlink_events.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "snl.h"

#define WORK_PAGES	32
#define ALIASES		9
#define ALIAS_BASE	0x50000000ul

FIXTURE(netlink)
{
	struct nl nl;
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 id;
	u64 work;
};

GUEST_CODE static void guest_stores(u64 at, u64 pages)
{
	u64 i;

	for (i = 0; i < pages; i++)
		*(volatile u64 *)(at + i * PAGE_SIZE) = i;
	GUEST_DONE();
}

GUEST_CODE static void guest_loads_cr3(u64 times)
{
	u64 cr3;

	while (times--)
		asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
	GUEST_DONE();
}

FIXTURE_SETUP(netlink)
{
	if (!test_is_shvm())
		SKIP(return, "only shvm has this netlink family");
	snl_open(&self->nl);
	self->vm = vm_create();
	self->id = snl_newest(&self->nl);
	self->work = vm_alloc_pages(self->vm, WORK_PAGES);
	self->vcpu = vcpu_create(self->vm, 3, guest_done);
}

FIXTURE_TEARDOWN(netlink)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, self->work, WORK_PAGES));
	vm_free(self->vm);
	snl_close(&self->nl);
}

#define VM(type)	snl_get(&self->nl, 0, SHVM_A_VM_##type)
#define STATS(type)	snl_get(&self->nl, 0, SHVM_A_STATS_##type)

/* ---- what is told ---- */

TEST_F(netlink, vm)
{
	struct nl *nl = &self->nl;
	u64 budget = vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0);

	ASSERT_EQ(0, snl_vm(nl, self->id));
	ASSERT_EQ(1, nl->nr);
	EXPECT_EQ(SHVM_CMD_VM_GET, snl_cmd(nl, 0));
	EXPECT_EQ(self->id, VM(ID));
	EXPECT_EQ(getpid(), VM(PID));
	EXPECT_EQ(geteuid(), VM(UID));
	EXPECT_EQ(1, VM(VCPUS));
	EXPECT_EQ(RAM_SIZE + PAYLOAD_SIZE, VM(MEMORY));
	EXPECT_EQ(0, VM(SHADOW_PAGES));
	EXPECT_EQ(0, VM(SHADOW_PAGES_MAX));
	EXPECT_EQ(budget, VM(SHADOW_BUDGET));
	EXPECT_FALSE(snl_has(nl, 0, SHVM_A_VM_SHADOW_LOW));
	EXPECT_FALSE(snl_has(nl, 0, SHVM_A_VM_BROKEN));
	EXPECT_FALSE(snl_has(nl, 0, SHVM_A_VM_RECLAIM));
}

TEST_F(netlink, vms_are_listed_by_age)
{
	struct nl *nl = &self->nl;
	struct test_vm *other = vm_create_bare();

	ASSERT_EQ(0, snl_dump(nl, SHVM_CMD_VM_GET, NL_NONE));
	EXPECT_FALSE(nl->interrupted);
	ASSERT_EQ(2, nl->nr);
	EXPECT_EQ(self->id, snl_get(nl, 0, SHVM_A_VM_ID));
	EXPECT_EQ(self->id + 1, snl_get(nl, 1, SHVM_A_VM_ID));
	EXPECT_EQ(0, snl_get(nl, 1, SHVM_A_VM_MEMORY));
	EXPECT_EQ(0, snl_get(nl, 1, SHVM_A_VM_VCPUS));
	vm_free(other);
	other = vm_create_bare();
	EXPECT_EQ(self->id + 2, snl_newest(nl))
		TH_LOG("an id is used again");
	vm_free(other);
}

static u64 vcpu_get(struct nl *nl, u64 vm, u32 id, int type)
{
	if (snl_vcpu(nl, vm, id))
		test_die("vCPU %u: %s", id, nl->text);
	return snl_get(nl, 0, type);
}

TEST_F(netlink, vcpu_modes)
{
	struct test_vcpu *flat = vcpu_create(self->vm, 1, guest_done);
	struct nl *nl = &self->nl;

	vcpu_set_protected_mode(flat);
	vcpu_create_bare(self->vm, 0);
	EXPECT_EQ(SHVM_GUEST_MODE_PAGING_64, vcpu_get(nl, self->id, 3, SHVM_A_VCPU_MODE));
	EXPECT_EQ(SHVM_GUEST_MODE_FLAT, vcpu_get(nl, self->id, 1, SHVM_A_VCPU_MODE));
	EXPECT_EQ(SHVM_GUEST_MODE_REAL, vcpu_get(nl, self->id, 0, SHVM_A_VCPU_MODE));
	EXPECT_EQ(SHVM_VCPU_STATE_STOPPED, vcpu_get(nl, self->id, 0, SHVM_A_VCPU_STATE));

	ASSERT_EQ(0, snl_dump(nl, SHVM_CMD_VCPU_GET, NL_NONE));
	ASSERT_EQ(3, nl->nr);
	EXPECT_EQ(3, snl_get(nl, 0, SHVM_A_VCPU_ID));
	EXPECT_EQ(1, snl_get(nl, 1, SHVM_A_VCPU_ID));
	EXPECT_EQ(0, snl_get(nl, 2, SHVM_A_VCPU_ID));
}

GUEST_CODE static void guest_sleeps(void)
{
	asm volatile("sti; hlt");
	GUEST_DONE();
}

TEST_F(netlink, a_halted_vcpu)
{
	struct test_vm *vm = vm_create();
	struct nl *nl = &self->nl;
	struct test_vcpu *vcpu;
	u64 id = snl_newest(nl);

	vm_ioctl(vm, SHVM_CREATE_PIC_PIT, 0);
	vcpu = vcpu_create(vm, 0, guest_sleeps);
	vcpu_start(vcpu);
	vcpu_wait_asleep(vcpu);
	EXPECT_EQ(SHVM_VCPU_STATE_HALTED, vcpu_get(nl, id, 0, SHVM_A_VCPU_STATE));
	vcpu_kick(vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(vcpu));
	ASSERT_EQ(0, snl_stats(nl, id));
	EXPECT_EQ(1, STATS(HALTS));
	vm_free(vm);
}

TEST_F(netlink, vcpus_of_one_vm)
{
	struct test_vm *other = vm_create();
	struct nl *nl = &self->nl;

	vcpu_create(other, 7, guest_done);
	ASSERT_EQ(0, snl_dump(nl, SHVM_CMD_VCPU_GET,
			      NL_ONE(NL_U64(SHVM_A_VCPU_VM_ID, self->id + 1))));
	ASSERT_EQ(1, nl->nr);
	EXPECT_EQ(self->id + 1, snl_get(nl, 0, SHVM_A_VCPU_VM_ID));
	EXPECT_EQ(7, snl_get(nl, 0, SHVM_A_VCPU_ID));
	vm_free(other);
}

#define MANY_VMS	24
#define MANY_VCPUS	16

/* More than a part of a dump holds, on a socket that was never read with a large buffer. */
TEST_F(netlink, many_vcpus)
{
	struct test_vm *vm;
	struct nl nl;
	int i, j;

	for (i = 0; i < MANY_VMS; i++) {
		vm = vm_create_bare();
		for (j = 0; j < MANY_VCPUS; j++)
			test_ioctl(vm->fd, SHVM_CREATE_VCPU, "SHVM_CREATE_VCPU", j);
	}
	snl_open(&nl);
	ASSERT_EQ(0, snl_dump(&nl, SHVM_CMD_VCPU_GET, NL_NONE));
	EXPECT_FALSE(nl.interrupted);
	ASSERT_EQ(1 + MANY_VMS * MANY_VCPUS, nl.nr);
	for (i = 0; i < MANY_VMS * MANY_VCPUS; i++) {
		EXPECT_EQ(self->id + 1 + i / MANY_VCPUS, snl_get(&nl, 1 + i, SHVM_A_VCPU_VM_ID));
		EXPECT_EQ(i % MANY_VCPUS, snl_get(&nl, 1 + i, SHVM_A_VCPU_ID));
	}
	EXPECT_LT(1, nl.parts);
	snl_close(&nl);
}

/* ---- statistics ---- */

static u64 stats_exit(const struct nl *nl, u32 reason)
{
	return snl_nested(nl, 0, SHVM_A_STATS_EXIT, SHVM_A_EXIT_REASON, reason, SHVM_A_EXIT_COUNT);
}

static u64 stats_fault(const struct nl *nl, u32 result)
{
	return snl_nested(nl, 0, SHVM_A_STATS_FAULT, SHVM_A_FAULT_RESULT, result,
			  SHVM_A_FAULT_COUNT);
}

static u64 stats_shadow(const struct nl *nl, u32 level)
{
	return snl_nested(nl, 0, SHVM_A_STATS_SHADOW, SHVM_A_SHADOW_LEVEL, level,
			  SHVM_A_SHADOW_PAGES);
}

TEST_F(netlink, stats_are_those_of_the_ioctl)
{
	struct nl *nl = &self->nl;
	struct shvm_stats stats;
	u32 i;

	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, self->work, WORK_PAGES));
	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_loads_cr3, 10, 0));
	stats = vm_stats(self->vm);
	ASSERT_EQ(0, snl_stats(nl, self->id));
	ASSERT_EQ(1, nl->nr);
	EXPECT_EQ(self->id, STATS(VM_ID));
	EXPECT_FALSE(snl_has(nl, 0, SHVM_A_STATS_VCPU_ID));
	for (i = 0; i < SHVM_STATS_NR_EXIT_REASONS - 1; i++)
		EXPECT_EQ(stats.exit_reason[i], stats_exit(nl, i));
	EXPECT_EQ(stats.exits - stats.exits_fast, STATS(EXITS_LEFT));
	EXPECT_EQ(2, STATS(EXITS_USER));
	EXPECT_LE(10, stats.cr3_fast);
	EXPECT_EQ(stats.cr3_fast, STATS(CR3_FAST));
	EXPECT_EQ(stats.cr3_slow, STATS(CR3_SLOW));
	EXPECT_EQ(stats.pt_writes, STATS(TABLE_WRITES));
	EXPECT_EQ(stats.injections, STATS(INJECTIONS));
	EXPECT_LT(0, stats_fault(nl, SHVM_FAULT_RESULT_FIXED));
	EXPECT_EQ(stats.pf_fixed, stats_fault(nl, SHVM_FAULT_RESULT_FIXED));
	EXPECT_EQ(stats.pf_reflected, stats_fault(nl, SHVM_FAULT_RESULT_REFLECTED));
	EXPECT_EQ(stats.pf_emulated, stats_fault(nl, SHVM_FAULT_RESULT_EMULATED));
	EXPECT_EQ(stats.pf_retried, stats_fault(nl, SHVM_FAULT_RESULT_RETRIED));
	EXPECT_LT(0, STATS(SHADOW_PAGES));
	EXPECT_EQ(stats.shadow_pages, STATS(SHADOW_PAGES));
	EXPECT_EQ(stats.shadow_pages_max, STATS(SHADOW_PAGES_MAX));
	EXPECT_EQ(stats.shadow_budget, STATS(SHADOW_BUDGET));
	EXPECT_EQ(stats.rmap_entries, STATS(LEAVES));
	EXPECT_EQ(stats.chain_bytes, STATS(CHAIN_BYTES));
	EXPECT_EQ(stats.tlb_flush_requests, STATS(FLUSHES));
	EXPECT_EQ(stats.notifier_invalidates, STATS(INVALIDATIONS));
	EXPECT_EQ(stats.notifier_ages, STATS(AGE_CALLS));
	EXPECT_EQ(stats.oos_opens, STATS(OOS_OPENS));
	EXPECT_EQ(stats.oos_tables, STATS(OOS_TABLES));
	EXPECT_EQ(stats.reclaims, STATS(RECYCLED));
	EXPECT_EQ(stats.unshadows, STATS(UNSHADOWS));
}

TEST_F(netlink, shadow_pages_by_kind)
{
	struct nl *nl = &self->nl;
	u32 level, sum = 0;

	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, self->work, WORK_PAGES));
	ASSERT_EQ(0, snl_stats(nl, self->id));
	for (level = 1; level <= 4; level++) {
		EXPECT_LT(0, stats_shadow(nl, level));
		sum += stats_shadow(nl, level);
	}
	EXPECT_EQ(1, stats_shadow(nl, 4));
	EXPECT_EQ(STATS(SHADOW_PAGES), sum);
	/* Those that go are counted, too. */
	ASSERT_EQ(0, snl_reclaim(nl, self->id, 1000));
	ASSERT_EQ(0, snl_stats(nl, self->id));
	EXPECT_EQ(1, STATS(SHADOW_PAGES));
	EXPECT_EQ(1, stats_shadow(nl, 4));
	EXPECT_EQ(0, stats_shadow(nl, 1));
	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, self->work, WORK_PAGES));
	ASSERT_EQ(0, snl_stats(nl, self->id));
	sum = STATS(SHADOW_PAGES);
	EXPECT_EQ(sum, snl_nested(nl, 0, SHVM_A_STATS_SHADOW, SHVM_A_SHADOW_FORMAT,
				  SHVM_TABLE_FORMAT_64, SHVM_A_SHADOW_PAGES));
}

TEST_F(netlink, stats_of_a_vcpu)
{
	struct test_vcpu *other = vcpu_create(self->vm, 5, guest_done);
	struct nl *nl = &self->nl;

	ASSERT_EQ(EXIT_DONE, vcpu_call(other, guest_stores, self->work, WORK_PAGES));
	ASSERT_EQ(0, snl_stats_vcpu(nl, self->id, 3));
	EXPECT_EQ(3, STATS(VCPU_ID));
	EXPECT_EQ(0, STATS(EXITS_USER));
	ASSERT_EQ(0, snl_stats_vcpu(nl, self->id, 5));
	EXPECT_EQ(1, STATS(EXITS_USER));
	EXPECT_LT(0, stats_fault(nl, SHVM_FAULT_RESULT_FIXED));
	EXPECT_FALSE(snl_has(nl, 0, SHVM_A_STATS_SHADOW_PAGES));
	EXPECT_FALSE(snl_has(nl, 0, SHVM_A_STATS_RMAP_BYTES));
}

TEST_F(netlink, longest_chain_and_peaks)
{
	struct nl *nl = &self->nl;
	u64 longest, pages;
	int i;

	for (i = 0; i < ALIASES; i++)
		guest_map(self->vm, ALIAS_BASE + i * PAGE_SIZE, self->work, PTE_P | PTE_W);
	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, ALIAS_BASE, ALIASES));
	ASSERT_EQ(0, snl_stats(nl, self->id));
	longest = STATS(CHAIN_LONGEST);
	pages = STATS(SHADOW_PAGES);
	/* The identity map may be there, too. */
	EXPECT_LE(ALIASES, longest);
	EXPECT_GE(ALIASES + 1, longest);
	EXPECT_LE((RAM_SIZE + PAYLOAD_SIZE) / PAGE_SIZE * 16 + STATS(CHAIN_BYTES),
		  STATS(RMAP_BYTES));

	ASSERT_EQ(0, snl_reclaim(nl, self->id, 1000));
	ASSERT_EQ(0, snl_vm(nl, self->id));
	EXPECT_GT(pages, VM(SHADOW_PAGES));
	EXPECT_EQ(pages, VM(SHADOW_PAGES_MAX));
	ASSERT_EQ(0, snl_reset_peaks(nl, self->id));
	ASSERT_EQ(0, nl->nr);
	ASSERT_EQ(0, snl_stats(nl, self->id));
	EXPECT_EQ(0, STATS(CHAIN_LONGEST));
	EXPECT_EQ(STATS(SHADOW_PAGES), STATS(SHADOW_PAGES_MAX));
}

/* ---- what is done ---- */

TEST_F(netlink, budget)
{
	u64 budget = vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0);
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, snl_set_budget(nl, self->id, 64));
	EXPECT_EQ(0, nl->nr);
	EXPECT_EQ(64, vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0));
	ASSERT_EQ(0, snl_set_budget(nl, self->id, ~0u));
	ASSERT_EQ(0, snl_vm(nl, self->id));
	EXPECT_EQ(~0u, VM(SHADOW_BUDGET));
	ASSERT_EQ(0, snl_set_budget(nl, self->id, 0));
	EXPECT_EQ(budget, vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0));
}

TEST_F(netlink, reclaim)
{
	struct nl *nl = &self->nl;
	struct shvm_stats before, after;

	ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, self->work, WORK_PAGES));
	before = vm_stats(self->vm);
	ASSERT_EQ(0, snl_reclaim(nl, self->id, 1));
	ASSERT_EQ(1, nl->nr);
	EXPECT_EQ(self->id, VM(ID));
	EXPECT_LT(0, VM(RECLAIM));
	after = vm_stats(self->vm);
	EXPECT_EQ(before.shadow_pages - after.shadow_pages, VM(RECLAIM));
	EXPECT_EQ(after.reclaims_given - before.reclaims_given, VM(RECLAIM));
	/* What a vCPU has loaded stays. */
	ASSERT_EQ(0, snl_reclaim(nl, self->id, ~0u));
	EXPECT_EQ(1, vm_stats(self->vm).shadow_pages);
	ASSERT_EQ(0, snl_reclaim(nl, self->id, ~0u));
	EXPECT_EQ(0, VM(RECLAIM));
}

GUEST_CODE static void guest_stores_for_ever(u64 at, u64 pages)
{
	u64 i;

	asm volatile("sti");
	for (i = 0; ; i = (i + 1) % pages)
		*(volatile u64 *)(at + i * PAGE_SIZE) = i;
}

/* They come back at once. */
TEST_F(netlink, reclaim_from_a_running_vcpu)
{
	struct nl *nl = &self->nl;
	int i;

	vcpu_set_entry(self->vcpu, guest_stores_for_ever, self->work, WORK_PAGES);
	vcpu_start(self->vcpu);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, snl_reclaim(nl, self->id, ~0u));
	vcpu_kick(self->vcpu);
	EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
	self->vcpu->run->immediate_exit = 0;
}

/* ---- what is refused ---- */

struct refusal {
	u8 cmd;
	bool dump;
	int err;
	int bad, missing;	/* attribute that is named */
	const char *text;
	struct nl_attr attrs[3];
};

#define VM_ID		NL_U64(SHVM_A_VM_ID, 0)		/* 0 becomes the VM's id */
#define NO_VM		NL_U64(SHVM_A_VM_ID, 1000000)
#define VCPU_ID(type)	NL_U32(SHVM_A_##type, 15)

#define NO_SUCH_VM	"no VM in this network namespace has this id"
#define NO_SUCH_VCPU	"the VM has no vCPU with this id"
#define UNKNOWN		"Unknown attribute type"
#define FAILED		"Attribute failed policy validation"
#define UNSUPPORTED	"Unsupported attribute"

static const struct refusal refusals[] = {
	{ SHVM_CMD_VM_GET, false, -EINVAL, 0, SHVM_A_VM_ID, "attribute id is missing", { { 0 } } },
	{ SHVM_CMD_VM_GET, false, -ENOENT, SHVM_A_VM_ID, 0, NO_SUCH_VM, { NO_VM } },
	{ SHVM_CMD_VM_GET, false, -EINVAL, SHVM_A_VM_ID, 0, "invalid attribute length",
	  { NL_U32(SHVM_A_VM_ID, 0) } },
	{ SHVM_CMD_VM_GET, false, -EINVAL, SHVM_A_VM_SHADOW_BUDGET, 0, UNKNOWN,
	  { VM_ID, NL_U32(SHVM_A_VM_SHADOW_BUDGET, 100) } },
	{ SHVM_CMD_VM_GET, true, -EINVAL, SHVM_A_VM_ID, 0,
	  "a dump of VMs is of all, and takes no id",
	  { VM_ID } },
	{ SHVM_CMD_VCPU_GET, false, -EINVAL, 0, SHVM_A_VCPU_VM_ID, "attribute vm-id is missing",
	  { VCPU_ID(VCPU_ID) } },
	{ SHVM_CMD_VCPU_GET, false, -EINVAL, 0, SHVM_A_VCPU_ID, "attribute id is missing",
	  { VM_ID } },
	{ SHVM_CMD_VCPU_GET, false, -ENOENT, SHVM_A_VCPU_VM_ID, 0, NO_SUCH_VM,
	  { NO_VM, VCPU_ID(VCPU_ID) } },
	{ SHVM_CMD_VCPU_GET, false, -ENOENT, SHVM_A_VCPU_ID, 0, NO_SUCH_VCPU,
	  { VM_ID, VCPU_ID(VCPU_ID) } },
	{ SHVM_CMD_VCPU_GET, true, -EINVAL, SHVM_A_VCPU_ID, 0,
	  "a dump of vCPUs takes a vm-id, but no id",
	  { VM_ID, VCPU_ID(VCPU_ID) } },
	{ SHVM_CMD_VCPU_GET, true, -ENOENT, SHVM_A_VCPU_VM_ID, 0, NO_SUCH_VM, { NO_VM } },
	{ SHVM_CMD_VCPU_GET, true, -EINVAL, SHVM_A_VCPU_STATE, 0, UNKNOWN,
	  { VM_ID, NL_U32(SHVM_A_VCPU_STATE, 1) } },
	{ SHVM_CMD_STATS_GET, false, -EINVAL, 0, SHVM_A_STATS_VM_ID, "attribute vm-id is missing",
	  { { 0 } } },
	{ SHVM_CMD_STATS_GET, false, -ENOENT, SHVM_A_STATS_VM_ID, 0, NO_SUCH_VM, { NO_VM } },
	{ SHVM_CMD_STATS_GET, false, -ENOENT, SHVM_A_STATS_VCPU_ID, 0, NO_SUCH_VCPU,
	  { VM_ID, VCPU_ID(STATS_VCPU_ID) } },
	{ SHVM_CMD_STATS_GET, true, -EOPNOTSUPP, 0, 0, "", { VM_ID } },
	{ SHVM_CMD_VM_SET, false, -EINVAL, 0, SHVM_A_VM_ID, "attribute id is missing",
	  { NL_U32(SHVM_A_VM_SHADOW_BUDGET, 100) } },
	{ SHVM_CMD_VM_SET, false, -EINVAL, 0, SHVM_A_VM_SHADOW_BUDGET,
	  "attribute shadow-budget is missing", { VM_ID } },
	{ SHVM_CMD_VM_SET, false, -EINVAL, SHVM_A_VM_SHADOW_BUDGET, 0,
	  "shadow-budget is neither 0, the default, nor at least 64 pages",
	  { VM_ID, NL_U32(SHVM_A_VM_SHADOW_BUDGET, 63) } },
	{ SHVM_CMD_VM_SET, false, -EINVAL, SHVM_A_VM_PID, 0, UNSUPPORTED,
	  { VM_ID, NL_U32(SHVM_A_VM_SHADOW_BUDGET, 99), NL_U32(SHVM_A_VM_PID, 1) } },
	{ SHVM_CMD_VM_SET, false, -ENOENT, SHVM_A_VM_ID, 0, NO_SUCH_VM,
	  { NO_VM, NL_U32(SHVM_A_VM_SHADOW_BUDGET, 100) } },
	{ SHVM_CMD_VM_RECLAIM, false, -EINVAL, 0, SHVM_A_VM_RECLAIM,
	  "attribute reclaim is missing", { VM_ID } },
	{ SHVM_CMD_VM_RECLAIM, false, -ERANGE, SHVM_A_VM_RECLAIM, 0, "integer out of range",
	  { VM_ID, NL_U32(SHVM_A_VM_RECLAIM, 0) } },
	{ SHVM_CMD_VM_RECLAIM, false, -ENOENT, SHVM_A_VM_ID, 0, NO_SUCH_VM,
	  { NO_VM, NL_U32(SHVM_A_VM_RECLAIM, 1) } },
	{ SHVM_CMD_PEAKS_RESET, false, -EINVAL, 0, SHVM_A_VM_ID, "attribute id is missing",
	  { { 0 } } },
	{ SHVM_CMD_PEAKS_RESET, false, -ENOENT, SHVM_A_VM_ID, 0, NO_SUCH_VM, { NO_VM } },
	{ SHVM_CMD_EVENT_GET, false, -EINVAL, SHVM_A_EVENT_SEQ, 0, FAILED,
	  { NL_U64(SHVM_A_EVENT_SEQ, 1) } },
	{ SHVM_CMD_VM_CREATED_NTF, false, -EOPNOTSUPP, 0, 0, "", { { 0 } } },
	{ SHVM_CMD_MAX + 1, false, -EOPNOTSUPP, 0, 0, "", { { 0 } } },
};

TEST_F(netlink, bad_requests)
{
	struct nl *nl = &self->nl;
	const struct refusal *r;
	struct nl_attr attrs[4];
	int i, err;
	u64 before;

	before = vm_ioctl(self->vm, SHVM_GET_NR_MMU_PAGES, 0);
	for (r = refusals; r < refusals + ARRAY_LEN(refusals); r++) {
		memset(attrs, 0, sizeof(attrs));
		memcpy(attrs, r->attrs, sizeof(r->attrs));
		for (i = 0; i < 3; i++)
			if (attrs[i].size == 8 && !attrs[i].value)
				attrs[i].value = self->id;
		err = r->dump ? snl_dump(nl, r->cmd, attrs) : snl_ask(nl, r->cmd, attrs);
		EXPECT_EQ(r->err, err);
		/* Linux 6.1 does not say it where a dump ends by an error. */
		if (!r->dump || nl->bad)
			EXPECT_EQ(r->bad, nl->bad);
		EXPECT_EQ(r->missing, nl->missing);
		EXPECT_STREQ(r->text, nl->text)
			TH_LOG("request %td of the table", r - refusals);
	}
	ASSERT_EQ(0, snl_vm(nl, self->id));
	EXPECT_EQ(before, VM(SHADOW_BUDGET));
}

TEST_F(netlink, a_broken_vm_is_told_and_left_alone)
{
	struct shvm_debug_ctl ctl = { .op = SHVM_DEBUG_BREAK };
	struct nl *nl = &self->nl;
	struct test_vm *vm;
	u64 id;

	if (test_dev_cap(SHVM_CAP_DEBUG) <= 0)
		SKIP(return, "not a debug module");
	vm = vm_create_bare();
	id = snl_newest(nl);
	vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl);
	EXPECT_EQ(-EIO, __vm_ioctl(vm, SHVM_GET_NR_MMU_PAGES, 0));
	ASSERT_EQ(0, snl_vm(nl, id));
	EXPECT_STREQ("SHVM_DEBUG_BREAK", snl_get_string(nl, 0, SHVM_A_VM_BROKEN));
	EXPECT_EQ(-EIO, snl_set_budget(nl, id, 100));
	EXPECT_EQ(SHVM_A_VM_ID, nl->bad);
	EXPECT_STREQ("the VM with this id is broken", nl->text);
	EXPECT_EQ(0, snl_stats(nl, id));
	close(vm->fd);
}

/* ---- what a dump guarantees ---- */

/* The first part is made by the request, the rest while it is read. */
TEST_F(netlink, a_change_during_a_dump_is_told)
{
	struct nl *nl = &self->nl;
	struct test_vm *vm;

	snl_send_dump(nl, SHVM_CMD_VM_GET, NL_NONE);
	vm = vm_create_bare();
	ASSERT_EQ(0, snl_read(nl));
	EXPECT_TRUE(nl->interrupted);
	snl_send_dump(nl, SHVM_CMD_VCPU_GET, NL_NONE);
	test_ioctl(vm->fd, SHVM_CREATE_VCPU, "SHVM_CREATE_VCPU", 0);
	ASSERT_EQ(0, snl_read(nl));
	EXPECT_TRUE(nl->interrupted);
	snl_send_dump(nl, SHVM_CMD_VCPU_GET, NL_NONE);
	ASSERT_EQ(0, snl_read(nl));
	EXPECT_FALSE(nl->interrupted);
}

SHVM_TEST_MAIN
