// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests of every paging format edit tables that are in use: by stores of every width, over two
 * entries and over the end of a table, through a page directory that maps itself, in a frame that
 * is a table of two levels at once, and in tables that move to another address.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "probe.h"

#define GVA		0xc0000000u

FIXTURE(formats_write)
{
	struct test_vm *vm;
	struct probe *p;
	struct paging *paging;
	int format;
	u64 pde, pt;		/* the entry of level 2 for GVA, and the table it leads to */
	int size;		/* of an entry */
};

FIXTURE_VARIANT(formats_write)
{
	int format;
};

FIXTURE_VARIANT_ADD(formats_write, two_level) { .format = FORMAT_32 };
FIXTURE_VARIANT_ADD(formats_write, pae) { .format = FORMAT_PAE };
FIXTURE_VARIANT_ADD(formats_write, four_level) { .format = FORMAT_64 };

#define MAPS(n)		(PAGE(n) | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define AT(n)		(u32)(GVA + (n) * PAGE_SIZE)

FIXTURE_SETUP(formats_write)
{
	self->format = variant->format;
	self->size = formats[self->format].entry_size;
	self->vm = vm_create();
	region_fill(self->vm);
	self->p = probe_create(self->vm, 0);
	self->paging = paging_create(self->vm, self->format);
	probe_map(self->p, self->paging);
	self->pt = paging_entry(self->paging, GVA, 1);
	self->pde = paging_entry(self->paging, GVA, 2);
	probe_add_enter(self->p, self->paging);
	ASSERT_EQ(0, probe_run(self->p));
}

FIXTURE_TEARDOWN(formats_write)
{
	vm_free(self->vm);
}

#define SELF	FIXTURE_DATA(formats_write)

static u64 pte_gpa(SELF *self, u32 n)
{
	return self->pt + n * self->size;
}

static void add_pte(SELF *self, u32 n, u64 value)
{
	probe_add_entry(self->p, self->format, pte_gpa(self, n), value);
}

/* After the guest's flush the address shows this page. */
static void add_page(SELF *self, u32 gva, u32 page, const char *text, long id)
{
	probe_add(self->p, PROBE_INVLPG, gva, 0);
	probe_add_read(self->p, gva, PAGE(page));
	probe_name(self->p, text, id);
}

/* ---- stores of every width ---- */

/* Stores "to" over "from" in one entry, of which bytes from first on are written by op. */
static void add_store(SELF *self, u32 op, u32 first, u32 from, u32 to)
{
	u64 entry = pte_gpa(self, 8);

	add_pte(self, 8, MAPS(from));
	if (self->size == 4)	/* the store of 8 bytes takes the next entry with it */
		add_pte(self, 9, 0);
	add_page(self, AT(8), from, "before, operation", op);
	probe_add(self->p, op, entry + first, MAPS(to) >> first * 8);
	probe_add_entry_check(self->p, self->format, entry, MAPS(to));
	probe_name(self->p, "operation", op);
	add_page(self, AT(8), to, "after, operation", op);
}

/* Pages 5 and 0x45 differ in byte 2 of the entry, 4 and 5 in byte 1. */
TEST_F(formats_write, every_width)
{
	int i;

	for (i = 0; i < 4; i++) {
		add_store(self, PROBE_WRITE, 0, 0x45, 5);
		add_store(self, PROBE_WRITE8, 2, 0x45, 5);
		add_store(self, PROBE_WRITE8, 1, 4, 5);
		add_store(self, PROBE_WRITE16, 2, 0x45, 5);
		add_store(self, PROBE_WRITE16, 0, 4, 5);
		add_store(self, PROBE_WRITE16, 1, 0x44, 5);
		add_store(self, PROBE_WRITE64, 0, 0x45, 5);
		add_store(self, PROBE_WRITE64X, 0, 0x45, 5);
	}
	EXPECT_EQ(0, probe_run(self->p));
}

/* The same one level up, where an entry decides over a whole table. */
TEST_F(formats_write, every_width_on_a_directory)
{
	static const u32 ops[] = { PROBE_WRITE, PROBE_WRITE8, PROBE_WRITE16, PROBE_WRITE64 };
	struct probe *p = self->p;
	u64 both[2] = { format_get(self->vm, self->format, self->pde), 0 }, table;
	int i;

	do {	/* a table whose entry differs in byte 1 alone */
		both[1] = format_table(self->vm, self->format, 1);
	} while ((both[0] ^ both[1]) & ~0xff00ull);
	table = both[1] & PTE_ADDR;
	format_set(self->vm, self->format, pte_gpa(self, 3), MAPS(1));
	format_set(self->vm, self->format, table + 3 * self->size, MAPS(2));
	for (i = 0; i < 40; i++) {
		u32 op = ops[i % 4], first = op == PROBE_WRITE8;
		u64 value = both[i & 1] | PTE_A;

		probe_add(p, op, self->pde + first, value >> first * 8);
		add_page(self, AT(3), i & 1 ? 2 : 1, "store", i);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* A table that is always in use, for the code runs on it: its shadow cannot be given up. */
TEST_F(formats_write, movq_on_a_directory)
{
	u64 both[2] = { format_get(self->vm, self->format, self->pde), 0 }, value;
	u64 top = paging_entry(self->paging, GVA, self->format == FORMAT_64 ? 4 : 2);
	struct probe *p = self->p;
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM tries without end in PAE paging");
	both[1] = format_table(self->vm, self->format, 1);
	format_set(self->vm, self->format, self->pt, MAPS(1));
	format_set(self->vm, self->format, both[1] & PTE_ADDR, MAPS(2));
	for (i = 0; i < 40; i++) {
		value = both[i & 1] | PTE_A;
		probe_add(p, PROBE_WRITE64X, self->pde, value);
		add_page(self, AT(0), 1 + (i & 1), "store", i);
		value = top == self->pde ? value : format_get(self->vm, self->format, top) | PTE_A;
		probe_add(p, PROBE_WRITE64X, top, value | 1ull << 9);
		add_page(self, AT(0), 1 + (i & 1), "store to the top, round", i);
		probe_add_entry_check(p, self->format, top, value | 1ull << 9);
		probe_name(p, "top, round", i);
	}
	EXPECT_EQ(0, probe_run(p));
	EXPECT_EQ(value | 1ull << 9, format_get(self->vm, self->format, top));
}

/* Whole tables by one instruction, as fork and exit do it. */
TEST_F(formats_write, whole_tables)
{
	u64 source = pt_alloc(self->vm), pd = self->pde & PTE_ADDR, words = PAGE_SIZE / 4;
	u64 directory = pt_alloc(self->vm);
	struct probe *p = self->p;
	u32 round, i;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < PAGE_SIZE / self->size; i++)
			format_set(self->vm, self->format, source + i * self->size,
				   MAPS((i + round) % 512));
		probe_add(p, PROBE_COPY, self->pt, words << 32 | source);
		probe_add_cr3(p, p->cr3);
		for (i = 0; i < 512; i += 61)
			probe_add_read(p, AT(i), PAGE((i + round) % 512));
		/* The directory without this table, and then with it again. */
		probe_add(p, PROBE_COPY, directory, words << 32 | pd);
		probe_add_entry(p, self->format, directory + (self->pde & ~PTE_ADDR), 0);
		probe_add(p, PROBE_COPY, pd, words << 32 | directory);
		probe_add_cr3(p, p->cr3);
		probe_add_absent(p, AT(1));
		probe_name(p, "round", round);
		probe_add_entry(p, self->format, directory + (self->pde & ~PTE_ADDR),
				self->pt | PTE_TABLE);
		probe_add(p, PROBE_COPY, pd, words << 32 | directory);
		probe_add_read(p, AT(1), PAGE(1 + round));
		probe_name(p, "round", round);
		EXPECT_EQ(0, probe_run(p));
	}
}

/* ---- stores over two entries ---- */

/* A store of width bytes at an offset from entry 10: the bytes of "to" over those of "from". */
static int straddle_check(SELF *self, u32 op, u32 width, u32 offset)
{
	struct probe *p = self->p;
	u64 value[4] = { MAPS(1), MAPS(2), 0, 0 }, new[4] = { MAPS(0x41), MAPS(0x42), 0, 0 };
	u8 from[32] = { }, to[32] = { };
	u64 store = 0;
	int i;

	for (i = 0; i < 2; i++) {
		memcpy(from + i * self->size, &value[i], self->size);
		memcpy(to + i * self->size, &new[i], self->size);
		add_pte(self, 10 + i, value[i]);
		add_page(self, AT(10 + i), 1 + i, "before, offset", offset);
	}
	if (self->size == 4)
		add_pte(self, 12, 0);
	memcpy(&store, to + offset, width);
	memcpy(from + offset, to + offset, width);
	probe_add(p, op, pte_gpa(self, 10) + offset, store);
	for (i = 0; i < 2; i++) {
		u64 want = 0;

		memcpy(&want, from + i * self->size, self->size);
		probe_add_entry_check(p, self->format, pte_gpa(self, 10 + i), want);
		probe_name(p, "entry, offset", offset);
		add_page(self, AT(10 + i), (want - FRAME) / PAGE_SIZE, "after, offset", offset);
	}
	return probe_run(p);
}

TEST_F(formats_write, over_two_entries)
{
	u32 offset;

	for (offset = 1; offset < 2 * self->size; offset++) {
		EXPECT_EQ(0, straddle_check(self, PROBE_WRITE16, 2, offset));
		EXPECT_EQ(0, straddle_check(self, PROBE_WRITE, 4, offset));
		if (offset <= self->size)
			EXPECT_EQ(0, straddle_check(self, PROBE_WRITE64X, 8, offset));
	}
}

/* A store of 4 bytes at an offset from 4 before the end of self->pt, the table before next. */
static int end_check(SELF *self, u64 next, u32 offset)
{
	u64 from[2] = { MAPS(1), MAPS(2) }, to[2] = { MAPS(0x41), MAPS(0x42) };
	u32 last = PAGE_SIZE / self->size - 1, at = self->size - 4 + offset, store, i;
	struct probe *p = self->p;
	u8 old[16] = { }, new[16] = { };

	for (i = 0; i < 2; i++) {
		memcpy(old + i * self->size, &from[i], self->size);
		memcpy(new + i * self->size, &to[i], self->size);
		add_pte(self, last + i, from[i]);
		add_page(self, AT(last + i), 1 + i, "before, offset", offset);
	}
	memcpy(&store, new + at, 4);
	memcpy(old + at, &store, 4);
	probe_add(p, PROBE_WRITE, next - 4 + offset, store);
	for (i = 0; i < 2; i++) {
		u64 want = 0;

		memcpy(&want, old + i * self->size, self->size);
		probe_add_entry_check(p, self->format, pte_gpa(self, last + i), want);
		probe_name(p, "entry, offset", offset);
		add_page(self, AT(last + i), (want - FRAME) / PAGE_SIZE, "after, offset", offset);
	}
	return probe_run(p);
}

/* The store begins in a table and ends in another one. */
TEST_F(formats_write, over_the_end_of_a_table)
{
	u64 next = pt_alloc(self->vm), span = format_span(self->format, 2);
	u32 i;

	while (next != self->pt + PAGE_SIZE) {
		self->pt = next;
		next = pt_alloc(self->vm);
	}
	probe_add_entry(self->p, self->format, self->pde, self->pt | PTE_TABLE);
	probe_add_entry(self->p, self->format, paging_entry(self->paging, GVA + span, 2),
			next | PTE_TABLE);
	probe_add_cr3(self->p, self->p->cr3);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, end_check(self, next, i % 4)) TH_LOG("offset %d", i % 4);
}

/* ---- tables that are mapped by themselves ---- */

/* The page directory as its own entry: tables appear as pages, and stores there edit them. */
TEST_F(formats_write, self_mapped_directory)
{
	u64 pd = self->pde & PTE_ADDR, span = format_span(self->format, 2);
	u32 self_slot = 20, window = GVA + self_slot * span;
	struct probe *p = self->p;
	u32 pte, pde, own;
	int i;

	pte = window + (self->pde & ~PTE_ADDR) / self->size * PAGE_SIZE + 5 * self->size;
	pde = window + ((self->pde & ~PTE_ADDR) / self->size + self_slot) * PAGE_SIZE;
	own = pde + (self->pde & ~PTE_ADDR) + self_slot * self->size;
	probe_add_entry(p, self->format, self->pde + self_slot * self->size,
			pd | PTE_P | PTE_W | PTE_A);
	for (i = 0; i < 30; i++) {
		probe_add_entry(p, self->format, pte, MAPS(i));
		add_page(self, AT(5), i, "round", i);
		probe_add_entry_check(p, self->format, pte_gpa(self, 5), MAPS(i));
		probe_add_entry_check(p, self->format, pte, MAPS(i));
		probe_add_entry_check(p, self->format, pde + (self->pde & ~PTE_ADDR),
				      self->pt | PTE_TABLE | PTE_A | PTE_D);
		probe_name(p, "PDE in round", i);	/* D as what maps pte */
		/* The entry that maps itself, through itself. */
		probe_add_entry(p, self->format, own, pd | PTE_P | PTE_W | PTE_A | PTE_D |
				(i & 1) << 9);
		probe_add_entry_check(p, self->format, own, pd | PTE_P | PTE_W | PTE_A | PTE_D |
				      (i & 1) << 9);
	}
	probe_add_entry(p, self->format, pde + (self->pde & ~PTE_ADDR), 0);
	probe_add_cr3(p, p->cr3);
	probe_add_absent(p, AT(5));
	EXPECT_EQ(0, probe_run(p));
}

/* One frame is page directory here and page table there. */
TEST_F(formats_write, directory_and_table_at_once)
{
	u64 pd = self->pde & PTE_ADDR, span = format_span(self->format, 2), pde_offset;
	u32 as_table = GVA + 30 * span;		/* behind it the PD is a page table */
	struct probe *p = self->p;
	int i;

	pde_offset = (self->pde & ~PTE_ADDR) / self->size;
	probe_add_entry(p, self->format, self->pde + 30 * self->size, pd | PTE_TABLE);
	for (i = 0; i < 30; i++) {
		add_pte(self, 2, MAPS(i));
		add_page(self, AT(2), i, "round", i);
		/* The PDE for GVA, as a PTE, maps the table itself. */
		probe_add(p, PROBE_INVLPG, as_table + pde_offset * PAGE_SIZE, 0);
		probe_add_read(p, as_table + pde_offset * PAGE_SIZE + 2 * self->size, MAPS(i));
		probe_name(p, "as a table, round", i);
		probe_add_entry(p, self->format,
				as_table + pde_offset * PAGE_SIZE + 2 * self->size, MAPS(i + 1));
		add_page(self, AT(2), i + 1, "after, round", i);
		/* An entry made for one role is there in the other. */
		probe_add_entry(p, self->format, self->pde + 40 * self->size,
				i & 1 ? MAPS(i) : self->pt | PTE_TABLE | PTE_A | PTE_D);
		probe_add(p, PROBE_INVLPG, as_table + (pde_offset + 40) * PAGE_SIZE, 0);
		probe_add_read(p, as_table + (pde_offset + 40) * PAGE_SIZE + (i & 1 ? 0 :
			       2 * self->size), i & 1 ? PAGE(i) : MAPS(i + 1));
		probe_name(p, "both roles, round", i);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* ---- tables that move ---- */

/* A table that was edited while nothing led to it: at an address that is new, no flush is due. */
TEST_F(formats_write, relink_at_a_new_address)
{
	u64 span = format_span(self->format, 2);
	struct probe *p = self->p;
	int i;

	for (i = 1; i < 30; i++) {
		u64 pde = self->pde + i * self->size;

		add_pte(self, 4, MAPS(i));
		probe_add_entry(p, self->format, pde, self->pt | PTE_TABLE);
		probe_add_read(p, GVA + i * span + 4 * PAGE_SIZE, PAGE(i));
		probe_name(p, "address", i);
		probe_add_entry(p, self->format, pde, 0);
	}
	EXPECT_EQ(0, probe_run(p));
}

/* A frame is table, data, and table again. */
TEST_F(formats_write, table_to_data_and_back)
{
	struct probe *p = self->p;
	u32 round, i;

	for (round = 0; round < 6; round++) {
		probe_add_entry(p, self->format, self->pde, self->pt | PTE_TABLE);
		for (i = 0; i < 16; i++)
			add_pte(self, i, MAPS(i + round));
		probe_add_cr3(p, p->cr3);
		for (i = 0; i < 16; i++)
			probe_add_read(p, AT(i), PAGE(i + round));
		probe_add_entry(p, self->format, self->pde, 0);
		probe_add_cr3(p, p->cr3);
		for (i = 0; i < 32; i++)
			probe_add(p, PROBE_WRITE, self->pt + i * 4, i * round + 1);
		for (i = 0; i < 32; i++)
			probe_add_read(p, self->pt + i * 4, i * round + 1);
		probe_add_absent(p, AT(1));
	}
	EXPECT_EQ(0, probe_run(p));
}

SHVM_TEST_MAIN
