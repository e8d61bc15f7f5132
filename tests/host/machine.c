// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host: frames, the VMM's page tables, invalidations; and src/mmu/arch.h on top of it. Guest
 * memory is read and written by relaxed atomic accesses, since the guest races with itself by
 * right.
 */
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p)	__asan_poison_memory_region(p, SHVM_PAGE_SIZE)
#define UNPOISON(p)	__asan_unpoison_memory_region(p, SHVM_PAGE_SIZE)
#else
#define POISON(p)	((void)(p))
#define UNPOISON(p)	((void)(p))
#endif

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

u8 *host_frame_memory(u64 f)
{
	CHECK(f - FRAME_BASE < NR_FRAMES, "%llx is not a host frame", f);
	return frames.page[f - FRAME_BASE];
}

bool host_frame_is_live(u64 f)
{
	return f - FRAME_BASE < NR_FRAMES &&
	       __atomic_load_n(&frames.live[f - FRAME_BASE], __ATOMIC_ACQUIRE);
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

	CHECK(at.v >= HVA_BASE && page < HVA_PAGES, "address %llx is not the VMM's", at.v);
	return page;
}

/* mm_lock is held. NULL: it would fault. */
static u8 *page_memory(u64 page, bool write)
{
	const struct host_page *p = &machine->host[page];

	if (p->frame < 0 || p->vma == VMA_NONE || (write && !p->writable))
		return NULL;
	return frames.page[p->frame];
}

/* As invalidate_range_start() of src/mmu_notifier does for one frame. */
static void frame_unmap(struct shvm_slot *slot, gfn_t f)
{
	struct shvm_mmu *mmu = &machine->mmu;
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_gfn_state *state = slot_gfn_state(slot, f);
	u32 gone;

	if (READ_ONCE(*head)) {
		shvm_lock_rmap(head);
		gone = shvm_rmap_zap(&mmu->tlb, head, state);
		shvm_unlock_rmap(head);
		atomic64_sub(gone, &mmu->stats.rmap_entries);
	}
	if (READ_ONCE(state->tracked))
		shvm_mmu_unshadow(mmu, f);
}

typedef void (*frame_fn)(struct shvm_slot *slot, gfn_t f);

/* Every frame of the module's table that the page of the VMM's memory backs. */
static void each_frame(u64 page, frame_fn fn)
{
	struct shvm_mmu *mmu = &machine->mmu;
	u64 at = HVA_BASE + (page << SHVM_PAGE_SHIFT);
	const struct shvm_slots *slots;
	int idx;
	u32 i;

	idx = srcu_read_lock(&mmu->srcu);
	slots = srcu_dereference(mmu->slots, &mmu->srcu);
	for (i = 0; i < slots->nr; i++) {
		struct shvm_slot *slot = slots->slot[i];

		if (at >= slot->hva.v && (at - slot->hva.v) >> SHVM_PAGE_SHIFT < slot->npages)
			fn(slot, gfn_add(slot->base, (at - slot->hva.v) >> SHVM_PAGE_SHIFT));
	}
	srcu_read_unlock(&mmu->srcu, idx);
}

static void invalidate_begin(u64 page)
{
	int frame = machine->host[page].frame, i, j;

	__atomic_fetch_add(&machine->invalidations, 1, __ATOMIC_RELAXED);
	shvm_mmu_invalidate_begin(&machine->mmu);
	each_frame(page, frame_unmap);
	shvm_mmu_settle(&machine->mmu);
	if ((machine->threads && !machine->lockstep) || frame < 0)
		return;
	for (i = 0; i < machine->nr_vcpus; i++)
		for (j = 0; j < TLB_SIZE; j++) {
			const struct tlb_entry *e = &machine->vcpu[i].tlb[j];

			CHECK(!e->valid || e->hfn != FRAME_BASE + frame,
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
		pool_put(&frames, old);
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

static int fault_in_locked(u64 page, bool write)
{
	struct host_page *p = &machine->host[page];

	if (p->vma == VMA_NONE || (write && p->vma == VMA_RO))
		return -EFAULT;
	if (p->frame < 0) {
		/* Nothing was mapped, so nothing is to be invalidated. */
		page_set_frame(page, frame_new(p->swap), p->vma == VMA_RW);
		free(p->swap);
		p->swap = NULL;
	} else if (write && !p->writable) {
		invalidate_begin(page);
		page_set_frame(page, frame_new(frames.page[p->frame]), true);
		invalidate_end();
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
	if (p->frame >= 0) {
		invalidate_begin(page);
		page_freeze(page);
		p->swap = malloc(SHVM_PAGE_SIZE);
		mem_read(frames.page[p->frame], p->swap, SHVM_PAGE_SIZE);
		page_set_frame(page, -1, false);
		invalidate_end();
	}
	host_unlock();
}

void host_drop(u64 page)
{
	struct host_page *p = &machine->host[page];

	host_lock();
	invalidate_begin(page);
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
	invalidate_begin(page);
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
	writable = p->writable;
	if (p->frame >= 0) {
		invalidate_begin(page);
		page_freeze(page);
		page_set_frame(page, frame_new(frames.page[p->frame]), writable);
		invalidate_end();
	}
	host_unlock();
}

void host_write_protect(u64 page)
{
	host_lock();
	if (machine->host[page].frame >= 0) {
		invalidate_begin(page);
		page_set_frame(page, machine->host[page].frame, false);
		invalidate_end();
	}
	host_unlock();
}

void host_set_vma(u64 page, enum vma vma)
{
	struct host_page *p = &machine->host[page];

	host_lock();
	invalidate_begin(page);
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
		mem_read(frames.page[p->frame] + off, buf, len);
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

static __thread bool age_clears, age_young;

static void frame_age(struct shvm_slot *slot, gfn_t f)
{
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_gfn_state *state = slot_gfn_state(slot, f);

	if (!READ_ONCE(*head) && !READ_ONCE(state->age))
		return;
	shvm_lock_rmap(head);
	age_young |= shvm_rmap_age(head, state, age_clears);
	shvm_unlock_rmap(head);
}

bool host_age(u64 first, u64 n, bool clear)
{
	age_clears = clear;
	age_young = false;
	for (; n; n--)
		each_frame(first++, frame_age);
	return age_young;
}

/* --- life --- */

int machine_module_init(void)
{
	pool_init(&frames);
	pool_init(&tables);
	return shvm_mmu_module_init();
}

void machine_module_exit(void)
{
	shvm_mmu_module_exit();
}

static void machine_free(void)
{
	u64 i;

	for (i = 0; i < HVA_PAGES; i++) {
		if (machine->host[i].frame >= 0)
			pool_put(&frames, machine->host[i].frame);
		free(machine->host[i].swap);
	}
	CHECK(tables.nr_free == NR_TABLES, "%d shadow tables are left", NR_TABLES - tables.nr_free);
	free(machine);
	machine = NULL;
}

bool machine_create(int nr_vcpus)
{
	u64 i;

	machine = calloc(1, sizeof(*machine));
	CHECK(machine, "no memory for the test itself");
	for (i = 0; i < HVA_PAGES; i++)
		machine->host[i].frame = -1;
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
