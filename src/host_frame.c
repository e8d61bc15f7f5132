// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host frames behind the VMM's memory, for the shadow MMU (src/mmu/arch.h). Read from the
 * host's page tables where they say enough: the look-up of the kernel (get_user_pages) marks a page
 * as referenced, so that reclaim would keep what the guest has not used, and a page that it used
 * once as if it were twice. docs/memory.md. No reference is kept; takes no lock of ours.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include "mmu/arch.h"
#include "vm.h"

static bool large_pages = true;
module_param(large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "map large guest pages by large shadow entries (default: on)");

/* What the host's page tables say of an address, as of one moment. */
struct host_entry {
	u64 pfn;		/* of that address, also in a large page */
	int level;		/* 1, 2, 3: size of the page that the host maps; 0: not for us */
	bool writable;
	bool dirty;		/* the host will know of it when the entry goes */
	bool young;
};

/* The bits that matter are the same in entries of all levels. False: there is no page. */
static bool entry_take(struct host_entry *e, u64 entry, unsigned long at, int level)
{
	u64 within = level_frames(level) - 1;
	pte_t pte = __pte(entry);

	e->level = pte_access_permitted(pte, false) ? level : 0;
	e->pfn = (pte_pfn(pte) & ~within) | (at >> PAGE_SHIFT & within);
	e->writable = pte_access_permitted(pte, true);
	e->dirty = pte_dirty(pte);
	e->young = pte_young(pte);
	return pte_present(pte);
}

/*
 * One entry of the host's tables that maps at. False: there is none, and the kernel's own look-up
 * would find none either. Interrupts are off: page tables are freed only after every CPU was seen
 * with interrupts on, as for get_user_pages_fast().
 */
static bool host_walk(struct mm_struct *mm, unsigned long at, struct host_entry *e)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, at));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	if (!pgd_present(pgd))
		return false;
	p4d = READ_ONCE(*p4d_offset(&pgd, at));
	if (!p4d_present(p4d))
		return false;
	pud = READ_ONCE(*pud_offset(&p4d, at));
	if (pud_leaf(pud))
		return entry_take(e, pud_val(pud), at, 3);
	if (!pud_present(pud))
		return false;
	pmd = READ_ONCE(*pmd_offset(&pud, at));
	if (pmd_leaf(pmd))
		return entry_take(e, pmd_val(pmd), at, 2);
	if (!pmd_present(pmd))
		return false;
	pte = READ_ONCE(*pte_offset_kernel(&pmd, at));
	if (!entry_take(e, pte_val(pte), at, 1))
		return false;
	/* No page of the kernel's own, or the page of zeros. */
	if (pte_special(pte) || pte_devmap(pte))
		e->level = 0;
	return true;
}

static bool host_look(struct mm_struct *mm, hva_t at, struct host_entry *e)
{
	unsigned long flags;
	bool found;

	local_irq_save(flags);
	found = host_walk(mm, at.v, e);
	local_irq_restore(flags);
	return found;
}

/* Marking a page of a file system dirty needs its lock; anonymous and shmem pages do not. */
static bool frame_is_swap_backed(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_anon(folio) || folio_test_swapbacked(folio) || folio_test_hugetlb(folio);
}

/*
 * A page that the guest may write is dirty before it is mapped, or the host's own entry is: that
 * one will not become dirty by it. Reclaim unmaps (and so invalidates) before it cleans either.
 */
static void frame_take(struct page *page, bool writable, struct shvm_host_frame *out)
{
	out->hfn = hfn(page_to_pfn(page));
	out->writable = writable;
	put_page(page);
}

/* By the host's entry alone. A read makes nothing dirty: what is clean is not mapped writable. */
static bool frame_known(const struct host_entry *e, bool write, struct shvm_host_frame *out)
{
	if (!e->level || !frame_is_swap_backed(pfn_to_page(e->pfn)))
		return false;
	out->hfn = hfn(e->pfn);
	out->writable = e->writable && e->dirty;
	return out->writable || !write;
}

bool shvm_arch_host_frame_atomic(hva_t at, bool write, struct shvm_host_frame *out)
{
	struct host_entry e;
	struct page *page;

	/* What is absent is asked for often: the neighbours of a page that comes from swap. */
	if (!host_look(current->mm, at, &e))
		return false;
	if (frame_known(&e, write, out))
		return true;
	if (!get_user_page_fast_only(at.v, write ? FOLL_WRITE : 0, &page))
		return false;
	if (write && !frame_is_swap_backed(page)) {
		put_page(page);
		return false;
	}
	if (write)
		set_page_dirty(page);
	frame_take(page, write, out);
	return true;
}

/* 0, -ENOMEM, -EINTR, or -EFAULT for all that user space has to mend. */
static int fault_error(int err)
{
	if (err == -EINTR || err == -ERESTARTSYS)
		return -EINTR;
	return err == -ENOMEM ? -ENOMEM : -EFAULT;
}

/* As an access of the VMM's own: nothing but the host's page tables says that there was one. */
int shvm_arch_fault_in(hva_t at, bool write)
{
	bool unlocked = false;
	int err;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	err = fixup_user_fault(current->mm, at.v, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(current->mm);
	return err ? fault_error(err) : 0;
}

/* What the host's entry alone does not tell: files, the page of zeros, pages that are not dirty. */
static int frame_get(hva_t at, bool write, struct shvm_host_frame *out)
{
	struct page *page;
	long n = get_user_pages_unlocked(at.v, 1, &page, write ? FOLL_WRITE : 0);

	if (n != 1)
		return fault_error(n);
	if (write)
		set_page_dirty_lock(page);
	frame_take(page, write, out);
	return 0;
}

int shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out)
{
	struct host_entry e;
	int err;

	out->faulted_in = false;
	if (shvm_arch_host_frame_atomic(at, write, out))
		return 0;
	out->faulted_in = true;
	err = shvm_arch_fault_in(at, write);
	if (err || (host_look(current->mm, at, &e) && frame_known(&e, write, out)))
		return err;
	return frame_get(at, write, out);
}

bool shvm_arch_host_is_young(struct shvm_mmu *mmu, hva_t at)
{
	struct host_entry e;

	return host_look(container_of(mmu, struct shvm, mmu)->mm, at, &e) && e.young;
}

int shvm_arch_host_level(struct shvm_mmu *mmu, hva_t at, const struct shvm_host_frame *host)
{
	struct mm_struct *mm = container_of(mmu, struct shvm, mmu)->mm;
	struct host_entry e;

	if (!large_pages || !host_look(mm, at, &e) || !e.level)
		return 1;
	if (e.pfn != host->hfn.v || (host->writable && !e.writable))
		return 1;
	return e.level == 3 && !boot_cpu_has(X86_FEATURE_GBPAGES) ? 2 : e.level;
}
