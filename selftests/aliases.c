// SPDX-License-Identifier: GPL-2.0-only
/*
 * One frame at a million guest addresses. What the guest and the host do to such a frame takes no
 * longer and no more memory than the longest chain of the reverse map allows, and who uses more
 * addresses than that still gets on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "kselftest_harness.h"
#include "shvm_test.h"
#include "sysfile.h"

#define FRAME_SLOT	5
#define FRAME_GPA	0xc0000000ul	/* a slot of one page */
#define TABLES_SLOT	6
#define TABLES_GPA	0xe0000000ul
#define NR_TABLES	2048
#define TABLE_SPAN	(512 * PAGE_SIZE)
#define NR_ALIASES	(NR_TABLES * 512ul)
#define REGION		0x100000000000ul	/* the aliases, one after another */
#define SHARED		(REGION + 0x8000000000ul) /* tables that are used 512 times on each level */
#define AS_TABLE	(REGION + (8ul << 30))	/* what the frame maps when it is a page table */
#define CHAIN_MAX	1024			/* SHVM_CHAIN_MAX of the module */
#define ENTRY		(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
/* Of one fault or call, also if the host does something else in between. */
#define LONGEST_NS	100000000ul
/* Six entries to 64 bytes, and what each vCPU has ready. */
#define MOST_CHAIN_BYTES (CHAIN_MAX / 6 * 64 * 4)

static u64 touches = 8;	/* of each table; with --all, 512 */

FIXTURE(aliases)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 *frame;
	u64 as_table;		/* where the guest has the entry for AS_TABLE */
};

/* ---- the tables ---- */

static u64 *table_at(struct test_vm *vm, u64 gpa)
{
	return vm_hva(vm, gpa);
}

static void link_shared(struct test_vm *vm)
{
	u64 top = vm_alloc_pages(vm, 1), middle = vm_alloc_pages(vm, 1);
	int i;

	for (i = 0; i < 512; i++) {
		table_at(vm, middle)[i] = TABLES_GPA | ENTRY;
		table_at(vm, top)[i] = middle | ENTRY;
	}
	table_at(vm, vm->root)[SHARED >> 39 & 511] = top | ENTRY;
}

/* Returns where the entry for AS_TABLE is. */
static u64 make_tables(struct test_vm *vm)
{
	u64 top = vm_alloc_pages(vm, 1), middle = 0, *entry;
	u64 i;

	entry = vm_hva(vm, TABLES_GPA);
	for (i = 0; i < NR_ALIASES; i++)
		entry[i] = FRAME_GPA | ENTRY;
	table_at(vm, vm->root)[REGION >> 39 & 511] = top | ENTRY;
	for (i = 0; i < NR_TABLES; i++) {
		if (i % 512 == 0) {
			middle = vm_alloc_pages(vm, 1);
			table_at(vm, top)[i / 512] = middle | ENTRY;
		}
		table_at(vm, middle)[i % 512] = (TABLES_GPA + i * PAGE_SIZE) | ENTRY;
	}
	middle = vm_alloc_pages(vm, 1);
	table_at(vm, top)[8] = middle | ENTRY;
	link_shared(vm);
	return middle;
}

FIXTURE_SETUP(aliases)
{
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	self->frame = vm_add_ram(self->vm, FRAME_SLOT, 0, FRAME_GPA, PAGE_SIZE);
	vm_add_ram(self->vm, TABLES_SLOT, 0, TABLES_GPA, NR_TABLES * PAGE_SIZE);
	self->as_table = make_tables(self->vm);
}

FIXTURE_TEARDOWN(aliases)
{
	vm_free(self->vm);
}

/* ---- time ---- */

static u64 nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static u64 show(const char *what, int mappings, u64 began)
{
	u64 ns = nanoseconds() - began;

	fprintf(stderr, "# %s, %d mappings: %lu us\n", what, mappings, (long)ns / 1000);
	return ns;
}

/* ---- the guest ---- */

/* Stores that add one to the frame's first word, at nr addresses step apart, again and again. */
static GUEST_DATA struct job {
	u64 first, nr, step, rounds;
	volatile u64 longest;		/* store, in ticks of the TSC */
} jobs[2] = { };

GUEST_INLINE u64 guest_rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

GUEST_CODE static void guest_does_job(u64 n)
{
	struct job *job = &jobs[n];
	u64 i, j, t;

	asm volatile("sti");
	for (j = 0; j < job->rounds; j++) {
		for (i = 0; i < job->nr; i++) {
			t = guest_rdtsc();
			asm volatile("lock incq (%0)"
				     : : "r"(job->first + i * job->step) : "memory");
			t = guest_rdtsc() - t;
			if (t > job->longest)
				job->longest = t;
		}
	}
	GUEST_DONE();
}

GUEST_CODE static void guest_reads(u64 nr)
{
	u64 i;

	for (i = 0; i < nr; i++)
		guest_read64(REGION + i * PAGE_SIZE);
	GUEST_DONE();
}

static struct job *set_job(struct test_vcpu *vcpu, u64 first, u64 nr, u64 step, u64 rounds)
{
	struct job *job = &(*vm_sym(vcpu->vm, jobs))[vcpu->id];

	*job = (struct job){ .first = first, .nr = nr, .step = step, .rounds = rounds };
	vcpu_set_entry(vcpu, guest_does_job, vcpu->id, 0);
	return job;
}

static void touch(struct test_vcpu *vcpu, u64 first, u64 nr, u64 step)
{
	set_job(vcpu, first, nr, step, 1);
	if (vcpu_run(vcpu) != EXIT_DONE)
		test_die("the guest failed");
}

/* What the module has for it is bounded, however many addresses the guest uses. */
static bool memory_is_bounded(struct test_vm *vm)
{
	struct shvm_stats stats = vm_stats(vm);

	fprintf(stderr, "# memory: %lu shadow pages of %lu, %lu bytes of chains, %lu mappings\n",
		(long)stats.shadow_pages_max, (long)stats.shadow_budget, (long)stats.chain_bytes,
		(long)stats.rmap_entries);
	return stats.shadow_pages_max <= stats.shadow_budget &&
	       stats.chain_bytes <= MOST_CHAIN_BYTES;
}

/* ---- the guest uses them ---- */

TEST_F_TIMEOUT(aliases, a_million, 600)
{
	u64 step = 512 / touches * PAGE_SIZE, nr = NR_ALIASES * PAGE_SIZE / step, began;
	struct job *job = set_job(self->vcpu, REGION, nr, step, 1);

	began = nanoseconds();
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	show("all stores", nr, began);
	fprintf(stderr, "# longest store: %lu ticks\n", (long)job->longest);
	EXPECT_EQ(nr, *self->frame);
	if (test_is_shvm())
		EXPECT_TRUE(memory_is_bounded(self->vm));
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* 512 ways to each of 512 ways to a table: shadow pages with too many parents. */
TEST_F_TIMEOUT(aliases, shared_tables, 120)
{
	const u64 step = TABLE_SPAN + PAGE_SIZE, nr = 4096;

	touch(self->vcpu, SHARED, nr, step);
	EXPECT_EQ(nr, *self->frame);
	touch(self->vcpu, SHARED, nr, 61 * step);
	EXPECT_EQ(2 * nr, *self->frame);
	if (test_is_shvm())
		EXPECT_TRUE(memory_is_bounded(self->vm));
	EXPECT_EQ(0, vm_audit(self->vm));
}

/* One address more than there can be mappings, in turn, and by two vCPUs that undo each other's. */
TEST_F_TIMEOUT(aliases, more_than_fit_in_turn, 120)
{
	struct test_vcpu *other = vcpu_create(self->vm, 1, NULL);
	const u64 nr = CHAIN_MAX + 1, rounds = 4;

	set_job(self->vcpu, REGION, nr, PAGE_SIZE, rounds);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(nr * rounds, *self->frame);
	set_job(self->vcpu, REGION, nr, PAGE_SIZE, rounds);
	set_job(other, REGION + 4 * TABLE_SPAN, nr, PAGE_SIZE, rounds);
	vcpu_start(self->vcpu);
	vcpu_start(other);
	EXPECT_EQ(EXIT_DONE, vcpu_join(self->vcpu));
	EXPECT_EQ(EXIT_DONE, vcpu_join(other));
	EXPECT_EQ(3 * nr * rounds, *self->frame);
	EXPECT_EQ(0, vm_audit(self->vm));
}

static void guest_stores(struct test_vcpu *vcpu, u64 at, u64 value)
{
	if (vcpu_call(vcpu, guest_write, at, value) != EXIT_SYNC)
		test_die("the guest failed");
}

/* ---- what is done to the frame, mapped once and as often as it can be ---- */

static const int counts[] = { 1, CHAIN_MAX };

/* It maps itself by its second entry, so the store that needs this is one to a page table. */
TEST_F(aliases, becomes_a_page_table)
{
	struct job *job;
	u64 adds = 0;
	int i;

	guest_stores(self->vcpu, REGION + 8, FRAME_GPA | ENTRY);
	for (i = 0; i < ARRAY_LEN(counts); i++) {
		touch(self->vcpu, REGION, counts[i], PAGE_SIZE);
		guest_stores(self->vcpu, self->as_table, FRAME_GPA | ENTRY);
		job = set_job(self->vcpu, AS_TABLE + PAGE_SIZE, 1, 0, 1);
		EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
		fprintf(stderr, "# becomes a page table, %d mappings: %lu ticks\n", counts[i],
			(long)job->longest);
		touch(self->vcpu, REGION + PAGE_SIZE, counts[i], PAGE_SIZE);
		EXPECT_EQ(0, vm_audit(self->vm));
		guest_stores(self->vcpu, self->as_table, 0);
		adds += 2 * counts[i] + 1;
		EXPECT_EQ(adds, *self->frame);
	}
}

/* A page that was used since the last time is spared, and is old then. */
TEST_F(aliases, ageing)
{
	u64 began, ages;
	int i;

	if (!sysfile_have_swap())
		SKIP(return, "there is no swap");
	if (!pageout_spares_used())
		SKIP(return, "this kernel pages out whatever was used");
	for (i = 0; i < ARRAY_LEN(counts); i++) {
		touch(self->vcpu, REGION, counts[i], PAGE_SIZE);
		ages = vm_stats(self->vm).notifier_ages;
		began = nanoseconds();
		ASSERT_EQ(0, madvise(self->frame, PAGE_SIZE, MADV_PAGEOUT));
		EXPECT_GT(LONGEST_NS, show("MADV_PAGEOUT, young", counts[i], began));
		if (test_is_shvm())
			EXPECT_LT(ages, vm_stats(self->vm).notifier_ages);
		began = nanoseconds();
		ASSERT_EQ(0, madvise(self->frame, PAGE_SIZE, MADV_PAGEOUT));
		EXPECT_GT(LONGEST_NS, show("MADV_PAGEOUT, old", counts[i], began));
	}
}

/* Until the other end of the pipe is closed; then its copy must be as it was. */
static int hold_copy(const int *ends, const u64 *frame)
{
	u64 value = *frame;
	char byte;

	close(ends[1]);
	return read(ends[0], &byte, 1) || *(volatile const u64 *)frame != value;
}

/* The fork makes the page read-only; the guest reads it everywhere; the VMM's store copies it. */
TEST_F(aliases, copy_on_write)
{
	int i, ends[2], status;
	u64 began, value;
	pid_t pid;

	for (i = 0; i < ARRAY_LEN(counts); i++) {
		ASSERT_EQ(0, pipe(ends));
		pid = fork();
		if (!pid)
			_exit(hold_copy(ends, self->frame));
		vcpu_set_entry(self->vcpu, guest_reads, counts[i], 0);
		ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
		value = *self->frame;
		began = nanoseconds();
		*(volatile u64 *)self->frame = value + 1;
		EXPECT_GT(LONGEST_NS, show("copy by a store of the VMM", counts[i], began));
		touch(self->vcpu, REGION, counts[i], PAGE_SIZE);
		EXPECT_EQ(value + 1 + counts[i], *self->frame);
		close(ends[0]);
		close(ends[1]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_F(aliases, slot_deletion)
{
	u64 began;
	int i;

	for (i = 0; i < ARRAY_LEN(counts); i++) {
		touch(self->vcpu, REGION, counts[i], PAGE_SIZE);
		began = nanoseconds();
		vm_del_slot(self->vm, FRAME_SLOT);
		EXPECT_GT(LONGEST_NS, show("slot deletion", counts[i], began));
		EXPECT_EQ(0, vm_audit(self->vm));
		ASSERT_EQ(0, __vm_set_slot(self->vm, FRAME_SLOT, 0, FRAME_GPA, PAGE_SIZE,
					   self->frame));
	}
}

static void own_options(int *argc, char **argv)
{
	int i;

	for (i = 1; i < *argc; i++) {
		if (!strcmp(argv[i], "--help"))
			puts("  --all        touch each of the million addresses, not one in 64");
		if (strcmp(argv[i], "--all"))
			continue;
		touches = 512;
		memmove(&argv[i], &argv[i + 1], (*argc - i) * sizeof(*argv));
		--*argc;
		break;
	}
}

SHVM_TEST_MAIN_WITH(own_options)
