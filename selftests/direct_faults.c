// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on entries that are not present, with and without the module parameter direct_faults: what
 * the guest sees is the same, and with it they need no exit. What the VMM stores in a guest's table
 * behind its back ends them all the same.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "inject.h"
#include "probe.h"

static bool direct_is_on(void)
{
	char c = 'N';
	FILE *f;

	f = fopen("/sys/module/shvm/parameters/direct_faults", "r");
	if (!f)
		return false;
	if (fread(&c, 1, 1, f) != 1)
		c = 'N';
	fclose(f);
	return test_is_shvm() && c == 'Y';
}

/* Exits by exceptions: nothing but #PF here. */
static u64 fault_exits(struct test_vm *vm)
{
	return vm_stats(vm).exit_reason[0];
}

/* ---- every format ---- */

#define GVA		0xc0000000u	/* what the tests map */
#define ROUNDS		20
#define FEW		6		/* exits that are about something else */

FIXTURE(format)
{
	struct test_vm *vm;
	struct probe *p;
	struct paging *paging;
	u64 entry[MAX_LEVELS + 1];
	u64 value[MAX_LEVELS + 1];
};

FIXTURE_VARIANT(format)
{
	int format;
};

FIXTURE_VARIANT_ADD(format, two_level) { .format = FORMAT_32 };
FIXTURE_VARIANT_ADD(format, pae) { .format = FORMAT_PAE };
FIXTURE_VARIANT_ADD(format, four_level) { .format = FORMAT_64 };

/* The top level has one entry for all that the probe reaches; that of PAE is registers. */
static int top_level(int format)
{
	return format == FORMAT_64 ? 3 : 2;
}

FIXTURE_SETUP(format)
{
	int level;

	self->vm = vm_create();
	self->p = probe_create(self->vm, 0);
	self->paging = paging_create(self->vm, variant->format);
	probe_map(self->p, self->paging);
	paging_map(self->paging, GVA, FRAME, PTE_TABLE);
	for (level = 1; level <= top_level(variant->format); level++) {
		self->entry[level] = paging_entry(self->paging, GVA, level);
		self->value[level] = format_get(self->vm, variant->format, self->entry[level]);
	}
	probe_add_enter(self->p, self->paging);
	ASSERT_EQ(0, probe_run(self->p));
}

FIXTURE_TEARDOWN(format)
{
	vm_free(self->vm);
}

static bool fetch_is_told(const struct probe *p)
{
	return ((p->env.cr4 & CR4_PAE) && (p->env.efer & EFER_NX)) || (p->env.cr4 & CR4_SMEP);
}

/* Each of these faults; then the number of exits that they took. */
static u64 faults(struct __test_metadata *_metadata, struct probe *p, struct test_vm *vm,
		  int kind)
{
	static const u32 ops[] = { PROBE_READ, PROBE_WRITE, PROBE_FETCH };
	u32 error = kind == ACCESS_WRITE ? PF_W : 0;
	u64 before = fault_exits(vm);
	int i;

	if (kind == ACCESS_FETCH && fetch_is_told(p))
		error = PF_I;
	for (i = 0; i < 2 * ROUNDS; i++) {
		probe_add(p, ops[kind] | (i & 1 ? PROBE_AS_USER : 0), GVA + i * 4, 0);
		probe_want_fault(p, 14, error | (i & 1 ? PF_U : 0), GVA + i * 4);
	}
	EXPECT_EQ(0, probe_run(p));
	return fault_exits(vm) - before;
}

static void faults_of_all_kinds(struct __test_metadata *_metadata, struct probe *p,
				struct test_vm *vm, int level)
{
	u64 exits;
	bool none;
	int kind;

	for (kind = ACCESS_READ; kind < NR_ACCESSES; kind++) {
		exits = faults(_metadata, p, vm, kind);
		none = direct_is_on() && (kind != ACCESS_FETCH || fetch_is_told(p));
		if (test_is_shvm())
			EXPECT_TRUE(none ? exits <= FEW : exits >= 2 * ROUNDS)
				TH_LOG("level %d, access %d: %lu exits", level, kind, exits);
	}
}

/* The entry of each level in turn is not present; with and without NX, there and back again. */
TEST_F(format, error_codes)
{
	struct probe *p = self->p;
	int level, nx;

	for (nx = 0; nx < 4; nx++) {
		probe_add_efer(p, (p->env.efer & ~EFER_NX) | (nx & 1 ? EFER_NX : 0));
		for (level = 1; level <= top_level(variant->format); level++) {
			probe_add(p, PROBE_READ, GVA, 0);
			probe_add_entry(p, variant->format, self->entry[level],
					self->value[level] & ~PTE_P);
			probe_add(p, PROBE_INVLPG, GVA, 0);
			EXPECT_EQ(0, probe_run(p));
			faults_of_all_kinds(_metadata, p, self->vm, level);
			probe_add_entry(p, variant->format, self->entry[level],
					self->value[level]);
			probe_add(p, PROBE_INVLPG, GVA, 0);
		}
	}
	probe_add(p, PROBE_READ, GVA, 0);
	EXPECT_EQ(0, probe_run(p));
}

/* ---- 4-level guests ---- */

FIXTURE(direct)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(direct)
{
	self->vm = vm_create();
	region_make(self->vm);
	region_fill(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
}

FIXTURE_TEARDOWN(direct)
{
	vm_free(self->vm);
}

#define NR_FAULTS	300

GUEST_CODE static void guest_demand(u64 rounds)
{
	struct guest_fault fault;
	u64 i, value;

	*entry_of(region.pt, 511) = PAGE(511) | PTE_TABLE;
	guest_read64(REGION + 511 * PAGE_SIZE);
	for (i = 0; i < rounds; i++) {
		u64 gva = REGION + i * PAGE_SIZE;

		fault = guest_try_read64(gva, &value);
		GUEST_ASSERT_EQ(14, fault.vector);
		GUEST_ASSERT_EQ(0, fault.error);
		GUEST_ASSERT_EQ(gva, fault.cr2);
		*entry_of(region.pt, i) = PAGE(i) | PTE_TABLE | PTE_A | PTE_D;
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(gva));
		*entry_of(region.pt, i) = 0;
		guest_invlpg(gva);
		fault = guest_try_write64(gva, i);
		GUEST_ASSERT_EQ(14, fault.vector);
		GUEST_ASSERT_EQ(PF_W, fault.error);
		GUEST_ASSERT_EQ(gva, fault.cr2);
	}
	GUEST_DONE();
}

/* A guest's demand fault: what remains are its two stores to the table. */
TEST_F(direct, demand_faults)
{
	struct shvm_stats before = vm_stats(self->vm), after;
	u64 exits;

	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_demand, NR_FAULTS, 0));
	after = vm_stats(self->vm);
	if (!test_is_shvm())
		return;
	exits = after.exit_reason[0] - before.exit_reason[0];
	EXPECT_TRUE(direct_is_on() ? exits < 2 * NR_FAULTS + 60 : exits >= 4 * NR_FAULTS)
		TH_LOG("%lu exits", exits);
	EXPECT_EQ(0, after.pf_rescued);
}

/* ---- stores that nobody sees ---- */

static GUEST_DATA volatile u64 spins;

/* Back to the same instruction, again and again, with interrupts on in between. */
GUEST_CODE static void spin_on_fault(struct guest_frame *frame)
{
	if (++spins > 20000000)
		GUEST_ASSERT_EQ(0, spins);
}

GUEST_CODE static void guest_spin_on_fault(u64 gva, u64 want)
{
	*entry_of(region.pt, 1) = PAGE(1) | PTE_TABLE;
	guest_read64(REGION + PAGE_SIZE);
	asm volatile("sti");
	GUEST_ASSERT_EQ(want, guest_read64(gva));
	asm volatile("cli");
	GUEST_DONE();
}

/* The VMM, or a device that it plays, makes the entry present. */
static void behind_its_back(struct __test_metadata *_metadata, struct test_vm *vm,
			    struct test_vcpu *vcpu, u64 gva, u64 table, u64 index, u64 entry)
{
	volatile u64 *counter = vm_sym(vm, spins);

	*counter = 0;
	vcpu_set_long_mode(vcpu);
	vcpu_set_entry(vcpu, guest_spin_on_fault, gva, PAGE(2));
	vcpu_start(vcpu);
	while (*counter < 1000 && !vcpu->thread_ended)
		sched_yield();
	((volatile u64 *)vm_hva(vm, table))[index] = entry;
	EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu));
}

TEST_F(direct, stale_faults)
{
	typeof(region) *r = vm_sym(self->vm, region);
	u64 on = direct_is_on();

	handle(self->vm, 14, spin_on_fault);
	behind_its_back(_metadata, self->vm, self->vcpu, REGION + 2 * PAGE_SIZE, r->pt, 2,
			PAGE(2) | PTE_TABLE);
	EXPECT_EQ(on, vm_stats(self->vm).pf_rescued);
	behind_its_back(_metadata, self->vm, self->vcpu, REGION + 5 * FRAME_SIZE + 2 * PAGE_SIZE,
			r->pd, 5, r->pt | PTE_TABLE);
	EXPECT_EQ(2 * on, vm_stats(self->vm).pf_rescued);
	behind_its_back(_metadata, self->vm, self->vcpu, REGION + (5ul << 30) + 2 * PAGE_SIZE,
			r->pdpt, 5, r->pd | PTE_TABLE);
	EXPECT_EQ(3 * on, vm_stats(self->vm).pf_rescued);
}

/* ---- the delivery of a fault without an exit meets something that exits ---- */

#define ABSENT	(REGION + 300 * PAGE_SIZE)

/* The stack is mapped, but not yet used: the push of the frame exits, the fault comes again. */
GUEST_CODE static void guest_fresh_stack(u64 rounds)
{
	u64 i, k;

	for (i = 0; i < rounds; i++) {
		k = 1 + i % 200;
		*entry_of(region.pt, k) = 0;
		/* Not INVLPG: a table whose entries are replaced like that goes out of sync. */
		asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
		*entry_of(region.pt, k) = PAGE(k) | PTE_TABLE;
		event_log.nr = 0;
		GUEST_TRY("mov %[sp], %%rsp; cmpl $0, (%[absent])", /* none */,
			  [sp] "r"(REGION + (k + 1) * PAGE_SIZE), [absent] "r"(ABSENT));
		GUEST_ASSERT_EQ(1, event_log.nr);
		GUEST_ASSERT_EQ(14, event_log.event[0].vector);
		GUEST_ASSERT_EQ(0, event_log.event[0].error);
		GUEST_ASSERT_EQ(ABSENT, guest_cpu()->ex.cr2);
		/* The frame is where it belongs. */
		GUEST_ASSERT_EQ(PTE_A | PTE_D, *entry_of(region.pt, k) & (PTE_A | PTE_D));
		GUEST_ASSERT_EQ(REGION + (k + 1) * PAGE_SIZE, event_log.event[0].rsp);
		GUEST_ASSERT_EQ(SEL_DATA, guest_read64(PAGE(k) + PAGE_SIZE - 8));
	}
	GUEST_DONE();
}

TEST_F(direct, stack_is_not_mapped_yet)
{
	struct shvm_stats before = vm_stats(self->vm), after;

	handle(self->vm, 14, log_event);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_fresh_stack, NR_FAULTS, 0));
	after = vm_stats(self->vm);
	if (!test_is_shvm())
		return;
	/* Each fault is injected after the exit in its delivery; before that only if it exits. */
	EXPECT_LE(NR_FAULTS, after.injections - before.injections);
	if (direct_is_on())
		EXPECT_GT(NR_FAULTS + 40, after.injections - before.injections);
}

/* A stack that is absent: both faults come without an exit, and make a double fault. */
GUEST_CODE static void guest_absent_stack(void)
{
	*entry_of(region.pt, 0) = PAGE(0) | PTE_TABLE;
	guest_read64(REGION);
	asm volatile("mov %[sp], %%rsp; cmpl $0, (%[absent])"
		     : : [sp] "r"(REGION + 20 * PAGE_SIZE),
		     [absent] "r"(ABSENT) : "memory");
}

TEST_F(direct, stack_is_absent)
{
	u64 before;

	handle(self->vm, 8, last_event);
	ASSERT_EQ(EXIT_SYNC, vcpu_call(self->vcpu, guest_absent_stack, 0, 0));
	EXPECT_EQ(8, self->vcpu->uc[0]);
	EXPECT_EQ(0, self->vcpu->uc[1]);
	EXPECT_EQ(REGION + 20 * PAGE_SIZE - 8, self->vcpu->uc[2]);
	/* Once more, with everything mapped. */
	before = fault_exits(self->vm);
	vcpu_set_long_mode(self->vcpu);
	ASSERT_EQ(EXIT_SYNC, vcpu_call(self->vcpu, guest_absent_stack, 0, 0));
	EXPECT_EQ(8, self->vcpu->uc[0]);
	EXPECT_EQ(REGION + 20 * PAGE_SIZE - 8, self->vcpu->uc[2]);
	if (direct_is_on())
		EXPECT_GE(3, fault_exits(self->vm) - before);
}

/* ---- CR2 ---- */

GUEST_CODE static void guest_cr2(u64 rounds)
{
	u64 i, value;

	*entry_of(region.pt, 511) = PAGE(511) | PTE_TABLE;
	guest_read64(REGION + 511 * PAGE_SIZE);
	for (i = 0; i < rounds; i++) {
		u64 gva = REGION + i * PAGE_SIZE + i;

		guest_try_read64(gva, &value);
		GUEST_SYNC(gva);
		GUEST_ASSERT_EQ(gva + 1, guest_read_cr2());
	}
	GUEST_DONE();
}

/* It is the guest's while the host faults, too; user space sees it and can change it. */
TEST_F(direct, cr2)
{
	struct shvm_sregs sregs;
	char *area;
	int i, exit;

	area = mmap(NULL, 64 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	exit = vcpu_call(self->vcpu, guest_cr2, 64, 0);
	for (i = 0; i < 64 && exit == EXIT_SYNC; i++) {
		area[i * PAGE_SIZE] = 1;
		vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
		EXPECT_EQ(self->vcpu->uc[0], sregs.cr2);
		sregs.cr2++;
		vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
		area[i * PAGE_SIZE + 1] = 1;
		exit = vcpu_run(self->vcpu);
	}
	EXPECT_EQ(EXIT_DONE, exit);
	EXPECT_EQ(64, i);
	munmap(area, 64 * PAGE_SIZE);
}

SHVM_TEST_MAIN
