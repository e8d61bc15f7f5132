// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of the stories about large pages, and what they ask of it.
 */
#include "story_large.h"

/* Every frame tells its own number. */
void fill_block(u64 block, u64 first)
{
	u64 i, f;

	for (i = 0; i < BLOCK; i++) {
		f = first + i;
		host_poke(block * BLOCK + i, 8, &f, sizeof(f));
	}
}

void large_begin(int nr_vcpus)
{
	story_begin(nr_vcpus);
	CHECK(!slot_add(LARGE_SLOT, LARGE, 2 * BLOCK, LARGE_PAGE, false), "slot");
	fill_block(LARGE_BLOCK, LARGE);
	fill_block(LARGE_BLOCK + 1, LARGE + BLOCK);
}

/* The same, huge from the start. */
void huge_begin(int nr_vcpus)
{
	large_begin(nr_vcpus);
	CHECK(host_collapse(LARGE_BLOCK) && host_collapse(LARGE_BLOCK + 1), "collapse");
}

struct outcome use(struct vcpu *v, enum kind what, u64 addr, u64 rnd)
{
	struct operation op = { .a = { .addr = addr, .kind = what }, .len = 8, .rnd = rnd };

	memcpy(op.data, &addr, 8);
	return verified_access(v, &op, false);
}

/* With an empty TLB: in which size does the CPU find it? */
void expect_level(struct vcpu *v, enum kind what, u64 addr, int level)
{
	struct outcome out;

	vcpu_exit(v);
	out = use(v, what, addr, 0);
	CHECK(out.kind == DONE && out.hardware, "%llx: outcome %d", addr, out.kind);
	CHECK(out.tlb->level == level, "%llx: size %d, must be %d", addr, out.tlb->level, level);
}

void expect_no_exit(struct vcpu *v, enum kind what, u64 addr)
{
	struct outcome out = use(v, what, addr, 0);

	CHECK(out.kind == DONE && !out.exits, "%llx: outcome %d, %d exits", addr, out.kind,
	      out.exits);
}

u32 large_leaves(void)
{
	const struct shvm_sp *sp;
	u32 n = 0, i;

	shvm_for_each_sp(&machine->mmu, sp)
		for (i = 0; sp->role.level > 1 && i < SHVM_SPT_ENTRIES; i++)
			n += spte_is_leaf(sp->spt[i]);
	return n;
}

/* Where the first group is, in each format. */
u64 large_addr(enum oracle_format format)
{
	return format == O_OFF ? LARGE << 12 : format == O_32 ? at_32(4, 0) : at(0, 0, 4, 0);
}

void map_large(void)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		poke(L2, 4 + i, (LARGE + i * BLOCK) << 12 | PS | ALL);
		poke(PD, 4 + i, (LARGE + i * BLOCK) << 12 | PS | ALL);
	}
	poke_32(PD32, 4, LARGE << 12 | PS | ALL);
}

/* Every page of the large one, in any size. */
void use_all(struct vcpu *v, u64 addr)
{
	u64 i;

	for (i = 0; i < BLOCK; i++)
		use(v, i & 1 ? READ : WRITE, addr + (i << 12) + (i & 2 ? 8 : 16), i << 6);
}

/* Frame nth of the first group becomes a table, is used as one, and then is none any more. */
void table_comes(struct vcpu *v, u64 nth)
{
	store(v, LARGE + nth, 3, (DATA + 3) << 12 | ALL);
	store(v, L2, 9, (LARGE + nth) << 12 | ALL);
	expect(v, WRITE, false, at(0, 0, 9, 3), DONE);
}

void table_goes(struct vcpu *v, u64 nth)
{
	store(v, L2, 9, 0);
	shvm_mmu_unshadow(&machine->mmu, gfn(LARGE + nth));
}
