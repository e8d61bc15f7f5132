// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest edits tables that are in use: with every kind of store, through a recursive slot, at
 * their edges; and tables that become data, come back, are reached twice, or are read-only.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "region.h"

#define READONLY_SLOT	7
#define READONLY_BASE	0x50000000ul

FIXTURE(mmu_write)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(mmu_write)
{
	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	region_fill(self->vm);
}

FIXTURE_TEARDOWN(mmu_write)
{
	vm_free(self->vm);
}

#define MAPS(n)		(PAGE(n) | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define AT(index)	(REGION + (index) * PAGE_SIZE)

/* ---- every kind of store ---- */

/* Makes entry 8 map page "from", uses it, and has the shadow follow the change to page 5. */
GUEST_INLINE volatile u64 *prepare(u64 from)
{
	volatile u64 *pte = entry_of(region.pt, 8);

	*pte = MAPS(from);
	guest_invlpg(AT(8));
	GUEST_ASSERT_EQ(PAGE(from), guest_read64(AT(8)));
	guest_write64(AT(8), PAGE(from));
	return pte;
}

#define EXPECT_PAGE(n)							\
	do {								\
		guest_invlpg(AT(8));					\
		GUEST_ASSERT_EQ(PAGE(n), guest_read64(AT(8)));		\
	} while (0)

/* Pages 5 and 0x45 differ in bit 18 of the entry, 4 and 5 in bit 12. */
#define STORE(from, to, insn, ...)					\
	do {								\
		volatile u64 *pte_ = prepare(from);			\
		u64 old_ = *pte_, new_ = MAPS(to);			\
									\
		asm volatile(insn : "+a"(old_)				\
			     : [p] "r"(pte_), [v] "r"(new_), [x] "r"(old_ ^ new_), \
			       [d] "r"(new_ - old_) : "memory", "cc", ##__VA_ARGS__); \
		GUEST_ASSERT_EQ(new_, *pte_);				\
		EXPECT_PAGE(to);					\
	} while (0)

GUEST_CODE static void guest_stores(void)
{
	STORE(0x45, 5, "mov %[v], (%[p])");
	STORE(0x45, 5, "mov %k[v], (%[p])");
	STORE(0x45, 5, "mov %[v], %%rcx; shr $16, %%rcx; mov %%cx, 2(%[p])", "rcx");
	STORE(4, 5, "mov %w[v], (%[p])");
	STORE(0x45, 5, "mov %[v], %%rcx; shr $16, %%rcx; mov %%cl, 2(%[p])", "rcx");
	STORE(0x45, 5, "xchg %[v], (%[p]); mov (%[p]), %[v]");
	STORE(0x45, 5, "lock cmpxchg %[v], (%[p])");
	STORE(0x45, 5, "lock xadd %[d], (%[p])");
	STORE(5, 0x45, "lock or %[v], (%[p])");
	STORE(0x45, 5, "lock and %[v], (%[p])");
	STORE(0x45, 5, "lock xor %[x], (%[p])");
	STORE(5, 0x45, "add %[d], (%[p])");
	STORE(5, 0x45, "lock btsl $18, (%[p])");
	STORE(0x45, 5, "btrq $18, (%[p])");
	STORE(5, 0x45, "btcq $18, (%[p])");
	STORE(5, 6, "addq $0x1000, (%[p])");
	STORE(0x45, 5, "mov %%rsp, %%r8; lea 8(%[p]), %%rsp; push %[v]; mov %%r8, %%rsp", "r8");
	STORE(0x45, 5, "mov %%rax, %%r9; mov %[v], %%rax; mov %[p], %%rdi; stosq; mov %%r9, %%rax",
	      "rdi", "r9");
	STORE(0x45, 5, "mov %[p], %%rdi; sub $8, %%rsp; mov %[v], (%%rsp); mov %%rsp, %%rsi;"
	      "mov $8, %%ecx; rep movsb; add $8, %%rsp", "rdi", "rsi", "rcx");
	STORE(0x45, 5, "mov %[v], %%rbx; mov %%rax, %%rcx; shr $32, %%rcx; mov %%rcx, %%rdx;"
	      "mov %%rbx, %%rcx; shr $32, %%rcx; lock cmpxchg8b (%[p])", "rbx", "rcx", "rdx");
	GUEST_DONE();
}

TEST_F(mmu_write, every_store)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stores, 0, 0));
}

/* The same entry, not mapped between: as many stores without use as it takes to be given up. */
GUEST_CODE static void guest_many_stores(void)
{
	u64 i, j;

	for (i = 0; i < 30; i++) {
		for (j = 0; j <= i; j++)
			*entry_of(region.pt, 8) = MAPS(j + i);
		EXPECT_PAGE(2 * i);
	}
	GUEST_DONE();
}

TEST_F(mmu_write, many_stores_then_use)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_many_stores, 0, 0));
}

/* ---- stores that no emulator needs to know, and long ones ---- */

GUEST_CODE static void guest_sse_stores(void)
{
	u64 i;

	for (i = 0; i < 8; i++) {
		STORE(0x45, 5, "movq %[v], %%xmm0; movq %%xmm0, (%[p])");
		STORE(0x45, 5, "movups (%[p]), %%xmm0; movq %[v], %%xmm1; movsd %%xmm1, %%xmm0;"
		      "movups %%xmm0, (%[p])");
		STORE(0x45, 5, "movnti %[v], (%[p])");
		STORE(0x45, 5, "mov 8(%[p]), %%rdx; mov %[v], %%rbx; mov %%rdx, %%rcx;"
		      "lock cmpxchg16b (%[p])", "rbx", "rcx", "rdx");
		prepare(5);
		asm volatile("fxsave64 (%0)" : : "r"(region.pt + 1024) : "memory");
		EXPECT_PAGE(5);
	}
	GUEST_DONE();
}

TEST_F(mmu_write, stores_of_other_units)
{
	if (!test_is_shvm())
		SKIP(return, "kvm_pvm emulates what it has no emulation for");
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_sse_stores, 0, 0));
}

/* An address behind the table itself: giving the table up does not help for long. */
GUEST_CODE static void guest_own_table(u64 with_sse)
{
	*entry_of(region.pt, 9) = region.pt | PTE_P | PTE_W;
	prepare(0x45);
	if (with_sse)
		asm volatile("movq %0, %%xmm0; movups %%xmm0, (%1)"
			     : : "r"(MAPS(5)), "r"(AT(9) + 64) : "memory");
	else
		guest_write64(AT(9) + 64, MAPS(5));
	EXPECT_PAGE(5);
	GUEST_DONE();
}

TEST_F(mmu_write, store_through_the_table_itself)
{
	int exit;

	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_own_table, 0, 0));
	exit = vcpu_call(self->vcpu, guest_own_table, 1, 0);
	EXPECT_TRUE(exit == EXIT_DONE || exit == SHVM_EXIT_INTERNAL_ERROR) TH_LOG("%#x", exit);
}

/* Whole tables at once, as fork and exit do it. */
GUEST_CODE static void guest_bulk(u64 source)
{
	u64 i, j, value, *to, *from, count;

	for (i = 0; i < 10; i++) {
		for (j = 0; j < 512; j++)
			*entry_of(source, j) = MAPS((j + i) & 511);
		to = (u64 *)region.pt;
		from = (u64 *)source;
		count = 512;
		asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
		guest_write_cr3(region.root);
		for (j = 0; j < 512; j += 31)
			GUEST_ASSERT_EQ(PAGE((j + i) & 511), guest_read64(AT(j)));
		to = (u64 *)(region.pt + 2048);
		count = 2048;
		asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
		guest_write_cr3(region.root);
		for (j = 0; j < 512; j += 31) {
			if (j < 256)
				GUEST_ASSERT_EQ(PAGE((j + i) & 511), guest_read64(AT(j)));
			else
				GUEST_ASSERT_EQ(14, guest_try_read64(AT(j), &value).vector);
		}
	}
	GUEST_DONE();
}

TEST_F(mmu_write, whole_tables)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_bulk, vm_alloc_pages(self->vm, 1), 0));
}

/* ---- stores over the edge of an entry, and of a table ---- */

GUEST_CODE static void guest_straddles(u64 next)
{
	u64 old[2] = { MAPS(1), MAPS(2) }, new[2] = { MAPS(0x41), MAPS(0x42) }, off, i;

	for (off = 1; off < 8; off++) {
		/* One unaligned store that changes bytes of entries 10 and 11 both. */
		u64 value = new[0] >> off * 8 | new[1] << (64 - off * 8);

		for (i = 0; i < 2; i++) {
			*entry_of(region.pt, 10 + i) = old[i];
			guest_invlpg(AT(10 + i));
			GUEST_ASSERT_EQ(PAGE(1 + i), guest_read64(AT(10 + i)));
		}
		asm volatile("mov %0, (%1)" : : "r"(value), "r"(region.pt + 80 + off) : "memory");
		for (i = 0; i < 2; i++) {
			u64 pte = *entry_of(region.pt, 10 + i);

			GUEST_ASSERT_EQ(i ? (new[1] & ((1ull << off * 8) - 1)) |
					    (old[1] & ~((1ull << off * 8) - 1)) :
					    (old[0] & ((1ull << off * 8) - 1)) |
					    (new[0] & ~((1ull << off * 8) - 1)), pte);
			guest_invlpg(AT(10 + i));
			GUEST_ASSERT_EQ(pte & PTE_ADDR, guest_read64(AT(10 + i)));
		}
		/* The same over the end of the table into RAM. */
		*entry_of(region.pt, 511) = old[0];
		guest_write64(next, old[1]);
		guest_invlpg(AT(511));
		GUEST_ASSERT_EQ(PAGE(1), guest_read64(AT(511)));
		asm volatile("mov %0, (%1)" : : "r"(value), "r"(next - 8 + off) : "memory");
		GUEST_ASSERT_EQ((old[1] & ~((1ull << off * 8) - 1)) |
				(new[1] & ((1ull << off * 8) - 1)), guest_read64(next));
		guest_invlpg(AT(511));
		GUEST_ASSERT_EQ(*entry_of(region.pt, 511) & PTE_ADDR, guest_read64(AT(511)));
	}
	GUEST_DONE();
}

TEST_F(mmu_write, stores_over_an_edge)
{
	u64 next = vm_alloc_pages(self->vm, 1);

	ASSERT_EQ(vm_sym(self->vm, region)->pt + PAGE_SIZE, next);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_straddles, next, 0));
}

/* ---- the top level as its own entry ---- */

#define SELF_SLOT	100ull
#define SELF(a, b, c, d)						\
	(SELF_SLOT << 39 | (a) << 30 | (b) << 21 | (c) << 12 | (d) * 8)

GUEST_CODE static void guest_recursive(void)
{
	u64 pte = SELF(REGION_SLOT, 0ull, 0ull, 3), pde = SELF(SELF_SLOT, REGION_SLOT, 0ull, 0);
	u64 top = SELF(SELF_SLOT, SELF_SLOT, SELF_SLOT, REGION_SLOT), i;

	pte += 0xffff000000000000 * (SELF_SLOT >> 8 & 1);
	GUEST_ASSERT_EQ(region.pdpt, guest_read64(top) & PTE_ADDR);
	GUEST_ASSERT_EQ(region.pt, guest_read64(pde) & PTE_ADDR);
	for (i = 0; i < 40; i++) {
		guest_write64(pte, MAPS(i));
		guest_invlpg(AT(3));
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(AT(3)));
		GUEST_ASSERT_EQ(MAPS(i), *entry_of(region.pt, 3));
		GUEST_ASSERT_EQ(MAPS(i), guest_read64(pte));
	}
	/* The entry that maps itself, rewritten through itself. */
	for (i = 0; i < 8; i++) {
		guest_write64(SELF(SELF_SLOT, SELF_SLOT, SELF_SLOT, SELF_SLOT),
			      region.root | PTE_TABLE | PTE_A | (i & 1 ? 1ull << 9 : 0));
		GUEST_ASSERT_EQ(PAGE(39), guest_read64(AT(3)));
		GUEST_ASSERT_EQ(MAPS(39), guest_read64(pte));
	}
	guest_write64(top, 0);
	guest_write_cr3(region.root);
	GUEST_ASSERT_EQ(14, guest_try_read64(AT(3), &i).vector);
	guest_write64(top, region.pdpt | PTE_TABLE);
	GUEST_ASSERT_EQ(PAGE(39), guest_read64(AT(3)));
	GUEST_DONE();
}

TEST_F(mmu_write, recursive_slot)
{
	((u64 *)vm_hva(self->vm, self->vm->root))[SELF_SLOT] = self->vm->root | PTE_P | PTE_W;
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_recursive, 0, 0));
}

/* ---- tables that come and go ---- */

/* An edited table at an address that was never used: no flush is needed. */
GUEST_CODE static void guest_relink(void)
{
	u64 i;

	for (i = 1; i < 60; i++) {
		*entry_of(region.pt, 4) = MAPS(i);
		*entry_of(region.pd, i) = region.pt | PTE_TABLE;
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(REGION + i * 0x200000 + 4 * PAGE_SIZE));
		*entry_of(region.pd, i) = 0;
	}
	/* The same one level up: a subtree. */
	*entry_of(region.pd, 0) = region.pt | PTE_TABLE;
	for (i = 1; i < 60; i++) {
		*entry_of(region.pdpt, i - 1) = 0;
		*entry_of(region.pt, 4) = MAPS(i + 1);
		*entry_of(region.pdpt, i) = region.pd | PTE_TABLE;
		GUEST_ASSERT_EQ(PAGE(i + 1), guest_read64(REGION + (i << 30) + 4 * PAGE_SIZE));
	}
	GUEST_DONE();
}

TEST_F(mmu_write, relink_at_a_new_address)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_relink, 0, 0));
}

GUEST_CODE static void guest_table_to_data(void)
{
	u64 round, i, sum;

	for (round = 0; round < 6; round++) {
		for (i = 0; i < 32; i++)
			*entry_of(region.pt, i) = MAPS(i + round);
		*entry_of(region.pd, 0) = region.pt | PTE_TABLE;
		guest_write_cr3(region.root);
		for (i = 0; i < 32; i++)
			GUEST_ASSERT_EQ(PAGE(i + round), guest_read64(AT(i)));
		*entry_of(region.pd, 0) = 0;
		guest_write_cr3(region.root);
		for (i = 0; i < 512; i++)
			*entry_of(region.pt, i) = i * round;
		for (i = 0, sum = 0; i < 512; i++)
			sum += *entry_of(region.pt, i);
		GUEST_ASSERT_EQ(round * 511 * 256, sum);
		GUEST_ASSERT_EQ(14, guest_try_read64(AT(1), &sum).vector);
	}
	GUEST_DONE();
}

TEST_F(mmu_write, table_to_data_and_back)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_table_to_data, 0, 0));
}

/* A frame that is a table of two levels at once: PD and PT. */
GUEST_CODE static void guest_two_parents(void)
{
	u64 gva_pt = REGION + (1ull << 30), i;	/* pd as a PT: PDPT[1] -> other -> pd */

	for (i = 0; i < 40; i++) {
		*entry_of(region.pt, 2) = MAPS(i);
		*entry_of(region.pd, 0) = region.pt | PTE_TABLE | PTE_A | PTE_D;
		*entry_of(region.pd, 7) = region.pt | PTE_TABLE | PTE_A | PTE_D;
		guest_write_cr3(region.root);
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(AT(2)));
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(AT(2) + 7 * 0x200000));
		/* As a PT the same entry leads to the table itself, and stores edit it. */
		GUEST_ASSERT_EQ(MAPS(i), guest_read64(gva_pt + 16));
		guest_write64(gva_pt + 7 * PAGE_SIZE + 16, MAPS(i + 100));
		guest_invlpg(AT(2));
		GUEST_ASSERT_EQ(PAGE(i + 100), guest_read64(AT(2)));
		guest_invlpg(AT(2) + 7 * 0x200000);
		GUEST_ASSERT_EQ(PAGE(i + 100), guest_read64(AT(2) + 7 * 0x200000));
	}
	GUEST_DONE();
}

TEST_F(mmu_write, one_frame_at_two_levels)
{
	typeof(region) *r = vm_sym(self->vm, region);
	u64 other = vm_alloc_pages(self->vm, 1);

	*(u64 *)vm_hva(self->vm, other) = r->pd | PTE_TABLE;
	((u64 *)vm_hva(self->vm, r->pdpt))[1] = other | PTE_TABLE;
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_two_parents, 0, 0));
}

/* ---- tables in a read-only slot ---- */

GUEST_CODE static void guest_readonly_tables(u64 gva)
{
	u64 i, value;

	for (i = 0; i < 20; i++) {
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(gva + i * PAGE_SIZE));
		guest_write64(gva + i * PAGE_SIZE + 8, i);
		GUEST_ASSERT_EQ(i, guest_read64(PAGE(i) + 8));
	}
	GUEST_ASSERT_EQ(14, guest_try_read64(gva + 300 * PAGE_SIZE, &value).vector);
	GUEST_DONE();
}

/* A and D cannot be set, and the accesses succeed all the same. */
TEST_F(mmu_write, tables_in_a_readonly_slot)
{
	u64 *tables = vm_add_ram(self->vm, READONLY_SLOT, SHVM_MEM_READONLY, READONLY_BASE,
				 2 * PAGE_SIZE), copy[1024], i;

	for (i = 0; i < 100; i++)
		tables[512 + i] = PAGE(i) | PTE_P | PTE_W;
	tables[0] = (READONLY_BASE + PAGE_SIZE) | PTE_P | PTE_W;
	((u64 *)vm_hva(self->vm, vm_sym(self->vm, region)->pdpt))[5] =
		READONLY_BASE | PTE_P | PTE_W;
	memcpy(copy, tables, sizeof(copy));
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_readonly_tables, REGION + (5ull << 30),
				       0));
	EXPECT_EQ(0, memcmp(copy, tables, sizeof(copy)));
}

SHVM_TEST_MAIN
