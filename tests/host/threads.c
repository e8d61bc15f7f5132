// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs as threads, beside a thread that is the host: swaps, moves and drops pages, ages, changes
 * slots and budget. There is no oracle for the outcome of one access, but no access may reach a
 * frame that the host has taken back, and whenever all stand still, everything must be exact.
 */
#include <time.h>
#include <unistd.h>

#include <asm/processor-flags.h>

#include "machine.h"

#define NR_VCPUS	3
#define PDPTS		12
#define NR_PDPTS	4
#define ROOTS		16
#define NR_TABLES_USED	24	/* from ROOTS on: 4 roots, 5 L3, 5 L2, 10 L1 */
#define DATA		64
#define NR_DATA		24
#define MOVING		3
#define LARGE		0x1000	/* two blocks that the host maps huge, now and then */
#define LARGE_BLOCK	4
#define LARGE_TABLES	(LARGE + 1)	/* two frames that are tables, too */
#define CHECK_EVERY	300	/* host actions between two stops */

static struct {
	int stop, pause, paused;	/* atomic */
	u64 accesses[NR_VCPUS], stuck[NR_VCPUS], large[NR_VCPUS];
	u64 seed;
} t;

static u64 pick(u64 *rnd, u64 n)
{
	return rnd_next(rnd) % n;
}

static u64 make_entry(u64 *rnd, int level)
{
	static const u8 first[] = { 0, 14, 9, 4 }, count[] = { 0, 10, 5, 5 };
	u64 e = 0x7, f;

	if (level == 1) {
		f = pick(rnd, 12) ? DATA + pick(rnd, NR_DATA) : ROOTS + pick(rnd, NR_TABLES_USED);
		if (!pick(rnd, 10))
			f = 0x7fd + pick(rnd, 4);
		if (!pick(rnd, 10))
			f = LARGE + pick(rnd, 4);
	} else if (level == 2 && !pick(rnd, 4)) {
		f = pick(rnd, 4) ? LARGE + pick(rnd, 2) * BLOCK : 0x200;
		e |= 0x80;
	} else if (level == 2 && !pick(rnd, 25)) {
		f = LARGE_TABLES + pick(rnd, 2);
	} else {
		f = ROOTS + first[level - 1] + pick(rnd, count[level - 1]);
		if (!pick(rnd, 12))
			f = ROOTS + pick(rnd, NR_TABLES_USED);
	}
	if (!pick(rnd, 8))
		e ^= 1ULL << pick(rnd, 3);
	if (pick(rnd, 2))
		e |= 0x60;
	if (!pick(rnd, 10))
		e |= 1ULL << 63;
	return e | f << 12;
}

static int level_of(u64 table)
{
	u64 i = table - ROOTS;

	return i < 4 ? 4 : i < 9 ? 3 : i < 14 ? 2 : 1;
}

static u64 pick_addr(const struct vcpu *v, u64 *rnd)
{
	u64 addr = 0;
	int level;

	for (level = 1; level <= 4; level++)
		addr |= pick(rnd, level == 4 ? 2 : 3) << (3 + 9 * level);
	switch (oracle_format(&v->paging)) {
	case O_32:
		return pick(rnd, 6) << 22 | pick(rnd, 6) << 12;
	case O_64:
		return addr;
	default:
		return addr & 0xffffffff;
	}
}

static void act_access(struct vcpu *v, u64 *rnd)
{
	struct operation op = { .len = 8, .rnd = rnd_next(rnd) };
	struct outcome out;
	u64 value = make_entry(rnd, 1);

	op.a.addr = pick_addr(v, rnd) | pick(rnd, 512) * 8;
	op.a.kind = pick(rnd, 10) < 9 ? pick(rnd, 2) : FETCH;
	op.a.user = pick(rnd, 2);
	memcpy(op.data, &value, 8);
	out = vcpu_access(v, &op);
	CHECK(out.kind != NOMEM && out.kind != NOROOT, "vCPU %d: outcome %d", v->id, out.kind);
	t.accesses[v->id]++;
	t.stuck[v->id] += out.kind == STUCK;
	t.large[v->id] += out.kind == DONE && out.hardware && out.tlb->level > 1;
}

static void act_store(struct vcpu *v, u64 *rnd)
{
	u64 table = pick(rnd, 12) ? ROOTS + pick(rnd, NR_TABLES_USED) : LARGE_TABLES + pick(rnd, 2);
	u64 e = make_entry(rnd, level_of(table)), old;
	gpa_t at = gpa(table << 12 | pick(rnd, 3) * 8);

	vcpu_exit(v);
	switch (pick(rnd, 6)) {
	case 0:
		at.v += pick(rnd, 2) * 4;
		shvm_mmu_write(&v->mv, at, &e, 4);
		return;
	case 1:
		/* Over two entries of any format. */
		e = e << 32 | (make_entry(rnd, 1) & 0xffffffff);
		at.v += 4;
		shvm_mmu_write(&v->mv, at, &e, 8);
		return;
	case 2 ... 3:
		shvm_mmu_write(&v->mv, at, &e, 8);
		return;
	}
	if (shvm_mmu_read(&machine->mmu, at, &old, 8) != SHVM_MEM_OK)
		return;
	e = old ^ 0x40;
	shvm_mmu_cmpxchg(&v->mv, at, &old, &e, 8);
}

static u64 pick_cr3(enum oracle_format format, u64 *rnd)
{
	if (format == O_PAE)
		return PDPTS << 12 | pick(rnd, NR_PDPTS) * 32;
	return (ROOTS + (format == O_32 ? 9 + pick(rnd, 5) : pick(rnd, 4))) << 12;
}

static void act_mode(struct vcpu *v, u64 *rnd)
{
	enum oracle_format format = pick(rnd, O_NR_FORMATS);
	struct shvm_paging p = v->paging;

	if (pick(rnd, 3)) {
		if (oracle_format(&p) == O_32 && pick(rnd, 2))
			p.cr4 ^= X86_CR4_PSE;
		else
			p.cr0 ^= X86_CR0_WP;
		CHECK(!vcpu_set_paging(v, &p), "vCPU %d: mode", v->id);
		return;
	}
	p = oracle_paging(format);
	CHECK(!vcpu_set_registers(v, &p, pick_cr3(format, rnd)), "vCPU %d: format", v->id);
}

static void act_cr3(struct vcpu *v, u64 *rnd)
{
	u64 cr3 = pick_cr3(oracle_format(&v->paging), rnd);

	CHECK(!(pick(rnd, 3) ? vcpu_load_cr3_fast(v, cr3, pick(rnd, 2)) :
				 vcpu_load_cr3(v, cr3)),
	      "vCPU %d: cr3", v->id);
}

static void vcpu_pause(struct vcpu *v)
{
	vcpu_exit(v);
	__atomic_fetch_add(&t.paused, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&t.pause, __ATOMIC_SEQ_CST))
		sched_yield();
	__atomic_fetch_sub(&t.paused, 1, __ATOMIC_SEQ_CST);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	u64 rnd = t.seed + v->id + 1;

	while (!__atomic_load_n(&t.stop, __ATOMIC_SEQ_CST)) {
		u64 n = pick(&rnd, 1000);

		if (__atomic_load_n(&t.pause, __ATOMIC_SEQ_CST))
			vcpu_pause(v);
		if (n < 800)
			act_access(v, &rnd);
		else if (n < 920)
			act_store(v, &rnd);
		else if (n < 980)
			act_cr3(v, &rnd);
		else if (n < 995)
			vcpu_invlpg_fast(v, pick_addr(v, &rnd));
		else
			act_mode(v, &rnd);
	}
	vcpu_exit(v);
	return NULL;
}

static void stop_and_check(void)
{
	__atomic_store_n(&t.pause, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&t.paused, __ATOMIC_SEQ_CST) != NR_VCPUS)
		sched_yield();
	check_all();
	__atomic_store_n(&t.pause, 0, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&t.paused, __ATOMIC_SEQ_CST))
		sched_yield();
}

static void working_set(u64 *rnd)
{
	static u32 answers[BLOCK];

	use_working_set(pick(rnd, 2) ? 0 : pick(rnd, 0x2000), BLOCK, pick(rnd, 3), answers);
}

static void block_act(u64 *rnd)
{
	u64 block = LARGE_BLOCK + pick(rnd, 2);

	switch (pick(rnd, 8)) {
	case 0:
		host_split(block);
		break;
	case 1:
		host_migrate_block(block);
		break;
	case 2:
		host_protect_block(block);
		break;
	case 3:
		host_age(block * BLOCK, BLOCK, pick(rnd, 2));
		working_set(rnd);
		break;
	default:
		host_collapse(block);
	}
}

static void host_act(u64 *rnd)
{
	u64 page = pick(rnd, 3) ? DATA + pick(rnd, NR_DATA) :
		   pick(rnd, 2) ? 256 + pick(rnd, 3) : 1100 + pick(rnd, 4);

	if (!pick(rnd, 6))
		page = ROOTS + pick(rnd, NR_TABLES_USED);
	if (!pick(rnd, 8))
		page = (LARGE_BLOCK + pick(rnd, 2)) * BLOCK + pick(rnd, 4);
	if (!pick(rnd, 5)) {
		block_act(rnd);
		return;
	}
	switch (pick(rnd, 24)) {
	case 0 ... 4:
		host_swap_out(page);
		break;
	case 5 ... 9:
		host_migrate(page);
		break;
	case 10 ... 14:
		host_write_protect(page);
		break;
	case 15:
		if (page >= DATA && page < LARGE_BLOCK * BLOCK)
			host_drop(page);
		break;
	case 16 ... 19:
		host_age(ROOTS, 96, pick(rnd, 2));
		working_set(rnd);
		break;
	case 20:
		shvm_mmu_unshadow(&machine->mmu, gfn(ROOTS + pick(rnd, NR_TABLES_USED)));
		break;
	case 21:
		CHECK(!shvm_mmu_set_budget(&machine->mmu, pick(rnd, 2) ? 80 : 1000), "budget");
		break;
	case 22:
		if (!pick(rnd, 10))
			zap_all(machine->mmu.era & 1);
		break;
	case 23:
		if (!machine->slot[MOVING].used)
			CHECK(!slot_add(MOVING, 0x7fd, 30, 1100, false), "slot");
		else if (pick(rnd, 2))
			CHECK(!slot_delete(MOVING), "slot");
		else
			CHECK(!slot_move(MOVING, machine->slot[MOVING].base ^ 0x1000), "slot");
	}
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void setup(void)
{
	u64 rnd = t.seed, table, e;
	int i;

	CHECK(!machine_module_init(), "module");
	CHECK(machine_create(NR_VCPUS), "machine");
	CHECK(!slot_add(0, 0, 192, 0, false), "slot");
	CHECK(!slot_add(1, 0x200, 600, 256, false), "slot");
	CHECK(!slot_add(MOVING, 0x7fd, 30, 1100, false), "slot");
	CHECK(!slot_add(4, LARGE, 2 * BLOCK, LARGE_BLOCK * BLOCK, false), "slot");
	machine->thp = true;
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 1000), "budget");
	for (table = ROOTS; table < ROOTS + NR_TABLES_USED; table++)
		for (i = 0; i < 3; i++) {
			e = make_entry(&rnd, level_of(table));
			host_poke(page_of(table), i * 8, &e, 8);
		}
	for (i = 0; i < 2 * BLOCK; i++) {
		e = i - 1 < 2 ? make_entry(&rnd, 1) : i;
		host_poke(page_of(LARGE + i), 0, &e, 8);
	}
	for (i = 0; i < NR_PDPTS * 4; i++) {
		e = (ROOTS + 9 + pick(&rnd, 5)) << 12 | !!pick(&rnd, 5);
		host_poke(page_of(PDPTS), i * 8, &e, 8);
	}
	for (i = 0; i < NR_VCPUS; i++) {
		const struct shvm_paging p = oracle_paging(O_64);

		CHECK(!vcpu_set_registers(&machine->vcpu[i], &p, (ROOTS + i) << 12), "registers");
	}
	machine->poked = false;
	machine->threads = true;
	machine->unseen = true;
}

void threads_run(u64 seed, int milliseconds)
{
	u64 until = now_ms() + milliseconds, n, rnd = seed, total = 0, stuck = 0, large = 0;
	pthread_t thread[NR_VCPUS];
	int i;

	memset(&t, 0, sizeof(t));
	t.seed = seed;
	setup();
	for (i = 0; i < NR_VCPUS; i++)
		CHECK(!pthread_create(&thread[i], NULL, vcpu_thread, &machine->vcpu[i]), "thread");
	for (n = 1; now_ms() < until; n++) {
		host_act(&rnd);
		usleep(pick(&rnd, 200));
		if (!(n % CHECK_EVERY))
			stop_and_check();
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < NR_VCPUS; i++) {
		pthread_join(thread[i], NULL);
		total += t.accesses[i];
		stuck += t.stuck[i];
		large += t.large[i];
	}
	check_all();
	printf("# threads: %llu accesses (%llu by large pages), %llu given up, ", total, large,
	       stuck);
	printf("%llu host actions, %llu invalidations\n", n, machine->invalidations);
	CHECK(large, "no access was served by a large page");
	machine->threads = false;
	machine_destroy();
	machine_module_exit();
	CHECK(!shim_alloc_live, "%ld objects are left", shim_alloc_live);
}
