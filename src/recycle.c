// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages of all VMs together: the module's limit, and the shrinker by which the host takes
 * some back. Who looks at a VM is between shvm_vms_lock() and shvm_vms_unlock(), and
 * shvm_recycle_del() waits for him. docs/recycling.md.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat/shrinker.h"
#include "debug.h"
#include "mmu/arch.h"
#include "mmu/mmu.h"
#include "poison.h"
#include "recycle.h"
#include "vcpu.h"
#include "vm.h"
#include "vms.h"

#define MAX_PICKS	16	/* VMs that are looked at closely at a time */

static unsigned int shadow_pages_max;
module_param(shadow_pages_max, uint, 0644);
MODULE_PARM_DESC(shadow_pages_max,
		 "most shadow pages (4 KiB) of all VMs together (default: 0, no limit)");

static int total_show(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%lld\n", shvm_mmu_pages_of_all());
}

static const struct kernel_param_ops total_ops = { .get = total_show };

module_param_cb(shadow_pages, &total_ops, NULL, 0444);
MODULE_PARM_DESC(shadow_pages, "shadow pages of all VMs now");

static struct kmem_cache *share_cache;

/* A VM that has pages to give. */
struct pick {
	struct shvm *vm;
	unsigned long idle;		/* seconds */
	u32 pages;
};

/* Sorted: who gives first. */
struct picks {
	struct pick of[MAX_PICKS];
	u32 nr;
};

/* Seconds since a vCPU of it ran. */
static unsigned long vm_idle(const struct shvm *vm)
{
	unsigned long idle, least = ULONG_MAX;
	int i, nr = shvm_vm_nr_vcpus(vm);

	for (i = 0; i < nr; i++) {
		const struct shvm_vcpu *vcpu = vm->vcpus[i];

		if (READ_ONCE(vcpu->mode) == SHVM_IN_GUEST)
			return 0;
		idle = (jiffies - READ_ONCE(vcpu->ran_at)) / HZ;
		least = min(least, idle);
	}
	return least;
}

/* Of those that run now the largest gives first. */
static bool pick_is_before(const struct pick *a, const struct pick *b)
{
	return a->idle != b->idle ? a->idle > b->idle : a->pages > b->pages;
}

static void picks_add(struct picks *p, struct shvm *vm)
{
	struct pick new = { .vm = vm, .idle = vm_idle(vm) };
	u64 pages, most;
	u32 i;

	shvm_mmu_count_pages(&vm->mmu, &pages, &most);
	if (!pages)
		return;
	new.pages = pages;
	if (p->nr < MAX_PICKS)
		p->nr++;
	else if (!pick_is_before(&new, &p->of[p->nr - 1]))
		return;
	for (i = p->nr - 1; i && pick_is_before(&new, &p->of[i - 1]); i--)
		p->of[i] = p->of[i - 1];
	p->of[i] = new;
}

/*
 * Idle VMs give what they have, the longest idle one first. Of the others each gives what it has
 * beyond an equal share, and only then more.
 */
static u32 picks_take(const struct picks *p, u32 want, u32 share, bool may_wait)
{
	u32 i, n, gone = 0;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < p->nr && gone < want; i++) {
			n = p->of[i].pages;
			if (!pass && !p->of[i].idle)
				n -= min(n, share);
			gone += shvm_mmu_give(&p->of[i].vm->mmu, min(n, want - gone), may_wait);
		}
	}
	return gone;
}

/* --- the module's limit --- */

static u32 limit_excess(u32 want)
{
	u64 used = shvm_mmu_pages_of_all() + want, most = READ_ONCE(shadow_pages_max);

	return most && used > most ? min_t(u64, used - most, U32_MAX) : 0;
}

int shvm_arch_make_room(u32 want)
{
	struct picks picks = { };
	u32 excess, gone, nr = 0;
	struct shvm *vm;
	int idx;

	if (likely(!READ_ONCE(shadow_pages_max)))
		return 0;
	excess = limit_excess(want);
	if (!excess)
		return 0;
	idx = shvm_vms_lock();
	shvm_for_each_vm(vm) {
		picks_add(&picks, vm);
		nr++;
		shvm_pause_point(vm, SHVM_PAUSE_LIMIT_PICK);
	}
	gone = picks_take(&picks, excess + want, READ_ONCE(shadow_pages_max) / max(nr, 1u), true);
	shvm_vms_unlock(idx);
	/* If others use it before we do, that is no lack of memory. */
	return gone || !limit_excess(want) ? 0 : -ENOMEM;
}

/* --- the shrinker: called wherever somebody allocates memory, with whatever locks he holds --- */

static enum lru_status share_count(struct list_head *item, struct list_lru_one *list,
				   spinlock_t *lock, void *arg)
{
	u64 pages, most, *sum = arg;

	shvm_mmu_count_pages(&container_of(item, struct shvm_share, lru)->vm->mmu, &pages, &most);
	*sum += pages;
	return LRU_SKIP;
}

static enum lru_status share_pick(struct list_head *item, struct list_lru_one *list,
				  spinlock_t *lock, void *arg)
{
	picks_add(arg, container_of(item, struct shvm_share, lru)->vm);
	return LRU_SKIP;
}

static void shares_walk(struct shvm_shrinker *s, struct shrink_control *sc, list_lru_walk_cb fn,
			void *arg)
{
	unsigned long n = ULONG_MAX;

	list_lru_walk_one(&s->lru, sc->nid, sc->memcg, fn, arg, &n);
}

static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct shvm_shrinker *s = shvm_shrinker_of(shrinker);
	u64 sum = 0;

	/* Not SHRINK_EMPTY while there is a VM, or nobody would ask again when it has grown. */
	if (!shvm_shrinker_is_ready(s) || !list_lru_shrink_count(&s->lru, sc))
		return SHRINK_EMPTY;
	shares_walk(s, sc, share_count, &sum);
	return sum;
}

static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct shvm_shrinker *s = shvm_shrinker_of(shrinker);
	struct picks picks = { };
	unsigned long gone;
	int idx;

	if (!shvm_shrinker_is_ready(s))
		return SHRINK_STOP;
	idx = shvm_vms_lock();
	shares_walk(s, sc, share_pick, &picks);
	gone = picks_take(&picks, min_t(unsigned long, sc->nr_to_scan, U32_MAX), 0, false);
	shvm_vms_unlock(idx);
	/* What the debug module keeps of freed memory is as much a burden. */
	shvm_poison_drain();
	shvm_shrinker_freed(gone);
	return gone ?: SHRINK_STOP;
}

static struct shvm_shrinker shrinker;

/* --- VMs come and go --- */

int shvm_recycle_add(struct shvm *vm)
{
	struct shvm_share *share = kmem_cache_alloc_lru(share_cache, &shrinker.lru,
							GFP_KERNEL_ACCOUNT);

	if (!share)
		return -ENOMEM;
	INIT_LIST_HEAD(&share->lru);
	share->vm = vm;
	vm->share = share;
	shvm_shrinker_add(&shrinker, &share->lru);
	return 0;
}

void shvm_recycle_del(struct shvm *vm)
{
	struct shvm_share *share = vm->share;

	shvm_shrinker_del(&shrinker, &share->lru);
	shvm_vms_wait();
	kmem_cache_free(share_cache, share);
}

int shvm_recycle_module_init(void)
{
	int err;

	share_cache = kmem_cache_create("shvm_share", sizeof(struct shvm_share), 0, SLAB_ACCOUNT,
					NULL);
	if (!share_cache)
		return -ENOMEM;
	err = shvm_shrinker_register(&shrinker, "shvm-shadow", shrink_count, shrink_scan);
	if (err)
		kmem_cache_destroy(share_cache);
	return err;
}

void shvm_recycle_module_exit(void)
{
	shvm_shrinker_unregister(&shrinker);
	kmem_cache_destroy(share_cache);
	WARN_ON_ONCE(shvm_mmu_pages_of_all());
}

#ifdef SHVM_DEBUG

/* Other VMs may run, so only a sum during which nothing has changed tells something. */
static bool total_is_right(void)
{
	s64 before = shvm_mmu_pages_of_all(), sum = 0;
	struct shvm *vm;
	u64 pages, most;
	int idx;

	idx = shvm_vms_lock();
	shvm_for_each_vm(vm) {
		shvm_mmu_count_pages(&vm->mmu, &pages, &most);
		sum += pages;
	}
	shvm_vms_unlock(idx);
	return sum == before || before != shvm_mmu_pages_of_all();
}

int shvm_recycle_audit(void)
{
	int i;

	for (i = 0; i < 8; i++)
		if (total_is_right())
			return 0;
	pr_err("shvm: audit: %lld shadow pages are not the sum of those of the VMs\n",
	       shvm_mmu_pages_of_all());
	return -EUCLEAN;
}

#endif
