// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directed tests of what neither the random test nor a schedule reaches: limits that only a strange
 * guest meets, errors of the VMM's memory, and every complaint of the module's own audit.
 */
#include "story.h"

#define TABLES		100	/* frames for many tables */
#define NR_TABLES_MADE	80
#define ABSENT		9	/* an entry of L1 */

static void begin(u64 budget)
{
	story_begin(1);
	CHECK(!shvm_mmu_set_budget(&machine->mmu, budget), "budget");
}

static void use(u64 addr)
{
	expect(machine->vcpu, READ, true, addr, DONE);
}

static u32 pages_made(void)
{
	return shvm_sp_count(&machine->mmu) + machine->mmu.sps_gone;
}

/* One table in more places than a chain may be long: it falls and comes back. */
static void test_crowded_table(void)
{
	u32 created;
	u64 i, j;

	begin(2000);
	for (i = 0; i < 3; i++) {
		poke(L3, 1 + i, (TABLES + i) << 12 | ALL);
		for (j = 0; j < 512; j++)
			poke(TABLES + i, j, L1 << 12 | ALL);
	}
	for (i = 0; i < 2 * 512; i++)
		use(at(0, 1 + i / 512, i % 512, 0));
	created = pages_made();
	use(at(0, 3, 0, 0));
	CHECK(pages_made() == created + 2, "the crowded table was not dropped");
	CHECK(!machine->mmu.crowded, "somebody still waits for room");
	check_all();
	use(at(0, 1, 0, 0));
	story_end();
}

/* A single address space with more tables in use than the budget: the oldest goes. */
static void test_only_used_tables(void)
{
	u64 i, now, most;

	begin(64);
	for (i = 0; i < NR_TABLES_MADE; i++) {
		poke(L2, i, (TABLES + i) << 12 | ALL);
		poke(TABLES + i, 0, DATA << 12 | ALL);
	}
	for (i = 0; i < NR_TABLES_MADE; i++)
		use(at(0, 0, i, 0));
	CHECK(shvm_sp_count(&machine->mmu) <= 64, "more tables than the budget");
	CHECK(atomic64_read(&machine->mmu.stats.reclaimed), "nothing was reclaimed");
	for (i = 0; i < NR_TABLES_MADE; i++)
		use(at(0, 0, i, 0));
	shvm_mmu_zap_all(&machine->mmu);
	shvm_mmu_count_pages(&machine->mmu, &now, &most);
	CHECK(!now && most > 60 && most <= 64, "%llu tables, at most %llu", now, most);
	story_end();
}

static void test_emulator_errors(void)
{
	static const u64 tables[] = { ROOT, L3, L2, L1 };
	u32 error = 0, i;
	struct vcpu *v;
	u64 value = 1;
	gpa_t at;

	story_begin(1);
	v = machine->vcpu;
	/* Nobody tells the mirror what these walks mark. */
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		poke(tables[i], 0, entry_of(tables[i], 0) | A | D);
	CHECK(!shvm_mmu_translate(&v->mv, gva(8), 0, &at, &error) && at.v == (DATA << 12 | 8),
	      "translation");
	CHECK(shvm_mmu_translate(&v->mv, gva(ABSENT << 12), SHVM_ACCESS_WRITE, &at, &error) == 1 &&
	      error == PF_W, "not present: error %x", error);
	host_set_vma(page_of(DATA), VMA_NONE);
	CHECK(shvm_mmu_read(&machine->mmu, gpa(DATA << 12), &value, 8) == SHVM_MEM_FAULT, "read");
	CHECK(shvm_mmu_write(&v->mv, gpa(DATA << 12), &value, 8) == SHVM_MEM_FAULT, "write");
	CHECK(shvm_mmu_read(&machine->mmu, gpa(0x400000000), &value, 8) == SHVM_MEM_MMIO, "MMIO");
	host_set_vma(page_of(L1), VMA_NONE);
	CHECK(shvm_mmu_translate(&v->mv, gva(8), 0, &at, &error) == -EFAULT, "no table");
	host_set_vma(page_of(L1), VMA_RW);
	host_set_vma(page_of(DATA), VMA_RW);
	poke(L1, 0, 0x3000000ULL << 12 | ALL);
	CHECK(shvm_mmu_translate(&v->mv, gva(8), 0, &at, &error) == 1 && error == RESERVED,
	      "reserved: error %x", error);
	story_end();
}

/* --- the audit: each rule, broken by hand --- */

static struct shvm_sp *shadow_of(u64 table)
{
	struct shvm_sp *sp;

	shvm_for_each_sp(&machine->mmu, sp)
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
	u64 good = entry_of(table, 0);

	poke(table, 0, broken);
	audit_must_fail(what);
	poke(table, 0, good);
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains after: %s", what);
}

static void audit_guest_side(void)
{
	struct shvm_sp *l1 = shadow_of(L1);
	u64 leaf = l1->spt[0];

	audit_guest_entry(L1, 0, "an entry that is not present any more");
	audit_guest_entry(L1, (DATA + 1) << 12 | ALL | A | D, "an entry of another frame");
	audit_guest_entry(L1, DATA << 12 | P | W | A | D, "more rights than the guest gives");
	audit_guest_entry(L2, OTHER << 12 | ALL | A, "another table");
	audit_word(&l1->spt[ABSENT], SPTE_W, "a value that is none");
	poke(L1, ABSENT, DATA << 12 | ALL);
	audit_must_fail("notrap for a present entry");
	poke(L1, ABSENT, 0);
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
	atomic_inc(&machine->mmu.writers[0]);
	audit_must_fail("a store under way");
	atomic_dec(&machine->mmu.writers[0]);
	*link = node->next;
	audit_must_fail("a page that is not hashed");
	*link = node;
	machine->mmu.sps_gone++;
	audit_must_fail("a wrong count of pages");
	machine->mmu.sps_gone--;
	atomic_sub(SHVM_SPS_STEP, &machine->mmu.sps_bound);
	audit_must_fail("more pages than their bound");
	atomic_add(SHVM_SPS_STEP, &machine->mmu.sps_bound);
}

static void test_audit_complains(void)
{
	story_begin(1);
	expect(machine->vcpu, WRITE, true, at(0, 0, 0, 0), DONE);
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains about nothing");
	audit_guest_side();
	audit_host_side();
	CHECK(!shvm_mmu_audit(&machine->mmu), "the audit complains in the end");
	story_end();
}

static const struct directed tests[] = {
	{ "a table in more places than a chain may be long", test_crowded_table },
	{ "more tables in use than the budget allows", test_only_used_tables },
	{ "errors of the emulator's accesses", test_emulator_errors },
	{ "the audit complains", test_audit_complains },
};

const struct directed_set coverage_tests = { tests, ARRAY_SIZE(tests) };
