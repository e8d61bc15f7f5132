// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host: frames, the VMM's page tables, invalidations; and src/mmu/arch.h on top of it. Guest
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

#include "machine.h"

struct machine *machine;
u64 (*rnd_source)(void);

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
#define GIANT_FRAME	0x40000
#define GIANT_SIZE	((size_t)GIANT_PAGES * SHVM_PAGE_SIZE)

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
bool machine_has_giant;

/* Zeros, of which only what is touched takes memory. */
static void *sparse_alloc(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED, "no memory for the test itself");
	return at;
}

static void sparse_zero(void *at, size_t size)
{
	CHECK(!madvise(at, size, MADV_DONTNEED), "madvise");
}

static void groups_init(void)
{
	int i;

	if (groups.page)
		return;
	groups.page = sparse_alloc(NR_GROUPS * GROUP_SIZE);
	POISON_ALL(groups.page, NR_GROUPS * GROUP_SIZE);
	for (i = 0; i < NR_GROUPS; i++)
		groups.queue[i] = i;
	groups.nr_free = NR_GROUPS;
}

/* The first frame of a group, or -1. */
static int group_get(void)
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

static void frame_put(int frame)
{
	if (frame < GROUP_FRAME)
		pool_put(&frames, frame);
	else
		group_put(frame - GROUP_FRAME);
}

static u8 *frame_memory(int frame)
{
	if (frame >= GIANT_FRAME)
		return giant[frame - GIANT_FRAME];
	return frame < GROUP_FRAME ? frames.page[frame] : groups.page[frame - GROUP_FRAME];
}

/* Somebody may store to it. Everybody writes the same, which is no race to speak of. */
static void __attribute__((noinline, no_sanitize("thread"))) frame_touch(int frame)
{
	if (frame >= GROUP_FRAME && frame < GIANT_FRAME)
		groups.touched[frame - GROUP_FRAME] = true;
}

static bool frame_is_zero(int frame)
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

static void mem_read(const u8 *from, void *to, u32 len)
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

static void mem_write(u8 *to, const void *from, u32 len)
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

static int mem_cmpxchg(u8 *at, const void *old, const void *new, u32 len)
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

/* --- the host's page tables --- */

static void host_lock(void)
{
	pthread_mutex_lock(&machine->host_mutex);
	machine->host_busy = 1;
}

static void host_unlock(void)
{
	machine->host_busy = 0;
	pthread_mutex_unlock(&machine->host_mutex);
}

/* Nothing is held, no invalidation is under way: others may run. */
static void let_others_run(void)
{
	if (machine->disturb && !shim_held && !machine->host_busy &&
	    !atomic_read(&machine->mmu.inval.active))
		machine->disturb();
}

static u64 page_at(hva_t at)
{
	u64 page = (at.v - HVA_BASE) >> SHVM_PAGE_SHIFT;

	CHECK(at.v >= HVA_BASE && (page < HVA_PAGES ||
				   (page >= GIANT_PAGE && page < machine->nr_pages)),
	      "address %llx is not the VMM's", at.v);
	return page;
}

/* mm_lock is held. NULL: it would fault. */
static u8 *page_memory(u64 page, bool write)
{
	const struct host_page *p = &machine->host[page];

	if (p->frame < 0 || p->vma == VMA_NONE || (write && !p->writable) ||
	    (page < HVA_PAGES && machine->absent[page / BLOCK]))
		return NULL;
	if (write)
		frame_touch(p->frame);
	return frame_memory(p->frame);
}

int host_level(u64 page)
{
	if (page >= HVA_PAGES)
		return machine->giant;
	return machine->huge[page / BLOCK] ? 2 : 1;
}

typedef void (*range_fn)(struct shvm_slot *slot, gfn_t first, u64 n);

/* The frames of the module's table that pages of the VMM's memory back. */
static void each_range(u64 page, u64 n, range_fn fn)
{
	u64 at = HVA_BASE + (page << SHVM_PAGE_SHIFT), end = at + (n << SHVM_PAGE_SHIFT);
	struct shvm_mmu *mmu = &machine->mmu;
	const struct shvm_slots *slots;
	int idx;
	u32 i;

	idx = srcu_read_lock(&mmu->srcu);
	slots = srcu_dereference(mmu->slots, &mmu->srcu);
	for (i = 0; i < slots->nr; i++) {
		struct shvm_slot *slot = slots->slot[i];
		u64 from = max_t(u64, at, slot->hva.v);
		u64 to = min_t(u64, end, slot->hva.v + ((u64)slot->npages << SHVM_PAGE_SHIFT));

		if (from < to)
			fn(slot, gfn_add(slot->base, (from - slot->hva.v) >> SHVM_PAGE_SHIFT),
			   (to - from) >> SHVM_PAGE_SHIFT);
	}
	srcu_read_unlock(&mmu->srcu, idx);
}

static void range_unmap(struct shvm_slot *slot, gfn_t first, u64 n)
{
	shvm_mmu_unmap(&machine->mmu, slot, first, n);
}

static bool tlb_has(const struct tlb_entry *e, u64 page, u64 n)
{
	u64 i, frame = e->hfn - FRAME_BASE, size = 1ULL << (9 * (e->kept - 1));

	for (i = 0; i < n; i++)
		if (machine->host[page + i].frame >= 0 &&
		    machine->host[page + i].frame - frame < size)
			return true;
	return false;
}

static void invalidate_begin(u64 page, u64 n)
{
	int i, j;

	__atomic_fetch_add(&machine->invalidations, 1, __ATOMIC_RELAXED);
	shvm_mmu_invalidate_begin(&machine->mmu);
	each_range(page, n, range_unmap);
	shvm_mmu_settle(&machine->mmu);
	if (machine->threads && !machine->lockstep)
		return;
	for (i = 0; i < machine->nr_vcpus; i++)
		for (j = 0; j < TLB_ALL; j++) {
			const struct tlb_entry *e = &machine->vcpu[i].tlb[j];

			CHECK(!e->valid || !tlb_has(e, page, n),
			      "vCPU %d has frame %llx in its TLB after an invalidation", i,
			      e->hfn);
		}
}

static void invalidate_end(void)
{
	shvm_mmu_invalidate_end(&machine->mmu);
}

/* The page gets another frame (-1: none); host_mutex is held, invalidation runs. */
static void page_set_frame(u64 page, int frame, bool writable)
{
	struct host_page *p = &machine->host[page];
	int old;

	pthread_rwlock_wrlock(&machine->mm_lock);
	old = p->frame;
	p->frame = frame;
	p->writable = writable;
	pthread_rwlock_unlock(&machine->mm_lock);
	if (old >= 0 && old != frame)
		frame_put(old);
}

static int frame_new(const u8 *contents)
{
	int frame = pool_get(&frames);

	CHECK(frame >= 0, "out of host frames");
	if (contents)
		mem_read(contents, frames.page[frame], SHVM_PAGE_SIZE);
	else
		memset(frames.page[frame], 0, SHVM_PAGE_SIZE);
	return frame;
}

/* Before its contents are copied: stores by software have to wait, as the guest's have. */
static void page_freeze(u64 page)
{
	pthread_rwlock_wrlock(&machine->mm_lock);
	machine->host[page].writable = false;
	pthread_rwlock_unlock(&machine->mm_lock);
}

/* --- blocks; host_mutex is held where a function ends in _locked --- */

static void block_set_writable(u64 block, bool writable)
{
	u64 i;

	pthread_rwlock_wrlock(&machine->mm_lock);
	for (i = block * BLOCK; i < (block + 1) * BLOCK; i++)
		machine->host[i].writable = writable;
	pthread_rwlock_unlock(&machine->mm_lock);
}

/* One VMA, something in it; or, if it is to be empty, nothing. */
static bool block_is_usable(u64 block, bool empty)
{
	const struct host_page *p = &machine->host[block * BLOCK];
	int resident = 0, i;

	for (i = 0; i < BLOCK; i++) {
		if (p[i].vma != VMA_RW)
			return false;
		resident += p[i].frame >= 0 || p[i].swap;
	}
	return empty ? !resident : resident;
}

/* From now on the group maps the block; what was there is freed. */
static void block_map_locked(u64 block, int group)
{
	struct host_page *p = &machine->host[block * BLOCK];
	int old[BLOCK], i;

	pthread_rwlock_wrlock(&machine->mm_lock);
	for (i = 0; i < BLOCK; i++) {
		old[i] = p[i].frame;
		p[i].frame = group + i;
		p[i].writable = true;
		free(p[i].swap);
		p[i].swap = NULL;
	}
	machine->huge[block] = true;
	machine->absent[block] = false;
	pthread_rwlock_unlock(&machine->mm_lock);
	for (i = 0; i < BLOCK; i++)
		if (old[i] >= 0)
			frame_put(old[i]);
}

const u8 *host_contents(u64 page)
{
	const struct host_page *p = &machine->host[page];

	if (p->frame < 0)
		return p->swap;
	return frame_is_zero(p->frame) ? NULL : frame_memory(p->frame);
}

static void block_copy(u64 block, int group)
{
	const u8 *from;
	int i;

	for (i = 0; i < BLOCK; i++) {
		from = host_contents(block * BLOCK + i);
		if (!from)
			continue;
		frame_touch(group + i);
		memcpy(frame_memory(group + i), from, SHVM_PAGE_SIZE);
	}
}

/*
 * As the kernel does: the invalidation ends before the copy begins, and until that has ended the
 * block is not mapped at all.
 */
static bool block_move_locked(u64 block)
{
	int group = group_get();

	if (group < 0)
		return false;
	invalidate_begin(block * BLOCK, BLOCK);
	pthread_rwlock_wrlock(&machine->mm_lock);
	machine->absent[block] = true;
	pthread_rwlock_unlock(&machine->mm_lock);
	invalidate_end();
	block_copy(block, group);
	block_map_locked(block, group);
	return true;
}

static bool split_locked(u64 block)
{
	if (block >= NR_BLOCKS || !machine->huge[block])
		return false;
	invalidate_begin(block * BLOCK, BLOCK);
	pthread_rwlock_wrlock(&machine->mm_lock);
	machine->huge[block] = false;
	pthread_rwlock_unlock(&machine->mm_lock);
	invalidate_end();
	return true;
}

bool host_collapse(u64 block)
{
	bool ok;

	host_lock();
	ok = !machine->huge[block] && block_is_usable(block, false) && block_move_locked(block);
	host_unlock();
	return ok;
}

bool host_split(u64 block)
{
	bool ok;

	host_lock();
	ok = split_locked(block);
	host_unlock();
	return ok;
}

bool host_migrate_block(u64 block)
{
	bool ok;

	host_lock();
	ok = machine->huge[block] && block_is_usable(block, false) && block_move_locked(block);
	host_unlock();
	return ok;
}

bool host_protect_block(u64 block)
{
	bool ok;

	host_lock();
	ok = machine->huge[block];
	if (ok) {
		invalidate_begin(block * BLOCK, BLOCK);
		block_set_writable(block, false);
		invalidate_end();
	}
	host_unlock();
	return ok;
}

void host_drop_block(u64 block)
{
	u64 page;

	host_lock();
	invalidate_begin(block * BLOCK, BLOCK);
	pthread_rwlock_wrlock(&machine->mm_lock);
	machine->huge[block] = false;
	pthread_rwlock_unlock(&machine->mm_lock);
	for (page = block * BLOCK; page < (block + 1) * BLOCK; page++) {
		page_set_frame(page, -1, false);
		free(machine->host[page].swap);
		machine->host[page].swap = NULL;
		memset(machine->mirror[page], 0, SHVM_PAGE_SIZE);
	}
	invalidate_end();
	host_unlock();
}

void host_map_giant(int level)
{
	u64 i;

	host_lock();
	invalidate_begin(GIANT_PAGE, GIANT_PAGES);
	pthread_rwlock_wrlock(&machine->mm_lock);
	machine->giant = level;
	for (i = 0; i < GIANT_PAGES; i++) {
		machine->host[GIANT_PAGE + i].frame = level ? GIANT_FRAME + i : -1;
		machine->host[GIANT_PAGE + i].writable = level;
		machine->host[GIANT_PAGE + i].vma = level ? VMA_RW : VMA_NONE;
	}
	pthread_rwlock_unlock(&machine->mm_lock);
	if (!level) {
		sparse_zero(giant, GIANT_SIZE);
		sparse_zero(machine->mirror[GIANT_PAGE], GIANT_SIZE);
	}
	invalidate_end();
	host_unlock();
}

/* --- pages --- */

/* A store to a page that is to be copied first; a huge one may be made writable as it is. */
static void copy_on_write_locked(u64 page)
{
	struct host_page *p = &machine->host[page];

	if (host_level(page) > 1) {
		machine->huge_reuse = !machine->huge_reuse;
		if (machine->huge_reuse) {
			block_set_writable(page / BLOCK, true);
			return;
		}
		split_locked(page / BLOCK);
	}
	invalidate_begin(page, 1);
	page_set_frame(page, frame_new(frame_memory(p->frame)), true);
	invalidate_end();
}

static int fault_in_locked(u64 page, bool write)
{
	struct host_page *p = &machine->host[page];
	int group = -1;

	if (page >= HVA_PAGES)
		return machine->giant ? 0 : -EFAULT;
	if (p->vma == VMA_NONE || (write && p->vma == VMA_RO))
		return -EFAULT;
	/* Where nothing was mapped, nothing is to be invalidated. */
	if (p->frame < 0 && machine->thp && block_is_usable(page / BLOCK, true))
		group = group_get();
	if (group >= 0) {
		block_map_locked(page / BLOCK, group);
	} else if (p->frame < 0) {
		page_set_frame(page, frame_new(p->swap), p->vma == VMA_RW);
		free(p->swap);
		p->swap = NULL;
	} else if (write && !p->writable) {
		copy_on_write_locked(page);
	}
	return 0;
}

static int fault_in(u64 page, bool write)
{
	int ret;

	host_lock();
	ret = fault_in_locked(page, write);
	host_unlock();
	return ret;
}

void host_swap_out(u64 page)
{
	struct host_page *p = &machine->host[page];

	host_lock();
	split_locked(page / BLOCK);
	if (p->frame >= 0) {
		invalidate_begin(page, 1);
		page_freeze(page);
		p->swap = malloc(SHVM_PAGE_SIZE);
		mem_read(frame_memory(p->frame), p->swap, SHVM_PAGE_SIZE);
		page_set_frame(page, -1, false);
		invalidate_end();
	}
	host_unlock();
}

void host_drop(u64 page)
{
	struct host_page *p = &machine->host[page];

	host_lock();
	split_locked(page / BLOCK);
	invalidate_begin(page, 1);
	page_set_frame(page, -1, false);
	free(p->swap);
	p->swap = NULL;
	memset(machine->mirror[page], 0, SHVM_PAGE_SIZE);
	invalidate_end();
	host_unlock();
}

void host_replace(u64 page, const u8 *contents)
{
	host_lock();
	split_locked(page / BLOCK);
	invalidate_begin(page, 1);
	page_set_frame(page, frame_new(contents), true);
	memcpy(machine->mirror[page], contents, SHVM_PAGE_SIZE);
	invalidate_end();
	host_unlock();
}

void host_migrate(u64 page)
{
	struct host_page *p = &machine->host[page];
	bool writable;

	host_lock();
	split_locked(page / BLOCK);
	writable = p->writable;
	if (p->frame >= 0) {
		invalidate_begin(page, 1);
		page_freeze(page);
		page_set_frame(page, frame_new(frame_memory(p->frame)), writable);
		invalidate_end();
	}
	host_unlock();
}

void host_write_protect(u64 page)
{
	host_lock();
	split_locked(page / BLOCK);
	if (machine->host[page].frame >= 0) {
		invalidate_begin(page, 1);
		page_set_frame(page, machine->host[page].frame, false);
		invalidate_end();
	}
	host_unlock();
}

void host_set_vma(u64 page, enum vma vma)
{
	struct host_page *p = &machine->host[page];

	host_lock();
	split_locked(page / BLOCK);
	invalidate_begin(page, 1);
	pthread_rwlock_wrlock(&machine->mm_lock);
	p->vma = vma;
	p->writable = vma == VMA_RW && p->frame >= 0;
	pthread_rwlock_unlock(&machine->mm_lock);
	invalidate_end();
	host_unlock();
}

void host_peek(u64 page, u32 off, void *buf, u32 len)
{
	const struct host_page *p = &machine->host[page];

	pthread_rwlock_rdlock(&machine->mm_lock);
	if (p->frame >= 0)
		mem_read(frame_memory(p->frame) + off, buf, len);
	else if (p->swap)
		memcpy(buf, p->swap + off, len);
	else
		memset(buf, 0, len);
	pthread_rwlock_unlock(&machine->mm_lock);
}

void host_poke(u64 page, u32 off, const void *buf, u32 len)
{
	CHECK(!fault_in(page, true), "page %llu cannot be written", page);
	pthread_rwlock_rdlock(&machine->mm_lock);
	mem_write(page_memory(page, true) + off, buf, len);
	memcpy(machine->mirror[page] + off, buf, len);
	pthread_rwlock_unlock(&machine->mm_lock);
}

static __thread bool age_clears;
static __thread u32 age_young;

static void range_age(struct shvm_slot *slot, gfn_t first, u64 n)
{
	age_young += shvm_mmu_age(&machine->mmu, slot, first, n, age_clears);
}

u32 host_age(u64 first, u64 n, bool clear)
{
	age_clears = clear;
	age_young = 0;
	each_range(first, n, range_age);
	return age_young;
}

/* --- life --- */

int machine_module_init(void)
{
	pool_init(&frames);
	pool_init(&tables);
	groups_init();
	return shvm_mmu_module_init();
}

void machine_module_exit(void)
{
	shvm_mmu_module_exit();
}

/* Zero again, for the next machine. */
static void mirror_clear(u64 page)
{
	static const u8 zero[SHVM_PAGE_SIZE];

	if (memcmp(machine->mirror[page], zero, SHVM_PAGE_SIZE))
		memset(machine->mirror[page], 0, SHVM_PAGE_SIZE);
}

static void machine_free(void)
{
	u64 i;

	for (i = 0; i < HVA_PAGES; i++) {
		if (machine->host[i].frame >= 0 || machine->host[i].swap)
			mirror_clear(i);
		if (machine->host[i].frame >= 0)
			frame_put(machine->host[i].frame);
		free(machine->host[i].swap);
	}
	if (machine_has_giant)
		sparse_zero(machine->mirror[GIANT_PAGE], GIANT_SIZE);
	CHECK(tables.nr_free == NR_TABLES, "%d shadow tables are left", NR_TABLES - tables.nr_free);
	CHECK(groups.nr_free == NR_GROUPS, "%d groups of frames are left",
	      NR_GROUPS - groups.nr_free);
	free(machine);
	machine = NULL;
}

/* The arrays stay for all machines: new memory is dear. */
static void memory_create(void)
{
	static struct host_page *host;
	static u8 (*mirror)[SHVM_PAGE_SIZE];
	static u64 nr_pages;
	u64 i;

	if (!host) {
		nr_pages = machine_has_giant ? GIANT_PAGE + GIANT_PAGES : HVA_PAGES;
		host = sparse_alloc(nr_pages * sizeof(*host));
		mirror = sparse_alloc(nr_pages * SHVM_PAGE_SIZE);
		if (machine_has_giant)
			giant = sparse_alloc(GIANT_SIZE);
	}
	machine->host = host;
	machine->mirror = mirror;
	machine->nr_pages = nr_pages;
	for (i = 0; i < HVA_PAGES; i++)
		host[i] = (struct host_page){ .frame = -1 };
	for (i = GIANT_PAGE; i < nr_pages; i++)
		host[i] = (struct host_page){ .frame = -1, .vma = VMA_NONE };
}

bool machine_create(int nr_vcpus)
{
	machine = calloc(1, sizeof(*machine));
	CHECK(machine, "no memory for the test itself");
	memory_create();
	pthread_mutex_init(&machine->host_mutex, NULL);
	pthread_mutex_init(&machine->slots_mutex, NULL);
	pthread_rwlock_init(&machine->mm_lock, NULL);
	machine->mirrored = true;
	if (shvm_mmu_init(&machine->mmu)) {
		machine_free();
		return false;
	}
	for (; machine->nr_vcpus < nr_vcpus; machine->nr_vcpus++) {
		struct vcpu *v = &machine->vcpu[machine->nr_vcpus];

		v->id = machine->nr_vcpus;
		v->paging = (struct shvm_paging){ .maxphyaddr = 36 };
		CHECK(!shvm_mmu_vcpu_init(&machine->mmu, &v->mv), "vCPU %d", v->id);
	}
	return true;
}

void machine_destroy(void)
{
	int i;

	for (i = 0; i < machine->nr_vcpus; i++)
		shvm_mmu_vcpu_destroy(&machine->vcpu[i].mv);
	shvm_mmu_destroy(&machine->mmu);
	CHECK(!machine->broken, "the VM is marked as broken");
	machine_free();
}

/* --- src/mmu/arch.h --- */

int shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len)
{
	u64 page = page_at(at);
	const u8 *from;

	pthread_rwlock_rdlock(&machine->mm_lock);
	from = page_memory(page, false);
	if (from)
		mem_read(from + (at.v & (SHVM_PAGE_SIZE - 1)), buf, len);
	pthread_rwlock_unlock(&machine->mm_lock);
	return from ? 0 : -EFAULT;
}

int shvm_arch_read_user(hva_t at, void *buf, u32 len)
{
	while (shvm_arch_read_user_atomic(at, buf, len))
		if (fault_in(page_at(at), false))
			return -EFAULT;
	return 0;
}

int shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len)
{
	u64 page = page_at(at);
	u8 *to;

	pthread_rwlock_rdlock(&machine->mm_lock);
	to = page_memory(page, true);
	if (to)
		mem_write(to + (at.v & (SHVM_PAGE_SIZE - 1)), buf, len);
	pthread_rwlock_unlock(&machine->mm_lock);
	return to ? 0 : -EFAULT;
}

int shvm_arch_fault_in(hva_t at, bool write)
{
	return fault_in(page_at(at), write);
}

int shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len)
{
	u64 page = page_at(at);
	int ret = -EFAULT;
	u8 *to;

	CHECK(!(at.v & (len - 1)), "compare-exchange of %u bytes at %llx", len, at.v);
	pthread_rwlock_rdlock(&machine->mm_lock);
	to = page_memory(page, true);
	if (to)
		ret = mem_cmpxchg(to + (at.v & (SHVM_PAGE_SIZE - 1)), old, new, len);
	pthread_rwlock_unlock(&machine->mm_lock);
	return ret;
}

bool shvm_arch_host_frame_atomic(hva_t at, bool write, struct shvm_host_frame *out)
{
	const struct host_page *p = &machine->host[page_at(at)];
	bool ok;

	pthread_rwlock_rdlock(&machine->mm_lock);
	ok = !!page_memory(page_at(at), write);
	if (ok) {
		out->hfn = hfn(FRAME_BASE + p->frame);
		out->writable = p->writable;
	}
	pthread_rwlock_unlock(&machine->mm_lock);
	return ok;
}

int shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out)
{
	static __thread u64 calls;

	if (machine->inject_eintr && !(++calls % machine->inject_eintr))
		return -EINTR;
	let_others_run();
	while (!shvm_arch_host_frame_atomic(at, write, out))
		if (fault_in(page_at(at), write))
			return -EFAULT;
	return 0;
}

int shvm_arch_host_level(struct shvm_mmu *mmu, hva_t at, const struct shvm_host_frame *host)
{
	u64 page = page_at(at);
	int level = 1;

	pthread_rwlock_rdlock(&machine->mm_lock);
	if (page_memory(page, host->writable) &&
	    host->hfn.v == FRAME_BASE + machine->host[page].frame)
		level = host_level(page);
	pthread_rwlock_unlock(&machine->mm_lock);
	if (machine->at_level && !shim_held)
		machine->at_level();
	let_others_run();
	return level;
}

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
	pool_put(&tables, (u8 (*)[SHVM_PAGE_SIZE])table - tables.page);
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

void shvm_arch_flush(struct shvm_mmu *mmu)
{
	int i;

	let_others_run();
	smp_mb();	/* SPTE stores before the look at in_guest; pairs with vcpu_enter() */
	for (i = 0; i < machine->nr_vcpus; i++) {
		struct vcpu *v = &machine->vcpu[i];
		u64 exits = __atomic_load_n(&v->exits, __ATOMIC_ACQUIRE);

		if (!__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
			continue;
		if (!machine->threads) {
			vcpu_exit(v);
			continue;
		}
		/* Again: an entry that was given up has taken the kick, but was no exit. */
		do {
			__atomic_store_n(&v->kick, 1, __ATOMIC_SEQ_CST);
			sched_yield();
		} while (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST) &&
			 __atomic_load_n(&v->exits, __ATOMIC_ACQUIRE) == exits);
	}
}

void shvm_arch_reload_roots(struct shvm_mmu *mmu)
{
	int i;

	for (i = 0; i < machine->nr_vcpus; i++) {
		__atomic_store_n(&machine->vcpu[i].reload, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&machine->vcpu[i].kick, 1, __ATOMIC_SEQ_CST);
	}
}

bool shvm_arch_root_in_use(struct shvm_mmu *mmu, const struct shvm_sp *sp)
{
	int i, j;

	for (i = 0; i < machine->nr_vcpus; i++) {
		const struct shvm_mmu_vcpu *mv = &machine->vcpu[i].mv;

		if (READ_ONCE(mv->root) == sp)
			return true;
		for (j = 0; j < SHVM_PAE_ROOTS; j++)
			if (READ_ONCE(mv->pae_sp[j]) == sp)
				return true;
	}
	return false;
}

void shvm_arch_broken(struct shvm_mmu *mmu)
{
	machine->broken = 1;
}
