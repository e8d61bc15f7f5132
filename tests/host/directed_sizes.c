// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about pages that change their size: by the host, between the look at it and the mapping,
 * and by the guest, while another vCPU does not know yet. The CPU complains if it has an address
 * in two sizes.
 */
#include "story_large.h"

/* ---- races with the host: the size is sampled, and then it is another ---- */

static struct {
	void (*fn)(void);
	u32 skip, passes;
} meanwhile;

static const u64 victim = LARGE_PAGE + 5;

static void m_split(void)
{
	host_split(LARGE_BLOCK);
}

static void m_collapse(void)
{
	host_collapse(LARGE_BLOCK);
}

static void m_split_collapse(void)
{
	host_split(LARGE_BLOCK);
	host_collapse(LARGE_BLOCK);
}

static void m_readonly(void)
{
	host_set_vma(victim, VMA_RO);
}

static void m_gone(void)
{
	host_set_vma(victim, VMA_NONE);
}

static void m_swap(void)
{
	host_swap_out(victim);
}

static void m_migrate(void)
{
	host_migrate(victim);
}

static void m_migrate_block(void)
{
	host_migrate_block(LARGE_BLOCK);
}

static void m_protect_block(void)
{
	host_protect_block(LARGE_BLOCK);
}

static void m_drop_block(void)
{
	host_drop_block(LARGE_BLOCK);
}

static void m_table(void)
{
	table_comes(machine->vcpu + 1, 6);
}

static void m_table_gone(void)
{
	table_comes(machine->vcpu + 1, 6);
	table_goes(machine->vcpu + 1, 6);
}

static void m_other_fault(void)
{
	use(machine->vcpu + 1, WRITE, large_addr(O_64) + 0x6000, RND_PARTS);
}

static void m_small_by_guest(void)
{
	store(machine->vcpu + 1, L2, 4, L1 << 12 | ALL);
	use(machine->vcpu + 1, READ, large_addr(O_64) + 0x6000, 0);
}

static void m_slot_gone(void)
{
	CHECK(!slot_delete(LARGE_SLOT), "slot");
	CHECK(!slot_add(LARGE_SLOT, LARGE, 2 * BLOCK, LARGE_PAGE + BLOCK - 1, false), "slot");
}

static void (*const happenings[])(void) = {
	m_split, m_collapse, m_split_collapse, m_readonly, m_gone, m_swap, m_migrate,
	m_migrate_block, m_protect_block, m_drop_block, m_table, m_table_gone, m_other_fault,
	m_small_by_guest, m_slot_gone,
};

static void pass(void)
{
	if (!meanwhile.fn || !verify_now() || meanwhile.passes++ != meanwhile.skip)
		return;
	verify_disturb(meanwhile.fn);
}

/* A fault is stopped wherever others could run. Returns in how many places. */
static u32 meet(void (*fn)(void), u32 skip, enum kind what, bool huge, bool warm)
{
	u64 addr = large_addr(O_64), i;
	struct vcpu *v;

	if (huge)
		huge_begin(2);
	else
		large_begin(2);
	v = machine->vcpu;
	map_large();
	if (warm)
		use(v + 1, WRITE, addr + 0x6000, RND_PARTS);
	if (warm && !huge)
		host_collapse(LARGE_BLOCK);
	meanwhile = (typeof(meanwhile)){ .fn = fn, .skip = skip };
	machine->disturb = pass;
	use(v, what, addr + 0x5000, 0);
	meanwhile.fn = NULL;
	check_all();
	for (i = 0; i < 16; i++)
		use(v + (i & 1), i & 2 ? READ : WRITE, addr + (i << 12), i << 6);
	check_all();
	machine->disturb = NULL;
	story_end();
	return meanwhile.passes;
}

static void host_between_sample_and_install(void)
{
	u32 i, n, skip, stops = 0;

	for (i = 0; i < ARRAY_SIZE(happenings); i++)
		for (n = 0; n < 8; n++)
			for (skip = 0; skip < 6; skip++) {
				u32 passes = meet(happenings[i], skip, n & 1 ? READ : WRITE,
						  n & 2, n & 4);

				stops += passes > skip;
				if (passes <= skip)
					break;
			}
	CHECK(stops > 150, "only %u stops", stops);
}

/* 3.7: one page of the block becomes read-only; the guest's store there must not succeed. */
static void one_page_readonly(void)
{
	u64 addr = large_addr(O_64);
	struct vcpu *v;

	huge_begin(1);
	v = machine->vcpu;
	map_large();
	expect_level(v, WRITE, addr + 0x5000, 2);
	m_readonly();
	expect(v, WRITE, false, addr + 0x5000, USER);
	expect(v, READ, false, addr + 0x5000, DONE);
	expect_level(v, WRITE, addr + 0x6000, 1);
	host_set_vma(victim, VMA_RW);
	expect(v, WRITE, false, addr + 0x5000, DONE);
	CHECK(host_collapse(LARGE_BLOCK), "collapse");
	expect_level(v, WRITE, addr + 0x5000, 2);
	story_end();
}

/* ---- the guest changes the size ---- */

/*
 * 2.4, 11.2: an entry between table, large page and nothing, used by two vCPUs of which one does
 * not know yet. The CPU checks that it never has an address in two sizes, the oracle the data.
 */
static void size_toggles(void)
{
	static const u64 kinds[][7] = {
		{ L1 << 12 | ALL, OTHER << 12 | ALL, LARGE << 12 | PS | ALL,
		  (LARGE + BLOCK) << 12 | PS | ALL, 0, (LARGE + 9) << 12 | ALL,
		  BIG << 12 | PS | ALL },
		{ L2 << 12 | ALL, OTHER << 12 | ALL, PS | ALL, 0x40000ULL << 12 | PS | ALL, 0,
		  (LARGE + 9) << 12 | ALL, L1 << 12 | ALL },
	};
	u32 level, from, to, i, n;
	struct vcpu *v;

	huge_begin(2);
	v = machine->vcpu;
	for (i = 0; i < 8; i++) {
		poke(OTHER, i, (DATA + 10 + i) << 12 | ALL);
		poke(L1, i, (LARGE + i) << 12 | ALL);
		poke(LARGE + 9, i, (LARGE + 16 + i) << 12 | ALL);
	}
	poke(L2, 8, (LARGE + BLOCK) << 12 | PS | ALL);
	poke(OTHER, 8, L1 << 12 | ALL);
	for (level = 0; level < 2; level++)
		for (from = 0; from < 7; from++)
			for (to = 0; to < 7; to++)
				for (n = 0; n < 8; n++) {
					u64 table = level ? L3 : L2;
					u64 addr = (level ? at(0, 1, 8, 0) : at(0, 0, 1, 0));

					store(v, table, 1, kinds[level][from]);
					vcpu_invlpg(&v[1], addr);
					for (i = 0; i < 4; i++)
						use(&v[i & 1], n & 1 ? FETCH : WRITE,
						    addr + (i << 12), n & 2 ? RND_PARTS : 0);
					store(v, table, 1, kinds[level][to]);
					/*
					 * The other one has the old page until it flushes. What
					 * the first one uses, it gets without an exit.
					 */
					for (i = 2; n & 4 && i < 8; i++)
						use(v, i & 1 ? READ : WRITE, addr + (i << 12), 0);
					for (i = 4; i < 8; i++)
						use(&v[1], n & 1 ? FETCH : READ,
						    addr + (i % 8 << 12), n & 2 ? RND_PARTS : 0);
					use(v, WRITE, addr + 0x1000, 0);
					for (i = 0; i < 8; i++)
						use(&v[1], n & 1 ? FETCH : READ,
						    addr + (i << 12), n & 2 ? 0 : RND_PARTS);
					vcpu_invlpg(&v[1], addr);
					for (i = 0; i < 8; i++)
						use(&v[i & 1], i < 4 ? READ : WRITE,
						    addr + (i << 12) + 8, i & 4 ? RND_PARTS : 0);
					if (!n)
						check_all();
				}
	story_end();
}

/* The same for PAE and two-level guests, whose entry of 4 MiB is two of ours. */
static void size_toggles_outside_long_mode(void)
{
	static const u32 kinds[] = { PT32 << 12 | ALL, LARGE << 12 | PS | ALL, 0, PS | ALL };
	u32 from, to, i, pae;
	struct vcpu *v;

	huge_begin(2);
	v = machine->vcpu;
	for (i = 0; i < 8; i++) {
		poke(L1, i, (LARGE + 0x100 + i) << 12 | ALL);
		poke_32(PT32, i, (LARGE + 0x100 + i) << 12 | ALL);
		poke_32(PT32, 512 + i, (LARGE + 0x300 + i) << 12 | ALL);
	}
	for (pae = 0; pae < 2; pae++) {
		story_format(v, pae ? O_PAE : O_32);
		story_format(v + 1, pae ? O_PAE : O_32);
		for (from = 0; from < 4; from++)
			for (to = 0; to < 4; to++) {
				u64 step = pae ? 1 << 21 : 1 << 22;

				for (i = 0; i < 24; i++) {
					u32 kind = i < 8 ? from : to;

					if (!(i & 7) && pae)
						store(v, PD, 1, kinds[kind] & ~PT32 ?
						      kinds[kind] : L1 << 12 | ALL);
					else if (!(i & 7))
						store_32(v, PD32, 1, kinds[kind]);
					use(&v[i & 1], i & 2 ? WRITE : READ, step + (i % 8 << 12),
					    i << 5);
					use(&v[i & 1], READ, step + step / 2 + (i % 8 << 12),
					    i << 5);
				}
				check_all();
			}
	}
	story_end();
}

/* The host takes a page that is mapped large in many places; then tables come there. */
static void one_flush_for_all(void)
{
	struct vcpu *v;
	u64 i, before;

	huge_begin(2);
	v = machine->vcpu;
	poke(L3, 10, 100 << 12 | ALL);
	for (i = 0; i < BLOCK; i++)
		poke(100, i, LARGE << 12 | PS | ALL);
	for (i = 0; i < BLOCK; i++)
		use(v, WRITE, at(0, 10, i, 0), 0);
	CHECK(large_leaves() == BLOCK, "%u large leaves", large_leaves());
	CHECK(host_split(LARGE_BLOCK), "split");
	before = atomic64_read(&machine->mmu.stats.tlb_flushes);
	for (i = 0; i < BLOCK; i++)
		use(&v[i & 1], WRITE, at(0, 10, i, 0), 0);
	before = atomic64_read(&machine->mmu.stats.tlb_flushes) - before;
	CHECK(before < 8, "%llu flushes", before);
	story_end();
}

/* A large entry that the module took away without a flush, as its chain was full; then a table. */
static void table_after_a_full_chain(void)
{
	struct vcpu *v;
	u64 i, t;

	huge_begin(2);
	v = machine->vcpu;
	map_large();
	for (t = 0; t < 2; t++) {
		poke(L3, 10 + t, (100 + t) << 12 | ALL);
		for (i = 0; i < BLOCK; i++)
			poke(100 + t, i, LARGE << 12 | PS | ALL);
	}
	/* No new table will need a flush. */
	use(v, READ, at(0, 0, 0, 3), 0);
	/* The second vCPU has a part of it in its TLB, and no reason to leave the guest. */
	use(&v[1], READ, at(0, 0, 4, 1), RND_PARTS);
	for (t = 0; t < 2; t++)
		for (i = 0; i < BLOCK; i++)
			use(v, READ, at(0, 10 + t, i, 2), 0);
	check_all();
	/* Its own store would make it leave. */
	store(v, L2, 4, L1 << 12 | ALL);
	use(&v[0], READ, at(0, 0, 4, 3), 0);
	use(&v[1], READ, at(0, 0, 4, 3), 0);
	use(&v[1], READ, at(0, 0, 4, 2), 0);
	use(&v[1], READ, at(0, 0, 4, 1), 0);
	check_all();
	story_end();
}

static const struct directed stories[] = {
	{ "host-between-sample-and-install", host_between_sample_and_install },
	{ "one-page-readonly", one_page_readonly },
	{ "size-toggles", size_toggles },
	{ "size-toggles-outside-long-mode", size_toggles_outside_long_mode },
	{ "one-flush-for-all", one_flush_for_all },
	{ "table-after-a-full-chain", table_after_a_full_chain },
};

const struct directed_set size_tests = { stories, ARRAY_SIZE(stories) };
