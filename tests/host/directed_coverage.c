// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directed tests of what neither the random test nor a schedule reaches: limits that only a strange
 * guest meets, errors of the VMM's memory, and every complaint of the module's own audit.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "machine.h"

#define ROOT		1
#define L3		2
#define L2		3	/* and the two frames after it */
#define L1		6
#define DATA		8
#define MANY		64	/* frames for many tables */
#define NR_MANY		80
#define RIGHTS		0x67ULL

#define vcpu0		(&machine->vcpu[0])

static void poke_entry(u64 table, int i, u64 value)
{
	host_poke(page_of(table), i * 8, &value, 8);
}

static void begin(u64 budget)
{
	const struct shvm_paging p = {
		.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP, .cr4 = X86_CR4_PAE,
		.efer = EFER_LMA | EFER_LME | EFER_NX, .maxphyaddr = 36, .gbpages = true,
	};

	CHECK(!machine_module_init(), "module");
	CHECK(machine_create(1), "machine");
	CHECK(!slot_add(0, 0, 192, 0, false), "slot");
	CHECK(!shvm_mmu_set_budget(&machine->mmu, budget), "budget");
	poke_entry(ROOT, 0, L3 << 12 | RIGHTS);
	poke_entry(L3, 0, L2 << 12 | RIGHTS);
	poke_entry(L2, 0, L1 << 12 | RIGHTS);
	poke_entry(L1, 0, DATA << 12 | RIGHTS);
	vcpu_set_paging(vcpu0, &p);
	vcpu_load_cr3(vcpu0, ROOT << 12);
}

static void end(void)
{
	check_all();
	check_mirror();
	machine_destroy();
	machine_module_exit();
	CHECK(!shim_alloc_live, "%ld objects are left", shim_alloc_live);
}

static void touch(u64 addr)
{
	struct operation op = { .len = 8, .a.addr = addr, .a.user = true };

	CHECK(verified_access(vcpu0, &op, false).kind == DONE, "no access to %llx", addr);
}

/* One table in more places than a chain may be long: it falls and comes back. */
static void test_crowded_table(void)
{
	u64 created, i, j;

	begin(2000);
	for (i = 0; i < 3; i++) {
		poke_entry(L3, i, (L2 + i) << 12 | RIGHTS);
		for (j = 0; j < 512; j++)
			poke_entry(L2 + i, j, L1 << 12 | RIGHTS);
	}
	for (i = 0; i < 2 * 512; i++)
		touch(i << 21);
	created = atomic64_read(&machine->mmu.stats.sp_created);
	touch(2 * 512ULL << 21);
	CHECK(atomic64_read(&machine->mmu.stats.sp_created) == created + 2,
	      "the crowded table was not dropped");
	CHECK(!machine->mmu.crowded, "somebody still waits for room");
	check_all();
	touch(0);
	end();
}

/* A single address space with more tables in use than the budget: the oldest goes. */
static void test_only_used_tables(void)
{
	u64 i;

	begin(64);
	for (i = 0; i < NR_MANY; i++) {
		poke_entry(L2, i, (MANY + i) << 12 | RIGHTS);
		poke_entry(MANY + i, 0, DATA << 12 | RIGHTS);
	}
	for (i = 0; i < NR_MANY; i++)
		touch(i << 21);
	CHECK(atomic_read(&machine->mmu.nr_sps) <= 64, "more tables than the budget");
	CHECK(atomic64_read(&machine->mmu.stats.reclaimed), "nothing was reclaimed");
	for (i = 0; i < NR_MANY; i++)
		touch(i << 21);
	end();
}

static void test_emulator_errors(void)
{
	u32 error = 0;
	u64 value = 1;
	gpa_t at;

	begin(64);
	CHECK(!shvm_mmu_translate(&vcpu0->mv, gva(8), 0, &at, &error) && at.v == (DATA << 12 | 8),
	      "translation");
	CHECK(shvm_mmu_translate(&vcpu0->mv, gva(0x1000), SHVM_ACCESS_WRITE, &at, &error) == 1 &&
	      error == 2, "not present: error %x", error);
	host_set_vma(page_of(DATA), VMA_NONE);
	CHECK(shvm_mmu_read(&machine->mmu, gpa(DATA << 12), &value, 8) == SHVM_MEM_FAULT, "read");
	CHECK(shvm_mmu_write(&vcpu0->mv, gpa(DATA << 12), &value, 8) == SHVM_MEM_FAULT, "write");
	CHECK(shvm_mmu_read(&machine->mmu, gpa(0x400000000), &value, 8) == SHVM_MEM_MMIO, "MMIO");
	host_set_vma(page_of(L1), VMA_NONE);
	CHECK(shvm_mmu_translate(&vcpu0->mv, gva(8), 0, &at, &error) == -EFAULT, "no table");
	host_set_vma(page_of(L1), VMA_RW);
	host_set_vma(page_of(DATA), VMA_RW);
	poke_entry(L1, 0, 0x3000000ULL << 12 | RIGHTS);
	CHECK(shvm_mmu_translate(&vcpu0->mv, gva(8), 0, &at, &error) == 1 && error == 9,
	      "reserved: error %x", error);
	end();
}

/* --- the audit: each rule, broken by hand --- */

static struct shvm_sp *shadow_of(u64 table)
{
	struct shvm_sp *sp;

	list_for_each_entry(sp, &machine->mmu.sps, link)
		if (sp->gfn.v == table && !sp->role.direct)
			return sp;
	fail("gfn %llx has no shadow", table);
}

static void audit_must_fail(const char *what)
{
	CHECK(shvm_mmu_audit(&machine->mmu) == -EUCLEAN, "the audit does not find: %s", what);
}

/* The audit must not be satisfied while *word is something else. */
static void audit_word(u64 *word, u64 broken, const char *what)
{
	u64 good = *word;

	*word = broken;
	audit_must_fail(what);
	*word = good;
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains after: %s", what);
}

static void audit_guest_entry(u64 table, u64 broken, const char *what)
{
	u64 good;

	host_peek(page_of(table), 0, &good, 8);
	poke_entry(table, 0, broken);
	audit_must_fail(what);
	poke_entry(table, 0, good);
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains after: %s", what);
}

static void audit_guest_side(void)
{
	struct shvm_sp *l1 = shadow_of(L1);
	u64 leaf = l1->spt[0];

	audit_guest_entry(L1, 0, "an entry that is not present any more");
	audit_guest_entry(L1, (DATA + 1) << 12 | RIGHTS, "an entry of another frame");
	audit_guest_entry(L1, DATA << 12 | (RIGHTS & ~4ULL), "more rights than the guest gives");
	audit_guest_entry(L2, (L1 + 1) << 12 | RIGHTS, "another table");
	audit_word(&l1->spt[1], SPTE_W, "a value that is none");
	host_poke(page_of(L1), 8, (u64[]){ DATA << 12 | RIGHTS }, 8);
	audit_must_fail("notrap for a present entry");
	host_poke(page_of(L1), 8, (u64[]){ 0 }, 8);
	audit_word(&l1->spt[0], leaf ^ 1ULL << 13, "another host frame");
	audit_word(&l1->spt[0], leaf & ~SPTE_HOSTW, "writable without the host's leave");
}

static void audit_host_side(void)
{
	struct shvm_sp *l1 = shadow_of(L1);
	struct shvm_slot *slot = machine->mmu.slots->slot[0];
	struct shvm_gfn_state *state = slot_gfn_state(slot, gfn(DATA));
	unsigned long *head = slot_rmap_head(slot, gfn(DATA)), chain = *head;
	unsigned long parents = l1->parents;
	struct hlist_node *node = &l1->hash;
	struct hlist_node **link = node->pprev;

	*head = 0;
	audit_must_fail("a leaf that is in no chain");
	*head = chain;
	l1->parents = 0;
	audit_must_fail("a table without parents that is pointed to");
	l1->parents = parents;
	state->tracked++;
	audit_must_fail("a tracked frame that is writable, and no table");
	state->tracked--;
	atomic_inc(&state->writers);
	audit_must_fail("a store under way");
	atomic_dec(&state->writers);
	*link = node->next;
	audit_must_fail("a page that is not hashed");
	*link = node;
	atomic_inc(&machine->mmu.nr_sps);
	audit_must_fail("a wrong count of pages");
	atomic_dec(&machine->mmu.nr_sps);
}

static void test_audit_complains(void)
{
	struct operation op = { .len = 8, .a.user = true, .a.kind = WRITE };

	begin(64);
	CHECK(verified_access(vcpu0, &op, false).kind == DONE, "no access");
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains about nothing");
	audit_guest_side();
	audit_host_side();
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains in the end");
	end();
}

static const struct directed tests[] = {
	{ "a table in more places than a chain may be long", test_crowded_table },
	{ "more tables in use than the budget allows", test_only_used_tables },
	{ "errors of the emulator's accesses", test_emulator_errors },
	{ "the audit complains", test_audit_complains },
};

const struct directed_set coverage_tests = { tests, ARRAY_SIZE(tests) };
