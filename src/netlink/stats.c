// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of a VM or a vCPU: command STATS_GET. Counters are written by others without a lock;
 * each is read once.
 */
#include <linux/slab.h>

#include "netlink_internal.h"

/* Counters of vCPUs, added up. */
struct sums {
	struct shvm_vcpu_stats vcpu;
	struct shvm_mmu_vcpu_stats mmu;
};

/* From the end: what counts a part is behind what counts all of it, and must not be more. */
static void sums_add(u64 *to, const u64 *from, size_t size)
{
	size_t i;

	for (i = size / sizeof(u64); i--; )
		to[i] += READ_ONCE(from[i]);
}

static void sums_add_vcpu(struct sums *sums, const struct shvm_vcpu *vcpu)
{
	sums_add((u64 *)&sums->vcpu, (const u64 *)&vcpu->stats, sizeof(sums->vcpu));
	sums_add((u64 *)&sums->mmu, (const u64 *)&vcpu->mmu.stats, sizeof(sums->mmu));
}

struct number {
	u16 type;
	u64 value;
};

static int numbers_fill(struct sk_buff *skb, const struct number *n, size_t nr)
{
	size_t i;
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = nla_put_u64_64bit(skb, n[i].type, n[i].value, SHVM_A_STATS_PAD);
	return err;
}

static int exit_fill(struct sk_buff *skb, u32 reason, u64 count)
{
	struct nlattr *nest = nla_nest_start(skb, SHVM_A_STATS_EXIT);

	if (!nest || nla_put_u32(skb, SHVM_A_EXIT_REASON, reason) ||
	    nla_put_u64_64bit(skb, SHVM_A_EXIT_COUNT, count, SHVM_A_EXIT_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int exits_fill(struct sk_buff *skb, const struct shvm_vcpu_stats *s)
{
	u32 i;

	for (i = 0; i < SHVM_NR_EXIT_REASONS; i++)
		if (s->exit_reason[i] && exit_fill(skb, i, s->exit_reason[i]))
			return -EMSGSIZE;
	return 0;
}

static int fault_fill(struct sk_buff *skb, u32 result, u64 count)
{
	struct nlattr *nest = nla_nest_start(skb, SHVM_A_STATS_FAULT);

	if (!nest || nla_put_u32(skb, SHVM_A_FAULT_RESULT, result) ||
	    nla_put_u64_64bit(skb, SHVM_A_FAULT_COUNT, count, SHVM_A_FAULT_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int faults_fill(struct sk_buff *skb, const struct shvm_mmu_vcpu_stats *s)
{
	const u64 count[] = {
		[SHVM_FAULT_RESULT_FIXED] = s->pf_fixed,
		[SHVM_FAULT_RESULT_RETRIED] = s->pf_retry,
		[SHVM_FAULT_RESULT_REFLECTED] = s->pf_reflect,
		[SHVM_FAULT_RESULT_EMULATED] = s->pf_emulate,
		[SHVM_FAULT_RESULT_TO_USER] = s->pf_user,
		[SHVM_FAULT_RESULT_NO_MEMORY] = s->pf_nomem,
	};
	u32 i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(count) && !err; i++)
		err = fault_fill(skb, i, count[i]);
	return err;
}

static int sums_fill(struct sk_buff *skb, const struct sums *s)
{
	const struct number numbers[] = {
		{ SHVM_A_STATS_EXITS_LEFT, s->vcpu.exits_left },
		{ SHVM_A_STATS_EXITS_USER, s->vcpu.exits_user },
		{ SHVM_A_STATS_INJECTIONS, s->vcpu.injections },
		{ SHVM_A_STATS_REINJECTIONS, s->vcpu.reinjections },
		{ SHVM_A_STATS_HALTS, s->vcpu.halts },
		{ SHVM_A_STATS_EMULATED, s->vcpu.insn_emulated },
		{ SHVM_A_STATS_TABLE_WRITES, s->mmu.table_writes },
		{ SHVM_A_STATS_CR3_FAST, s->mmu.cr3_fast },
	};

	return exits_fill(skb, &s->vcpu) ?: faults_fill(skb, &s->mmu) ?:
	       numbers_fill(skb, numbers, ARRAY_SIZE(numbers));
}

/* ---- of a VM alone ---- */

static int shadow_fill(struct sk_buff *skb, union shvm_role role, u32 pages)
{
	struct nlattr *nest = nla_nest_start(skb, SHVM_A_STATS_SHADOW);

	if (!nest || nla_put_u32(skb, SHVM_A_SHADOW_LEVEL, role.level) ||
	    nla_put_u32(skb, SHVM_A_SHADOW_FORMAT, role.format) ||
	    (role.direct && nla_put_flag(skb, SHVM_A_SHADOW_DIRECT)) ||
	    nla_put_u32(skb, SHVM_A_SHADOW_PAGES, pages))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int shadows_fill(struct sk_buff *skb, const struct shvm_mmu *mmu)
{
	union shvm_role role;
	unsigned int kind;
	u32 pages;

	for (kind = 0; kind < SHVM_NR_SP_KINDS; kind++) {
		pages = shvm_mmu_count_kind(mmu, kind, &role);
		if (pages && shadow_fill(skb, role, pages))
			return -EMSGSIZE;
	}
	return 0;
}

static int gauges_fill(struct sk_buff *skb, struct shvm_mmu *mmu)
{
	u64 now, most;

	shvm_mmu_count_pages(mmu, &now, &most);
	if (nla_put_u32(skb, SHVM_A_STATS_SHADOW_PAGES, now) ||
	    nla_put_u32(skb, SHVM_A_STATS_SHADOW_PAGES_MAX, most) ||
	    nla_put_u32(skb, SHVM_A_STATS_SHADOW_BUDGET, shvm_mmu_budget(mmu)) ||
	    nla_put_u32(skb, SHVM_A_STATS_OOS_TABLES, atomic_read(&mmu->nr_oos)) ||
	    nla_put_u32(skb, SHVM_A_STATS_CHAIN_LONGEST, READ_ONCE(mmu->chain_longest)))
		return -EMSGSIZE;
	return 0;
}

static int rmap_fill(struct sk_buff *skb, struct shvm_mmu *mmu)
{
	u64 guest, heads, chains;

	chains = shvm_striped_sum(&mmu->tlb.chain_blocks) * sizeof(struct shvm_chain);
	shvm_mmu_count_memory(mmu, &guest, &heads);
	if (nla_put_u64_64bit(skb, SHVM_A_STATS_RMAP_BYTES, heads + chains, SHVM_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, SHVM_A_STATS_CHAIN_BYTES, chains, SHVM_A_STATS_PAD))
		return -EMSGSIZE;
	return 0;
}

static int mmu_fill(struct sk_buff *skb, struct shvm *vm)
{
	struct shvm_mmu_stats *s = &vm->mmu.stats;
	const struct number numbers[] = {
		{ SHVM_A_STATS_CR3_SLOW, atomic64_read(&s->cr3_slow) },
		{ SHVM_A_STATS_OOS_OPENS, atomic64_read(&s->oos_opens) },
		{ SHVM_A_STATS_OOS_CHANGES, atomic64_read(&s->oos_changes) },
		{ SHVM_A_STATS_LEAVES, max_t(s64, shvm_striped_sum(&vm->mmu.leaves), 0) },
		{ SHVM_A_STATS_AGE_CALLS, atomic64_read(&s->age_calls) },
		{ SHVM_A_STATS_AGE_YOUNG, atomic64_read(&s->aged_young) },
		{ SHVM_A_STATS_INVALIDATIONS, atomic64_read(&s->inv_calls) },
		{ SHVM_A_STATS_RECYCLED, atomic64_read(&s->reclaimed) },
		{ SHVM_A_STATS_GIVEN, atomic64_read(&s->given) },
		{ SHVM_A_STATS_UNSHADOWS, atomic64_read(&s->unshadows) },
		{ SHVM_A_STATS_ZAPS, atomic64_read(&s->zap_all) },
		{ SHVM_A_STATS_FLUSHES, atomic64_read(&s->tlb_flushes) },
		{ SHVM_A_STATS_IPIS, atomic64_read(&vm->ipis) },
		{ SHVM_A_STATS_LARGE_MAPS, atomic64_read(&s->large_maps) },
		{ SHVM_A_STATS_LARGE_SPLITS, atomic64_read(&s->large_splits) },
		{ SHVM_A_STATS_RESCUED, atomic64_read(&s->pf_rescued) },
	};

	return shadows_fill(skb, &vm->mmu) ?: gauges_fill(skb, &vm->mmu) ?:
	       rmap_fill(skb, &vm->mmu) ?: numbers_fill(skb, numbers, ARRAY_SIZE(numbers));
}

/* ---- the command ---- */

static int stats_fill_vm(struct sk_buff *skb, struct shvm *vm, struct sums *sums)
{
	int i, nr = shvm_vm_nr_vcpus(vm);

	for (i = 0; i < nr; i++)
		sums_add_vcpu(sums, vm->vcpus[i]);
	return sums_fill(skb, sums) ?: mmu_fill(skb, vm);
}

static int stats_fill_vcpu(struct sk_buff *skb, const struct shvm_vcpu *vcpu, struct sums *sums)
{
	sums_add_vcpu(sums, vcpu);
	if (nla_put_u32(skb, SHVM_A_STATS_VCPU_ID, vcpu->id))
		return -EMSGSIZE;
	return sums_fill(skb, sums);
}

static int stats_fill(struct sk_buff *skb, struct shvm *vm, struct genl_info *info,
		      struct sums *sums)
{
	const struct nlattr *id = info->attrs[SHVM_A_STATS_VCPU_ID];
	struct shvm_vcpu *vcpu = id ? shvm_nl_vcpu(vm, id, info->extack) : NULL;
	void *hdr;
	int err;

	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	hdr = genlmsg_put_reply(skb, info, &shvm_nl_family, 0, SHVM_CMD_STATS_GET);
	if (!hdr || nla_put_u64_64bit(skb, SHVM_A_STATS_VM_ID, vm->owner.id, SHVM_A_STATS_PAD))
		return -EMSGSIZE;
	err = vcpu ? stats_fill_vcpu(skb, vcpu, sums) : stats_fill_vm(skb, vm, sums);
	if (!err)
		genlmsg_end(skb, hdr);
	return err;
}

/* With the list of VMs locked; nothing is allocated. */
static int stats_reply(struct sk_buff *skb, const struct sk_buff *request, struct genl_info *info,
		       struct sums *sums)
{
	const struct nlattr *id = info->attrs[SHVM_A_STATS_VM_ID];
	struct shvm *vm = shvm_nl_find(genl_info_net(info), id, info->extack);
	int err;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = shvm_nl_check_owner(request, vm, id, info->extack);
	return err ?: stats_fill(skb, vm, info, sums);
}

#define U32_SIZE	nla_total_size(sizeof(u32))
#define U64_SIZE	nla_total_size_64bit(sizeof(u64))
#define COUNT_SIZE	nla_total_size(U32_SIZE + U64_SIZE)
#define SHADOW_SIZE	nla_total_size(3 * U32_SIZE + nla_total_size(0))
#define STATS_SIZE	((SHVM_NR_EXIT_REASONS + SHVM_FAULT_RESULT_NO_MEMORY + 1) * COUNT_SIZE + \
			 SHVM_NR_SP_KINDS * SHADOW_SIZE + SHVM_A_STATS_MAX * U64_SIZE)

int shvm_nl_stats_get(struct sk_buff *request, struct genl_info *info)
{
	struct sk_buff *skb;
	struct sums *sums;
	int idx, err;

	err = shvm_nl_require(info, SHVM_A_STATS_VM_ID, "attribute vm-id is missing");
	if (err)
		return err;
	sums = kzalloc(sizeof(*sums), GFP_KERNEL);
	skb = genlmsg_new(STATS_SIZE, GFP_KERNEL);
	err = -ENOMEM;
	if (sums && skb) {
		idx = shvm_vms_lock();
		err = stats_reply(skb, request, info, sums);
		shvm_vms_unlock(idx);
	}
	kfree(sums);
	if (!err)
		return genlmsg_reply(skb, info);
	nlmsg_free(skb);	/* NULL is fine */
	return err;
}
