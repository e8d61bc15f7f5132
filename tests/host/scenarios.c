// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small stories for the controlled scheduler: two or three threads, each of a few steps, that meet
 * at one structure.
 */
#include "scenario.h"

static void v0_store_0(void)
{
	store(vcpu_of(0), VIA_L1(0), 0x11);
	store(vcpu_of(0), VIA_L1(0), 0x12);
	linger(vcpu_of(0));
}

static void v1_store_0(void)
{
	store(vcpu_of(1), VIA_L1(0), 0x21);
	load(vcpu_of(1), VIA_L1(0));
	linger(vcpu_of(1));
}

static void host_migrate_0(void)
{
	host_migrate(page_of(DATA));
}

static void host_migrate_twice(void)
{
	host_migrate(page_of(DATA));
	host_migrate(page_of(DATA));
}

static void settle(void)
{
	shvm_mmu_settle(&machine->mmu);
}

/* After a flush of its own, which must not stand for that of a store under way. */
static void host_settle_migrate_1(void)
{
	settle();
	host_migrate(page_of(DATA + 1));
}

static void host_protect_0(void)
{
	host_write_protect(page_of(DATA));
}

static void host_swap_0(void)
{
	host_swap_out(page_of(DATA));
}

static void all_touch(void)
{
	int i;

	for (i = 0; i < machine->nr_vcpus; i++) {
		load(vcpu_of(i), VIA_L1(1));
		store(vcpu_of(i), VIA_L1(0), 1 + i);
	}
}

/* T is data, vCPU 1 has a writable translation of it, and then vCPU 0 walks through it. */
static void touch_t_as_data(void)
{
	all_touch();
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 0, (DATA + 3) << 12 | RIGHTS);
}

static void v0_load_via_t(void)
{
	load(vcpu_of(0), VIA_T(0));
	store(vcpu_of(0), VIA_T(0), 0x31);
	linger(vcpu_of(0));
}

/* T is not mapped as data any more, but TLBs do not know. */
static void v2_unmap_t_as_data(void)
{
	edit(vcpu_of(2), L1, 4, 0);
	linger(vcpu_of(2));
}

static void v1_edit_t_by_guest(void)
{
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 0, (DATA + 5) << 12 | RIGHTS);
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 0, (DATA + 6) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void v1_edit_t(void)
{
	edit(vcpu_of(1), T, 0, (DATA + 5) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

/* An entry that was not present: a shadow that has missed this would not even trap. */
static void v1_add_to_t(void)
{
	edit(vcpu_of(1), T, 2, (DATA + 5) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void host_replace_t(void)
{
	u64 table[512] = { };
	u32 i;

	for (i = 0; i < 3; i++)
		table[i] = (DATA + 3 + i) << 12 | RIGHTS;
	host_replace(page_of(T), (u8 *)table);
}

static void v1_map_t_as_data(void)
{
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 1, (DATA + 7) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void v0_edit_0(void)
{
	edit(vcpu_of(0), L1, 0, (DATA + 5) << 12 | RIGHTS);
	load(vcpu_of(0), VIA_L1(0));
	linger(vcpu_of(0));
}

static void v1_edit_0(void)
{
	edit(vcpu_of(1), L1, 0, (DATA + 6) << 12 | RIGHTS);
	load(vcpu_of(1), VIA_L1(0));
	linger(vcpu_of(1));
}

/* An entry that is not present, whose faults need no exit. */
static void all_miss_7(void)
{
	int i;

	all_touch();
	for (i = 0; i < machine->nr_vcpus; i++)
		CHECK(access_data(vcpu_of(i), VIA_L1(7), READ, 0).direct, "a fault that exits");
}

/* Who has made it present does not fault, whoever else does the same. */
static void make_7(int vcpu)
{
	edit(vcpu_of(vcpu), L1, 7, (DATA + 5 + vcpu) << 12 | RIGHTS);
	CHECK(access_data(vcpu_of(vcpu), VIA_L1(7), READ, 0).kind == DONE,
	      "vCPU %d faults on an entry that it has made present", vcpu);
	linger(vcpu_of(vcpu));
}

static void v0_make_7(void)
{
	make_7(0);
}

static void v1_make_7(void)
{
	make_7(1);
}

/* Present, until the other one's store. */
static void v0_load_7(void)
{
	edit(vcpu_of(0), L1, 7, (DATA + 5) << 12 | RIGHTS);
	load(vcpu_of(0), VIA_L1(7));
	linger(vcpu_of(0));
}

static void v1_unmake_7(void)
{
	edit(vcpu_of(1), L1, 7, 0);
	load(vcpu_of(1), VIA_L1(7));
	linger(vcpu_of(1));
}

/* Ticks while others store: nothing may come of them. */
static void v2_ticks(void)
{
	load(vcpu_of(2), VIA_L1(7));
	vcpu_exit(vcpu_of(2));
	shvm_mmu_rescue(&vcpu_of(2)->mv, gva(VIA_L1(7)));
	load(vcpu_of(2), VIA_L1(7));
	linger(vcpu_of(2));
}

static void v1_edit_0_readonly(void)
{
	edit(vcpu_of(1), L1, 0, DATA << 12 | (RIGHTS & ~E_W));
	linger(vcpu_of(1));
}

static void v1_edit_0_clean(void)
{
	edit_by_guest(vcpu_of(1), VA_OF_L1, L1, 0, DATA << 12 | (RIGHTS & ~E_D));
	linger(vcpu_of(1));
}

static void v0_load_0(void)
{
	load(vcpu_of(0), VIA_L1(0));
	linger(vcpu_of(0));
}

/* What the TLB has from the first load, the second one uses when everybody else has ended. */
static void v0_load_1_twice(void)
{
	load(vcpu_of(0), VIA_L1(1));
	linger(vcpu_of(0));
	load(vcpu_of(0), VIA_L1(1));
}

static void v0_load_2(void)
{
	load(vcpu_of(0), VIA_L1(2));
	linger(vcpu_of(0));
}

/* By the role of a directory, and L1 has had so many stores that the next one is not trapped. */
#define VIA_L1_AS_L2	(1ULL << 30 | 4ULL << 21)
/* Of a table of its own: using it is no use of L1. */
#define KERNEL_VA_OF_L1	VIA_T(2)

static void burst_begun(void)
{
	all_touch();
	edit(vcpu_of(0), L3, 1, L1 << 12 | RIGHTS);
	edit(vcpu_of(0), T, 2, L1 << 12 | (RIGHTS & ~E_U));
	edit_by_kernel(vcpu_of(0), KERNEL_VA_OF_L1, L1, 7, (DATA + 7) << 12 | RIGHTS);
	edit_by_kernel(vcpu_of(0), KERNEL_VA_OF_L1, L1, 8, (DATA + 7) << 12 | RIGHTS);
	CHECK(!atomic_read(&machine->mmu.nr_oos), "L1 is out of sync already");
}

static void v0_edit_l1_by_kernel(void)
{
	edit_by_kernel(vcpu_of(0), KERNEL_VA_OF_L1, L1, 9, (DATA + 6) << 12 | RIGHTS);
	edit_by_kernel(vcpu_of(0), KERNEL_VA_OF_L1, L1, 9, (DATA + 5) << 12 | RIGHTS);
	linger(vcpu_of(0));
}

static void v1_load_by_other_role(void)
{
	load(vcpu_of(1), VIA_L1_AS_L2);
	linger(vcpu_of(1));
}

/* The last store is not seen: that entry is a trap. */
static void l1_out_of_sync(void)
{
	int i;

	burst_begun();
	for (i = 9; i < 13; i++)
		edit_by_kernel(vcpu_of(0), KERNEL_VA_OF_L1, L1, i, (DATA + 6) << 12 | RIGHTS);
	CHECK(atomic_read(&machine->mmu.nr_oos), "L1 is not out of sync");
}

static void v0_replace_12(void)
{
	struct vcpu *v = vcpu_of(0);
	struct outcome out;

	edit_by_kernel(v, KERNEL_VA_OF_L1, L1, 12, (DATA + 5) << 12 | RIGHTS);
	vcpu_invlpg_fast(v, VIA_L1(12));
	out = access_data(v, VIA_L1(12), READ, 0);
	CHECK(out.kind == DONE && out.hardware &&
	      out.hfn == FRAME_BASE + machine->host[page_of(DATA + 5)].frame,
	      "not the page of the new entry");
	linger(v);
}

static void v1_load_12(void)
{
	load(vcpu_of(1), VIA_L1(12));
	linger(vcpu_of(1));
}

/* Nobody is in the guest, so that flushes wait for nobody, and something is owed. */
static void owe(void)
{
	all_touch();
	load(vcpu_of(0), VIA_L1(2));
	edit(vcpu_of(1), L1, 2, 0);
	vcpu_exit(vcpu_of(0));
	vcpu_exit(vcpu_of(1));
}

/* In the guest, with an empty TLB. */
static void enter_only(void)
{
	load(vcpu_of(0), VIA_L1(2));
	vcpu_exit(vcpu_of(0));
	load(vcpu_of(0), VIA_L1(1));
}

static void v2_load_0(void)
{
	load(vcpu_of(2), VIA_L1(0));
	linger(vcpu_of(2));
}

static void v1_cut_l2(void)
{
	edit(vcpu_of(1), L2, 0, T << 12 | RIGHTS);
	linger(vcpu_of(1));
}

/* Both roots are at hand. */
static void know_both_roots(void)
{
	int i;

	all_touch();
	for (i = 0; i < machine->nr_vcpus; i++) {
		vcpu_load_cr3(vcpu_of(i), ROOT_B << 12);
		load(vcpu_of(i), VIA_L1(1));
		vcpu_load_cr3(vcpu_of(i), ROOT_A << 12);
		load(vcpu_of(i), VIA_L1(1));
	}
}

static void v0_switch(void)
{
	vcpu_load_cr3_fast(vcpu_of(0), ROOT_B << 12, true);
	load(vcpu_of(0), VIA_L1(0));
	vcpu_load_cr3_fast(vcpu_of(0), ROOT_A << 12, true);
	store(vcpu_of(0), VIA_L1(0), 0x13);
	linger(vcpu_of(0));
}

static void v0_switch_slowly(void)
{
	vcpu_load_cr3(vcpu_of(0), ROOT_B << 12);
	load(vcpu_of(0), VIA_L1(0));
	linger(vcpu_of(0));
}

static void v1_switch_slowly(void)
{
	vcpu_load_cr3(vcpu_of(1), ROOT_B << 12);
	load(vcpu_of(1), VIA_L1(0));
	linger(vcpu_of(1));
}

static void drop_root_b(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(ROOT_B));
}

static void drop_root_a(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(ROOT_A));
}

static void drop_t(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(T));
}

static void touch_via_t(void)
{
	all_touch();
	load(vcpu_of(0), VIA_T(0));
}

/* The next access of a vCPU is a fault, on a root that it knows. */
static void lose_leaves(void)
{
	all_touch();
	vcpu_exit(vcpu_of(0));
	if (machine->nr_vcpus > 1)
		vcpu_exit(vcpu_of(1));
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
}

static void drop_l1(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
}

static void drop_l2(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(L2));
}

static void zap_tables(void)
{
	zap_all(false);
}

static void zap_chains(void)
{
	zap_all(true);
}

/* As many roots as the budget allows: the next fault that makes a table has to take one. */
static void fill_budget(void)
{
	u64 f;

	CHECK(!shvm_mmu_set_budget(&machine->mmu, 64), "budget");
	know_both_roots();
	for (f = 24; shvm_sp_count(&machine->mmu) <= 60; f++) {
		poke_entry(f << 12, L3 << 12 | RIGHTS);
		vcpu_load_cr3(vcpu_of(0), f << 12);
		CHECK(!shvm_mmu_prepare(&vcpu_of(0)->mv), "root");
	}
	vcpu_load_cr3(vcpu_of(0), ROOT_A << 12);
}

/* The right was taken by vCPU 1; the host still has to wait for the TLB of vCPU 0. */
static void v1_take_1(void)
{
	edit(vcpu_of(1), L1, 1, 0);
	linger(vcpu_of(1));
}

static void v0_use_0(void)
{
	load(vcpu_of(0), VIA_L1(0));
	access_data(vcpu_of(0), VIA_L1(0), WRITE, 0x41);
	linger(vcpu_of(0));
}

static void v0_use_moving(void)
{
	access_data(vcpu_of(0), VA_MOVING, WRITE, 0x51);
	access_data(vcpu_of(0), VA_MOVING, READ, 0);
	linger(vcpu_of(0));
}

static void moving_delete(void)
{
	CHECK(!slot_delete(MOVING), "slot");
}

static void moving_move(void)
{
	CHECK(!slot_move(MOVING, MOVING_BASE + 0x100), "slot");
}

static void touch_moving(void)
{
	all_touch();
	access_data(vcpu_of(0), VA_MOVING, WRITE, 1);
}

static bool aged;

static void age_0(void)
{
	aged |= host_age(page_of(DATA), 1, true);
}

/* Threads may not verify the answer, but it must not hide a use from the host. */
static void ask_0(void)
{
	use_age(DATA);
}

static void forget_age(void)
{
	aged = false;
	all_touch();
	host_age(page_of(DATA), 1, true);
	vcpu_exit(vcpu_of(0));
	store(vcpu_of(0), VIA_L1(0), 0x61);
	vcpu_exit(vcpu_of(0));
}

/* Mapped, and not used since the host has asked. */
static void all_idle(void)
{
	aged = false;
	all_touch();
	host_age(page_of(DATA), 1, true);
	vcpu_exit(vcpu_of(0));
}

static void v0_load_0_drop_l1(void)
{
	load(vcpu_of(0), VIA_L1(0));
	vcpu_exit(vcpu_of(0));
	drop_l1();
}

static void age_is_known(void)
{
	age_0();
	CHECK(aged, "a page was used, and nobody was told");
}

static void host_migrate_l1(void)
{
	host_migrate(page_of(L1));
}

static void host_migrate_t(void)
{
	host_migrate(page_of(T));
}

/* --- a block that the host maps by one entry --- */

static void large_begin(void)
{
	u64 i;

	all_touch();
	CHECK(!slot_add(LARGE_SLOT, LARGE, BLOCK, LARGE_PAGE, false), "slot");
	for (i = 0; i < 8; i++)
		poke_entry((LARGE + i) << 12, LARGE + i);
	poke_entry(ENTRY(LT, 0), (DATA + 3) << 12 | RIGHTS);
	poke_entry(ENTRY(LT2, 0), (DATA + 4) << 12 | RIGHTS);
	edit(vcpu_of(0), L2, 2, LARGE_ENTRY);
	edit(vcpu_of(0), L2, 3, (u64)LT << 12 | RIGHTS);
	edit(vcpu_of(0), L2, 4, (u64)LT2 << 12 | RIGHTS);
	for (i = 0; i < machine->nr_vcpus; i++) {
		vcpu_exit(vcpu_of(i));
		load(vcpu_of(i), VIA_L1(2));
	}
}

static void huge_begin(void)
{
	large_begin();
	CHECK(host_collapse(LARGE_BLOCK), "collapse");
}

static void huge_touched(void)
{
	int i;

	huge_begin();
	for (i = 0; i < machine->nr_vcpus; i++) {
		store(vcpu_of(i), VIA_LARGE(1), 1 + i);
		vcpu_exit(vcpu_of(i));
		load_part(vcpu_of(i), VIA_LARGE(1));
	}
	CHECK(atomic64_read(&machine->mmu.stats.large_maps), "no large page");
}

/* The same, and no new table will need a flush. */
static void huge_and_table_touched(void)
{
	int i;

	huge_begin();
	for (i = 0; i < machine->nr_vcpus; i++)
		store(vcpu_of(i), VIA_T(0), 1 + i);
	for (i = 0; i < machine->nr_vcpus; i++) {
		store(vcpu_of(i), VIA_LARGE(1), 1 + i);
		vcpu_exit(vcpu_of(i));
		load_part(vcpu_of(i), VIA_LARGE(1));
	}
}

/* Small, and everybody has pieces. */
static void small_touched(void)
{
	int i;

	large_begin();
	for (i = 0; i < machine->nr_vcpus; i++)
		store(vcpu_of(i), VIA_LARGE(1), 1 + i);
}

/* A table is inside, so it is in pieces. */
static void huge_with_table(void)
{
	int i;

	huge_begin();
	load(vcpu_of(0), VIA_LT(0));
	for (i = 0; i < machine->nr_vcpus; i++)
		store(vcpu_of(i), VIA_LARGE(1), 1 + i);
}

static void v0_use_large(void)
{
	load_part(vcpu_of(0), VIA_LARGE(0));
	store(vcpu_of(0), VIA_LARGE(1), 0x71);
	load(vcpu_of(0), VIA_LARGE(7));
	linger(vcpu_of(0));
}

static void v1_use_large(void)
{
	store(vcpu_of(1), VIA_LARGE(2), 0x72);
	load_part(vcpu_of(1), VIA_LARGE(7));
	load(vcpu_of(1), VIA_LARGE(3));
	linger(vcpu_of(1));
}

static void v1_use_table_inside(void)
{
	load(vcpu_of(1), VIA_LT(0));
	store(vcpu_of(1), VIA_LT(0), 0x73);
	linger(vcpu_of(1));
}

static void v2_use_table_inside(void)
{
	load(vcpu_of(2), VIA_LT(0));
	linger(vcpu_of(2));
}

static void v1_edit_table_inside(void)
{
	edit_by_guest(vcpu_of(1), VIA_LARGE(LT - LARGE), LT, 0, (DATA + 5) << 12 | RIGHTS);
	edit_by_guest(vcpu_of(1), VIA_LARGE(LT - LARGE), LT, 0, (DATA + 6) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void v0_use_table_inside(void)
{
	load(vcpu_of(0), VIA_LT(0));
	store(vcpu_of(0), VIA_LT(0), 0x74);
	linger(vcpu_of(0));
}

static void v1_small_by_guest(void)
{
	edit(vcpu_of(1), L2, 2, T << 12 | RIGHTS);
	load(vcpu_of(1), VIA_LARGE(0));
	linger(vcpu_of(1));
}

static void v1_large_by_guest(void)
{
	edit(vcpu_of(1), L2, 2, LARGE_ENTRY);
	load(vcpu_of(1), VIA_LARGE(0));
	linger(vcpu_of(1));
}

/* Now a table of small pages is where the large one may be. */
static void small_by_guest(void)
{
	int i;

	huge_begin();
	edit(vcpu_of(0), L2, 2, T << 12 | RIGHTS);
	for (i = 0; i < machine->nr_vcpus; i++)
		load(vcpu_of(i), VIA_LARGE(1));
}

static void v1_use_other_table_inside(void)
{
	load(vcpu_of(1), VIA_LT2(0));
	linger(vcpu_of(1));
}

static void drop_table_inside(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(LT));
}

static void large_collapse(void)
{
	CHECK(host_collapse(LARGE_BLOCK), "collapse");
}

static void large_split(void)
{
	CHECK(host_split(LARGE_BLOCK), "split");
}

static void large_migrate(void)
{
	CHECK(host_migrate_block(LARGE_BLOCK), "migrate");
}

static void large_split_swap(void)
{
	host_swap_out(LARGE_PAGE + 1);
}

static void large_protect(void)
{
	CHECK(host_protect_block(LARGE_BLOCK), "protect");
}

static void large_delete(void)
{
	CHECK(!slot_delete(LARGE_SLOT), "slot");
}

static void large_age(void)
{
	aged |= host_age(LARGE_PAGE, BLOCK, true) != 0;
}

static void large_age_of_a_part(void)
{
	aged |= host_age(LARGE_PAGE + 3, 2, true) != 0;
}

static void large_tear(void)
{
	static u32 answers[BLOCK];

	use_working_set(LARGE, BLOCK, 1, answers);
}

static void large_forget_age(void)
{
	aged = false;
	huge_begin();
	store(vcpu_of(0), VIA_LARGE(1), 0x75);
	host_age(LARGE_PAGE, BLOCK, true);
	vcpu_exit(vcpu_of(0));
	store(vcpu_of(0), VIA_LARGE(1), 0x76);
	vcpu_exit(vcpu_of(0));
}

static void large_age_is_known(void)
{
	large_age();
	CHECK(aged, "a large page was used, and nobody was told");
}

/* All pieces by one vCPU, so that the other one's next access is a fault. */
static void lose_large(void)
{
	huge_touched();
	vcpu_exit(vcpu_of(0));
	if (machine->nr_vcpus > 1)
		vcpu_exit(vcpu_of(1));
	shvm_mmu_unshadow(&machine->mmu, gfn(L2));
}

const struct scenario scenarios[] = {
	{ "fault-invalidate", "two vCPUs fault on a page that the host moves", 2,
	  NULL, { v0_store_0, v1_store_0, host_migrate_0 } },
	{ "fault-move", "a vCPU faults on a page that the host moves", 1,
	  lose_leaves, { v0_load_0, host_migrate_0 } },
	{ "use-invalidate", "vCPUs use a page that the host moves twice", 1,
	  all_touch, { v0_store_0, host_migrate_twice } },
	{ "use-protect", "a vCPU stores to a page that the host write-protects, then swaps", 1,
	  all_touch, { v0_store_0, host_protect_0, host_swap_0 } },
	{ "new-table-tlb", "a page becomes a table while a TLB holds it writable", 2,
	  touch_t_as_data, { v0_load_via_t, v1_edit_t_by_guest } },
	{ "new-table-map", "a page becomes a table while another vCPU maps it writable", 2,
	  all_touch, { v0_load_via_t, v1_map_t_as_data } },
	{ "new-table-debt", "a page becomes a table, whose last mapping went away unflushed", 3,
	  touch_t_as_data, { v0_load_via_t, v1_edit_t_by_guest, v2_unmap_t_as_data } },
	{ "store-fill", "a store by the emulator to a page that becomes a table", 2,
	  all_touch, { v0_load_via_t, v1_edit_t } },
	{ "add-fill", "the emulator adds an entry to a page that becomes a table", 2,
	  all_touch, { v0_load_via_t, v1_add_to_t } },
	{ "replace-fill", "the VMM maps something else where a page becomes a table", 1,
	  all_touch, { v0_load_via_t, host_replace_t } },
	{ "store-store", "two vCPUs store to one entry of a table", 2,
	  all_touch, { v0_edit_0, v1_edit_0 } },
	{ "store-store-fault", "two vCPUs store to one entry, a third uses it", 3,
	  all_touch, { v0_edit_0, v1_edit_0, v2_load_0 } },
	{ "absent-store", "two vCPUs make an entry present", 2,
	  all_miss_7, { v0_make_7, v1_make_7 } },
	{ "absent-tick", "an entry comes and goes under a look for stale faults", 3,
	  all_miss_7, { v0_load_7, v1_unmake_7, v2_ticks } },
	{ "fault-edit", "a fault through an entry that loses its right to write", 2,
	  NULL, { v0_store_0, v1_edit_0_readonly } },
	{ "fault-cut", "a fault through a table that another one replaces", 2,
	  lose_leaves, { v0_store_0, v1_cut_l2 } },
	{ "fault-clean", "stores to a page whose D the guest clears", 2,
	  all_touch, { v0_store_0, v1_edit_0_clean } },
	{ "root-fast", "a root goes away while a vCPU loads it in the short path", 1,
	  know_both_roots, { v0_switch, drop_root_b } },
	{ "root-slow", "a root goes away while a vCPU loads it", 1,
	  know_both_roots, { v0_switch_slowly, drop_root_b, drop_root_a } },
	{ "root-debt", "a root goes away while somebody else flushes", 1,
	  enter_only, { v0_load_2, drop_root_a, settle } },
	{ "root-running", "the root that a vCPU runs on goes away", 2,
	  lose_leaves, { v0_store_0, drop_root_a, v1_store_0 } },
	{ "root-all", "all shadows go away under two vCPUs", 2,
	  lose_leaves, { v0_store_0, zap_tables, v1_store_0 } },
	{ "zap-chains", "mappings and then tables go away under two vCPUs", 2,
	  lose_leaves, { v0_store_0, zap_chains, v1_store_0 } },
	{ "zap-and-drop", "mappings go away while their table does", 1,
	  lose_leaves, { v0_store_0, zap_chains, drop_l1 } },
	{ "reclaim", "a fault that needs room takes a root that another vCPU loads", 2,
	  fill_budget, { v0_load_via_t, v1_switch_slowly } },
	{ "table-dropped", "tables go away under a fault", 1,
	  lose_leaves, { v0_store_0, drop_l1, drop_l2 } },
	{ "flush-owed", "the host takes a page that a store has just unmapped", 2,
	  owe, { v0_load_1_twice, v1_take_1, host_settle_migrate_1 } },
	{ "oos-other-role", "a table that goes out of sync becomes a directory, too", 2,
	  burst_begun, { v0_edit_l1_by_kernel, v1_load_by_other_role } },
	{ "oos-invlpg", "an entry of a table out of sync is filled while its address is flushed", 2,
	  l1_out_of_sync, { v1_load_12, v0_replace_12 } },
	{ "flush-others", "the host takes a page while a table goes away", 1,
	  touch_via_t, { v0_use_0, host_migrate_0, drop_t } },
	{ "slot-delete", "a slot goes away under a fault", 1,
	  touch_moving, { v0_use_moving, moving_delete }, .slots_change = true },
	{ "slot-move", "a slot moves, and its page too", 1,
	  all_touch, { v0_use_moving, moving_move }, .slots_change = true },
	{ "age-zap", "ageing while all mappings go away", 1,
	  forget_age, { age_0, drop_l1, host_migrate_0 }, age_is_known },
	{ "age-zap-chains", "ageing while everything goes away", 1,
	  forget_age, { age_0, zap_chains }, age_is_known },
	{ "age-use", "ageing while a page is used and its table goes away", 1,
	  all_idle, { age_0, v0_load_0_drop_l1 }, age_is_known },
	{ "age-set", "both the host and the working set ask while all mappings go away", 1,
	  forget_age, { age_0, ask_0, drop_l1 }, age_is_known },
	{ "table-moves", "the host moves a table that is being filled and stored to", 2,
	  all_touch, { v0_load_via_t, v1_edit_t, host_migrate_t } },
	{ "table-moves-live", "the host moves a table in use", 2,
	  all_touch, { v0_store_0, v1_edit_0, host_migrate_l1 } },
	{ "large-table", "a frame of a large page becomes a table while the page is mapped", 2,
	  huge_begin, { v0_use_large, v1_use_table_inside } },
	{ "large-table-tlb", "the same while a TLB holds the large page writable", 2,
	  huge_touched, { v0_use_table_inside, v1_edit_table_inside } },
	{ "large-tables", "one table of a large page goes, another one comes", 2,
	  huge_with_table, { v0_use_large, v1_use_other_table_inside, drop_table_inside } },
	{ "large-merge", "the last table of a large page goes while pieces are mapped", 2,
	  huge_with_table, { v0_use_large, v1_use_large, drop_table_inside } },
	{ "large-split", "two vCPUs map a large page that the host splits", 2,
	  huge_begin, { v0_use_large, v1_use_large, large_split } },
	{ "large-swap", "a large page is mapped while the host swaps a page of it", 1,
	  huge_begin, { v0_use_large, large_split_swap } },
	{ "large-move", "the host moves a large page in use", 2,
	  huge_touched, { v0_use_large, v1_use_large, large_migrate } },
	{ "large-protect", "the host write-protects a large page that is mapped", 2,
	  lose_large, { v0_use_large, v1_use_large, large_protect } },
	{ "large-collapse", "pieces and a large page are mapped while the host collapses", 2,
	  small_touched, { v0_use_large, v1_use_large, large_collapse } },
	{ "large-to-table", "the guest makes a table where the host takes a large page", 2,
	  huge_and_table_touched, { v0_use_large, v1_small_by_guest, large_migrate } },
	{ "large-torn-to-table", "the same where a frame of the large page becomes a table", 3,
	  huge_and_table_touched, { v0_use_large, v1_small_by_guest, v2_use_table_inside } },
	{ "table-to-large", "the guest makes a large page where a table was in use", 2,
	  small_by_guest, { v0_use_large, v1_large_by_guest } },
	{ "large-root", "large pages and their tables go away", 1,
	  huge_touched, { v0_use_large, zap_chains, drop_l2 } },
	{ "large-slot", "the slot of a large page goes away under a fault", 1,
	  huge_begin, { v0_use_large, large_delete }, .slots_change = true },
	{ "age-tear", "ageing of a large page while the working set tears it", 2,
	  large_forget_age, { large_age, large_tear, large_age_of_a_part },
	  large_age_is_known },
	{ "large-age", "ageing of a large page while a frame of it becomes a table", 2,
	  large_forget_age, { large_age, v1_use_table_inside, large_split },
	  large_age_is_known },
};

const int nr_scenarios = ARRAY_SIZE(scenarios);
