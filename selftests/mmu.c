// SPDX-License-Identifier: GPL-2.0-only
/*
 * Permissions: every combination of rights in the guest's tables, kind of access, privilege and
 * control bits, against a model of SDM 4.6 and 4.7 that runs in the guest beside the accesses.
 * What is compared: fault or none, the whole error code, CR2, and the tables bit by bit.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "region.h"

#define EFER_MSR	0xc0000080

/* Kinds of access. */
enum { READ, WRITE, FETCH, NR_KINDS };

/* Modes: what is not in the tables. */
#define MODE_WP		(1u << 0)
#define MODE_NO_NXE	(1u << 1)
#define MODE_SMEP	(1u << 2)
#define MODE_SMAP	(1u << 3)
#define MODE_AC		(1u << 4)
#define MODE_PGE	(1u << 5)
#define MODE_AD		(1u << 6)	/* entries start with A and D set */

#define NR_LEVELS	4

#define MAX_REPORTS	8

/* What guest code reports of a surprise. */
enum { SURPRISE_FAULT = 1, SURPRISE_CR2, SURPRISE_ENTRY };

static GUEST_USER_DATA struct {
	u64 gva, kind;
	u64 vector, error, cr2;
} user_access;

static GUEST_DATA u64 user_stack_top;
static GUEST_DATA u64 maxphyaddr;

/* ---- one access, from ring 0 or ring 3 ---- */

GUEST_INLINE struct guest_fault access_do(u64 gva, u64 kind)
{
	u64 value;

	if (kind == READ)
		return guest_try_read64(gva + 8, &value);
	if (kind == WRITE)
		return guest_try_write64(gva + 8, gva);
	return guest_try_call(gva);
}

GUEST_USER_CODE static void user_access_do(u64 arg)
{
	struct guest_fault fault = access_do(user_access.gva, user_access.kind);

	(void)arg;
	user_access.vector = fault.vector;
	user_access.error = fault.error;
	user_access.cr2 = fault.cr2;
}

GUEST_INLINE void flags_flip(u64 flags)
{
	asm volatile("pushfq; xor %0, (%%rsp); popfq" : : "r"(flags) : "memory", "cc");
}

GUEST_CODE static struct guest_fault access_from(u64 gva, u64 kind, u32 user, u32 mode)
{
	struct guest_fault fault;
	u64 ac = mode & MODE_AC ? 1ull << 18 : 0;

	if (user) {
		user_access.gva = gva;
		user_access.kind = kind;
		guest_call_user(user_access_do, 0, user_stack_top);
		fault.vector = user_access.vector;
		fault.error = user_access.error;
		fault.cr2 = user_access.cr2;
		return fault;
	}
	flags_flip(ac);
	fault = access_do(gva, kind);
	flags_flip(ac);
	return fault;
}

/* ---- the model ---- */

#define NO_FAULT	(1ull << 32)	/* instead of an error code */

GUEST_CODE static u64 reserved_bits(u64 entry, int level, u32 mode)
{
	u64 rsvd = maxphyaddr < 52 ? PTE_ADDR & ~((1ull << maxphyaddr) - 1) : 0;

	if (mode & MODE_NO_NXE)
		rsvd |= PTE_NX;
	if (level == 2 && (entry & PTE_PS))
		rsvd |= 0x1fe000;
	if (level == 4)
		rsvd |= PTE_PS;
	return rsvd;
}

/* The error code that SDM 4.7 gives, or NO_FAULT; entries from the top level down. */
GUEST_CODE static u64 model_walk(const u64 *entries, u64 kind, u32 user, u32 mode)
{
	u64 why = kind == WRITE ? PF_W : 0, all = PTE_W | PTE_U, nx = 0;
	int level;

	if (user)
		why |= PF_U;
	if (kind == FETCH && (!(mode & MODE_NO_NXE) || (mode & MODE_SMEP)))
		why |= PF_I;
	for (level = NR_LEVELS; ; level--) {
		u64 entry = entries[NR_LEVELS - level];

		if (!(entry & PTE_P))
			return why;
		if (entry & reserved_bits(entry, level, mode))
			return why | PF_P | PF_RSVD;
		all &= entry;
		nx |= entry & PTE_NX;
		if (level == 1 || (entry & PTE_PS))
			break;
	}
	why |= PF_P;
	if (user && !(all & PTE_U))
		return why;
	if (!user && (all & PTE_U)) {
		if (kind == FETCH && (mode & MODE_SMEP))
			return why;
		if (kind != FETCH && (mode & MODE_SMAP) && !(mode & MODE_AC))
			return why;
	}
	if (kind == FETCH)
		return nx ? why : NO_FAULT;
	if (kind == WRITE && !(all & PTE_W) && (user || (mode & MODE_WP)))
		return why;
	return NO_FAULT;
}

/* Compares one access with the model. id names the case in reports. */
GUEST_CODE static u32 access_check(u64 id, u64 gva, const u64 *entries, u64 kind, u32 user,
				   u32 mode)
{
	struct guest_fault fault = access_from(gva, kind, user, mode);
	u64 want = model_walk(entries, kind, user, mode), got = NO_FAULT;

	if (fault.vector != NO_EXCEPTION)
		got = fault.vector == 14 ? fault.error : fault.vector << 40;
	id |= kind << 40 | (u64)user << 44 | (u64)mode << 48;
	if (got != want)
		guest_ucall(UCALL_SYNC, id | (u64)SURPRISE_FAULT << 56, want, got);
	else if (got != NO_FAULT && fault.cr2 != gva + (kind == FETCH ? 0 : 8))
		guest_ucall(UCALL_SYNC, id | (u64)SURPRISE_CR2 << 56, gva, fault.cr2);
	return got != NO_FAULT;
}

GUEST_CODE static void mode_enter(u32 mode)
{
	u64 cr4 = guest_read_cr4() & ~(CR4_SMEP | CR4_SMAP | CR4_PGE);
	u64 efer = guest_rdmsr(EFER_MSR) & ~EFER_NX;

	if (mode & MODE_SMEP)
		cr4 |= CR4_SMEP;
	if (mode & MODE_SMAP)
		cr4 |= CR4_SMAP;
	if (mode & MODE_PGE)
		cr4 |= CR4_PGE;
	if (!(mode & MODE_NO_NXE))
		efer |= EFER_NX;
	guest_write_cr4(cr4);
	guest_wrmsr(EFER_MSR, efer);
	guest_write_cr0((guest_read_cr0() & ~CR0_WP) | (mode & MODE_WP ? CR0_WP : 0));
}

/* Rights counted: bit 0 W, 1 U, 2 NX; leaves also 3 P, 4 reserved. */
GUEST_INLINE u64 rights(u32 n)
{
	return (n & 1 ? PTE_W : 0) | (n & 2 ? PTE_U : 0) | (n & 4 ? PTE_NX : 0);
}

/* ---- the fixture ---- */

FIXTURE(mmu)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(mmu)
{
	u64 stack;
	int i;

	self->vm = vm_create();
	region_make(self->vm);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	*vm_sym(self->vm, maxphyaddr) = region_phys_bits();
	stack = vm_alloc_pages(self->vm, 1);
	guest_map(self->vm, stack, stack, PTE_P | PTE_W | PTE_U);
	*vm_sym(self->vm, user_stack_top) = stack + PAGE_SIZE;
	for (i = 0; i < FRAME_SIZE; i += PAGE_SIZE)
		*(u8 *)vm_hva(self->vm, FRAME + i) = 0xc3;	/* ret */
}

FIXTURE_TEARDOWN(mmu)
{
	vm_free(self->vm);
}

static bool mode_possible(u32 mode)
{
	return (!(mode & MODE_SMEP) || region_cpuid_has(7, 1, 7)) &&
	       (!(mode & MODE_SMAP) || region_cpuid_has(7, 1, 20));
}

/* Runs guest code that reports surprises by SYNC; returns how many. */
static int run_checks(struct test_vcpu *vcpu, const void *fn, u64 arg0, u64 arg1)
{
	int exit, surprises = 0;

	vcpu_set_entry(vcpu, fn, arg0, arg1);
	while ((exit = vcpu_run(vcpu)) == EXIT_SYNC) {
		u64 id = vcpu->uc[0];

		if (surprises++ < MAX_REPORTS)
			fprintf(stderr,
				"# %s: case %#lx, access %ld, ring %d, mode %#lx: wanted %#lx, got %#lx\n",
				id >> 56 == SURPRISE_FAULT ? "fault" :
				id >> 56 == SURPRISE_CR2 ? "CR2" : "entry",
				(long)(id & 0xffffffff), (long)(id >> 40 & 3),
				id >> 44 & 1 ? 3 : 0, (long)(id >> 48 & 0xff),
				(long)vcpu->uc[1], (long)vcpu->uc[2]);
	}
	if (exit != EXIT_DONE) {
		fprintf(stderr, "# the guest ended with exit %#x\n", exit);
		surprises++;
	}
	return surprises;
}

/* ---- every combination, written anew before every access ---- */

GUEST_CODE static void entry_check(u64 id, u64 want, u64 got)
{
	if (want != got)
		guest_ucall(UCALL_SYNC, id | (u64)SURPRISE_ENTRY << 56, want, got);
}

/* n: bits 0-4 the leaf, 5-7 the entry above, 8 the leaf is 2 MiB. */
GUEST_CODE static void zoo_case(u32 n, u64 kind, u32 user, u32 mode)
{
	u64 ad = mode & MODE_AD ? PTE_A | PTE_D : 0, rsvd = maxphyaddr < 52 ? 1ull << 51 : 0;
	u64 leaf = FRAME | rights(n) | (n & 8 ? PTE_P : 0) | (n & 16 ? rsvd : 0) | ad;
	u64 above = rights(n >> 5) | PTE_P | ad;
	bool large = n & 256;
	u64 entries[NR_LEVELS], want_a = PTE_A, want_d = kind == WRITE ? PTE_D : 0;

	entries[0] = PTE_TABLE;
	entries[1] = region.pd | (large ? above : PTE_TABLE | ad);
	entries[2] = large ? leaf | PTE_PS : region.pt | above;
	entries[3] = leaf;
	*entry_of(region.pdpt, 0) = entries[1];
	*entry_of(region.pd, 0) = entries[2];
	*entry_of(region.pt, 0) = entries[3];
	guest_invlpg(REGION);
	if (access_check(n, REGION, entries, kind, user, mode)) {
		want_a = 0;
		want_d = 0;
	}
	entry_check(n | 3ull << 32, entries[1] | want_a, *entry_of(region.pdpt, 0));
	entry_check(n | 2ull << 32, entries[2] | want_a | (large ? want_d : 0),
		    *entry_of(region.pd, 0));
	if (large)
		want_a = 0;
	entry_check(n | 1ull << 32, entries[3] | want_a | (large ? 0 : want_d),
		    *entry_of(region.pt, 0));
}

GUEST_CODE static void guest_zoo(u64 mode)
{
	u32 n, user;
	u64 kind;

	mode_enter(mode);
	for (n = 0; n < 512; n++) {
		/* With SMAP the library could not get to ring 3; nothing changes there anyway. */
		for (user = 0; user < (mode & MODE_SMAP ? 1 : 2); user++)
			for (kind = 0; kind < NR_KINDS; kind++)
				zoo_case(n, kind, user, mode);
	}
	mode_enter(MODE_WP);
	GUEST_DONE();
}

#define TEST_ZOO(name, mode)							\
TEST_F(mmu, name)								\
{										\
	if (!mode_possible(mode))						\
		SKIP(return, "the CPU has no SMEP or SMAP");			\
	EXPECT_EQ(0, run_checks(self->vcpu, guest_zoo, mode, 0));		\
}

TEST_ZOO(zoo_wp, MODE_WP)
TEST_ZOO(zoo_no_wp, 0)
TEST_ZOO(zoo_wp_used, MODE_WP | MODE_AD)
TEST_ZOO(zoo_no_wp_used, MODE_AD)
TEST_ZOO(zoo_no_nxe, MODE_WP | MODE_NO_NXE)
TEST_ZOO(zoo_smep, MODE_WP | MODE_SMEP)
TEST_ZOO(zoo_smep_no_wp_no_nxe, MODE_SMEP | MODE_NO_NXE)
TEST_ZOO(zoo_smap, MODE_WP | MODE_SMAP)
TEST_ZOO(zoo_smap_smep_no_wp, MODE_SMAP | MODE_SMEP)
TEST_ZOO(zoo_smap_ac, MODE_WP | MODE_SMAP | MODE_AC)

/* ---- the same for the top level, where no entry maps a page ---- */

/* n: bits 0-2 rights, 3 P, 4 a reserved address bit, 5 bit 7, 6 A. */
GUEST_CODE static void top_case(u32 n, u64 kind, u32 user, u32 mode)
{
	u64 top = region.pdpt | rights(n) | (n & 8 ? PTE_P : 0) | (n & 32 ? PTE_PS : 0) |
		  (n & 64 ? PTE_A : 0), want_a = PTE_A;
	u64 entries[NR_LEVELS] = { };

	if (n & 16 && maxphyaddr < 52)
		top |= 1ull << 51;
	entries[0] = top;
	entries[1] = region.pd | PTE_TABLE;
	entries[2] = region.pt | PTE_TABLE;
	entries[3] = FRAME | PTE_TABLE;
	*entry_of(region.root, REGION_SLOT) = top;
	*entry_of(region.pdpt, 0) = entries[1];
	guest_invlpg(REGION);
	if (access_check(n, REGION, entries, kind, user, mode))
		want_a = 0;
	entry_check(n | 4ull << 32, top | want_a, *entry_of(region.root, REGION_SLOT));
	entry_check(n | 3ull << 32, entries[1] | want_a, *entry_of(region.pdpt, 0));
}

GUEST_CODE static void guest_top(u64 mode)
{
	u32 n, user;
	u64 kind;

	*entry_of(region.pd, 0) = region.pt | PTE_TABLE;
	*entry_of(region.pt, 0) = FRAME | PTE_TABLE;
	mode_enter(mode);
	for (n = 0; n < 128; n++)
		for (user = 0; user < (mode & MODE_SMAP ? 1 : 2); user++)
			for (kind = 0; kind < NR_KINDS; kind++)
				top_case(n, kind, user, mode);
	mode_enter(MODE_WP);
	GUEST_DONE();
}

TEST_F(mmu, top_level)
{
	static const u32 modes[] = {
		MODE_WP, 0, MODE_WP | MODE_NO_NXE, MODE_WP | MODE_SMEP, MODE_SMAP | MODE_WP,
	};
	u32 i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (mode_possible(modes[i]))
			EXPECT_EQ(0, run_checks(self->vcpu, guest_top, modes[i], 0))
				TH_LOG("mode %#x", modes[i]);
}

/* ---- control bits change over mappings that are there ---- */

/* 64 pages: PTE n in each of 8 tables that PDE n leads to; n are rights. */
GUEST_CODE static void flip_round(u64 mode, u64 id)
{
	u64 entries[NR_LEVELS], kind, i, page;
	u32 user;

	entries[0] = PTE_TABLE;
	entries[1] = PTE_TABLE;
	for (i = 0; i < 64; i++) {
		page = i * 29 % 64;	/* another order than that of the tables */
		entries[2] = PTE_P | rights(page >> 3);
		entries[3] = PTE_P | rights(page);
		for (user = 0; user < (mode & MODE_SMAP ? 1 : 2); user++)
			for (kind = 0; kind < NR_KINDS; kind++)
				access_check(page | id << 8,
					     REGION + (page >> 3) * 0x200000 + (page & 7) * 0x1000,
					     entries, kind, user, mode);
	}
}

GUEST_CODE static void guest_flip(u64 first, u64 second)
{
	u64 i;

	for (i = 0; i < 2; i++) {
		mode_enter(first);
		flip_round(first, i * 2);
		mode_enter(second);
		flip_round(second, i * 2 + 1);
	}
	mode_enter(MODE_WP);
	GUEST_DONE();
}

/* The mode is what user space has set meanwhile. */
GUEST_CODE static void guest_flip_round(u64 mode)
{
	flip_round(mode, 0);
	GUEST_DONE();
}

static void flip_tables_make(struct test_vm *vm)
{
	u64 *pd = vm_hva(vm, vm_sym(vm, region)->pd);
	int i, j;

	for (i = 0; i < 8; i++) {
		u64 pt = vm_alloc_pages(vm, 1);

		pd[i] = pt | PTE_P | rights(i);
		for (j = 0; j < 8; j++)
			((u64 *)vm_hva(vm, pt))[j] = (FRAME + (i * 8 + j) * PAGE_SIZE) |
						     PTE_P | PTE_G | rights(j);
	}
}

static void sregs_set_mode(struct test_vcpu *vcpu, u32 mode)
{
	struct shvm_sregs sregs;

	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &sregs);
	sregs.cr0 = (sregs.cr0 & ~CR0_WP) | (mode & MODE_WP ? CR0_WP : 0);
	sregs.cr4 &= ~(CR4_SMEP | CR4_SMAP | CR4_PGE);
	sregs.cr4 |= (mode & MODE_SMEP ? CR4_SMEP : 0) | (mode & MODE_SMAP ? CR4_SMAP : 0) |
		     (mode & MODE_PGE ? CR4_PGE : 0);
	sregs.efer = (sregs.efer & ~EFER_NX) | (mode & MODE_NO_NXE ? 0 : EFER_NX);
	vcpu_ioctl(vcpu, SHVM_SET_SREGS, &sregs);
}

static const struct {
	const char *name;
	u32 first, second;
} flips[] = {
	{ "WP", MODE_WP, 0 },
	{ "NXE", MODE_WP, MODE_WP | MODE_NO_NXE },	/* kvm_pvm keeps the old ones */
	{ "PGE", MODE_WP, MODE_WP | MODE_PGE },
	{ "SMEP", MODE_WP, MODE_WP | MODE_SMEP },
	{ "SMEP without WP", 0, MODE_SMEP },
	{ "SMAP", MODE_WP, MODE_WP | MODE_SMAP },
	{ "SMAP without WP", 0, MODE_SMAP },
};

TEST_F(mmu, control_bits_flip)
{
	int i;

	flip_tables_make(self->vm);
	for (i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		if (mode_possible(flips[i].second) &&
		    (test_is_shvm() || !(flips[i].second & MODE_NO_NXE)))
			EXPECT_EQ(0, run_checks(self->vcpu, guest_flip, flips[i].first,
						flips[i].second))
				TH_LOG("%s", flips[i].name);
	}
}

TEST_F(mmu, control_bits_flip_by_user_space)
{
	int i, j;

	flip_tables_make(self->vm);
	for (i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		if (!mode_possible(flips[i].second) ||
		    (!test_is_shvm() && (flips[i].second & MODE_NO_NXE)))
			continue;
		for (j = 0; j < 3; j++) {
			u32 mode = j & 1 ? flips[i].second : flips[i].first;

			sregs_set_mode(self->vcpu, mode);
			EXPECT_EQ(0, run_checks(self->vcpu, guest_flip_round, mode, 0))
				TH_LOG("%s", flips[i].name);
		}
	}
}

/* ---- one table, two parents of different rights ---- */

GUEST_CODE static void diamond_check(u64 id, u64 gva, const u64 *entries, u32 mode)
{
	u64 kind;
	u32 user;

	for (user = 0; user < 2; user++)
		for (kind = 0; kind < NR_KINDS; kind++)
			access_check(id, gva, entries, kind, user, mode);
}

/* level: of the entries that differ, 2 or 3. The first access decides what is shadowed how. */
GUEST_CODE static void guest_diamond(u64 mode, u64 level)
{
	u64 entries[2][NR_LEVELS], first;
	u64 shared = level == 2 ? region.pt : region.pd;
	u64 table = level == 2 ? region.pd : region.pdpt;
	u64 step = level == 2 ? 1ull << 21 : 1ull << 30;
	u32 pair, side;

	mode_enter(mode);
	*entry_of(region.pt, 0) = FRAME | PTE_TABLE;
	for (pair = 0; pair < 64; pair++) {
		for (first = 0; first < 2 * NR_KINDS; first++) {
			*entry_of(table, 0) = shared | PTE_P | rights(pair);
			*entry_of(table, 1) = shared | PTE_P | rights(pair >> 3);
			guest_write_cr3(guest_read_cr3());
			for (side = 0; side < 2; side++) {
				entries[side][0] = PTE_TABLE;
				entries[side][1] = PTE_TABLE;
				entries[side][2] = PTE_TABLE;
				entries[side][3] = PTE_TABLE;
				entries[side][NR_LEVELS - level] =
					PTE_P | rights(side ? pair >> 3 : pair);
			}
			side = first & 1;
			access_check(pair | 0x1000, REGION + side * step, entries[side], first / 2,
				     pair & 1, mode);
			diamond_check(pair | 0x2000, REGION + !side * step, entries[!side], mode);
			diamond_check(pair | 0x3000, REGION + side * step, entries[side], mode);
		}
	}
	*entry_of(table, 1) = 0;
	*entry_of(table, 0) = shared | PTE_TABLE;
	mode_enter(MODE_WP);
	GUEST_DONE();
}

TEST_F(mmu, diamond)
{
	EXPECT_EQ(0, run_checks(self->vcpu, guest_diamond, MODE_WP, 2));
	EXPECT_EQ(0, run_checks(self->vcpu, guest_diamond, MODE_WP, 3));
	EXPECT_EQ(0, run_checks(self->vcpu, guest_diamond, 0, 2));
}

/* ---- accesses that the CPU makes by itself ---- */

GUEST_USER_CODE static void user_ud_with_ac(u64 arg)
{
	(void)arg;
	asm volatile("pushfq; orq $0x40000, (%%rsp); popfq; ud2" : : : "memory", "cc");
}

GUEST_CODE static void guest_user_stack_for_ring0(u64 mode)
{
	mode_enter(mode);
	flags_flip(1ull << 18);
	guest_call_user(user_ud_with_ac, 0, user_stack_top);
	GUEST_DONE();
}

GUEST_CODE static void report_event(struct guest_frame *frame)
{
	guest_ucall(UCALL_SYNC, frame->vector, frame->error, guest_cpu()->ex.cr2);
}

static int run_with_stack(struct test_vcpu *vcpu, u64 rsp0, u32 mode)
{
	struct shvm_sregs sregs;

	vcpu_set_long_mode(vcpu);
	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &sregs);
	memcpy(vm_hva(vcpu->vm, sregs.tr.base + 4), &rsp0, 8);
	guest_map(vcpu->vm, rsp0 - PAGE_SIZE, rsp0 - PAGE_SIZE, PTE_P | PTE_W | PTE_U);
	vcpu_set_entry(vcpu, guest_user_stack_for_ring0, mode, 0);
	return vcpu_run(vcpu);
}

/*
 * The stack of ring 0 is on a page of ring 3, and RFLAGS.AC does not excuse that (SDM 4.6.1). Each
 * run has a page of its own, so that the walk is the module's: the emulated CPU would excuse it.
 */
TEST_F(mmu, smap_implicit)
{
	u64 stack = vm_alloc_pages(self->vm, 2);
	guest_handler_fn *handlers = *vm_sym(self->vm, guest_handlers);

	if (!mode_possible(MODE_SMAP))
		SKIP(return, "the CPU has no SMAP");
	handlers[6] = report_event;
	handlers[8] = report_event;
	ASSERT_EQ(EXIT_SYNC, run_with_stack(self->vcpu, stack + PAGE_SIZE, MODE_WP));
	EXPECT_EQ(6, self->vcpu->uc[0]);
	ASSERT_EQ(EXIT_SYNC,
		  run_with_stack(self->vcpu, stack + 2 * PAGE_SIZE, MODE_WP | MODE_SMAP));
	EXPECT_EQ(8, self->vcpu->uc[0]);
	EXPECT_EQ(stack + 2 * PAGE_SIZE - 8, self->vcpu->uc[2]);
}

SHVM_TEST_MAIN
