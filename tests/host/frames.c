// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of the host: single ones, groups for huge entries, and those of shadow tables. Guest
 * memory is read and written by relaxed atomic accesses, since the guest races with itself by
 * right.
 */
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON_ALL(p, size)	__asan_poison_memory_region(p, size)
#define UNPOISON_ALL(p, size)	__asan_unpoison_memory_region(p, size)
#else
#define POISON_ALL(p, size)	((void)(p))
#define UNPOISON_ALL(p, size)	((void)(p))
#endif
#define POISON(p)	POISON_ALL(p, SHVM_PAGE_SIZE)
#define UNPOISON(p)	UNPOISON_ALL(p, SHVM_PAGE_SIZE)

#include "host.h"

/*
 * Pages with a life: the longest free one is used next, so that a stale pointer has a long time
 * to be caught by the poison.
 */
struct pool {
	u8 (*page)[SHVM_PAGE_SIZE];
	bool live[NR_FRAMES];
	int queue[NR_FRAMES], head, nr_free;
	int size;
	pthread_mutex_t lock;
};

static struct pool frames = { .size = NR_FRAMES, .lock = PTHREAD_MUTEX_INITIALIZER };
static struct pool tables = { .size = NR_TABLES, .lock = PTHREAD_MUTEX_INITIALIZER };
static struct shvm_sp *table_owner[NR_TABLES];

static void pool_init(struct pool *p)
{
	int i;

	if (p->page)
		return;
	p->page = aligned_alloc(SHVM_PAGE_SIZE, (size_t)p->size * SHVM_PAGE_SIZE);
	CHECK(p->page, "no memory for the test itself");
	for (i = 0; i < p->size; i++) {
		p->queue[i] = i;
		POISON(p->page[i]);
	}
	p->nr_free = p->size;
}

static int pool_get(struct pool *p)
{
	int i = -1;

	pthread_mutex_lock(&p->lock);
	if (p->nr_free) {
		i = p->queue[p->head];
		p->head = (p->head + 1) % p->size;
		p->nr_free--;
		__atomic_store_n(&p->live[i], true, __ATOMIC_RELEASE);
		UNPOISON(p->page[i]);
	}
	pthread_mutex_unlock(&p->lock);
	return i;
}

static void pool_put(struct pool *p, int i)
{
	pthread_mutex_lock(&p->lock);
	CHECK(p->live[i], "page %d is freed twice", i);
	__atomic_store_n(&p->live[i], false, __ATOMIC_RELEASE);
	POISON(p->page[i]);
	p->queue[(p->head + p->nr_free++) % p->size] = i;
	pthread_mutex_unlock(&p->lock);
}

/*
 * Behind the single frames: groups of them, aligned, for huge entries. They are taken as a whole
 * and freed one by one. Their memory is zero when it comes, and what nobody has touched still is.
 */
#define NR_GROUPS	(NR_BLOCKS + 2)
#define GROUP_FRAME	NR_FRAMES
#define GROUP_SIZE	((size_t)BLOCK * SHVM_PAGE_SIZE)

static_assert(!(FRAME_BASE % GIANT_PAGES) && !(GROUP_FRAME % BLOCK));
static_assert(!(GIANT_FRAME % GIANT_PAGES) && GROUP_FRAME + NR_GROUPS * BLOCK <= GIANT_FRAME);

static struct {
	u8 (*page)[SHVM_PAGE_SIZE];
	bool live[NR_GROUPS * BLOCK];
	bool touched[NR_GROUPS * BLOCK];
	int nr_live[NR_GROUPS];
	int queue[NR_GROUPS], head, nr_free;
	pthread_mutex_t lock;
} groups = { .lock = PTHREAD_MUTEX_INITIALIZER };

static u8 (*giant)[SHVM_PAGE_SIZE];

/* Zeros, of which only what is touched takes memory. */
void *sparse_alloc(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED, "no memory for the test itself");
	return at;
}

void sparse_zero(void *at, size_t size)
{
	CHECK(!madvise(at, size, MADV_DONTNEED), "madvise");
}

static void groups_init(void)
{
	int i;

	if (groups.page)
		return;
	if (machine_has_giant)
		giant = sparse_alloc(GIANT_SIZE);
	groups.page = sparse_alloc(NR_GROUPS * GROUP_SIZE);
	POISON_ALL(groups.page, NR_GROUPS * GROUP_SIZE);
	for (i = 0; i < NR_GROUPS; i++)
		groups.queue[i] = i;
	groups.nr_free = NR_GROUPS;
}

/* The first frame of a group, or -1. */
int group_get(void)
{
	int group = -1, i;

	pthread_mutex_lock(&groups.lock);
	if (groups.nr_free) {
		group = groups.queue[groups.head];
		groups.head = (groups.head + 1) % NR_GROUPS;
		groups.nr_free--;
		groups.nr_live[group] = BLOCK;
		for (i = 0; i < BLOCK; i++)
			groups.live[group * BLOCK + i] = true;
		UNPOISON_ALL(groups.page[group * BLOCK], GROUP_SIZE);
	}
	pthread_mutex_unlock(&groups.lock);
	return group < 0 ? -1 : GROUP_FRAME + group * BLOCK;
}

static void group_put(int i)
{
	int group = i / BLOCK;

	pthread_mutex_lock(&groups.lock);
	CHECK(groups.live[i], "frame %d of the groups is freed twice", i);
	groups.live[i] = false;
	if (groups.touched[i])
		memset(groups.page[i], 0, SHVM_PAGE_SIZE);
	groups.touched[i] = false;
	POISON(groups.page[i]);
	if (!--groups.nr_live[group])
		groups.queue[(groups.head + groups.nr_free++) % NR_GROUPS] = group;
	pthread_mutex_unlock(&groups.lock);
}

void frame_put(int frame)
{
	if (frame < GROUP_FRAME)
		pool_put(&frames, frame);
	else
		group_put(frame - GROUP_FRAME);
}

u8 *frame_memory(int frame)
{
	if (frame >= GIANT_FRAME)
		return giant[frame - GIANT_FRAME];
	return frame < GROUP_FRAME ? frames.page[frame] : groups.page[frame - GROUP_FRAME];
}

/* Somebody may store to it. Everybody writes the same, which is no race to speak of. */
void __attribute__((no_sanitize("thread"))) frame_touch(int frame)
{
	if (frame >= GROUP_FRAME && frame < GIANT_FRAME)
		groups.touched[frame - GROUP_FRAME] = true;
}

bool frame_is_zero(int frame)
{
	return frame >= GROUP_FRAME && frame < GIANT_FRAME && !groups.touched[frame - GROUP_FRAME];
}

static bool frame_exists(u64 frame)
{
	return frame < GROUP_FRAME + NR_GROUPS * BLOCK ||
	       (giant && frame - GIANT_FRAME < GIANT_PAGES);
}

u8 *host_frame_memory(u64 f)
{
	CHECK(frame_exists(f - FRAME_BASE), "%llx is not a host frame", f);
	frame_touch(f - FRAME_BASE);
	return frame_memory(f - FRAME_BASE);
}

bool host_frame_is_live(u64 f)
{
	u64 frame = f - FRAME_BASE;

	if (!frame_exists(frame))
		return false;
	if (frame >= GIANT_FRAME)
		return machine->giant;
	return frame < GROUP_FRAME ? __atomic_load_n(&frames.live[frame], __ATOMIC_ACQUIRE) :
				     groups.live[frame - GROUP_FRAME];
}

static bool is_in(const void *at, const void *from, size_t size)
{
	return (const char *)at - (const char *)from >= 0 &&
	       (size_t)((const char *)at - (const char *)from) < size;
}

bool host_owns(const void *at)
{
	return is_in(at, frames.page, (size_t)NR_FRAMES * SHVM_PAGE_SIZE) ||
	       is_in(at, groups.page, NR_GROUPS * GROUP_SIZE);
}

/* --- guest memory by atomic accesses --- */

void mem_read(const u8 *from, void *to, u32 len)
{
	u8 *out = to;

	for (; len && ((uintptr_t)from & 7 || len < 8); len--)
		*out++ = __atomic_load_n(from++, __ATOMIC_RELAXED);
	for (; len >= 8; len -= 8, from += 8, out += 8) {
		u64 v = __atomic_load_n((const u64 *)from, __ATOMIC_RELAXED);

		memcpy(out, &v, 8);
	}
	if (len)
		mem_read(from, out, len);
}

void mem_write(u8 *to, const void *from, u32 len)
{
	const u8 *in = from;
	bool aligned = !((uintptr_t)to & (len - 1));
	u64 v = 0;

	if (len <= 8)
		memcpy(&v, in, len);
	if (len == 8 && aligned)
		__atomic_store_n((u64 *)to, v, __ATOMIC_RELAXED);
	else if (len == 4 && aligned)
		__atomic_store_n((u32 *)to, v, __ATOMIC_RELAXED);
	else if (len == 2 && aligned)
		__atomic_store_n((u16 *)to, v, __ATOMIC_RELAXED);
	else if (!(len & 7) && !((uintptr_t)to & 7))
		for (; len; len -= 8, to += 8, in += 8)
			mem_write(to, in, 8);
	else
		while (len--)
			__atomic_store_n(to++, *in++, __ATOMIC_RELAXED);
}

#define CMPXCHG(type) ({						\
	type o, n;							\
	memcpy(&o, old, sizeof(type));					\
	memcpy(&n, new, sizeof(type));					\
	!__atomic_compare_exchange_n((type *)at, &o, n, false,		\
				     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);	\
})

int mem_cmpxchg(u8 *at, const void *old, const void *new, u32 len)
{
	switch (len) {
	case 1:
		return CMPXCHG(u8);
	case 2:
		return CMPXCHG(u16);
	case 4:
		return CMPXCHG(u32);
	case 8:
		return CMPXCHG(u64);
	}
	if (memcmp(at, old, len))
		return 1;
	memcpy(at, new, len);
	return 0;
}

int frame_new(const u8 *contents)
{
	int frame = pool_get(&frames);

	CHECK(frame >= 0, "out of host frames");
	if (contents)
		mem_read(contents, frames.page[frame], SHVM_PAGE_SIZE);
	else
		memset(frames.page[frame], 0, SHVM_PAGE_SIZE);
	return frame;
}

void giant_clear(void)
{
	sparse_zero(giant, GIANT_SIZE);
}

void frames_init(void)
{
	pool_init(&frames);
	pool_init(&tables);
	groups_init();
}

/* Of the tables that nobody finds any more, but that CPUs may still have in their caches. */
void tables_check_dead(void)
{
	int i;

	for (i = 0; i < NR_TABLES; i++)
		if (table_owner[i] && table_owner[i]->filled && !table_owner[i]->hash.pprev)
			check_dead_table(table_owner[i]);
}

void frames_check_free(void)
{
	CHECK(tables.nr_free == NR_TABLES, "%d shadow tables are left", NR_TABLES - tables.nr_free);
	CHECK(groups.nr_free == NR_GROUPS, "%d groups of frames are left",
	      NR_GROUPS - groups.nr_free);
}

/* --- shadow tables --- */

u64 *shvm_arch_table_alloc(bool low)
{
	int i;

	if (!shim_alloc_may_fail())
		return NULL;
	i = pool_get(&tables);
	CHECK(i >= 0, "more than %d shadow tables", NR_TABLES);
	table_owner[i] = NULL;
	return memset(tables.page[i], 0, SHVM_PAGE_SIZE);
}

void shvm_arch_table_free(u64 *table)
{
	int i = (u8 (*)[SHVM_PAGE_SIZE])table - tables.page;

	table_owner[i] = NULL;
	pool_put(&tables, i);
}

hpa_t shvm_arch_table_hpa(const u64 *table)
{
	return hpa((TABLE_BASE + ((const u8 (*)[SHVM_PAGE_SIZE])table - tables.page)) <<
		   SHVM_PAGE_SHIFT);
}

void shvm_arch_table_set_owner(u64 *table, struct shvm_sp *sp)
{
	table_owner[(u8 (*)[SHVM_PAGE_SIZE])table - tables.page] = sp;
}

struct shvm_sp *shvm_arch_table_owner(hpa_t table)
{
	u64 i = (table.v >> SHVM_PAGE_SHIFT) - TABLE_BASE;

	CHECK(i < NR_TABLES && __atomic_load_n(&tables.live[i], __ATOMIC_ACQUIRE),
	      "%llx is not a shadow table", table.v);
	return table_owner[i];
}

u64 *machine_table(u64 at)
{
	u64 i = (at >> SHVM_PAGE_SHIFT) - TABLE_BASE;

	CHECK(i < NR_TABLES && __atomic_load_n(&tables.live[i], __ATOMIC_ACQUIRE),
	      "the CPU walks %llx, which is not a live shadow table", at);
	return (u64 *)tables.page[i];
}
