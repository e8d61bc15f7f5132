// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the shadow MMU needs from the layers above (src/mmu/arch.h): the VMM's memory, table pages,
 * and the vCPUs; host frames are in a file of their own. Takes no lock of ours.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "debug.h"
#include "mmu/arch.h"
#include "vcpu.h"
#include "vm.h"

module_param_named(out_of_sync, shvm_mmu_oos, bool, 0444);
MODULE_PARM_DESC(out_of_sync,
		 "let the guest store to page tables in bursts, compare at its flush (default: on)");
module_param_named(prefetch, shvm_mmu_prefetch, bool, 0444);
MODULE_PARM_DESC(prefetch, "map what lies beside a fault, too (default: on)");
module_param_named(last_entry, shvm_mmu_last_entry, bool, 0444);
MODULE_PARM_DESC(last_entry,
		 "walk no tables of the guest where their shadows lead to its entry (default: on)");
module_param_named(recycle_fifo, shvm_mmu_fifo, bool, 0444);
MODULE_PARM_DESC(recycle_fifo,
		 "recycle the shadow pages that were made first, used or not (default: off)");

static struct shvm *mmu_vm(struct shvm_mmu *mmu)
{
	return container_of(mmu, struct shvm, mmu);
}

static void __user *user_ptr(hva_t at)
{
	return (void __user *)(unsigned long)at.v;
}

static int read_user(hva_t at, void *buf, u32 len)
{
	if (len == sizeof(u64))
		return get_user(*(u64 *)buf, (u64 __user *)user_ptr(at));
	/* An instruction, by two loads that overlap: a fourth of what a copy costs. */
	if (len > sizeof(u64) && len <= 2 * sizeof(u64))
		return get_user(*(u64 *)buf, (u64 __user *)user_ptr(at)) ?:
		       get_user(*(u64 *)(buf + len - sizeof(u64)),
				(u64 __user *)(user_ptr(at) + len - sizeof(u64)));
	return copy_from_user(buf, user_ptr(at), len) ? -EFAULT : 0;
}

/* A copy that fails does not say why. */
int shvm_arch_read_user(hva_t at, void *buf, u32 len)
{
	int err = read_user(at, buf, len);

	if (!err)
		return 0;
	return shvm_arch_fault_in(at, false) ?: read_user(at, buf, len);
}

int shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len)
{
	int err;

	pagefault_disable();
	if (len == sizeof(u64))
		err = __get_user(*(u64 *)buf, (u64 __user *)user_ptr(at));
	else if (len == sizeof(u32))
		err = __get_user(*(u32 *)buf, (u32 __user *)user_ptr(at));
	else if (len > sizeof(u64) && len <= 2 * sizeof(u64))	/* as in read_user() */
		err = __get_user(*(u64 *)buf, (u64 __user *)user_ptr(at)) ?:
		      __get_user(*(u64 *)(buf + len - sizeof(u64)),
				 (u64 __user *)(user_ptr(at) + len - sizeof(u64)));
	else
		err = __copy_from_user_inatomic(buf, user_ptr(at), len) ? -EFAULT : 0;
	pagefault_enable();
	return err;
}

#define SCAN_GROUP	8	/* most of them are empty */

static __always_inline bool scan_group(const u64 __user *from, u64 *out, u64 mark)
{
	u64 e[SCAN_GROUP];

	unsafe_get_user(e[0], from, fault);
	unsafe_get_user(e[1], from + 1, fault);
	unsafe_get_user(e[2], from + 2, fault);
	unsafe_get_user(e[3], from + 3, fault);
	unsafe_get_user(e[4], from + 4, fault);
	unsafe_get_user(e[5], from + 5, fault);
	unsafe_get_user(e[6], from + 6, fault);
	unsafe_get_user(e[7], from + 7, fault);
	if (!((e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) & 1))
		return true;
	out[0] = mark & -(e[0] & 1);
	out[1] = mark & -(e[1] & 1);
	out[2] = mark & -(e[2] & 1);
	out[3] = mark & -(e[3] & 1);
	out[4] = mark & -(e[4] & 1);
	out[5] = mark & -(e[5] & 1);
	out[6] = mark & -(e[6] & 1);
	out[7] = mark & -(e[7] & 1);
	return true;
fault:
	return false;
}

int shvm_arch_scan_table_atomic(hva_t at, u64 *out, u64 mark)
{
	const u64 __user *from = user_ptr(at);
	bool ok = false;
	int i;

	pagefault_disable();
	if (user_access_begin(from, PAGE_SIZE)) {
		ok = true;
		for (i = 0; ok && i < PAGE_SIZE / sizeof(u64); i += SCAN_GROUP)
			ok = scan_group(from + i, out + i, mark);
		user_access_end();
	}
	pagefault_enable();
	return ok ? 0 : -EFAULT;
}

/* A vector: each quadword of memory that it covers in one store, for that is a table entry. */
static int store_vector(void __user *to, const void *buf, u32 len)
{
	u32 done, part;
	int err = 0;

	for (done = 0; !err && done < len; done += part) {
		part = min_t(u32, len - done, 8 - ((unsigned long)(to + done) & 7));
		if (part == 8)
			err = __put_user(*(const u64 *)(buf + done), (u64 __user *)(to + done));
		else
			err = __copy_to_user_inatomic(to + done, buf + done, part) ? -EFAULT : 0;
	}
	return err;
}

/* One store for each natural width, so that no other CPU sees half a page-table entry. */
static int store_user(void __user *to, const void *buf, u32 len)
{
	switch (len) {
	case 1:
		return __put_user(*(const u8 *)buf, (u8 __user *)to);
	case 2:
		return __put_user(*(const u16 *)buf, (u16 __user *)to);
	case 4:
		return __put_user(*(const u32 *)buf, (u32 __user *)to);
	case 8:
		return __put_user(*(const u64 *)buf, (u64 __user *)to);
	case 9 ... 16:
		return store_vector(to, buf, len);
	}
	return __copy_to_user_inatomic(to, buf, len) ? -EFAULT : 0;
}

int shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len)
{
	int err;

	pagefault_disable();
	err = store_user(user_ptr(at), buf, len);
	pagefault_enable();
	return err;
}

/* By fours: this is most of what a table out of sync costs at a flush. */
int shvm_arch_diff_user_atomic(hva_t at, const u64 *known, u32 from, u32 len)
{
	const u64 __user *user = user_ptr(at);
	u64 a, b, c, d;
	u32 i, n = len / sizeof(u64);
	int ret = -EFAULT;

	pagefault_disable();
	if (!user_access_begin(user, len))
		goto out;
	for (i = from / sizeof(u64); i < n; i++) {
		for (; i % 4 == 0 && i < n; i += 4) {
			unsafe_get_user(a, &user[i], fault);
			unsafe_get_user(b, &user[i + 1], fault);
			unsafe_get_user(c, &user[i + 2], fault);
			unsafe_get_user(d, &user[i + 3], fault);
			if ((a ^ known[i]) | (b ^ known[i + 1]) | (c ^ known[i + 2]) |
			    (d ^ known[i + 3]))
				break;
		}
		if (i == n)
			break;
		unsafe_get_user(a, &user[i], fault);
		if (a != known[i])
			break;
	}
	ret = i * sizeof(u64);
fault:
	user_access_end();
out:
	pagefault_enable();
	return ret;
}

/* CMPXCHG16B on user memory; the caller opened it. A fault leaves ret as it is. */
static int cmpxchg16_user(u64 __user *at, const u64 old[2], const u64 new[2])
{
	u64 lo = old[0], hi = old[1];
	int ret = -EFAULT;

	asm volatile("1: " LOCK_PREFIX "cmpxchg16b %0\n"
		     "setne %b1\n"
		     "movzbl %b1, %1\n"
		     "2:\n"
		     _ASM_EXTABLE_UA(1b, 2b)
		     : "+m" (*(u64 __force *)at), "+q" (ret), "+a" (lo), "+d" (hi)
		     : "b" (new[0]), "c" (new[1])
		     : "memory", "cc");
	return ret;
}

#define CMPXCHG_USER(type)						\
({									\
	type shvm_old = *(const type *)old;				\
	unsafe_try_cmpxchg_user((type __user *)to, &shvm_old,		\
				*(const type *)new, fault) ? 0 : 1;	\
})

static int cmpxchg_user(void __user *to, const void *old, const void *new, u32 len)
{
	int ret = -EFAULT;

	if (!user_access_begin(to, len))
		return -EFAULT;
	switch (len) {
	case 1:
		ret = CMPXCHG_USER(u8);
		break;
	case 2:
		ret = CMPXCHG_USER(u16);
		break;
	case 4:
		ret = CMPXCHG_USER(u32);
		break;
	case 8:
		ret = CMPXCHG_USER(u64);
		break;
	case 16:
		ret = cmpxchg16_user(to, old, new);
		break;
	}
	user_access_end();
	return ret;
fault:
	user_access_end();
	return -EFAULT;
}

int shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len)
{
	int ret;

	pagefault_disable();
	ret = cmpxchg_user(user_ptr(at), old, new, len);
	pagefault_enable();
	return ret;
}

#ifdef SHVM_DEBUG
void shvm_arch_pause_mapping(struct shvm_mmu *mmu)
{
	shvm_pause_point(mmu_vm(mmu), SHVM_PAUSE_FAULT_MAP);
}
#endif

u64 *shvm_arch_table_alloc(bool low)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO |
				       (low ? __GFP_DMA32 : 0));

	return page ? page_address(page) : NULL;
}

void shvm_arch_table_free(u64 *table)
{
	set_page_private(virt_to_page(table), 0);
	free_page((unsigned long)table);
}

hpa_t shvm_arch_table_hpa(const u64 *table)
{
	return hpa(__pa(table));
}

void shvm_arch_table_set_owner(u64 *table, struct shvm_sp *sp)
{
	set_page_private(virt_to_page(table), (unsigned long)sp);
}

struct shvm_sp *shvm_arch_table_owner(hpa_t table)
{
	return (struct shvm_sp *)page_private(pfn_to_page(table.v >> PAGE_SHIFT));
}

static bool cpu_is_in_guest(int cpu, void *data)
{
	struct shvm *vm = data;
	int i, nr = smp_load_acquire(&vm->nr_vcpus);	/* pairs with the release at creation */

	for (i = 0; i < nr; i++)
		if (READ_ONCE(vm->vcpus[i]->mode) == SHVM_IN_GUEST &&
		    READ_ONCE(vm->vcpus[i]->cpu) == cpu)
			return true;
	return false;
}

/* Arriving is all: the interrupt is taken outside the guest, before the next look at TLB tags. */
static void flush_ack(void *data)
{
}

void shvm_arch_flush(struct shvm_mmu *mmu)
{
	/*
	 * Our SPTE stores before the look at vcpu->mode. Pairs with the barrier between "mode = in
	 * guest" and the entry: a vCPU that we see outside will see our stores.
	 */
	smp_mb();
	on_each_cpu_cond(cpu_is_in_guest, flush_ack, mmu_vm(mmu), true);
}

bool shvm_arch_flush_is_free(const struct shvm_mmu_vcpu *mv)
{
	struct shvm *vm = mmu_vm(mv->mmu);
	int i, nr = smp_load_acquire(&vm->nr_vcpus);	/* pairs with the release at creation */

	smp_mb();	/* as in shvm_arch_flush() */
	for (i = 0; i < nr; i++)
		if (&vm->vcpus[i]->mmu != mv && READ_ONCE(vm->vcpus[i]->mode) == SHVM_IN_GUEST)
			return false;
	return true;
}

void shvm_arch_reload_roots(struct shvm_mmu *mmu)
{
	struct shvm *vm = mmu_vm(mmu);
	int i, nr = smp_load_acquire(&vm->nr_vcpus);	/* pairs with the release at creation */

	for (i = 0; i < nr; i++)
		shvm_vcpu_request(vm->vcpus[i], SHVM_REQ_RELOAD_ROOT);
}

bool shvm_arch_root_in_use(struct shvm_mmu *mmu, const struct shvm_sp *sp)
{
	struct shvm *vm = mmu_vm(mmu);
	int i, j, nr = smp_load_acquire(&vm->nr_vcpus);	/* pairs with the release at creation */

	for (i = 0; i < nr; i++) {
		const struct shvm_mmu_vcpu *mv = &vm->vcpus[i]->mmu;

		if (READ_ONCE(mv->root) == sp)
			return true;
		for (j = 0; j < SHVM_PAE_ROOTS; j++)
			if (READ_ONCE(mv->pae_sp[j]) == sp)
				return true;
	}
	return false;
}

void shvm_arch_broken(struct shvm_mmu *mmu, const char *why)
{
	shvm_vm_break(mmu_vm(mmu), why);
}

void shvm_arch_low_changed(struct shvm_mmu *mmu)
{
	shvm_nl_poke(mmu_vm(mmu));
}
