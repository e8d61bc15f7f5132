// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that knows what each word of its memory must be.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "huge.h"
#include "keyed.h"

#define ANON_SLOT	5
#define ANON_GPA	0xc0000000ul
#define FILE_SLOT	6
#define FILE_GPA	0xd0000000ul

#define REGION		0x100000000000ul	/* shared pages are mapped here in each space */
#define REGION_ENTRY	(REGION >> 39 & 511)
#define ALIAS		0x8000000000ul		/* further up, the same; in one root of two */
#define NR_TABLES	2
#define NR_SPACES	4
#define FEW_ROUNDS	16			/* of writes before it goes to another page */
#define MANY_ROUNDS	2000			/* without an exit, if nothing comes between */

/* Words of a shared page. */
#define NR_KEYS		4			/* of each owner */
#define KEY_WORD(owner, n) ((owner) * 8 + (n) * 128)
#define COUNT_WORD	64
#define FIXED_WORD	100
#define FIXED_OWNER	15ul

/* What the page of one vCPU holds. */
#define NR_VALUES	4
#define VALUE(n)	((n) * 0x0101010101010101ul)
#define PAGE_GIVEN	0x40			/* the vCPU does not look at it */
#define PAGE_TAKEN	0x41			/* the VMM has discarded it */

struct space {
	u64 root[2], pd, table[NR_TABLES], spare;
};

struct keyed_cpu {
	u64 random;
	u64 writes, remaps;
	u64 space, half;
	volatile u64 page;		/* where it is */
	u32 *gens;			/* of the words in each page */
	struct space spaces[NR_SPACES];
	struct {
		u64 page, word, expected, found, at;
	} bad;
};

static GUEST_DATA struct keyed_cpu keyed_cpus[KEYED_MAX_VCPUS] = { };
static GUEST_DATA struct {
	u64 nr;
	volatile u64 stop;
	volatile u8 *contents;		/* of pages of one vCPU: 0 to NR_VALUES - 1, or PAGE_* */
} keyed_guest = { };

/* ---- what both sides know ---- */

GUEST_INLINE u64 page_gpa(u64 page)
{
	return page < KEYED_ANON_PAGES ? ANON_GPA + page * PAGE_SIZE :
					 FILE_GPA + (page - KEYED_ANON_PAGES) * PAGE_SIZE;
}

GUEST_INLINE u64 gpa_page(u64 gpa)
{
	return gpa < FILE_GPA ? (gpa - ANON_GPA) / PAGE_SIZE :
				(gpa - FILE_GPA) / PAGE_SIZE + KEYED_ANON_PAGES;
}

GUEST_INLINE bool page_is_shared(u64 page)
{
	return page % 4 != 3;
}

GUEST_INLINE u64 page_owner(u64 page, u64 nr)
{
	return page / 4 % nr;
}

GUEST_INLINE u64 key(u64 page, u64 owner, u64 n, u64 gen)
{
	return (page + 1) << 48 | owner << 44 | n << 40 | gen;
}

/* ---- the guest ---- */

GUEST_INLINE u64 next_random(struct keyed_cpu *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random >> 8;
}

GUEST_INLINE void expect(struct keyed_cpu *c, u64 page, u64 word, u64 at, u64 expected)
{
	u64 found = guest_read64(at + word * 8);

	if (found == expected)
		return;
	c->bad.page = page;
	c->bad.word = word;
	c->bad.expected = expected;
	c->bad.found = found;
	c->bad.at = at;
	for (;;)
		GUEST_DONE();
}

GUEST_INLINE void check_shared(struct keyed_cpu *c, u64 id, u64 page, u64 at)
{
	u64 n;

	for (n = 0; n < NR_KEYS; n++)
		expect(c, page, KEY_WORD(id, n), at, key(page, id, n, c->gens[page]));
	expect(c, page, FIXED_WORD, at, key(page, FIXED_OWNER, 0, 0));
}

GUEST_INLINE void write_shared(struct keyed_cpu *c, u64 id, u64 page, u64 at)
{
	u64 gen = c->gens[page] + 1, n;

	for (n = 0; n < NR_KEYS; n++)
		guest_write64(at + KEY_WORD(id, n) * 8, key(page, id, n, gen));
	asm volatile("lock incq (%0)" : : "r"(at + COUNT_WORD * 8) : "memory");
	c->gens[page] = gen;
	c->writes += NR_KEYS + 1;
}

/* The old table becomes memory without meaning, which no walk may use any more. */
GUEST_INLINE void move_table(struct keyed_cpu *c, struct space *s, u64 t)
{
	u64 from = s->table[t], to = s->spare, n;

	for (n = 0; n < 512; n++)
		guest_write64(to + n * 8, guest_read64(from + n * 8));
	guest_write64(s->pd + t * 8, to | PTE_P | PTE_W | PTE_U);
	s->table[t] = to;
	s->spare = from;
	guest_write_cr3(guest_read_cr3());
	for (n = 0; n < 512; n++)
		guest_write64(from + n * 8, ANON_GPA | PTE_P | PTE_W | n << 20);
	c->remaps++;
}

GUEST_INLINE u64 shared_page(u64 random)
{
	u64 page = random % KEYED_PAGES;

	return page_is_shared(page) ? page : page - 1;
}

GUEST_INLINE void map_page(struct keyed_cpu *c, u64 entry, u64 at, u64 random)
{
	guest_write64(entry, page_gpa(shared_page(random >> 6)) | PTE_P | PTE_U |
			     (random & 7 ? PTE_W : 0));
	guest_invlpg(at);
	guest_invlpg(at + ALIAS);
	c->remaps++;
}

GUEST_INLINE void visit_window(struct keyed_cpu *c, u64 id)
{
	struct space *s = &c->spaces[c->space];
	u64 random = next_random(c), v = random % (512 * NR_TABLES);
	u64 at = REGION + v * PAGE_SIZE, op = random >> 10 & 255;
	u64 entry, page, rounds, i;

	if (op == 0)
		move_table(c, s, v / 512);
	entry = s->table[v / 512] + v % 512 * 8;
	if (op < 16 || !(guest_read64(entry) & PTE_P))
		map_page(c, entry, at, next_random(c));
	if (!c->half && random >> 20 & 1)
		at += ALIAS;
	page = gpa_page(guest_read64(entry) & PTE_ADDR);
	rounds = (random >> 22) % FEW_ROUNDS;
	if (!(random >> 30 & 31))
		rounds = MANY_ROUNDS;
	if (!(guest_read64(entry) & PTE_W))
		rounds = 0;
	c->page = page;
	check_shared(c, id, page, at);
	for (i = 0; i < rounds; i++) {
		write_shared(c, id, page, at);
		check_shared(c, id, page, at);
	}
}

GUEST_INLINE void fill_own(struct keyed_cpu *c, u64 page, u64 n)
{
	u64 at = page_gpa(page), count = 512;

	asm volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(VALUE(n)) : "memory");
	keyed_guest.contents[page] = n;
	c->writes++;
}

GUEST_INLINE void visit_own(struct keyed_cpu *c, u64 id)
{
	u64 random = next_random(c), nr = keyed_guest.nr, at, n, i;
	u64 page = (random % (KEYED_PAGES / 4 / nr) * nr + id) * 4 + 3;

	n = keyed_guest.contents[page];
	at = page_gpa(page);
	if (n == PAGE_GIVEN)
		return;
	if (n == PAGE_TAKEN) {
		for (i = 0; i < 512; i++)
			expect(c, page, i, at, 0);
		fill_own(c, page, random >> 20 & 3);
		return;
	}
	for (i = 0; i < 4; i++)
		expect(c, page, ((random >> 22) + i * 37) & 511, at, VALUE(n));
	if (!(random >> 32 & 7))
		fill_own(c, page, random >> 20 & 3);
	else if (!(random >> 40 & 31))
		keyed_guest.contents[page] = PAGE_GIVEN;
}

GUEST_INLINE void switch_space(struct keyed_cpu *c, u64 random)
{
	c->half ^= 1;
	if (random & 1)
		c->space = (random >> 1) % NR_SPACES;
	guest_write_cr3(c->spaces[c->space].root[c->half]);
}

/*
 * With interrupts on: in a guest that was entered with them off, the emulated CPU takes none for
 * the host either, against the SDM.
 */
GUEST_CODE static void guest_steps(u64 id)
{
	struct keyed_cpu *c = &keyed_cpus[id];
	u64 random;

	asm volatile("sti");
	guest_write_cr3(c->spaces[0].root[0]);
	for (;;) {
		if (keyed_guest.stop)
			GUEST_SYNC(0);
		random = next_random(c);
		if (!(random & 0xf00))
			switch_space(c, random >> 12);
		if (random & 3)
			visit_window(c, id);
		else
			visit_own(c, id);
	}
}

/* ---- making it ---- */

static void space_make(struct test_vm *vm, struct space *s)
{
	u64 pdpt = vm_alloc_pages(vm, 1), *root;
	int i;

	s->pd = vm_alloc_pages(vm, 1);
	s->spare = vm_alloc_pages(vm, 1);
	*(u64 *)vm_hva(vm, pdpt) = s->pd | PTE_P | PTE_W | PTE_U;
	for (i = 0; i < NR_TABLES; i++) {
		s->table[i] = vm_alloc_pages(vm, 1);
		((u64 *)vm_hva(vm, s->pd))[i] = s->table[i] | PTE_P | PTE_W | PTE_U;
	}
	for (i = 0; i < 2; i++) {
		s->root[i] = vm_alloc_pages(vm, 1);
		root = vm_hva(vm, s->root[i]);
		memcpy(root, vm_hva(vm, vm->root), PAGE_SIZE);
		root[REGION_ENTRY] = pdpt | PTE_P | PTE_W | PTE_U;
		if (!i)
			root[REGION_ENTRY + 1] = pdpt | PTE_P | PTE_W | PTE_U;
	}
}

static void *page_hva(struct keyed *k, u32 page)
{
	return page < KEYED_ANON_PAGES ? k->anon + page * PAGE_SIZE :
					 k->file + (page - KEYED_ANON_PAGES) * PAGE_SIZE;
}

static void pages_fill(struct keyed *k)
{
	u32 page, owner, n;

	for (page = 0; page < KEYED_PAGES; page++) {
		u64 *hva = page_hva(k, page);

		if (!page_is_shared(page))
			continue;
		hva[FIXED_WORD] = key(page, FIXED_OWNER, 0, 0);
		for (owner = 0; owner <= KEYED_VMM; owner++)
			for (n = 0; n < NR_KEYS; n++)
				hva[KEY_WORD(owner, n)] = key(page, owner, n, 0);
	}
}

/* Aligned, so that the host may use huge pages if it wants to. */
static void *map_aligned(size_t size, int flags, int fd)
{
	char *p = mmap(NULL, size + HUGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p = (char *)(((u64)p + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	if (mmap(p, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		test_die("cannot map %zu bytes: %s", size, strerror(errno));
	return p;
}

static void memory_make(struct keyed *k)
{
	const size_t anon = KEYED_ANON_PAGES * PAGE_SIZE, file = KEYED_FILE_PAGES * PAGE_SIZE;

	k->memfd = memfd_create("keyed", MFD_CLOEXEC);
	if (k->memfd < 0 || ftruncate(k->memfd, file))
		test_die("cannot make a memfd: %s", strerror(errno));
	k->anon = map_aligned(anon, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	k->file = map_aligned(file, MAP_SHARED, k->memfd);
	if (__vm_set_slot(k->vm, ANON_SLOT, 0, ANON_GPA, anon, k->anon) ||
	    __vm_set_slot(k->vm, FILE_SLOT, 0, FILE_GPA, file, k->file))
		test_die("cannot make the slots");
	guest_map_range(k->vm, ANON_GPA, ANON_GPA, anon, PTE_P | PTE_W);
	guest_map_range(k->vm, FILE_GPA, FILE_GPA, file, PTE_P | PTE_W);
	pages_fill(k);
}

static void vcpu_make(struct keyed *k, int id, u64 seed)
{
	struct keyed_cpu *c = &(*vm_sym(k->vm, keyed_cpus))[id];
	int i;

	c->random = (seed + 1) * 0x9e3779b97f4a7c15 + id;
	c->gens = (u32 *)vm_alloc_pages(k->vm, (KEYED_PAGES * sizeof(u32) - 1) / PAGE_SIZE + 1);
	for (i = 0; i < NR_SPACES; i++)
		space_make(k->vm, &c->spaces[i]);
	k->vcpu[id] = vcpu_create(k->vm, id, NULL);
	vcpu_set_entry(k->vcpu[id], guest_steps, id, 0);
}

void keyed_create(struct keyed *k, int nr_vcpus, u64 seed)
{
	typeof(keyed_guest) *guest;
	int id;

	*k = (struct keyed){ .vm = vm_create(), .nr = nr_vcpus };
	memory_make(k);
	guest = vm_sym(k->vm, keyed_guest);
	guest->nr = nr_vcpus;
	guest->contents = (u8 *)vm_alloc_pages(k->vm, 1);
	for (id = 0; id < nr_vcpus; id++)
		vcpu_make(k, id, seed);
}

void keyed_free(struct keyed *k)
{
	vm_free(k->vm);
	close(k->memfd);
}

/* ---- running ---- */

static void explain(const char *who, u64 page, u64 word, u64 expected, u64 found)
{
	fprintf(stderr, "# %s: page %lu (%#lx), word %lu: expected %#lx, found %#lx\n", who,
		(long)page, (long)page_gpa(page), (long)word, (long)expected, (long)found);
}

static void vcpu_explain(struct keyed *k, int id, int ret, int reason)
{
	struct keyed_cpu *c = &(*vm_sym(k->vm, keyed_cpus))[id];
	char who[64];

	if (ret) {
		fprintf(stderr, "# vCPU %d: SHVM_RUN: %s\n", id, strerror(-ret));
	} else if (reason == EXIT_DONE) {
		snprintf(who, sizeof(who), "vCPU %d at %#lx", id, (long)c->bad.at);
		explain(who, c->bad.page, c->bad.word, c->bad.expected, c->bad.found);
	} else {
		fprintf(stderr, "# vCPU %d: exit %#x\n", id, reason);
	}
}

struct vcpu_arg {
	struct keyed *k;
	int id;
};

static void *vcpu_loop(void *data)
{
	struct vcpu_arg arg = *(struct vcpu_arg *)data;
	struct test_vcpu *vcpu = arg.k->vcpu[arg.id];
	int ret, reason = 0;

	free(data);
	for (;;) {
		ret = __vcpu_run(vcpu);
		if (ret == -EFAULT && arg.k->mend) {
			arg.k->mend(arg.k->mend_data);
			__atomic_add_fetch(&arg.k->mended, 1, __ATOMIC_SEQ_CST);
		} else if (ret != -EINTR) {
			break;
		}
	}
	if (!ret)
		reason = vcpu_last_exit(vcpu);
	if (reason != EXIT_SYNC) {
		vcpu_explain(arg.k, arg.id, ret, reason);
		arg.k->failed = true;
	}
	__atomic_add_fetch(&arg.k->stopped, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

void keyed_start(struct keyed *k)
{
	struct vcpu_arg *arg;
	int id;

	vm_sym(k->vm, keyed_guest)->stop = 0;
	k->stopped = 0;
	for (id = 0; id < k->nr; id++) {
		arg = malloc(sizeof(*arg));
		*arg = (struct vcpu_arg){ .k = k, .id = id };
		if (pthread_create(&k->vcpu[id]->thread, NULL, vcpu_loop, arg))
			test_die("cannot start a thread");
	}
}

bool keyed_stop(struct keyed *k)
{
	int id;

	vm_sym(k->vm, keyed_guest)->stop = 1;
	for (id = 0; id < k->nr; id++)
		pthread_join(k->vcpu[id]->thread, NULL);
	return !k->failed;
}

u64 keyed_writes(struct keyed *k)
{
	struct keyed_cpu *c = *vm_sym(k->vm, keyed_cpus);
	u64 sum = 0;
	int id;

	for (id = 0; id < k->nr; id++)
		sum += *(volatile u64 *)&c[id].writes;
	return sum;
}

void *keyed_hot_page(struct keyed *k, int id)
{
	return page_hva(k, (*vm_sym(k->vm, keyed_cpus))[id].page);
}

u64 keyed_remaps(struct keyed *k)
{
	struct keyed_cpu *c = *vm_sym(k->vm, keyed_cpus);
	u64 sum = 0;
	int id;

	for (id = 0; id < k->nr; id++)
		sum += c[id].remaps;
	return sum;
}

/* ---- the VMM ---- */

static int vmm_expect(struct keyed *k, u32 page, u32 word, u64 expected)
{
	u64 found = ((volatile u64 *)page_hva(k, page))[word];

	if (found == expected)
		return 0;
	explain("VMM", page, word, expected, found);
	return 1;
}

static int verify_shared(struct keyed *k, u32 page)
{
	struct keyed_cpu *c = *vm_sym(k->vm, keyed_cpus);
	u64 count = 0, gen;
	int bad = 0, n;
	u32 owner;

	for (owner = 0; owner <= KEYED_VMM; owner++) {
		gen = 0;
		if (owner == KEYED_VMM)
			gen = k->vmm_gens[page];
		else if (owner < k->nr)
			gen = ((u32 *)vm_hva(k->vm, (u64)c[owner].gens))[page];
		for (n = 0; n < NR_KEYS; n++)
			bad += vmm_expect(k, page, KEY_WORD(owner, n), key(page, owner, n, gen));
		count += owner < k->nr ? gen : 0;
	}
	bad += vmm_expect(k, page, FIXED_WORD, key(page, FIXED_OWNER, 0, 0));
	return bad + vmm_expect(k, page, COUNT_WORD, count);
}

static volatile u8 *contents(struct keyed *k)
{
	return vm_hva(k->vm, (u64)vm_sym(k->vm, keyed_guest)->contents);
}

static int verify_own(struct keyed *k, u32 page)
{
	u8 n = contents(k)[page];
	int i, bad = 0;

	for (i = 0; n != PAGE_GIVEN && i < 512; i++)
		bad += vmm_expect(k, page, i, n == PAGE_TAKEN ? 0 : VALUE(n));
	return bad;
}

int keyed_verify(struct keyed *k)
{
	u32 page;
	int bad = 0;

	for (page = 0; page < KEYED_PAGES && bad < 10; page++)
		bad += page_is_shared(page) ? verify_shared(k, page) : verify_own(k, page);
	return bad;
}

int keyed_vmm_writes(struct keyed *k, u32 first, u32 nr)
{
	u32 i, page, n, *gen;
	int bad = 0;

	for (i = 0; i < nr; i++) {
		page = (first + i) % KEYED_PAGES;
		gen = &k->vmm_gens[page];
		if (!page_is_shared(page))
			continue;
		for (n = 0; n < NR_KEYS; n++)
			bad += vmm_expect(k, page, KEY_WORD(KEYED_VMM, n),
					  key(page, KEYED_VMM, n, *gen));
		++*gen;
		for (n = 0; n < NR_KEYS; n++)
			((volatile u64 *)page_hva(k, page))[KEY_WORD(KEYED_VMM, n)] =
				key(page, KEYED_VMM, n, *gen);
	}
	return bad;
}

static void page_discard(struct keyed *k, u32 page)
{
	int ret;

	if (page < KEYED_ANON_PAGES)
		ret = madvise(page_hva(k, page), PAGE_SIZE, MADV_DONTNEED);
	else
		ret = fallocate(k->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(page - KEYED_ANON_PAGES) * PAGE_SIZE, PAGE_SIZE);
	if (ret)
		test_die("cannot discard a page: %s", strerror(errno));
}

int keyed_balloon(struct keyed *k)
{
	volatile u8 *c = contents(k);
	int done = 0;
	u32 page;

	for (page = 3; page < KEYED_PAGES; page += 4) {
		if (c[page] != PAGE_GIVEN)
			continue;
		page_discard(k, page);
		c[page] = PAGE_TAKEN;
		done++;
	}
	return done;
}
