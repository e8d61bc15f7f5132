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

enum own_store { OWN_MOV, OWN_MOVUPS, OWN_MMX };

/* An address behind the table itself: giving the table up does not help for long. */
GUEST_CODE static void guest_own_table(u64 store)
{
	*entry_of(region.pt, 9) = region.pt | PTE_P | PTE_W;
	prepare(0x45);
	if (store == OWN_MOVUPS)
		asm volatile("movq %0, %%xmm0; movups %%xmm0, (%1)"
			     : : "r"(MAPS(5)), "r"(AT(9) + 64) : "memory");
	else if (store == OWN_MMX)
		asm volatile("movq %0, %%mm0; movq %%mm0, (%1); emms"
			     : : "r"(MAPS(5)), "r"(AT(9) + 64) : "memory");
	else
		guest_write64(AT(9) + 64, MAPS(5));
	EXPECT_PAGE(5);
	GUEST_DONE();
}

TEST_F(mmu_write, store_through_the_table_itself)
{
	int exit;

	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_own_table, OWN_MOV, 0));
	if (test_is_shvm())
		EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_own_table, OWN_MOVUPS, 0));
	exit = vcpu_call(self->vcpu, guest_own_table, OWN_MMX, 0);
	EXPECT_TRUE(exit == EXIT_DONE || exit == SHVM_EXIT_INTERNAL_ERROR) TH_LOG("%#x", exit);
}

/* ---- stores of XMM registers, on tables of every level ---- */

#define NR_TREES	5

/* Tables to choose from for an entry of each level: through tree n, PAGE(n) is seen. */
static GUEST_DATA struct {
	u64 entry[3][NR_TREES];
} trees;

enum trees_level { LEVEL_PT, LEVEL_PD, LEVEL_TOP };

static void trees_make(struct test_vm *vm)
{
	typeof(trees) *t = vm_sym(vm, trees);
	u64 n, pt, pd, pdpt;

	for (n = 0; n < NR_TREES; n++) {
		pt = vm_alloc_pages(vm, 1);
		pd = vm_alloc_pages(vm, 1);
		pdpt = vm_alloc_pages(vm, 1);
		t->entry[LEVEL_PT][n] = MAPS(n);
		t->entry[LEVEL_PD][n] = pt | PTE_TABLE | PTE_A;
		t->entry[LEVEL_TOP][n] = pdpt | PTE_TABLE | PTE_A;
		*(u64 *)vm_hva(vm, pt) = MAPS(n);
		*(u64 *)vm_hva(vm, pd) = pt | PTE_TABLE | PTE_A;
		*(u64 *)vm_hva(vm, pdpt) = pd | PTE_TABLE | PTE_A;
	}
}

/* With lo and hi in the register, store it at "at". */
typedef void (*xmm_store_fn)(u64 at, u64 lo, u64 hi);

#define XMM_STORE(name, reg, insn)					\
	static GUEST_CODE void name(u64 at, u64 lo, u64 hi)		\
	{								\
		asm volatile("movq %1, %%" reg "; movq %2, %%xmm1; punpcklqdq %%xmm1, %%" reg ";" \
			     insn " %%" reg ", (%0)" : : "r"(at), "r"(lo), "r"(hi) : "memory"); \
	}

XMM_STORE(store_movups, "xmm0", "movups");
XMM_STORE(store_movupd, "xmm8", "movupd");
XMM_STORE(store_movdqu, "xmm15", "movdqu");
XMM_STORE(store_movaps, "xmm2", "movaps");
XMM_STORE(store_movapd, "xmm9", "movapd");
XMM_STORE(store_movdqa, "xmm7", "movdqa");
XMM_STORE(store_movntps, "xmm3", "movntps");
XMM_STORE(store_movntpd, "xmm10", "movntpd");
XMM_STORE(store_movntdq, "xmm4", "movntdq");
XMM_STORE(store_movsd, "xmm5", "movsd");
XMM_STORE(store_movlps, "xmm6", "movlps");
XMM_STORE(store_movlpd, "xmm11", "movlpd");
XMM_STORE(store_movhps, "xmm12", "movhps");
XMM_STORE(store_movhpd, "xmm0", "movhpd");
XMM_STORE(store_movq, "xmm13", "movq");
XMM_STORE(store_movss, "xmm2", "movss");
XMM_STORE(store_movd, "xmm3", "movd");

/* The form with REX.W, which assemblers do not choose. */
GUEST_CODE static void store_movq_w(u64 at, u64 lo, u64 hi)
{
	asm volatile("movq %1, %%xmm14; .byte 0x66, 0x4c, 0x0f, 0x7e, 0x37"
		     : : "D"(at), "r"(lo), "r"(hi) : "memory");
}

GUEST_CODE static void store_movnti(u64 at, u64 lo, u64 hi)
{
	asm volatile("movnti %1, (%0)" : : "r"(at), "r"(lo), "r"(hi) : "memory");
}

#define XMM_ALIGNED	1	/* faults elsewhere */
#define XMM_HIGH	2	/* the upper half */

static GUEST_DATA struct xmm_form {
	xmm_store_fn store;
	u64 bytes, what;
} xmm_forms[] = {
	{ store_movups, 16, 0 },
	{ store_movupd, 16, 0 },
	{ store_movdqu, 16, 0 },
	{ store_movaps, 16, XMM_ALIGNED },
	{ store_movapd, 16, XMM_ALIGNED },
	{ store_movdqa, 16, XMM_ALIGNED },
	{ store_movntps, 16, XMM_ALIGNED },
	{ store_movntpd, 16, XMM_ALIGNED },
	{ store_movntdq, 16, XMM_ALIGNED },
	{ store_movsd, 8, 0 },
	{ store_movlps, 8, 0 },
	{ store_movlpd, 8, 0 },
	{ store_movhps, 8, XMM_HIGH },
	{ store_movhpd, 8, XMM_HIGH },
	{ store_movq, 8, 0 },
	{ store_movq_w, 8, 0 },
	{ store_movss, 4, 0 },
	{ store_movd, 4, 0 },
	{ store_movnti, 8, 0 },
};

#define NR_XMM_FORMS	(sizeof(xmm_forms) / sizeof(xmm_forms[0]))

/* Neighbouring entries of a table, and the addresses that they are for. */
struct xmm_place {
	u64 level, table, index, gva, span;
};

GUEST_INLINE void xmm_set(const struct xmm_place *p, u64 i, u64 tree)
{
	*entry_of(p->table, p->index + i) = trees.entry[p->level][tree];
}

GUEST_INLINE void xmm_expect(const struct xmm_place *p, u64 i, u64 tree)
{
	u64 gva = p->gva + (p->index + i) * p->span;

	GUEST_ASSERT_EQ(trees.entry[p->level][tree], *entry_of(p->table, p->index + i));
	guest_invlpg(gva);
	GUEST_ASSERT_EQ(PAGE(tree), guest_read64(gva));
}

/* One store of this form at entry "first", of entries that are all in use. */
GUEST_CODE static void xmm_try(const struct xmm_place *p, const struct xmm_form *f, u64 first)
{
	u64 i;

	for (i = 0; i < 3; i++) {
		xmm_set(p, i, i);
		xmm_expect(p, i, i);
	}
	f->store((u64)entry_of(p->table, p->index + first), trees.entry[p->level][3],
		 trees.entry[p->level][4]);
	for (i = 0; i < 3; i++) {
		if (i == first)
			xmm_expect(p, i, f->what == XMM_HIGH ? 4 : 3);
		else
			xmm_expect(p, i, i == first + 1 && f->bytes == 16 ? 4 : i);
	}
}

/* 16 bytes from the middle of an entry on: all of the next one, and half of the one behind. */
GUEST_INLINE void xmm_try_straddle(const struct xmm_place *p)
{
	u64 one = trees.entry[p->level][3], two = trees.entry[p->level][4], i;

	for (i = 0; i < 3; i++) {
		xmm_set(p, i, i);
		xmm_expect(p, i, i);
	}
	store_movups((u64)entry_of(p->table, p->index) + 4, one << 32, one >> 32 | two << 32);
	xmm_expect(p, 0, 0);
	xmm_expect(p, 1, 3);
	xmm_expect(p, 2, 4);
}

GUEST_CODE static void xmm_try_all(u64 level, u64 table, u64 index, u64 gva, u64 span)
{
	struct xmm_place p = { level, table, index, gva, span };
	u64 i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < NR_XMM_FORMS; i++) {
			xmm_try(&p, &xmm_forms[i], 0);
			if (xmm_forms[i].what != XMM_ALIGNED)
				xmm_try(&p, &xmm_forms[i], 1);
		}
		xmm_try_straddle(&p);
	}
	GUEST_SYNC(level);
}

GUEST_CODE static void guest_xmm_stores(void)
{
	xmm_try_all(LEVEL_PT, region.pt, 8, REGION, PAGE_SIZE);
	xmm_try_all(LEVEL_PD, region.pd, 8, REGION, 1ull << 21);
	xmm_try_all(LEVEL_TOP, region.root, REGION_SLOT + 8, 0, 1ull << 39);
	GUEST_DONE();
}

/* The top level is always in use: a store to it that is not emulated cannot be made. */
TEST_F(mmu_write, xmm_stores_on_every_level)
{
	u64 level;

	if (!test_is_shvm())
		SKIP(return, "KVM does not emulate all of them");
	trees_make(self->vm);
	vcpu_set_entry(self->vcpu, guest_xmm_stores, 0, 0);
	for (level = LEVEL_PT; level <= LEVEL_TOP; level++) {
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu)) TH_LOG("level %lu", level);
		EXPECT_EQ(level, self->vcpu->uc[0]);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

/* 16 bytes over the edge between two tables, and between a table and RAM. */
GUEST_CODE static void guest_xmm_edges(u64 next)
{
	u64 i;

	for (i = 0; i < 10; i++) {
		*entry_of(region.pd, 511) = trees.entry[LEVEL_PD][0];
		*entry_of(region.pt, 0) = MAPS(1);
		*entry_of(region.pt, 511) = MAPS(2);
		guest_write_cr3(region.root);
		GUEST_ASSERT_EQ(PAGE(0), guest_read64(REGION + (511ull << 21)));
		GUEST_ASSERT_EQ(PAGE(1), guest_read64(AT(0)));
		GUEST_ASSERT_EQ(PAGE(2), guest_read64(AT(511)));
		store_movups(region.pt - 8, trees.entry[LEVEL_PD][3], MAPS(i));
		store_movups(next - 8, MAPS(i + 10), i);
		guest_write_cr3(region.root);
		GUEST_ASSERT_EQ(PAGE(3), guest_read64(REGION + (511ull << 21)));
		GUEST_ASSERT_EQ(PAGE(i), guest_read64(AT(0)));
		GUEST_ASSERT_EQ(PAGE(i + 10), guest_read64(AT(511)));
		GUEST_ASSERT_EQ(i, guest_read64(next));
	}
	GUEST_DONE();
}

TEST_F(mmu_write, xmm_stores_over_an_edge)
{
	u64 next = vm_alloc_pages(self->vm, 1);

	ASSERT_EQ(vm_sym(self->vm, region)->pt + PAGE_SIZE, next);
	ASSERT_EQ(vm_sym(self->vm, region)->pd + PAGE_SIZE, vm_sym(self->vm, region)->pt);
	trees_make(self->vm);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_xmm_edges, next, 0));
}

#define XMM_VECTOR(insn, at)						\
	(GUEST_TRY(insn " %%xmm0, (%[p])", /* none */, [p] "r"(at)).vector)

/* A store that faults on its way: the exception, and the old entry. */
GUEST_CODE static void guest_xmm_faults(void)
{
	volatile u64 *pte = prepare(5);
	u64 i;

	asm volatile("movq %0, %%xmm0" : : "r"(MAPS(6)));
	for (i = 0; i < 5; i++) {
		guest_write_cr0(guest_read_cr0() | CR0_TS);
		GUEST_ASSERT_EQ(7, XMM_VECTOR("movups", pte));
		GUEST_ASSERT_EQ(7, XMM_VECTOR("movaps", pte + 1));
		asm volatile("movnti %1, (%0)" : : "r"(pte), "r"(MAPS(5)) : "memory");
		asm volatile("clts");
		GUEST_ASSERT_EQ(13, XMM_VECTOR("movaps", pte + 1));
		GUEST_ASSERT_EQ(13, XMM_VECTOR("movntdq", pte + 1));
		GUEST_ASSERT_EQ(MAPS(5), *pte);
		GUEST_ASSERT_EQ(0, pte[1]);
		EXPECT_PAGE(5);
	}
	asm volatile("movups %%xmm0, (%0)" : : "r"(pte) : "memory");
	EXPECT_PAGE(6);
	GUEST_DONE();
}

TEST_F(mmu_write, xmm_stores_that_fault)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_xmm_faults, 0, 0));
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
