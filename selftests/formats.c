// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every paging format of x86 against the rules of the SDM: rights of all levels combined, large
 * pages, reserved bits with the whole error code, accessed and dirty bits. The same tests run in
 * two-level, PAE and 4-level paging; the rules are in lib/format.c.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "probe.h"

#define GVA		0xc0000000u	/* what the tests map; a multiple of every span */
#define HIGH_SLOT	7
#define HIGH_SIZE	0x400000u

FIXTURE(formats)
{
	struct test_vm *vm;
	struct probe *p;
	struct paging *paging;
	int format;
	u64 entry[MAX_LEVELS + 1];	/* where the entries for GVA are */
	u64 value[MAX_LEVELS + 1];	/* and what is in those that a test leaves alone */
};

FIXTURE_VARIANT(formats)
{
	int format;
};

FIXTURE_VARIANT_ADD(formats, two_level) { .format = FORMAT_32 };
FIXTURE_VARIANT_ADD(formats, pae) { .format = FORMAT_PAE };
FIXTURE_VARIANT_ADD(formats, four_level) { .format = FORMAT_64 };

/* Each page of FRAME: INT3, and its own address. */
static void frames_make(struct test_vm *vm)
{
	u32 i, *page;

	for (i = 0; i < FRAME_SIZE; i += PAGE_SIZE) {
		page = vm_hva(vm, FRAME + i);
		page[0] = 0xcc;
		page[1] = FRAME + i;
	}
}

FIXTURE_SETUP(formats)
{
	int level;

	self->format = variant->format;
	self->vm = vm_create();
	frames_make(self->vm);
	self->p = probe_create(self->vm, 0);
	self->paging = paging_create(self->vm, self->format);
	probe_map(self->p, self->paging);
	for (level = 1; level <= formats[self->format].levels; level++) {
		self->entry[level] = paging_entry(self->paging, GVA, level);
		self->value[level] = format_get(self->vm, self->format, self->entry[level]);
	}
	probe_add_enter(self->p, self->paging);
	ASSERT_EQ(0, probe_run(self->p));
}

FIXTURE_TEARDOWN(formats)
{
	vm_free(self->vm);
}

#define SELF	FIXTURE_DATA(formats)

static u32 access_op(const struct format_access *access)
{
	static const u32 ops[] = { PROBE_READ, PROBE_WRITE, PROBE_FETCH };

	return ops[access->kind] | (access->user ? PROBE_AS_USER : 0) |
	       (access->ac ? PROBE_AC : 0);
}

/* Of a page of FRAME: writes must not change what others want to find. */
static u32 access_gva(const struct format_access *access, u32 gva)
{
	static const u32 offsets[] = { 4, 8, 0 };

	return gva + offsets[access->kind];
}

/*
 * What the guest finds at GVA: entries[level], of which those from low to high are written anew for
 * each access and looked at after it. The page of FRAME is at this offset from GVA.
 */
struct path {
	u64 entries[MAX_LEVELS + 1];
	int low, high;
	u32 offset;
};

/* One that maps FRAME by a leaf of this level, with all rights. */
static struct path path_make(SELF *self, int leaf)
{
	u64 span = format_span(self->format, leaf);
	struct path path = { .low = leaf, .high = leaf };

	memcpy(path.entries, self->value, sizeof(path.entries));
	path.entries[leaf] = (FRAME & ~(span - 1)) | PTE_TABLE | (leaf > 1 ? PTE_PS : 0);
	path.offset = FRAME & (span - 1);
	return path;
}

/* The top level of 4-level paging has one entry for all that a 32-bit guest can reach. */
static int last_entry_level(int format)
{
	return format == FORMAT_64 ? 3 : 2;
}

/* The entries above the leaf as they were, whatever the test before has left. */
static void add_upper_levels(SELF *self, int leaf)
{
	int level;

	for (level = leaf + 1; level <= last_entry_level(self->format); level++)
		probe_add_entry(self->p, self->format, self->entry[level], self->value[level]);
	probe_add_cr3(self->p, self->p->cr3);
}

static void add_access(SELF *self, const struct path *path, const struct format_access *access,
		       long id)
{
	struct probe *p = self->p;
	struct format_result result = format_walk(&p->env, path->entries, access);
	u32 gva = access_gva(access, GVA + path->offset);
	int level;

	for (level = path->low; level <= path->high; level++) {
		probe_add_entry(p, self->format, self->entry[level], path->entries[level]);
		probe_name(p, "entry", id);
	}
	probe_add(p, PROBE_INVLPG, gva, 0);
	probe_add(p, access_op(access), gva, 0);
	if (result.fault)
		probe_want_fault(p, 14, result.error, gva);
	else if (access->kind == ACCESS_READ)
		probe_want_value(p, FRAME);
	probe_name(p, "access", id);
	for (level = path->low; level <= path->high; level++) {
		u64 want = path->entries[level];

		if (!result.fault)
			want |= format_used(self->format, &result, access, level);
		probe_add_entry_check(p, self->format, self->entry[level], want);
		probe_name(p, "entry after", id);
	}
}

/* Each kind of access from each ring. */
static void add_accesses(SELF *self, const struct path *path, bool ac, long id)
{
	struct format_access access = { .ac = ac };
	int i;

	for (i = 0; i < 2 * NR_ACCESSES; i++) {
		access.kind = i % NR_ACCESSES;
		access.user = i >= NR_ACCESSES;
		add_access(self, path, &access, id << 4 | i);
	}
}

/* ---- rights ---- */

/* Control bits of a run. */
#define MODE_WP		(1u << 0)
#define MODE_NXE	(1u << 1)
#define MODE_SMEP	(1u << 2)
#define MODE_SMAP	(1u << 3)
#define MODE_AC		(1u << 4)

static bool mode_possible(u32 mode, int format)
{
	/* KVM goes by EFER.NX in two-level paging too, and not even by its present value. */
	if (format == FORMAT_32 && (mode & MODE_NXE) && !test_is_shvm())
		return false;
	return (!(mode & MODE_SMEP) || region_cpuid_has(7, 1, 7)) &&
	       (!(mode & MODE_SMAP) || region_cpuid_has(7, 1, 20));
}

static void add_mode(struct probe *p, u32 mode)
{
	probe_add_cr0(p, (p->env.cr0 & ~CR0_WP) | (mode & MODE_WP ? CR0_WP : 0));
	probe_add_cr4(p, (p->env.cr4 & ~(CR4_SMEP | CR4_SMAP)) |
		      (mode & MODE_SMEP ? CR4_SMEP : 0) | (mode & MODE_SMAP ? CR4_SMAP : 0));
	probe_add_efer(p, (p->env.efer & ~EFER_NX) | (mode & MODE_NXE ? EFER_NX : 0));
}

static u64 rights(u32 n)
{
	return (n & 1 ? PTE_W : 0) | (n & 2 ? PTE_U : 0) | (n & 4 ? PTE_NX : 0);
}

/* All rights of a leaf of this level, and of the entry above it if that has any. */
static int rights_check(SELF *self, u32 mode, int leaf)
{
	u32 nr = self->format == FORMAT_32 ? 4 : 8, nr_above = nr, above, n;
	struct path path = path_make(self, leaf);
	u64 leaf_value = path.entries[leaf] & ~(u64)PTE_TABLE;
	int bad = 0;

	if (leaf == last_entry_level(self->format))
		nr_above = 1;
	else
		path.high = leaf + 1;
	add_mode(self->p, mode);
	add_upper_levels(self, leaf);
	for (above = 0; above < nr_above; above++) {
		if (nr_above > 1)
			path.entries[leaf + 1] = (self->value[leaf + 1] & ~(u64)PTE_TABLE) |
						 PTE_P | rights(above);
		for (n = 0; n < nr; n++) {
			path.entries[leaf] = leaf_value | PTE_P | rights(n);
			add_accesses(self, &path, mode & MODE_AC, above << 8 | n);
			bad += probe_run(self->p);
		}
	}
	return bad;
}

static void check_modes(struct __test_metadata *_metadata, SELF *self, int leaf,
			const u32 *modes, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (!mode_possible(modes[i], self->format))
			continue;
		EXPECT_EQ(0, rights_check(self, modes[i], leaf))
			TH_LOG("leaf of level %d, mode %#x", leaf, modes[i]);
	}
}

TEST_F(formats, rights)
{
	static const u32 modes[] = {
		MODE_WP | MODE_NXE, 0, MODE_WP, MODE_WP | MODE_SMEP, MODE_NXE | MODE_SMEP,
		MODE_WP | MODE_NXE | MODE_SMAP, MODE_SMAP | MODE_SMEP,
		MODE_WP | MODE_SMAP | MODE_AC,
	};

	check_modes(_metadata, self, 1, modes, sizeof(modes) / sizeof(modes[0]));
}

/* The levels besides 1 that can map a page, in the guest's present state. */
static int last_leaf(SELF *self)
{
	return self->format == FORMAT_64 && self->p->env.gbpages ? 3 : 2;
}

static void add_pse(struct probe *p, bool on)
{
	probe_add_cr4(p, (p->env.cr4 & ~CR4_PSE) | (on ? CR4_PSE : 0));
}

TEST_F(formats, rights_of_large_pages)
{
	static const u32 modes[] = {
		MODE_WP | MODE_NXE, 0, MODE_WP | MODE_SMEP, MODE_SMAP | MODE_NXE,
	};
	int leaf;

	add_pse(self->p, self->format == FORMAT_32);
	for (leaf = 2; leaf <= last_leaf(self); leaf++)
		check_modes(_metadata, self, leaf, modes, sizeof(modes) / sizeof(modes[0]));
}

/* One table, two entries of different rights that lead to it; who comes first must not matter. */
static int diamond_check(SELF *self, u32 left, u32 right, u32 first)
{
	u64 step = format_span(self->format, 2);
	u64 other = paging_entry(self->paging, GVA + step, 2);
	u64 table = self->value[2] & ~(u64)PTE_TABLE;
	struct path side[2];
	int i;

	for (i = 0; i < 2; i++) {
		u64 value = table | PTE_P | rights(i ? right : left);

		side[i] = path_make(self, 1);
		side[i].entries[2] = value;
		side[i].offset += i * step;
		side[i].high = 0;		/* nothing is written between the accesses */
		probe_add_entry(self->p, self->format, i ? other : self->entry[2], value);
	}
	probe_add_cr3(self->p, self->p->cr3);
	for (i = 0; i < 3; i++)
		add_accesses(self, &side[(first + i) & 1], false, left << 8 | right << 4 | i);
	return probe_run(self->p);
}

TEST_F(formats, diamond)
{
	u32 nr = self->format == FORMAT_32 ? 4 : 8, left, right;

	add_mode(self->p, MODE_WP | (self->format == FORMAT_32 ? 0 : MODE_NXE));
	format_set(self->vm, self->format, self->entry[1], FRAME | PTE_TABLE);
	for (left = 0; left < nr; left++)
		for (right = 0; right < nr; right++)
			EXPECT_EQ(0, diamond_check(self, left, right, left ^ right));
}

/*
 * The top level of 4-level paging, as far as the probe goes on behind it: it runs with WP off then,
 * so W counts for ring 3 alone. A is always set, for its own accesses set it.
 */
TEST_F(formats, top_level)
{
	struct probe *p = self->p;
	struct path path = path_make(self, 1);
	u64 top;
	int i;

	if (self->format != FORMAT_64)
		return;
	add_mode(p, 0);
	add_upper_levels(self, 1);
	for (i = 0; i < 8; i++) {
		top = self->value[4] & ~(u64)(PTE_W | PTE_A);
		top |= (i & 1 ? PTE_W : 0) | (i & 2 ? PTE_A : 0) |
		       (i & 4 ? 1ull << 52 | 1 << 9 : 0);
		path.entries[4] = top;
		probe_add_entry(p, self->format, self->entry[4], top);
		probe_add_cr3(p, p->cr3);
		add_accesses(self, &path, false, i);
		probe_add_entry_check(p, self->format, self->entry[4], top | PTE_A);
		probe_name(p, "top, round", i);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* ---- reserved bits ---- */

/* Setting it in this entry would make it another address, or another kind of entry. */
static bool bit_has_meaning(SELF *self, int level, u64 entry, int bit)
{
	u64 mask = 1ull << bit;

	if (format_reserved(&self->p->env, level, entry | mask) & mask)
		return false;
	if (mask & (PTE_TABLE | PTE_A | PTE_D | PTE_NX))
		return true;
	return (mask == PTE_PS && level > 1) || (bit > 11 && bit < 52);
}

/* Each bit of the entry of a level above a leaf, which alone is wrong, or ignored. */
static int reserved_check(SELF *self, int leaf, int level)
{
	int nr = formats[self->format].entry_size * 8, bit, bad = 0;

	add_upper_levels(self, leaf);
	for (bit = 0; bit < nr; bit++) {
		struct path path = path_make(self, leaf);
		u64 entry = path.entries[level];

		if (bit_has_meaning(self, level, entry, bit))
			continue;
		path.high = level;
		path.entries[level] = entry | 1ull << bit;
		add_accesses(self, &path, false, leaf << 16 | level << 8 | bit);
		path.entries[level] &= ~PTE_P;
		add_accesses(self, &path, false, leaf << 16 | level << 8 | bit);
		bad += probe_run(self->p);
	}
	return bad;
}

TEST_F(formats, reserved_bits)
{
	int leaf, level = 0, nxe;

	add_pse(self->p, true);
	for (nxe = 0; nxe < (self->format == FORMAT_32 ? 1 : 2); nxe++) {
		add_mode(self->p, MODE_WP | (nxe ? MODE_NXE : 0));
		for (leaf = 1; leaf <= last_leaf(self); leaf++)
			for (level = leaf; level <= last_entry_level(self->format); level++)
				EXPECT_EQ(0, reserved_check(self, leaf, level))
					TH_LOG("leaf %d, entry of %d, NXE %d", leaf, level, nxe);
	}
}

/* ---- large pages ---- */

/*
 * Without CR4.PSE bit 7 of a PDE means nothing in two-level paging; in the other formats CR4.PSE
 * means nothing. The address is right for both: a large page whose first page is a table.
 */
TEST_F(formats, pse)
{
	struct probe *p = self->p;
	struct path path = path_make(self, 2);
	u64 table = path.entries[2] & PTE_ADDR & ~(format_span(self->format, 2) - 1), pte;
	int i;

	if (self->format != FORMAT_32) {
		path.low = 2;
		for (i = 0; i < 4; i++) {
			add_pse(p, i & 1);
			add_accesses(self, &path, false, i);
		}
		EXPECT_EQ(0, probe_run(p));
		return;
	}
	pte = table + (path.offset / PAGE_SIZE) * 4;
	format_set(self->vm, FORMAT_32, pte, (FRAME + PAGE_SIZE) | PTE_P | PTE_W);
	for (i = 0; i < 6; i++) {
		u32 gva = GVA + path.offset;

		add_pse(p, i & 1);
		probe_add_entry(p, FORMAT_32, self->entry[2], path.entries[2]);
		probe_add_entry(p, FORMAT_32, pte, (FRAME + PAGE_SIZE) | PTE_P | PTE_W);
		probe_add(p, PROBE_INVLPG, gva, 0);
		probe_add_read(p, gva + 4, FRAME + (i & 1 ? 0 : PAGE_SIZE));
		probe_name(p, "read", i);
		probe_add(p, PROBE_WRITE, gva + 8, i);
		probe_add_entry_check(p, FORMAT_32, self->entry[2],
				      path.entries[2] | PTE_A | (i & 1 ? PTE_D : 0));
		probe_name(p, "PDE", i);
		probe_add_entry_check(p, FORMAT_32, pte, (FRAME + PAGE_SIZE) | PTE_P | PTE_W |
				      (i & 1 ? 0 : PTE_A | PTE_D));
		probe_name(p, "PTE", i);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* A large page is one entry: any of its pages sets D, and each address has its page. */
TEST_F(formats, large_pages)
{
	struct probe *p = self->p;
	int leaf, i;

	add_pse(p, true);
	for (leaf = 2; leaf <= last_leaf(self); leaf++) {
		struct path path = path_make(self, leaf);
		u64 *entry = &path.entries[leaf];

		probe_add_entry(p, self->format, self->entry[leaf], *entry);
		probe_add_cr3(p, p->cr3);
		for (i = 0; i < 512; i += 37)
			probe_add_read(p, GVA + path.offset + i * PAGE_SIZE + 4,
				       FRAME + i * PAGE_SIZE);
		probe_add_entry_check(p, self->format, self->entry[leaf], *entry | PTE_A);
		for (i = 3; i < 512; i += 97) {
			probe_add_entry(p, self->format, self->entry[leaf], *entry);
			probe_add(p, PROBE_INVLPG, GVA + path.offset + i * PAGE_SIZE, 0);
			probe_add(p, PROBE_WRITE, GVA + path.offset + i * PAGE_SIZE + 8, leaf + i);
			probe_add_read(p, FRAME + i * PAGE_SIZE + 8, leaf + i);
			probe_add_entry_check(p, self->format, self->entry[leaf],
					      *entry | PTE_A | PTE_D);
		}
		EXPECT_EQ(0, probe_run(p)) TH_LOG("level %d", leaf);
	}
}

/* ---- addresses above 4 GiB ---- */

static u64 high_entry(SELF *self, int leaf, u64 gpa)
{
	u64 flags = PTE_TABLE | (leaf > 1 ? PTE_PS : 0);

	if (self->format == FORMAT_32)		/* PSE-36: bits 39:32 are in bits 20:13 */
		return (gpa & 0xffc00000) | (gpa >> 32 & 0xff) << 13 | flags;
	return gpa | flags;
}

TEST_F(formats, high_memory)
{
	struct probe *p = self->p;
	int top = p->env.phys_bits < 40 ? p->env.phys_bits - 1 : 39, leaf, i;

	if (self->format == FORMAT_32 && !p->env.pse36)
		SKIP(return, "the CPU has no PSE-36");
	if (self->format == FORMAT_32 && !test_is_shvm())
		top = 35;		/* KVM has the first form of PSE-36 */
	add_pse(p, true);
	for (i = 0; i < 2; i++) {
		u64 gpa = 1ull << (i ? top : 32);
		u32 *high = vm_add_ram(self->vm, HIGH_SLOT + i, 0, gpa, HIGH_SIZE);

		for (leaf = self->format == FORMAT_32 ? 2 : 1; leaf <= 2; leaf++) {
			u64 entry = high_entry(self, leaf, gpa);

			high[1] = 0x1234567 + leaf;
			probe_add_entry(p, self->format, self->entry[2], self->value[2]);
			probe_add_entry(p, self->format, self->entry[leaf], entry);
			probe_add(p, PROBE_INVLPG, GVA, 0);
			probe_add_read(p, GVA + 4, high[1]);
			probe_name(p, "leaf", leaf);
			probe_add(p, PROBE_WRITE, GVA + 8, leaf + i);
			probe_add_entry_check(p, self->format, self->entry[leaf],
					      entry | PTE_A | PTE_D);
			EXPECT_EQ(0, probe_run(p)) TH_LOG("at %#lx", (long)gpa);
			EXPECT_EQ(leaf + i, high[2]);
		}
	}
}

/* ---- what is behind an address ---- */

/* No memory: the access is one to a device, at the address that the format gives. */
TEST_F(formats, mmio)
{
	struct shvm_run *run = self->p->vcpu->run;
	u32 data = 0x12345678;
	int leaf;

	add_pse(self->p, true);
	for (leaf = 1; leaf <= 2; leaf++) {
		u64 gpa = HOLE_BASE + (leaf > 1 ? 0x10000000 : 0);

		probe_add_entry(self->p, self->format, self->entry[leaf],
				gpa | PTE_P | PTE_W | (leaf > 1 ? PTE_PS : 0));
		probe_add(self->p, PROBE_INVLPG, GVA, 0);
		probe_add_read(self->p, GVA + 0x124, data);
		ASSERT_EQ(SHVM_EXIT_MMIO, probe_run_raw(self->p));
		EXPECT_EQ(gpa + 0x124, run->mmio.phys_addr);
		EXPECT_EQ(4, run->mmio.len);
		EXPECT_EQ(0, run->mmio.is_write);
		vcpu_set_io_data(self->p->vcpu, &data, 4);
		ASSERT_EQ(EXIT_DONE, vcpu_run(self->p->vcpu));
		EXPECT_EQ(data, self->p->cmds[self->p->nr - 1].value);
		self->p->nr = 0;
	}
}

/* The host takes pages back while the guest maps them: what it reads then is new memory. */
TEST_F(formats, host_takes_pages)
{
	int leaf, i;

	add_pse(self->p, true);
	for (leaf = 1; leaf <= 2; leaf++) {
		struct path path = path_make(self, leaf);

		probe_add_entry(self->p, self->format, self->entry[leaf], path.entries[leaf]);
		probe_add(self->p, PROBE_INVLPG, GVA + path.offset, 0);
		for (i = 0; i < 4; i++) {
			*(u32 *)vm_hva(self->vm, FRAME + 4) = i + 1;
			probe_add_read(self->p, GVA + path.offset + 4, i + 1);
			probe_add(self->p, PROBE_WRITE, GVA + path.offset + 8, i);
			EXPECT_EQ(0, probe_run(self->p));
			ASSERT_EQ(0, madvise(vm_hva(self->vm, FRAME), PAGE_SIZE, MADV_DONTNEED));
			probe_add_read(self->p, GVA + path.offset + 4, 0);
			probe_add_read(self->p, GVA + path.offset + 8, 0);
			probe_name(self->p, "round", i);
			EXPECT_EQ(0, probe_run(self->p)) TH_LOG("leaf of level %d", leaf);
		}
	}
}

/* ---- accessed and dirty ---- */

/* Clears bits of the entry, has the TLB forget it, and makes an access that sets some again. */
static void add_used_again(SELF *self, int leaf, u64 entry, u64 keep, u32 op, u64 want, int round)
{
	struct probe *p = self->p;
	u32 gva = GVA + (FRAME & (format_span(self->format, leaf) - 1));

	probe_add_entry(p, self->format, self->entry[leaf], entry | keep);
	if (round & 1)
		probe_add_cr3(p, p->cr3);
	else
		probe_add(p, PROBE_INVLPG, gva, 0);
	probe_add_entry_check(p, self->format, self->entry[leaf], entry | keep);
	probe_add(p, op, gva + 8, round);
	probe_add_entry_check(p, self->format, self->entry[leaf], entry | want);
	probe_name(p, "round", round);
}

TEST_F(formats, cleared_bits_come_again)
{
	int leaf, i;

	add_pse(self->p, true);
	for (leaf = 1; leaf <= last_leaf(self); leaf++) {
		struct path path = path_make(self, leaf);
		u64 entry = path.entries[leaf], all = PTE_A | PTE_D;

		if (leaf > 1)	/* from now on PDEs, from then on PDPTEs map */
			probe_add_entry(self->p, self->format, self->entry[leaf], entry);
		for (i = 0; i < 8; i++) {
			add_used_again(self, leaf, entry, 0, PROBE_READ, PTE_A, i);
			add_used_again(self, leaf, entry, PTE_A, PROBE_WRITE, all, i);
			add_used_again(self, leaf, entry, PTE_A, PROBE_READ, PTE_A, i);
			add_used_again(self, leaf, entry, 0, PROBE_WRITE, all, i);
			add_used_again(self, leaf, entry, PTE_D, PROBE_READ, all, i);
			add_used_again(self, leaf, entry, PTE_A, PROBE_WRITE, all, i);
		}
		EXPECT_EQ(0, probe_run(self->p)) TH_LOG("leaf of level %d", leaf);
	}
}

SHVM_TEST_MAIN
