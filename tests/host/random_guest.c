// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of the random test: tables of all formats in frames that they share, with entries that
 * are mostly good, and the choice of frames, addresses and entries.
 */
#include "random.h"
#include "sdm.h"

#define LINEAR_L3	8
#define LINEAR_L2	9
#define LINEAR_L1	10
#define LINEAR_32	11
#define PDPTS		12		/* four registers' worth each, 32 bytes apart */
#define NR_PDPTS	12
#define PDPT_IN_TABLE	0xe00		/* and one in every usual page directory */
#define NR_DATA		32

/* Where the tables of a root map all of slot 0: entries of 8 and of 4 bytes that do not meet. */
#define LINEAR_INDEX	300		/* PML4 */
#define LINEAR_PD	150		/* page directory, PAE */
#define LINEAR_PD_32	200		/* page directory, two-level */
#define LINEAR		(E_P | E_W | E_A | E_D)

static u64 rnd_state;
static u64 big_tables;

void guest_start(u64 seed, u64 percent_big)
{
	rnd_state = seed;
	big_tables = percent_big;
}

u64 rnd_word(void)
{
	return rnd_next(&rnd_state);
}

u64 rnd(u64 n)
{
	return rnd_word() % n;
}

bool chance(u64 percent)
{
	return rnd(100) < percent;
}

u64 pick_index(int level)
{
	static const u16 top[] = { 0, 1, 256, 511 }, other[] = { 0, 1, 2, 511 };

	return level == 4 ? top[rnd(4)] : other[rnd(4)];
}

u64 pick_index_32(void)
{
	static const u16 index[] = { 0, 1, 2, 3, 4, 256, 512, 513, 1022, 1023 };

	return index[rnd(ARRAY_SIZE(index))];
}

int usual_level(u64 frame)
{
	u64 i = frame - TABLES;

	if (frame >= BIG_TABLES)
		return (frame - BIG_TABLES) / 2 % 4 ?: 1;
	return i < 4 ? 4 : i < 10 ? 3 : i < 20 ? 2 : i < 40 ? 1 : 1 + rnd(4);
}

bool is_table(u64 frame)
{
	return frame - TABLES < NR_TABLE_FRAMES || frame - BIG_TABLES < 8;
}

u64 pick_table(int level)
{
	if (chance(10) || level < 1)
		return TABLES + rnd(NR_TABLE_FRAMES);
	if (level < 3 && chance(6))
		return RO_BASE + level - 1;
	if (level < 4 && chance(big_tables))
		return BIG_TABLES + level * 2 + rnd(2);
	switch (level) {
	case 4:
		return TABLES + rnd(4);
	case 3:
		return TABLES + 4 + rnd(6);
	case 2:
		return TABLES + 10 + rnd(10);
	}
	return TABLES + 20 + rnd(20);
}

/* A frame of the slots around blocks. */
u64 pick_big(void)
{
	switch (rnd(8)) {
	case 0:
		return BIG_RO + rnd(BLOCK);
	case 2:
		return BIG + rnd(BIG_PAGES);
	case 3:
		return BIG_TABLES + rnd(8);
	}
	return BIG_TABLES + rnd(2) * BLOCK + rnd(4) * 37;
}

/* The first frame of a large page of the guest: of 2 MiB, of 4. */
u64 pick_large(void)
{
	return chance(40) ? rnd(6) * 0x200 : chance(15) ? BIG_RO :
						     0x1000 + rnd(4) * 0x200;
}

u64 pick_page(void)
{
	switch (rnd(18)) {
	case 16:
	case 17:
		return pick_big();
	case 0:
	case 1:
		return TABLES + rnd(NR_TABLE_FRAMES);
	case 2:
		return RO_BASE + rnd(4);
	case 3:
		return machine->slot[MOVING].base + rnd(8);
	case 4:
		return chance(50) ? 0x700 + rnd(4) : 0x100100 + rnd(4);
	case 5:
	case 6:
		return 0x200 + rnd(8);
	}
	return DATA + rnd(NR_DATA);
}

/* U, W, A, D and what the CPU ignores. */
static u64 make_rights(void)
{
	u64 e = 1;

	e |= chance(85) ? 2 : 0;
	e |= chance(85) ? 4 : 0;
	e |= rnd(2) * 0x20 | rnd(2) * 0x40 | rnd(32) / 28 * 0x100;
	if (chance(8))
		e |= 1ULL << (9 + rnd(3)) | rnd(4) << 3;
	if (chance(5))
		e &= ~1ULL;
	return e;
}

/* An entry of a two-level guest: a table is as often for PAE or 4-level, so are the frames. */
u32 make_entry_32(int level)
{
	u32 e = make_rights();

	if (level < 2)
		return e | (u32)(pick_page() << 12) | (chance(5) ? 0x80 : 0);
	if (!chance(30))
		return e | (u32)(pick_table(1) << 12);
	e |= 0x80 | (u32)(pick_large() >> 10) << 22;
	if (chance(10))
		e |= 1u << 13;
	return e | (chance(10) ? 1u << (12 + rnd(10)) : 0);
}

/* What a PDPTE could be; one that is refused spoils the other three. */
u64 make_pdpte(void)
{
	u64 e = 1 | rnd(4) << 3 | rnd(8) << 9 | pick_table(2) << 12;

	if (chance(15))
		return e & ~1ULL;
	if (chance(8))
		e = 1 | pick_page() << 12;
	if (chance(1))
		e |= 1ULL << (chance(50) ? rnd(9) : 30 + rnd(34));
	return e;
}

u64 pick_pdpt(void)
{
	if (chance(80))
		return PDPTS << 12 | rnd(NR_PDPTS) * 32;
	return pick_table(2) << 12 | PDPT_IN_TABLE;
}

/* What an entry at this level could be, PAE and 4-level. */
u64 make_entry(int level)
{
	u64 e = make_rights(), frame;

	if ((level == 2 && chance(25)) || (level == 3 && chance(8))) {
		frame = level == 2 ? pick_large() : rnd(8) ? 0 : 0x40000;
		e |= 0x80;
		if (chance(10))
			e |= 1ULL << (12 + rnd(19));
	} else if (level == 1) {
		frame = pick_page();
		if (chance(5))
			e |= 0x80;
	} else {
		frame = pick_table(level - 1);
		if (chance(1))
			e |= 0x80;
	}
	e |= frame << 12;
	e |= chance(5) ? 1ULL << 63 : 0;
	if (chance(4))
		e |= 1ULL << (52 + rnd(11));
	if (chance(2))
		e |= 1ULL << (30 + rnd(22));
	return e;
}

static void poke64(u64 gpa, u64 value)
{
	host_poke(page_of(gpa >> 12), gpa & 0xfff, &value, 8);
}

static void poke32(u64 gpa, u32 value)
{
	host_poke(page_of(gpa >> 12), gpa & 0xfff, &value, 4);
}

static void make_linear_map(void)
{
	u64 i;

	for (i = 0; i < 512; i++) {
		poke64(LINEAR_L1 * 4096 + i * 8, i << 12 | LINEAR | E_NX);
		poke32(LINEAR_32 * 4096 + i * 4, i << 12 | LINEAR);
	}
	for (i = TABLES; i < TABLES + 20; i++) {
		poke64(i * 4096 + LINEAR_PD * 8, LINEAR_L1 << 12 | LINEAR);
		poke32(i * 4096 + LINEAR_PD_32 * 4, LINEAR_32 << 12 | LINEAR);
	}
	poke64(LINEAR_L2 * 4096, LINEAR_L1 << 12 | LINEAR);
	poke64(LINEAR_L3 * 4096, LINEAR_L2 << 12 | LINEAR);
	for (i = 0; i < 6; i++)
		poke64((TABLES + i) * 4096 + LINEAR_INDEX * 8, LINEAR_L3 << 12 | LINEAR);
}

void make_tables(void)
{
	static const u16 index[] = { 0, 1, 2, 256, 511 };
	u64 frame, i, j;

	for (j = 0; j < NR_TABLE_FRAMES + 8; j++) {
		frame = j < NR_TABLE_FRAMES ? TABLES + j : BIG_TABLES + j - NR_TABLE_FRAMES;
		for (i = 0; i < 5; i++)
			poke64(frame * 4096 + index[i] * 8, make_entry(usual_level(frame)));
		poke32(frame * 4096 + 256 * 4, make_entry_32(usual_level(frame)));
		for (i = 0; i < 4; i++)
			poke64(frame * 4096 + PDPT_IN_TABLE + i * 8, make_pdpte());
	}
	for (i = 0; i < NR_PDPTS * 4; i++)
		poke64(PDPTS * 4096 + i * 8, make_pdpte());
	for (j = 0; j < 2; j++)
		for (i = 0; i < 5; i++)
			poke64((RO_BASE + j) * 4096 + index[i] * 8, make_entry(j + 1));
	make_linear_map();
}

u64 pick_addr_64(void)
{
	u64 addr = 0;
	int level;

	for (level = 1; level <= 4; level++)
		addr |= pick_index(level) << (3 + 9 * level);
	/* In a page of 1 GiB, those that the host may map large. */
	if (chance(6))
		addr = (addr & ~0x3fe00000ULL) | pick_large() << 12;
	if (chance(2))
		addr ^= 1ULL << (12 + rnd(35));
	if (addr >> 47 & 1)
		addr |= 0xffff000000000000ULL;
	return addr;
}

u64 pick_cr3(enum oracle_format format)
{
	u64 cr3 = (chance(85) ? TABLES + rnd(4) : pick_table(chance(80) ? 3 : 0)) << 12;

	if (format == O_PAE)
		cr3 = chance(95) ? pick_pdpt() : pick_table(2) << 12 | rnd(128) * 32;
	else if (format == O_32)
		cr3 = pick_table(2) << 12;
	if (chance(3))
		cr3 = chance(50) ? 0x700000 : RO_BASE << 12;
	/* Beyond 32 bits only long mode looks. */
	if (format != O_64 && chance(10))
		cr3 |= 1ULL << (32 + rnd(20));
	return cr3;
}

bool linear_works(const struct vcpu *v, u64 at, u64 *addr)
{
	struct access a = { .kind = WRITE, .addr = at };
	struct oracle o;

	switch (oracle_format(&v->paging)) {
	case O_64:
		a.addr |= 0xffff000000000000ULL | (u64)LINEAR_INDEX << 39;
		break;
	case O_PAE:
		a.addr |= rnd(4) << 30 | LINEAR_PD << 21;
		break;
	case O_32:
		a.addr |= (u64)LINEAR_PD_32 << 22;
		break;
	default:
		break;
	}
	oracle_walk(v, &a, &o);
	*addr = a.addr;
	return o.kind == O_OK && o.gfn == at >> 12;
}
