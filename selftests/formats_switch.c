// SPDX-License-Identifier: GPL-2.0-only
/*
 * From one paging format to another: by MOV in the guest and by SET_SREGS, with the same frames as
 * tables of several formats; control bits that change while CR3 stays; vCPUs in different formats
 * that share tables.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "probe.h"

#define GVA		0xc0000000u
#define HIGH_SLOT	8

#define SAVED_CR0	(CR0_PE | CR0_MP | CR0_ET | CR0_NE)
#define SAVED_CR4	(CR4_OSFXSR | CR4_OSXMMEXCPT)

FIXTURE(formats_switch)
{
	struct test_vm *vm;
	struct probe *p;
	struct paging *paging[NR_FORMATS];	/* none for FORMAT_OFF */
	u64 table;		/* the lowest table for GVA of every format */
};

/*
 * An entry of two-level paging is half as long: what the others find at index n, it finds at 2 * n,
 * and the upper halves, at odd indexes, are not present.
 */
static u32 shared_gva(int format, u32 n)
{
	return GVA + n * PAGE_SIZE * (format == FORMAT_32 ? 2 : 1);
}

static u64 shared_entry(struct test_vm *vm, u64 table, u32 n)
{
	return table + n * 8;
}

#define PAGE(n)		(FRAME + (n) * PAGE_SIZE)
#define MAPS(n)		(PAGE(n) | PTE_P | PTE_W)

FIXTURE_SETUP(formats_switch)
{
	int format;
	u32 i;

	self->vm = vm_create();
	for (i = 0; i < FRAME_SIZE; i += PAGE_SIZE)
		*(u32 *)vm_hva(self->vm, FRAME + i) = FRAME + i;
	self->p = probe_create(self->vm, 0);
	self->table = pt_alloc(self->vm);
	for (format = FORMAT_32; format < NR_FORMATS; format++) {
		self->paging[format] = paging_create(self->vm, format);
		probe_map(self->p, self->paging[format]);
		format_set(self->vm, format, paging_entry(self->paging[format], GVA, 2),
			   self->table | PTE_TABLE);
	}
}

FIXTURE_TEARDOWN(formats_switch)
{
	vm_free(self->vm);
}

#define SELF	FIXTURE_DATA(formats_switch)

/* ---- the guest goes from format to format ---- */

/* In the present format: a new page behind an entry of the shared table, and what the CPU marks. */
static void add_visit_of(SELF *self, struct probe *p, u32 n, u32 page, u32 round)
{
	u64 entry = shared_entry(self->vm, self->table, n);
	int format = p->env.format;

	if (format == FORMAT_OFF) {	/* an edit from where no table counts */
		probe_add(p, PROBE_WRITE, entry, MAPS(page));
		probe_add_read(p, entry, MAPS(page));
		probe_add_read(p, FRAME + page * PAGE_SIZE, FRAME + page * PAGE_SIZE);
		return;
	}
	probe_add(p, PROBE_WRITE, entry, MAPS(page));
	probe_add(p, PROBE_INVLPG, shared_gva(format, n), 0);
	probe_add_read(p, shared_gva(format, n), FRAME + page * PAGE_SIZE);
	probe_name(p, "round", round);
	probe_add_read(p, entry, MAPS(page) | PTE_A);
	probe_name(p, "round", round);
	probe_add(p, PROBE_WRITE, shared_gva(format, n) + 4, round);
	probe_add_read(p, entry, MAPS(page) | PTE_A | PTE_D);
	probe_name(p, "round", round);
	probe_add_read(p, FRAME + page * PAGE_SIZE + 4, round);
	if (format == FORMAT_32)
		probe_add_absent(p, shared_gva(format, n) + PAGE_SIZE);
}

/* Another entry and page in each of many rounds. */
static void add_visit(SELF *self, struct probe *p, u32 round)
{
	add_visit_of(self, p, round % 16, round % 500, round);
}

/* What the visit before has written, in a format of its own, is seen here without a flush. */
static void add_look_back(SELF *self, struct probe *p, u32 round)
{
	u32 page = (round - 1) % 500, n = (round - 1) % 16;

	if (p->env.format == FORMAT_OFF)
		return;
	probe_add_read(p, shared_gva(p->env.format, n), FRAME + page * PAGE_SIZE);
	probe_name(p, "look back in round", round);
}

/* Every format after every other: an order in which each pair of neighbours comes once. */
static const int tour[] = {
	FORMAT_OFF, FORMAT_32, FORMAT_OFF, FORMAT_PAE, FORMAT_OFF, FORMAT_64, FORMAT_32,
	FORMAT_PAE, FORMAT_32, FORMAT_64, FORMAT_PAE, FORMAT_64, FORMAT_OFF,
};

#define NR_TOUR		(sizeof(tour) / sizeof(tour[0]))

TEST_F(formats_switch, by_mov)
{
	u32 round = 1, i;

	for (i = 0; i < 3 * NR_TOUR; i++, round++) {
		probe_add_enter(self->p, self->paging[tour[i % NR_TOUR]]);
		if (round > 1)
			add_look_back(self, self->p, round);
		add_visit(self, self->p, round);
		EXPECT_EQ(0, probe_run(self->p)) TH_LOG("round %d", round);
	}
}

/* In one run, without a stop in user space between. */
TEST_F(formats_switch, by_mov_at_once)
{
	u32 i;

	for (i = 0; i < 2 * NR_TOUR; i++) {
		probe_add_enter(self->p, self->paging[tour[i % NR_TOUR]]);
		add_visit(self, self->p, i + 7);
	}
	EXPECT_EQ(0, probe_run(self->p));
}

/* CR0.PG off and on is a flush of its own, and CR3 stays (SDM 4.10.4.1). */
TEST_F(formats_switch, paging_off_and_on)
{
	struct probe *p = self->p;
	int format, i;

	for (format = FORMAT_32; format < NR_FORMATS; format++) {
		probe_add_enter(p, self->paging[format]);
		for (i = 0; i < 6; i++) {
			probe_add_cr0(p, p->env.cr0 & ~CR0_PG);
			probe_add(p, PROBE_WRITE, shared_entry(self->vm, self->table, 3), MAPS(i));
			probe_add_cr0(p, p->env.cr0 | CR0_PG);
			probe_add_read(p, shared_gva(format, 3), PAGE(i));
			probe_name(p, formats[format].name, i);
		}
		EXPECT_EQ(0, probe_run(p));
	}
}

/*
 * CR4.PAE changes while paging is on. Two-level paging ignores bits 11:5 of CR3, so the second half
 * of its page directory, which the test does not use, can be what PAE paging starts from.
 */
TEST_F(formats_switch, pae_under_paging)
{
	struct paging *two = self->paging[FORMAT_32], *pae = self->paging[FORMAT_PAE];
	struct probe *p = self->p;
	u64 pdpt = two->root + 0x800;
	u32 round;

	memcpy(vm_hva(self->vm, pdpt), vm_hva(self->vm, pae->root), 32);
	two->root = pdpt;
	probe_add_enter(p, two);
	two->root -= 0x800;
	for (round = 0; round < 8; round++) {
		add_visit(self, p, round);
		p->env.format = p->env.format == FORMAT_32 ? FORMAT_PAE : FORMAT_32;
		probe_add_cr4(p, p->env.cr4 ^ CR4_PAE);
	}
	/* Not with reserved bits in what becomes a PDPTE. */
	p->env.format = FORMAT_32;
	probe_add(p, PROBE_WRITE, pdpt, format_get(self->vm, FORMAT_PAE, pdpt) | PTE_W);
	probe_add(p, PROBE_CR4, 0, p->env.cr4 ^ CR4_PAE);
	probe_want_fault(p, 13, 0, 0);
	add_visit(self, p, round);
	EXPECT_EQ(0, probe_run(p));
}

/* Ways that there are not (SDM 2.5, 4.1.2): #GP, and all stays. */
TEST_F(formats_switch, refused)
{
	struct probe *p = self->p;

	probe_add_enter(p, self->paging[FORMAT_64]);
	probe_add(p, PROBE_CR4, 0, p->env.cr4 & ~CR4_PAE);
	probe_want_fault(p, 13, 0, 0);
	probe_add(p, PROBE_EFER, 0, p->env.efer & ~FORMAT_EFER);
	probe_want_fault(p, 13, 0, 0);
	add_visit(self, p, 1);
	probe_add_enter(p, self->paging[FORMAT_PAE]);
	probe_add(p, PROBE_EFER, 0, EFER_LME);
	probe_want_fault(p, 13, 0, 0);
	add_visit(self, p, 2);
	probe_add_enter(p, self->paging[FORMAT_32]);
	probe_add(p, PROBE_EFER, 0, EFER_LME);
	probe_want_fault(p, 13, 0, 0);
	probe_add(p, PROBE_CR0, 0, p->env.cr0 & ~CR0_PE);
	probe_want_fault(p, 13, 0, 0);
	add_visit(self, p, 3);
	probe_add_enter(p, NULL);		/* long mode needs PAE */
	probe_add_efer(p, EFER_LME);
	probe_add(p, PROBE_CR0, 0, p->env.cr0 | CR0_PG);
	probe_want_fault(p, 13, 0, 0);
	probe_add_efer(p, 0);
	add_visit(self, p, 4);
	EXPECT_EQ(0, probe_run(p));
}

/* ---- user space sets the format ---- */

static void check_sregs(struct __test_metadata *_metadata, struct probe *p)
{
	struct shvm_sregs sregs;

	vcpu_ioctl(p->vcpu, SHVM_GET_SREGS, &sregs);
	EXPECT_EQ(p->env.cr0, sregs.cr0);
	EXPECT_EQ(p->env.cr4, sregs.cr4);
	EXPECT_EQ(p->env.efer, sregs.efer);
	EXPECT_EQ(p->cr3, sregs.cr3);
}

TEST_F(formats_switch, by_set_sregs)
{
	u32 round = 1, i;

	for (i = 0; i < 2 * NR_TOUR; i++, round++) {
		u64 cr0 = SAVED_CR0 | (round & 1 ? CR0_WP : 0);
		u64 cr4 = SAVED_CR4 | (round & 2 ? CR4_PSE : 0) | (round & 4 ? CR4_PGE : 0);
		struct shvm_sregs before, after;

		probe_set_state(self->p, self->paging[tour[i % NR_TOUR]], cr0, cr4,
				round & 8 ? EFER_NX : 0);
		check_sregs(_metadata, self->p);
		add_visit(self, self->p, round);
		EXPECT_EQ(0, probe_run(self->p)) TH_LOG("round %d", round);
		check_sregs(_metadata, self->p);
		vcpu_ioctl(self->p->vcpu, SHVM_GET_SREGS, &before);
		vcpu_ioctl(self->p->vcpu, SHVM_SET_SREGS, &before);
		vcpu_ioctl(self->p->vcpu, SHVM_GET_SREGS, &after);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before))) TH_LOG("round %d", round);
		add_visit(self, self->p, round + 3);
		EXPECT_EQ(0, probe_run(self->p)) TH_LOG("round %d, second time", round);
	}
}

/* The guest's own way, seen by user space; and user space takes it on from there. */
TEST_F(formats_switch, by_both)
{
	struct probe *p = self->p;
	u32 round = 1, i;

	for (i = 0; i < NR_TOUR; i++, round++) {
		probe_add_enter(p, self->paging[tour[i]]);
		EXPECT_EQ(0, probe_run(p));
		p->cr3 = p->env.format == FORMAT_OFF ? p->cr3 : self->paging[tour[i]]->root;
		check_sregs(_metadata, p);
		add_visit(self, p, round);
		EXPECT_EQ(0, probe_run(p)) TH_LOG("round %d", round);
		probe_set_state(p, self->paging[tour[(i + 5) % NR_TOUR]], p->env.cr0, p->env.cr4,
				p->env.efer);
		add_visit(self, p, round + 1);
		EXPECT_EQ(0, probe_run(p)) TH_LOG("round %d by user space", round);
	}
}

/* ---- control bits, and CR3 stays ---- */

/* What a write to a read-only page, a fetch from a user page and one from a NX page come to. */
static void add_flip_accesses(struct probe *p, const u64 *entries, u32 round)
{
	static const struct format_access accesses[] = {
		{ .kind = ACCESS_WRITE }, { .kind = ACCESS_WRITE, .user = true },
		{ .kind = ACCESS_FETCH }, { .kind = ACCESS_FETCH, .user = true },
		{ .kind = ACCESS_READ },
	};
	int i;

	for (i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		u32 op = accesses[i].kind == ACCESS_WRITE ? PROBE_WRITE :
			 accesses[i].kind == ACCESS_FETCH ? PROBE_FETCH : PROBE_READ;
		u32 gva = accesses[i].kind == ACCESS_FETCH ? GVA : GVA + 8;
		struct format_result result = format_walk(&p->env, entries, &accesses[i]);

		probe_add(p, op | (accesses[i].user ? PROBE_AS_USER : 0), gva, round);
		if (result.fault)
			probe_want_fault(p, 14, result.error, gva);
		probe_name(p, "access", round << 4 | i);
	}
}

static const struct {
	const char *name;
	u64 cr0, cr4, efer;
	u64 entry;		/* right that is tested, beside P */
} flips[] = {
	{ "WP", CR0_WP, 0, 0, 0 },
	{ "WP of a user page", CR0_WP, 0, 0, PTE_U },
	{ "SMEP", 0, CR4_SMEP, 0, PTE_U | PTE_W },
	{ "SMEP without W", 0, CR4_SMEP, 0, PTE_U },
	{ "SMAP", 0, CR4_SMAP, 0, PTE_U | PTE_W },
	{ "PGE", 0, CR4_PGE, 0, PTE_W | PTE_G },
	{ "PSE", 0, CR4_PSE, 0, PTE_W | PTE_PS },
	{ "NXE", 0, 0, EFER_NX, PTE_U | PTE_NX },
};

static bool flip_possible(int i, int format)
{
	/* KVM does not notice when EFER.NX is cleared. */
	if (flips[i].efer && (format == FORMAT_32 || !test_is_shvm()))
		return false;
	return (!(flips[i].cr4 & CR4_SMEP) || region_cpuid_has(7, 1, 7)) &&
	       (!(flips[i].cr4 & CR4_SMAP) || region_cpuid_has(7, 1, 20));
}

static void add_flip(struct probe *p, int i)
{
	if (flips[i].cr0)
		probe_add_cr0(p, p->env.cr0 ^ flips[i].cr0);
	if (flips[i].cr4)
		probe_add_cr4(p, p->env.cr4 ^ flips[i].cr4);
	if (flips[i].efer)
		probe_add_efer(p, p->env.efer ^ flips[i].efer);
}

/* Flips a bit to and fro over a mapping that is in use. by_user: user space does it. */
static int flip_check(SELF *self, int format, int i, bool by_user)
{
	u64 entries[MAX_LEVELS + 1] = { 0, FRAME | PTE_P | flips[i].entry, PTE_TABLE, PTE_TABLE,
					PTE_TABLE };
	struct probe *p = self->p;
	struct paging *paging = self->paging[format];
	int bad = 0;
	u32 round;

	if (format == FORMAT_32)
		entries[1] &= 0xffffffff;
	probe_set_state(p, paging, SAVED_CR0, SAVED_CR4, 0);
	probe_add_entry(p, format, self->table, entries[1]);
	probe_add(p, PROBE_INVLPG, GVA, 0);
	for (round = 0; round < 4; round++) {
		add_flip_accesses(p, entries, round);
		if (by_user) {
			bad += probe_run(p);
			probe_set_state(p, paging, p->env.cr0 ^ flips[i].cr0,
					p->env.cr4 ^ flips[i].cr4, p->env.efer ^ flips[i].efer);
		} else {
			add_flip(p, i);
		}
		/* The TLB may keep what PSE and NXE meant before (SDM 4.10.4). */
		if (flips[i].efer || (flips[i].cr4 & CR4_PSE))
			probe_add(p, PROBE_INVLPG, GVA, 0);
	}
	return bad + probe_run(p);
}

TEST_F(formats_switch, control_bits_flip)
{
	int format, i, by_user;

	*(u8 *)vm_hva(self->vm, FRAME) = 0xcc;	/* INT3, where PROBE_FETCH goes */
	for (i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		for (format = FORMAT_32; format < NR_FORMATS; format++) {
			for (by_user = 0; by_user < 2 && flip_possible(i, format); by_user++)
				EXPECT_EQ(0, flip_check(self, format, i, by_user))
					TH_LOG("%s, %s, by user space: %d", flips[i].name,
					       formats[format].name, by_user);
		}
	}
}

/* ---- two vCPUs ---- */

/* Each edits the shared table in turn, and both see it after their own flush. */
TEST_F(formats_switch, two_vcpus_share_a_table)
{
	static const int pairs[][2] = {
		{ FORMAT_64, FORMAT_PAE }, { FORMAT_PAE, FORMAT_32 }, { FORMAT_32, FORMAT_64 },
		{ FORMAT_PAE, FORMAT_PAE }, { FORMAT_OFF, FORMAT_PAE },
	};
	struct probe *both[2] = { self->p, probe_create(self->vm, 1) };
	int format, pair, side;
	u32 round, n;

	for (format = FORMAT_32; format < NR_FORMATS; format++)
		probe_map(both[1], self->paging[format]);
	for (pair = 0; pair < sizeof(pairs) / sizeof(pairs[0]); pair++) {
		for (side = 0; side < 2; side++)
			probe_add_enter(both[side], self->paging[pairs[pair][side]]);
		for (round = 0; round < 12; round++) {
			struct probe *one = both[round & 1], *other = both[!(round & 1)];

			add_visit(self, one, round + pair);
			EXPECT_EQ(0, probe_run(one)) TH_LOG("pair %d, round %d", pair, round);
			n = (round + pair) % 16;
			if (other->env.format == FORMAT_OFF)
				continue;
			probe_add(other, PROBE_INVLPG, shared_gva(other->env.format, n), 0);
			probe_add_read(other, shared_gva(other->env.format, n),
				       FRAME + (round + pair) % 500 * PAGE_SIZE);
			EXPECT_EQ(0, probe_run(other)) TH_LOG("pair %d, round %d", pair, round);
		}
	}
}

/* One vCPU edits the table while the other runs in its own format: no run ends badly. */
TEST_F(formats_switch, changed_format_beside_another_vcpu)
{
	struct probe *other = probe_create(self->vm, 1);
	int format;
	u32 i;

	for (format = FORMAT_32; format < NR_FORMATS; format++)
		probe_map(other, self->paging[format]);
	probe_add_enter(other, self->paging[FORMAT_PAE]);
	for (i = 0; i < NR_TOUR; i++) {
		probe_add_enter(self->p, self->paging[tour[i]]);
		add_visit(self, self->p, i);
		EXPECT_EQ(0, probe_run(self->p)) TH_LOG("round %d", i);
		probe_add_cr3(other, self->paging[FORMAT_PAE]->root);
		probe_add_read(other, shared_gva(FORMAT_PAE, i % 16), FRAME + i * PAGE_SIZE);
		EXPECT_EQ(0, probe_run(other)) TH_LOG("round %d, the other", i);
	}
}

/* The page that the 8-byte entry, its upper half read as a 4-byte entry, leads to. */
static u64 page_of_both(u64 odd_entry)
{
	return odd_entry << 32 | PAGE(1);
}

/*
 * The upper half of an 8-byte entry is an entry of two-level paging, and what is marked there are
 * address bits 37 and 38 here.
 */
TEST_F(formats_switch, marks_of_one_are_address_of_another)
{
	static const u64 states[] = {
		PTE_P | PTE_W, PTE_P | PTE_W | PTE_A, PTE_P | PTE_W | PTE_A | PTE_D,
	};
	struct probe *other = probe_create(self->vm, 1);
	u64 entry = shared_entry(self->vm, self->table, 5);
	u32 odd_gva = shared_gva(FORMAT_32, 5) + PAGE_SIZE, *page;
	int format, i;

	if (self->p->env.phys_bits < 39 || !test_is_shvm())
		SKIP(return, "no address bit 38, or KVM, which keeps what it has for the entry");
	for (i = 0; i < 3; i++) {
		page = vm_add_ram(self->vm, HIGH_SLOT + i, 0, page_of_both(states[i]), PAGE_SIZE);
		page[0] = 100 + i;
	}
	probe_map(other, self->paging[FORMAT_32]);
	probe_add_enter(other, self->paging[FORMAT_32]);
	for (format = FORMAT_PAE; format < NR_FORMATS; format++) {
		probe_add(other, PROBE_WRITE, entry, MAPS(1));
		probe_add(other, PROBE_WRITE, entry + 4, states[0]);	/* for page 0 */
		probe_add(other, PROBE_INVLPG, odd_gva, 0);
		probe_add_enter(self->p, self->paging[format]);
		for (i = 0; i < 3; i++) {
			EXPECT_EQ(0, probe_run(other));
			probe_add(self->p, PROBE_INVLPG, shared_gva(format, 5), 0);
			probe_add_read(self->p, shared_gva(format, 5), 100 + i);
			EXPECT_EQ(0, probe_run(self->p)) TH_LOG("%d", i);
			probe_add(other, i ? PROBE_WRITE : PROBE_READ, odd_gva, 0);
			probe_add_read(other, entry + 4, states[i ? 2 : 1]);
		}
		EXPECT_EQ(0, probe_run(other));
	}
}

struct tourist {
	SELF *self;
	struct probe *p;
	u32 first, nr;		/* of the formats of the tour that it visits, in turn */
	int bad;
};

/* Each has entries and pages of its own, in the same table. */
static void *tourist_runs(void *arg)
{
	struct tourist *t = arg;
	u32 id = t->p->vcpu->id, i, j;

	for (i = 0; i < 3 * NR_TOUR; i++) {
		probe_add_enter(t->p, t->self->paging[tour[(t->first + i % t->nr) % NR_TOUR]]);
		for (j = 0; j < 8; j++)
			add_visit_of(t->self, t->p, id * 8 + j, id * 250 + (i * 8 + j) % 250, i);
		t->bad += probe_run(t->p);
	}
	return NULL;
}

/* Both at once: one stays in its format, or goes another way round. */
TEST_F(formats_switch, two_vcpus_at_once)
{
	struct probe *other = probe_create(self->vm, 1);
	struct tourist tourists[2];
	pthread_t thread;
	int format;
	u32 first;

	for (format = FORMAT_32; format < NR_FORMATS; format++)
		probe_map(other, self->paging[format]);
	for (first = 0; first < 4; first++) {
		tourists[0] = (struct tourist){ .self = self, .p = self->p, .nr = NR_TOUR };
		tourists[1] = (struct tourist){
			.self = self, .p = other, .first = first, .nr = first ? 1 : NR_TOUR,
		};
		ASSERT_EQ(0, pthread_create(&thread, NULL, tourist_runs, &tourists[1]));
		tourist_runs(&tourists[0]);
		pthread_join(thread, NULL);
		EXPECT_EQ(0, tourists[0].bad) TH_LOG("first, beside %d", first);
		EXPECT_EQ(0, tourists[1].bad) TH_LOG("second, %d", first);
	}
}

SHVM_TEST_MAIN
