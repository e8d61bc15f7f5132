// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's page tables: what the host does to pages and to blocks of them, each with the
 * invalidation that the kernel would send.
 */
#include <string.h>

#include "host.h"

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
void let_others_run(void)
{
	if (machine->disturb && !shim_held && !machine->host_busy &&
	    !atomic_read(&machine->mmu.inval.active))
		machine->disturb();
}

u64 page_at(hva_t at)
{
	u64 page = (at.v - HVA_BASE) >> SHVM_PAGE_SHIFT;

	CHECK(at.v >= HVA_BASE && (page < HVA_PAGES ||
				   (page >= GIANT_PAGE && page < machine->nr_pages)),
	      "address %llx is not the VMM's", at.v);
	return page;
}

/* mm_lock is held. NULL: it would fault. */
u8 *page_memory(u64 page, bool write)
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

			CHECK(!vcpu_may_use(&machine->vcpu[i], e) || !tlb_has(e, page, n),
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
		giant_clear();
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

int fault_in(u64 page, bool write)
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

static void range_forget(struct shvm_slot *slot, gfn_t first, u64 n)
{
	shvm_mmu_forget_age(slot, first, n);
}

void host_unmap(u64 page)
{
	host_drop(page);
	each_range(page, 1, range_forget);
	use_forget(page, 1);
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
	machine->poked = true;
	pthread_rwlock_rdlock(&machine->mm_lock);
	mem_write(page_memory(page, true) + off, buf, len);
	history_store(page, off, len);
	memcpy(machine->mirror[page] + off, buf, len);
	pthread_rwlock_unlock(&machine->mm_lock);
}

static __thread bool age_clears;
static __thread u32 age_young;

static void range_age(struct shvm_slot *slot, gfn_t first, u64 n)
{
	age_young += shvm_mmu_age(&machine->mmu, slot, first, n, age_clears);
}

u32 host_ask(u64 first, u64 n, bool clear)
{
	age_clears = clear;
	age_young = 0;
	each_range(first, n, range_age);
	return age_young ?: use_host_knows(first, n);
}

u32 host_age(u64 first, u64 n, bool clear)
{
	u32 young;

	use_check(first, n);
	young = host_ask(first, n, clear);
	if (clear)
		use_told(first, n);
	return young;
}
