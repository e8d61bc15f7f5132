// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_GET_STATS: adds up the counters of a VM. They are written by others without a lock; each
 * is read once.
 */
#include <linux/minmax.h>

#include "rmap/rmap.h"
#include "vcpu.h"
#include "vm.h"

static void stats_add_vcpu(const struct shvm_vcpu *vcpu, struct shvm_stats *out)
{
	const struct shvm_vcpu_stats *s = &vcpu->stats;
	u64 n, exits = 0, left = READ_ONCE(s->exits_left);	/* first: so never more than all */
	unsigned int i, to;

	out->injections += READ_ONCE(s->injections);
	for (i = 0; i < ARRAY_SIZE(s->exit_reason); i++) {
		to = min_t(unsigned int, i, SHVM_STATS_NR_EXIT_REASONS - 1);
		n = READ_ONCE(s->exit_reason[i]);
		out->exit_reason[to] += n;
		exits += n;
	}
	out->exits += exits;
	out->exits_fast += exits - left;
}

static void stats_add_mmu_vcpu(const struct shvm_mmu_vcpu_stats *s, struct shvm_stats *out)
{
	out->pf_fixed += READ_ONCE(s->pf_fixed);
	out->pf_reflected += READ_ONCE(s->pf_reflect);
	out->pf_emulated += READ_ONCE(s->pf_emulate);
	out->pf_retried += READ_ONCE(s->pf_retry);
	out->pf_to_user += READ_ONCE(s->pf_user) + READ_ONCE(s->pf_nomem);
	out->pt_writes += READ_ONCE(s->table_writes);
	out->cr3_fast += READ_ONCE(s->cr3_fast);
}

static void stats_add_mmu(struct shvm_mmu *mmu, struct shvm_stats *out)
{
	struct shvm_mmu_stats *s = &mmu->stats;

	out->unshadows = atomic64_read(&s->unshadows);
	shvm_mmu_count_pages(mmu, &out->shadow_pages, &out->shadow_pages_max);
	out->shadow_budget = shvm_mmu_budget(mmu);
	out->reclaims = atomic64_read(&s->reclaimed);
	out->reclaims_given = atomic64_read(&s->given);
	out->rmap_entries = max_t(s64, shvm_striped_sum(&mmu->leaves), 0);
	out->chain_bytes = shvm_striped_sum(&mmu->tlb.chain_blocks) * sizeof(struct shvm_chain);
	out->tlb_flush_requests = atomic64_read(&s->tlb_flushes);
	out->notifier_invalidates = atomic64_read(&s->inv_calls);
	out->notifier_ages = atomic64_read(&s->age_calls);
	out->cr3_slow = atomic64_read(&s->cr3_slow);
	out->large_maps = atomic64_read(&s->large_maps);
	out->large_splits = atomic64_read(&s->large_splits);
	out->oos_tables = atomic_read(&mmu->nr_oos);
	out->oos_opens = atomic64_read(&s->oos_opens);
	out->oos_changes = atomic64_read(&s->oos_changes);
	out->pf_rescued = atomic64_read(&s->pf_rescued);
}

void shvm_stats_sum(struct shvm *vm, struct shvm_stats *out)
{
	int i, nr = shvm_vm_nr_vcpus(vm);

	out->size = offsetof(struct shvm_stats, reserved);
	for (i = 0; i < nr; i++)
		stats_add_vcpu(vm->vcpus[i], out);
	for (i = 0; i < nr; i++)
		stats_add_mmu_vcpu(&vm->vcpus[i]->mmu.stats, out);
	stats_add_mmu(&vm->mmu, out);
	out->ipis = atomic64_read(&vm->ipis);
}
