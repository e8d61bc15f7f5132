// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories of use and age: what the host is told, and what the working set says. That no other page
 * looks used is verified with every question, use.c.
 */
#include "story_large.h"

#define PAGE	at(0, 0, 0, 0)

static void tick(u32 n)
{
	use_clock += n;
}

static void expect_idle(u64 f, u32 least, u32 most, u32 flags)
{
	u32 is = use_age(f), age = is & SHVM_WS_AGE;

	CHECK(age >= least && age <= most, "frame %llx is idle for %u, must be %u to %u", f, age,
	      least, most);
	CHECK((is & ~SHVM_WS_AGE) == flags, "frame %llx: answer %x, flags must be %x", f, is,
	      flags);
}

static void expect_never(u64 f)
{
	expect_idle(f, SHVM_WS_AGE_NEVER, SHVM_WS_AGE_NEVER, 0);
}

/* The host is told exactly once, as if nobody else had asked. */
static void expect_told(u64 page)
{
	CHECK(host_age(page, 1, false), "used, and the host does not know");
	CHECK(host_age(page, 1, true), "used, and the host was not told");
	CHECK(!host_age(page, 1, true), "told twice");
}

static void set_and_host(void)
{
	struct vcpu *v;
	u64 page;

	story_begin(1);
	v = machine->vcpu;
	page = page_of(DATA);
	expect_never(DATA);
	expect(v, READ, false, PAGE, DONE);
	expect_idle(DATA, 0, 0, 0);
	tick(1000);
	expect_idle(DATA, 1000, 1010, 0);
	CHECK(host_age(page, 1, false), "the working set hid a use from the host");
	expect_idle(DATA, 1000, 1020, 0);
	expect_told(page);
	/* The other way round: what the host has taken is known. */
	vcpu_exit(v);
	expect(v, WRITE, false, PAGE, DONE);
	tick(500);
	expect_told(page);
	tick(300);
	expect_idle(DATA, 300, 320, 0);
	CHECK(!host_age(page, 1, false), "the working set made the host think of a use");
	story_end();
}

static void take_by_zap(void)
{
	shvm_mmu_zap_all(&machine->mmu);
}

static void take_by_zap_of_chains(void)
{
	zap_all(true);
}

static void take_by_swap(void)
{
	host_swap_out(page_of(DATA));
}

static void take_by_migration(void)
{
	host_migrate(page_of(DATA));
}

static void take_by_protection(void)
{
	host_write_protect(page_of(DATA));
}

static void take_by_balloon(void)
{
	host_drop(page_of(DATA));
}

static void take_by_store(void)
{
	store(machine->vcpu, L1, 0, 0);
	store(machine->vcpu, L1, 0, DATA << 12 | ALL | A | D);
}

static void take_by_unshadow(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
}

/* However an entry goes: its use is neither forgotten nor made younger when the page comes back. */
static void set_survives(void)
{
	void (*const take[])(void) = {
		take_by_zap, take_by_zap_of_chains, take_by_swap, take_by_migration,
		take_by_protection, take_by_balloon, take_by_store, take_by_unshadow,
	};
	struct vcpu *v;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(take); i++) {
		story_begin(1);
		v = machine->vcpu;
		expect(v, WRITE, false, PAGE, DONE);
		tick(50);
		take[i]();
		tick(700);
		/* Something else brings it back; its neighbour is used, and it comes along. */
		host_peek(page_of(DATA), 0, &(u64){ 0 }, 8);
		expect(v, READ, false, at(0, 0, 0, 1), DONE);
		expect_idle(DATA, 700, 760, 0);
		expect_told(page_of(DATA));
		expect_idle(DATA, 700, 760, 0);
		story_end();
	}
}

static void set_forgets(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	expect(v, WRITE, false, PAGE, DONE);
	host_unmap(page_of(DATA));
	expect_never(DATA);
	CHECK(!host_age(page_of(DATA), 1, true), "what was used is no more");
	expect(v, READ, false, PAGE, DONE);
	expect_told(page_of(DATA));
	expect_idle(DATA, 0, 10, 0);
	story_end();
}

/* Entries that come before they are used; the check is in each question. */
static void set_prefetch(void)
{
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < 8; i++) {
		poke(L1, i, (DATA + i) << 12 | ALL | A | D);
		poke(DATA + i, 0, i);
	}
	expect(v, READ, false, PAGE, DONE);
	CHECK(shvm_striped_sum(&machine->mmu.leaves) == 8, "no neighbours were mapped");
	for (i = 1; i < 8; i++)
		expect_never(DATA + i);
	host_age(page_of(DATA), 8, true);
	/* The last entry of a fault comes with A clear: the hardware sets it. */
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
	expect(v, READ, false, at(0, 0, 0, 7), DONE);
	expect_told(page_of(DATA + 7));
	expect_never(DATA + 1);
	story_end();
}

/* What the emulator does is a use that the host sees by itself; walks of tables are not seen. */
static void set_software(void)
{
	struct vcpu *v;
	u64 data = 0;

	story_begin(1);
	v = machine->vcpu;
	expect(v, READ, false, PAGE, DONE);
	tick(100);
	CHECK(shvm_mmu_read(&machine->mmu, gpa((DATA + 3) << 12), &data, 8) == SHVM_MEM_OK,
	      "read");
	use_by_software(DATA + 3);
	expect_idle(DATA + 3, 0, 10, 0);
	CHECK(!host_age(page_of(DATA + 3), 1, true), "the host sees that by itself");
	expect_idle(L1, SHVM_WS_AGE_NEVER, SHVM_WS_AGE_NEVER, SHVM_WS_AGE_TABLE);
	store(v, L1, 5, (DATA + 5) << 12 | ALL);
	expect_idle(L1, 0, 10, SHVM_WS_AGE_TABLE);
	CHECK(!host_age(page_of(L1), 1, true), "the host sees that by itself");
	story_end();
}

static void set_slots(void)
{
	static u32 answers[64];

	story_begin(1);
	CHECK(use_age(0x180) == SHVM_WS_AGE_NO_MEMORY, "memory where no slot is");
	/* Out of one slot, into the next one. */
	use_working_set(192 - 16, 64, 0, answers);
	use_working_set(BIG - 32, 64, 0, answers);
	CHECK(answers[31] == SHVM_WS_AGE_NO_MEMORY && answers[32] == SHVM_WS_AGE_NEVER, "border");
	expect(machine->vcpu, READ, false, PAGE, DONE);
	CHECK(!slot_delete(0), "slot");
	CHECK(use_age(DATA) == SHVM_WS_AGE_NO_MEMORY, "the slot is gone");
	CHECK(!slot_add(0, 0, 192, 0, false), "slot");
	expect_never(DATA);
	story_end();
}

static void set_large(void)
{
	u64 addr = large_addr(O_64);
	struct vcpu *v;

	huge_begin(1);
	v = machine->vcpu;
	map_large();
	expect_level(v, WRITE, addr + 0x8000, 2);
	expect_idle(LARGE + 77, 0, 0, SHVM_WS_AGE_LARGE);
	tick(100);
	expect_idle(LARGE + 8, 100, 110, SHVM_WS_AGE_LARGE);
	expect_never(LARGE + BLOCK);
	CHECK(host_age(LARGE_PAGE, BLOCK, true) == 1, "the host was not told");
	/* Of a small one in its place. */
	CHECK(host_split(LARGE_BLOCK), "split");
	tick(100);
	expect_level(v, READ, addr + 0x8000, 1);
	expect_idle(LARGE + 8, 0, 0, 0);
	expect_idle(LARGE + 9, 200, 220, SHVM_WS_AGE_LARGE);
	story_end();
}

static u32 torn(void)
{
	return atomic64_read(&machine->mmu.stats.large_splits);
}

/* What is in use is left in pieces, up to a number, and put together when it has rested. */
static void set_tears(void)
{
	static u32 answers[2 * BLOCK];
	u64 addr = large_addr(O_64), i;
	struct vcpu *v;

	huge_begin(1);
	v = machine->vcpu;
	map_large();
	expect_level(v, READ, addr, 2);
	use_working_set(LARGE, 2 * BLOCK, 0, answers);
	CHECK(!torn(), "torn without being asked for");
	use_working_set(LARGE, 2 * BLOCK, 1, answers);
	CHECK(!torn(), "torn though nobody has used it");
	expect_level(v, READ, addr, 2);
	expect_level(v, READ, addr + (BLOCK << 12), 2);
	use_working_set(LARGE, 2 * BLOCK, 1, answers);
	CHECK(torn() == 1, "%u are torn, must be 1", torn());
	expect_level(v, READ, addr + (BLOCK << 12), 2);
	/* Its pages one by one; the other one as a whole. */
	tick(10);
	expect_level(v, READ, addr + 0x3000, 1);
	expect_idle(LARGE + 3, 0, 5, 0);
	expect_idle(LARGE + 4, 10, 30, SHVM_WS_AGE_LARGE);
	CHECK(host_age(LARGE_PAGE, BLOCK, true), "the host was not told");
	machine->mmu.clock += 5000;
	shvm_mmu_unshadow(&machine->mmu, gfn(L2));
	for (i = 0; i < BLOCK; i++)
		expect(v, READ, false, addr + (i << 12), DONE);
	expect_level(v, READ, addr, 2);
	story_end();
}

/* The host looks at its own tables, and asks nobody. */
static bool host_looks(u64 page)
{
	bool young = use_host_knows(page, 1);

	if (young)
		use_told(page, 1);
	return young;
}

/* An access for which the host has brought the page in is told by its own entry, and that alone. */
static void set_faulted_in(void)
{
	struct vcpu *v;
	u64 page;

	story_begin(1);
	v = machine->vcpu;
	page = page_of(DATA);
	expect(v, READ, false, PAGE, DONE);
	expect(v, READ, false, at(0, 0, 0, 7), DONE);
	expect_told(page);
	host_swap_out(page);
	expect(v, READ, false, PAGE, DONE);
	/* The same page again: the access goes on. */
	host_write_protect(page);
	expect(v, WRITE, false, PAGE, DONE);
	host_swap_out(page_of(DATA + 7));
	expect(v, READ, false, at(0, 0, 0, 7), DONE);
	tick(10);
	CHECK(host_looks(page), "the host does not know what it has done");
	CHECK(!host_age(page, 1, true), "told twice");
	expect_idle(DATA, 10, 20, 0);
	/* A later use is another one. */
	expect(v, READ, false, PAGE, DONE);
	expect_told(page);
	story_end();
}

/* The host has looked before we did: the page may have been used since, so it is told. */
static void set_looked_at(void)
{
	struct vcpu *v;
	u64 page;

	story_begin(1);
	v = machine->vcpu;
	page = page_of(DATA);
	expect(v, READ, false, PAGE, DONE);
	CHECK(host_looks(page), "the host does not know what it has done");
	vcpu_exit(v);
	expect(v, READ, false, PAGE, DONE);
	expect(v, READ, false, at(0, 0, 0, 7), DONE);
	expect_told(page);
	story_end();
}

static const struct directed stories[] = {
	{ "age-set-and-host", set_and_host },
	{ "age-survives", set_survives },
	{ "age-forgets", set_forgets },
	{ "age-prefetch", set_prefetch },
	{ "age-software", set_software },
	{ "age-slots", set_slots },
	{ "age-large", set_large },
	{ "age-tears", set_tears },
	{ "age-faulted-in", set_faulted_in },
	{ "age-looked-at", set_looked_at },
};

const struct directed_set age_tests = { stories, ARRAY_SIZE(stories) };
