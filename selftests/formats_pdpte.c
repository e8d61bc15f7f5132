// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PDPTEs of PAE paging are registers (SDM 4.4.1): read from memory when CR3 is loaded and by
 * certain changes of CR0 and CR4, checked only then, and never written back.
 */
#include <stdio.h>

#include "kselftest_harness.h"
#include "probe.h"

#define QUARTER		(1ull << 30)
#define GVA		(3 * QUARTER)	/* behind PDPTE 3 */
#define NR_PDPTES	4

FIXTURE(pdpte)
{
	struct test_vm *vm;
	struct probe *p;
	struct paging *paging;
	u64 pdpte;		/* where PDPTE 3 is */
	u64 pd[2];		/* tables for it that map FRAME and the page after; first pd[0] */
};

static u32 *frame(struct test_vm *vm, u32 i)
{
	return vm_hva(vm, FRAME + i * PAGE_SIZE);
}

FIXTURE_SETUP(pdpte)
{
	int i;

	self->vm = vm_create();
	self->p = probe_create(self->vm, 0);
	self->paging = paging_create(self->vm, FORMAT_PAE);
	probe_map(self->p, self->paging);
	self->pdpte = paging_entry(self->paging, GVA, 3);
	for (i = 1; i >= 0; i--) {
		format_set(self->vm, FORMAT_PAE, self->pdpte, 0);
		paging_map(self->paging, GVA, FRAME + i * PAGE_SIZE, PTE_TABLE);
		self->pd[i] = format_get(self->vm, FORMAT_PAE, self->pdpte);
		frame(self->vm, i)[0] = i;
	}
	probe_add_enter(self->p, self->paging);
	probe_add_read(self->p, GVA, 0);
	ASSERT_EQ(0, probe_run(self->p));
}

FIXTURE_TEARDOWN(pdpte)
{
	vm_free(self->vm);
}

#define SELF	FIXTURE_DATA(pdpte)

static void add_pdpte(SELF *self, u64 value)
{
	probe_add_entry(self->p, FORMAT_PAE, self->pdpte, value);
}

/* ---- when they are loaded ---- */

TEST_F(pdpte, memory_does_not_count)
{
	struct probe *p = self->p;
	int i;

	add_pdpte(self, self->pd[1]);
	probe_add_read(p, GVA, 0);
	probe_add(p, PROBE_INVLPG, GVA, 0);
	probe_add_read(p, GVA, 0);
	probe_add(p, PROBE_WRITE, GVA + 4, 1);
	add_pdpte(self, 0);
	probe_add(p, PROBE_INVLPG, GVA, 0);
	probe_add_read(p, GVA + 4, 1);
	add_pdpte(self, ~0ull);			/* all reserved bits: nobody looks */
	probe_add(p, PROBE_INVLPG, GVA, 0);
	probe_add_read(p, GVA, 0);
	for (i = 0; i < 8; i++) {
		add_pdpte(self, i & 2 ? 0 : self->pd[i & 1]);
		probe_add_cr3(p, p->cr3);
		if (i & 2)
			probe_add_absent(p, GVA);
		else
			probe_add_read(p, GVA, i & 1);
		probe_name(p, "round", i);
	}
	/* Neither the CPU nor the device marks them. */
	probe_add_entry_check(p, FORMAT_PAE, self->pdpte, 0);
	probe_add_entry_check(p, FORMAT_PAE, self->paging->root,
			      format_get(self->vm, FORMAT_PAE, self->paging->root));
	EXPECT_EQ(0, format_get(self->vm, FORMAT_PAE, self->paging->root) & (PTE_A | PTE_D));
	EXPECT_EQ(0, probe_run(p));
}

/* Between runs, as a stop in user space is not a load of CR3. */
TEST_F(pdpte, kept_over_exits)
{
	int i;

	for (i = 0; i < 4; i++) {
		add_pdpte(self, self->pd[1]);
		probe_add(self->p, PROBE_INVLPG, GVA, 0);
		ASSERT_EQ(0, probe_run(self->p));
		probe_add_read(self->p, GVA, 0);
		EXPECT_EQ(0, probe_run(self->p));
	}
	format_set(self->vm, FORMAT_PAE, self->pdpte, 0);	/* user space's store is one too */
	probe_add(self->p, PROBE_INVLPG, GVA, 0);
	probe_add_read(self->p, GVA, 0);
	probe_add_cr3(self->p, self->p->cr3);
	probe_add_absent(self->p, GVA);
	EXPECT_EQ(0, probe_run(self->p));
}

/* A change of control bits that does, or does not, load them. */
struct change {
	const char *name;
	u64 cr0, cr4;		/* what flips */
	bool loads;
};

static const struct change changes[] = {
	{ "nothing", 0, 0, false },
	{ "CR0.WP", CR0_WP, 0, false },
	{ "CR0.TS", CR0_TS, 0, false },
	{ "CR4.OSXMMEXCPT", 0, CR4_OSXMMEXCPT, false },
	{ "CR0.CD", CR0_CD, 0, true },
	{ "CR0.CD and NW", CR0_CD | CR0_NW, 0, true },
	{ "CR4.PGE", 0, CR4_PGE, true },
	{ "CR4.PSE", 0, CR4_PSE, true },
	{ "CR4.SMEP", 0, CR4_SMEP, true },
};

#define NR_CHANGES	(sizeof(changes) / sizeof(changes[0]))

static bool change_possible(const struct change *change)
{
	return !(change->cr4 & CR4_SMEP) || region_cpuid_has(7, 1, 7);
}

static void add_change(struct probe *p, const struct change *change)
{
	if (change->cr4)
		probe_add_cr4(p, p->env.cr4 ^ change->cr4);
	else
		probe_add_cr0(p, p->env.cr0 ^ change->cr0);
	probe_name(p, change->name, 0);
}

TEST_F(pdpte, control_bits_that_load_them)
{
	struct probe *p = self->p;
	int i, round;

	for (i = 0; i < NR_CHANGES; i++) {
		const struct change *change = &changes[i];

		if (!change_possible(change))
			continue;
		for (round = 0; round < 2; round++) {	/* on and off again */
			add_pdpte(self, self->pd[0]);
			probe_add_cr3(p, p->cr3);
			add_pdpte(self, self->pd[1]);
			add_change(p, change);
			probe_add(p, PROBE_INVLPG, GVA, 0);
			probe_add_read(p, GVA, change->loads);
			probe_name(p, change->name, round);
		}
	}
	EXPECT_EQ(0, probe_run(p));
}

/* Loaded when paging is switched on. */
TEST_F(pdpte, paging_on_loads_them)
{
	struct probe *p = self->p;
	int i;

	for (i = 1; i < 5; i++) {
		probe_add_enter(p, NULL);
		add_pdpte(self, self->pd[i & 1]);
		probe_add_enter(p, self->paging);
		probe_add_read(p, GVA, i & 1);
		add_pdpte(self, self->pd[!(i & 1)]);
		probe_add(p, PROBE_INVLPG, GVA, 0);
		probe_add_read(p, GVA, i & 1);
		probe_name(p, "round", i);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* ---- reserved bits ---- */

static u64 pdpte_reserved(SELF *self)
{
	return format_reserved(&self->p->env, 3, PTE_P);
}

/* What was loaded before, and CR3 itself, stay. */
static void add_still(SELF *self, u64 cr3, u32 value, const char *text, long id)
{
	struct probe *p = self->p;

	probe_add(p, PROBE_INVLPG, GVA, 0);
	probe_add_read(p, GVA, value);
	probe_name(p, text, id);
	probe_add(p, PROBE_GET_CRS, 0, 0);
	probe_want_value(p, cr3 << 32 | p->env.cr0);
	probe_name(p, text, id);
}

TEST_F(pdpte, reserved_bits)
{
	struct probe *p = self->p;
	u64 reserved = pdpte_reserved(self), other = self->paging->root + 0x40;
	int bit, i;

	for (i = 0; i < NR_PDPTES; i++)	/* another page-directory-pointer table */
		format_set(self->vm, FORMAT_PAE, other + i * 8,
			   format_get(self->vm, FORMAT_PAE, self->paging->root + i * 8));
	for (bit = 0; bit < 64; bit++) {
		bool bad = reserved >> bit & 1;

		if (bit == 0 || (bit >= 12 && !bad))
			continue;	/* present, and the address */
		probe_add_cr3(p, self->paging->root);
		probe_add_entry(p, FORMAT_PAE, other + 24, self->pd[1] | 1ull << bit);
		probe_add(p, PROBE_CR3, 0, other);
		if (bad)
			probe_want_fault(p, 13, 0, 0);
		probe_name(p, "bit", bit);
		add_still(self, bad ? self->paging->root : other, !bad, "bit", bit);
		/* Not present: nothing else counts. */
		probe_add_entry(p, FORMAT_PAE, other + 24, 1ull << bit);
		probe_add(p, PROBE_CR3, 0, other);
		probe_name(p, "absent, bit", bit);
		probe_add_absent(p, GVA);
		EXPECT_EQ(0, probe_run(p)) TH_LOG("bit %d", bit);
	}
}

/* Each of the four is checked. */
TEST_F(pdpte, reserved_bits_of_each)
{
	struct probe *p = self->p;
	u64 other = self->paging->root + 0x20;
	int i, j;

	for (i = 0; i < NR_PDPTES; i++) {
		for (j = 0; j < NR_PDPTES; j++)
			probe_add_entry(p, FORMAT_PAE, other + j * 8, i == j ? PTE_P | PTE_W :
					j == 3 ? self->pd[1] :
					format_get(self->vm, FORMAT_PAE,
						   self->paging->root + j * 8));
		probe_add(p, PROBE_CR3, 0, other);
		probe_want_fault(p, 13, 0, 0);
		probe_name(p, "PDPTE", i);
		add_still(self, self->paging->root, 0, "PDPTE", i);
	}
	EXPECT_EQ(0, probe_run(p));
}

static void add_refused(struct probe *p, const struct change *change)
{
	if (change->cr4)
		probe_add(p, PROBE_CR4, 0, p->env.cr4 ^ change->cr4);
	else
		probe_add(p, PROBE_CR0, 0, p->env.cr0 ^ change->cr0);
	probe_want_fault(p, 13, 0, 0);
	probe_name(p, change->name, 0);
}

/* The other ways to load them fail in the same manner, and the control register stays. */
TEST_F(pdpte, reserved_bits_by_control_bits)
{
	struct probe *p = self->p;
	int i;

	for (i = 0; i < NR_CHANGES; i++) {
		const struct change *change = &changes[i];

		if (!change_possible(change))
			continue;
		add_pdpte(self, self->pd[0]);
		probe_add_cr3(p, p->cr3);
		add_pdpte(self, self->pd[1] | PTE_U);
		if (change->loads) {
			add_refused(p, change);
		} else {
			add_change(p, change);
			add_change(p, change);
		}
		add_still(self, p->cr3, 0, change->name, i);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* ---- which are present ---- */

/* The PD that maps the probe and FRAME in the quarter where the probe is. */
static u64 probe_pd(SELF *self)
{
	struct paging one = { self->vm, FORMAT_PAE, pt_alloc(self->vm) };
	struct probe at_zero = *self->p;

	at_zero.base = self->p->gpa;
	probe_map(&at_zero, &one);
	paging_map(&one, FRAME, FRAME, PTE_P | PTE_W);
	return format_get(self->vm, FORMAT_PAE, one.root);
}

/* All 16 subsets of present PDPTEs; the probe runs in each quarter that there is. */
TEST_F(pdpte, subsets)
{
	struct probe *p = self->p;
	u64 pd = probe_pd(self), root = pt_alloc(self->vm), cr0 = p->env.cr0, cr4 = p->env.cr4;
	struct paging subset = { self->vm, FORMAT_PAE, root };
	int set, quarter, i;

	for (set = 1; set < 16; set++) {
		for (i = 0; i < NR_PDPTES; i++)
			format_set(self->vm, FORMAT_PAE, root + i * 8, set >> i & 1 ? pd : 0);
		for (quarter = 0; quarter < NR_PDPTES; quarter++) {
			if (!(set >> quarter & 1))
				continue;
			probe_set_state(p, &subset, cr0, cr4, 0);
			probe_place(p, p->gpa + quarter * QUARTER);
			for (i = 0; i < NR_PDPTES; i++) {
				if (set >> i & 1)
					probe_add_read(p, FRAME + i * QUARTER, 0);
				else
					probe_add_absent(p, FRAME + i * QUARTER);
				probe_name(p, "subset", set);
			}
			EXPECT_EQ(0, probe_run(p)) TH_LOG("set %#x from %d", set, quarter);
		}
	}
	/* The probe moves to where it is, by a subset that has both, and cuts off the rest. */
	format_set(self->vm, FORMAT_PAE, root, 0);
	probe_set_state(p, &subset, cr0, cr4, 0);
	for (i = 0; i < NR_PDPTES; i++)
		probe_add_entry(p, FORMAT_PAE, p->base - p->gpa + FRAME + 64 + i * 8, 0);
	EXPECT_EQ(0, probe_run(p));
	probe_add(p, PROBE_CR3, 0, FRAME + 64);	/* none is present, so the guest is over */
	EXPECT_EQ(SHVM_EXIT_SHUTDOWN, probe_run_raw(p));
}

/* ---- user space loads them too ---- */

TEST_F(pdpte, set_sregs_loads_them)
{
	struct probe *p = self->p;
	int i;

	for (i = 0; i < 4; i++) {
		struct paging other = *self->paging;

		other.root += i & 1 ? 0x80 : 0;
		format_set(self->vm, FORMAT_PAE, other.root,
			   format_get(self->vm, FORMAT_PAE, self->paging->root));
		format_set(self->vm, FORMAT_PAE, other.root + 24, self->pd[i & 1]);
		probe_set_state(p, &other, p->env.cr0, p->env.cr4, 0);
		probe_add_read(p, GVA, i & 1);
		format_set(self->vm, FORMAT_PAE, other.root + 24, 0);
		probe_add(p, PROBE_INVLPG, GVA, 0);
		probe_add_read(p, GVA, i & 1);
		EXPECT_EQ(0, probe_run(p)) TH_LOG("round %d", i);
	}
}

/* They are loaded together or not at all, and then nothing is present, the code neither. */
static void check_not_loaded(struct __test_metadata *_metadata, SELF *self, u64 root,
			     const char *why)
{
	struct probe *p = self->p;
	struct paging other = { self->vm, FORMAT_PAE, root };
	struct shvm_sregs sregs;
	int i;

	probe_set_state(p, &other, p->env.cr0, p->env.cr4, 0);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(SHVM_EXIT_SHUTDOWN, probe_run_raw(p)) TH_LOG("%s, run %d", why, i);
		vcpu_ioctl(p->vcpu, SHVM_GET_SREGS, &sregs);
		EXPECT_EQ(root, sregs.cr3);
	}
	probe_set_state(p, self->paging, p->env.cr0, p->env.cr4, 0);
	probe_add_read(p, GVA, 0);
	EXPECT_EQ(0, probe_run(p)) TH_LOG("after %s", why);
}

TEST_F(pdpte, set_sregs_that_cannot_load_them)
{
	u64 reserved = pdpte_reserved(self), other = self->paging->root + 0x80;
	char why[32];
	int i, j, bit;

	if (!test_is_shvm())
		SKIP(return, "KVM keeps the old ones");
	for (i = 0; i < NR_PDPTES; i++) {
		for (bit = i; bit < 64; bit += 7) {
			for (j = 0; j < NR_PDPTES; j++)
				format_set(self->vm, FORMAT_PAE, other + j * 8,
					   format_get(self->vm, FORMAT_PAE,
						      self->paging->root + j * 8));
			if (!(reserved >> bit & 1))
				continue;
			format_set(self->vm, FORMAT_PAE, other + i * 8,
				   (self->pd[0] & ~reserved) | PTE_P | 1ull << bit);
			snprintf(why, sizeof(why), "PDPTE %d, bit %d", i, bit);
			check_not_loaded(_metadata, self, other, why);
		}
	}
	check_not_loaded(_metadata, self, HOLE_BASE, "no memory");
}

SHVM_TEST_MAIN
