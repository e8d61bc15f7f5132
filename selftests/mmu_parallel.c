// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of page faults by each vCPU of a VM at the same time, in address spaces of their own with
 * a kernel's half that all share. What one of them does must not make another one wait or come
 * back: counted by SHVM_GET_STATS, so it holds on any computer. Times: bench/host.
 */
#include "kselftest_harness.h"
#include "region.h"

#define MAX_VCPUS	4
#define STORM_SLOT	2
#define STORM_BASE	0x10000000ul
#define NR_PTS		8	/* page tables that map 512 pages each */
#define NR_NEW		64	/* that map one page each */
#define NR_DATA		256	/* pages of data; all tables map them, in turn */
#define FILLS		255	/* entries of a table that are there from the beginning */
#define RETRIES		20	/* at most one fault in so many may have to come back */

/* Frames of one vCPU. */
enum { PDPT, PD, PTS, NEW = PTS + NR_PTS, DATA = NEW + NR_NEW, NR_FRAMES = DATA + NR_DATA };

static GUEST_DATA struct {
	u64 root, pts;
} storm[MAX_VCPUS];
static GUEST_DATA u64 nr_vcpus;
static GUEST_DATA volatile u64 arrived;

FIXTURE(mmu_parallel)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu[MAX_VCPUS];
};

FIXTURE_VARIANT(mmu_parallel)
{
	int nr;
};

FIXTURE_VARIANT_ADD(mmu_parallel, one)
{
	.nr = 1,
};

FIXTURE_VARIANT_ADD(mmu_parallel, two)
{
	.nr = 2,
};

FIXTURE_VARIANT_ADD(mmu_parallel, four)
{
	.nr = 4,
};

static u64 frame(int id, u64 n)
{
	return STORM_BASE + (id * NR_FRAMES + n) * PAGE_SIZE;
}

static void put(struct test_vm *vm, u64 table, u64 index, u64 entry)
{
	((u64 *)vm_hva(vm, table))[index] = entry;
}

static void make_tables(struct test_vm *vm, int id)
{
	u64 root = guest_clone_root(vm, vm->root), i, n;

	put(vm, root, REGION_SLOT, frame(id, PDPT) | PTE_TABLE);
	put(vm, frame(id, PDPT), 0, frame(id, PD) | PTE_TABLE);
	for (i = 0; i < NR_PTS + NR_NEW; i++)
		put(vm, frame(id, PD), i, frame(id, PTS + i) | PTE_TABLE);
	for (i = 0; i < NR_PTS; i++)
		for (n = 0; n <= FILLS; n++)
			put(vm, frame(id, PTS + i), n,
			    frame(id, DATA + n % NR_DATA) | PTE_P | PTE_W);
	for (i = 0; i < NR_NEW; i++)
		put(vm, frame(id, NEW + i), 0, frame(id, DATA + i) | PTE_P | PTE_W);
	vm_sym(vm, storm)[0][id].root = root;
	vm_sym(vm, storm)[0][id].pts = frame(id, PTS);
}

FIXTURE_SETUP(mmu_parallel)
{
	int i;

	if (!test_is_shvm())
		SKIP(return, "needs the counters of SHVM_GET_STATS");
	self->vm = vm_create();
	vm_add_ram(self->vm, STORM_SLOT, 0, STORM_BASE, variant->nr * NR_FRAMES * PAGE_SIZE);
	/* The host would take pages away to make a large one: faults wait for that, and flush. */
	ASSERT_EQ(0, madvise(vm_hva(self->vm, STORM_BASE), variant->nr * NR_FRAMES * PAGE_SIZE,
			     MADV_NOHUGEPAGE));
	guest_map_range(self->vm, STORM_BASE, STORM_BASE, variant->nr * NR_FRAMES * PAGE_SIZE,
			PTE_P | PTE_W);
	/* So that none is taken back for another one. */
	vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 1000);
	*vm_sym(self->vm, nr_vcpus) = variant->nr;
	for (i = 0; i < variant->nr; i++) {
		make_tables(self->vm, i);
		self->vcpu[i] = vcpu_create(self->vm, i, NULL);
	}
}

FIXTURE_TEARDOWN(mmu_parallel)
{
	if (self->vm)
		vm_free(self->vm);
}

/* ---- storms; with interrupts on: the emulated CPU would let the host have none ---- */

/*
 * Returns when all are here. A thread of the host that begins or ends changes the VMM's address
 * space, for which faults have to come back: none does so between the first and the last of these.
 */
GUEST_INLINE void meet(void)
{
	u64 until = (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) + nr_vcpus - 1) / nr_vcpus;

	while (arrived < until * nr_vcpus)
		asm volatile("pause");
}

GUEST_INLINE u64 page_at(u64 table, u64 n)
{
	return REGION + (table * 512 + n) * PAGE_SIZE;
}

GUEST_INLINE u64 pte_of(u64 me, u64 table, u64 n)
{
	return storm[me].pts + table * PAGE_SIZE + n * 8;
}

/* Every page table gets its shadow, and so does the mapping by which it is written. */
GUEST_CODE static void guest_warm_up(u64 me)
{
	u64 i;

	guest_write_cr3(storm[me].root);
	for (i = 0; i < NR_PTS; i++) {
		guest_write64(page_at(i, 0), me);
		guest_read64(pte_of(me, i, 0));
	}
	GUEST_DONE();
}

/* Entries that the guest has, and has not used yet. */
GUEST_CODE static void guest_fill(u64 me)
{
	u64 i, n;

	guest_write_cr3(storm[me].root);
	asm volatile("sti");
	meet();
	for (i = 0; i < NR_PTS; i++)
		for (n = 1; n <= FILLS; n++)
			guest_write64(page_at(i, n), i + n + me);
	meet();
	asm volatile("cli");
	GUEST_DONE();
}

/* The guest's kernel makes each entry, then the page is used. */
GUEST_CODE static void guest_store(u64 me)
{
	u64 i, n, data;

	guest_write_cr3(storm[me].root);
	asm volatile("sti");
	meet();
	for (i = 0; i < NR_PTS; i++)
		for (n = FILLS + 1; n < 512; n++) {
			data = storm[me].pts + (DATA - PTS + n % NR_DATA) * PAGE_SIZE;
			guest_write64(pte_of(me, i, n), data | PTE_P | PTE_W | PTE_A | PTE_D);
			guest_write64(page_at(i, n), i + n + me);
			GUEST_ASSERT_EQ(i + n + me, guest_read64(data));
		}
	meet();
	asm volatile("cli");
	GUEST_DONE();
}

/* Tables without a shadow. */
GUEST_CODE static void guest_new_tables(u64 me)
{
	u64 i;

	guest_write_cr3(storm[me].root);
	asm volatile("sti");
	meet();
	for (i = 0; i < NR_NEW; i++)
		guest_write64(page_at(NR_PTS + i, 0), i + me);
	meet();
	asm volatile("cli");
	GUEST_DONE();
}

static struct shvm_stats run_all(struct __test_metadata *_metadata, struct test_vm *vm,
				 struct test_vcpu **vcpu, int nr, void (*fn)(u64 me))
{
	int i;

	for (i = 0; i < nr; i++)
		vcpu_set_entry(vcpu[i], fn, i, 0);
	for (i = 0; i < nr; i++) {
		vcpu_start(vcpu[i]);
		test_pin(vcpu[i]->thread, i);
	}
	for (i = 0; i < nr; i++)
		EXPECT_EQ(EXIT_DONE, vcpu_join(vcpu[i])) TH_LOG("vCPU %d", i);
	return vm_stats(vm);
}

static u64 faults_of(const struct shvm_stats *s)
{
	return s->pf_fixed + s->pf_reflected + s->pf_emulated + s->pf_retried + s->pf_to_user;
}

/* least: faults of each vCPU that there must be, or it was no storm. */
static void check_storm(struct __test_metadata *_metadata, const char *name, int nr, u64 least,
			const struct shvm_stats *from, const struct shvm_stats *to)
{
	u64 faults = faults_of(to) - faults_of(from);
	u64 retried = to->pf_retried - from->pf_retried;
	u64 flushes = to->tlb_flush_requests - from->tlb_flush_requests;

	printf("# %s, %d vCPUs: %llu faults, per 1000: %llu exits, %llu re-walks, ", name, nr,
	       (unsigned long long)faults, (to->exits - from->exits) * 1000 / faults,
	       (unsigned long long)retried * 1000 / faults);
	printf("%llu flush rounds, %llu IPIs\n", (unsigned long long)flushes * 1000 / faults,
	       (to->ipis - from->ipis) * 1000 / faults);
	EXPECT_LE(nr * least, faults);
	EXPECT_LE(retried * RETRIES, faults);
	/* One for what was taken away before, if a vCPU comes to need that it is flushed. */
	EXPECT_LE(flushes, (u64)nr);
	EXPECT_LE(to->ipis - from->ipis, (u64)nr);
}

TEST_F(mmu_parallel, storm)
{
	static const struct {
		const char *name;
		void (*fn)(u64 me);
		u64 least;
	} storms[] = {
		{ "fills", guest_fill, NR_PTS * FILLS },
		{ "stores to page tables", guest_store, NR_PTS * (511 - FILLS) },
		{ "new tables", guest_new_tables, NR_NEW },
	};
	struct shvm_stats from, to;
	unsigned int i;

	from = run_all(_metadata, self->vm, self->vcpu, variant->nr, guest_warm_up);
	for (i = 0; i < ARRAY_LEN(storms); i++) {
		to = run_all(_metadata, self->vm, self->vcpu, variant->nr, storms[i].fn);
		check_storm(_metadata, storms[i].name, variant->nr, storms[i].least, &from, &to);
		from = to;
	}
}

SHVM_TEST_MAIN
