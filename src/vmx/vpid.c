// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPIDs: names of TLB tags, of which each CPU hands out its own, one after the other. With VPID a
 * VM entry or exit leaves the TLB as it is. When a tag must start empty (src/mmu/tag.c says when),
 * it gets a new name; when a CPU has none left, it empties its TLB and starts again, in a
 * generation of its own, so that all names it has given before are void. Interrupts are off.
 */
#include <linux/module.h>
#include <linux/percpu.h>

#include "vmx_internal.h"

static bool vpid = true;
module_param(vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "keep a guest's TLB entries over VM exits if the CPU can (default: on)");

/* 0 is the host's. The debug module is short of names all the time. */
#ifdef SHVM_DEBUG
#define VPID_LAST	15
#else
#define VPID_LAST	U16_MAX
#endif

struct vpid_pool {
	u32 next;
	u64 generation;			/* no two CPUs have the same; 0: none */
#ifdef SHVM_DEBUG
	const struct shvm_vpid *owner[VPID_LAST + 1];	/* compared only */
#endif
};

static DEFINE_PER_CPU(struct vpid_pool, vpid_pool);
static atomic64_t vpid_generations;

DEFINE_STATIC_KEY_FALSE(shvm_vpid_is_on);

/* SDM appendix A.10. Needed: INVVPID, and of it the kind that empties all tags. */
#define CAP_INVVPID	BIT_ULL(32)
#define CAP_INVVPID_ALL	BIT_ULL(42)

bool __init shvm_vpid_probe(void)
{
	const u64 needed = CAP_INVVPID | CAP_INVVPID_ALL;
	u64 caps;

	if (!vpid || rdmsrl_safe(MSR_IA32_VMX_EPT_VPID_CAP, &caps) || (caps & needed) != needed)
		return false;
	static_branch_enable(&shvm_vpid_is_on);
	return true;
}

#ifdef SHVM_DEBUG
static void owner_set(struct vpid_pool *pool, const struct shvm_vpid *name)
{
	pool->owner[name->vpid] = name;
}

static void owner_check(const struct vpid_pool *pool, const struct shvm_vpid *name)
{
	WARN_ONCE(pool->generation != name->generation || pool->owner[name->vpid] != name,
		  "shvm: VPID %u is another's\n", name->vpid);
}
#else
static void owner_set(struct vpid_pool *pool, const struct shvm_vpid *name) { }
static void owner_check(const struct vpid_pool *pool, const struct shvm_vpid *name) { }
#endif

static noinstr void pool_restart(struct vpid_pool *pool)
{
	pool->next = 1;
	pool->generation = atomic64_inc_return(&vpid_generations);
	if (vmx_invvpid_all())
		shvm_vmx_insn_failed("invvpid", 0);
}

void shvm_vpid_cpu_on(void)
{
	if (static_branch_unlikely(&shvm_vpid_is_on))
		pool_restart(this_cpu_ptr(&vpid_pool));
}

bool shvm_vpid_is_void(const struct shvm_vcpu *vcpu)
{
	const struct vpid_pool *pool = this_cpu_ptr(&vpid_pool);
	const struct shvm_vpid *name = vcpu->vmx.vpid;

	if (!name || name->generation != pool->generation)
		return true;
	owner_check(pool, name);
	return false;
}

/* Without probes, as the entry loop needs it before the RSB is filled: loop.c. */
noinstr void shvm_vpid_load(struct shvm_vcpu *vcpu)
{
	struct vpid_pool *pool = this_cpu_ptr(&vpid_pool);
	struct shvm_vpid *name;
	unsigned int slot;
	bool keep;

	keep = shvm_mmu_use_tag(&vcpu->mmu, &slot);
	name = &vcpu->vmx.vpids[slot];
	if (!keep || name->generation != pool->generation) {
		if (pool->next > VPID_LAST)
			pool_restart(pool);
		name->vpid = pool->next++;
		name->generation = pool->generation;
		owner_set(pool, name);
	}
	owner_check(pool, name);
	vcpu->vmx.vpid = name;
	vmcs_write16(VIRTUAL_PROCESSOR_ID, name->vpid);
}
