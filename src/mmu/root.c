// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which shadow table a vCPU runs on: paging state, CR3 loads, cached roots, PAE roots.
 *
 * Shadows are exact but for the pages out of sync (oos.c). While there are such, a load of CR3
 * brings them up to date, unless the guest asked to keep the translations of a PCID and this vCPU
 * has some: pcids[] says which. docs/mmu.md, "Virtual PCID".
 *
 * A vCPU keeps plain pointers to roots. They are good while roots_gen equals mmu->root_gen: who
 * kills a root names it in dead_roots, raises root_gen, asks every vCPU to reload and waits for a
 * flush, all before the memory is freed; a vCPU checks requests after it has declared itself in the
 * guest.
 */
#include <asm/processor-flags.h>
#include <asm/msr-index.h>

#include "shadow.h"

/* Loads of CR3 that are no flush after which unused tables out of sync are closed. */
#define OOS_IDLE_LOADS	64

static union shvm_role role_of(const struct shvm_paging *p)
{
	union shvm_role role = { .word = 0 };
	bool wp = p->cr0 & X86_CR0_WP;

	role.format = shvm_gpt_format(p);
	role.direct = role.format == SHVM_GPT_NONE;
	role.pae_host = role.format != SHVM_GPT_64;
	role.level = role.pae_host ? 2 : 4;
	role.wp = 1;
	if (role.direct)
		return role;
	role.nx = shvm_gpt_formats[role.format].has_nx && (p->efer & EFER_NX);
	role.pse = shvm_gpt_formats[role.format].pse && (p->cr4 & X86_CR4_PSE);
	role.wp = wp;
	if (!wp) {
		role.smep_nowp = !!(p->cr4 & X86_CR4_SMEP);
		role.smap_nowp = !!(p->cr4 & X86_CR4_SMAP);
		role.access = GPT_ACC_ALL;
	}
	return role;
}

static void root_unload(struct shvm_mmu_vcpu *mv)
{
	mv->root_is_loaded = false;
	WRITE_ONCE(mv->root, NULL);
}

static void roots_forget(struct shvm_mmu_vcpu *mv)
{
	int i;

	for (i = 0; i < SHVM_NR_CACHED_ROOTS; i++) {
		mv->roots[i].table = SHVM_NO_TABLE;
		mv->root_hint[i] = &mv->roots[i];
	}
	for (i = 0; i < SHVM_PAE_ROOTS; i++)
		WRITE_ONCE(mv->pae_sp[i], NULL);
	root_unload(mv);
	mv->roots_gen = READ_ONCE(mv->mmu->root_gen);
}

static void root_forget(struct shvm_mmu_vcpu *mv, const struct shvm_sp *sp)
{
	int i;

	for (i = 0; i < SHVM_NR_CACHED_ROOTS; i++)
		if (mv->roots[i].sp == sp)
			mv->roots[i].table = SHVM_NO_TABLE;
	if (mv->root == sp)
		root_unload(mv);
}

/* Forget the roots that have died, or all if there were too many. */
static void roots_prune(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu *mmu = mv->mmu;
	u64 gen, i;

	gen = smp_load_acquire(&mmu->root_gen);	/* pairs with root_is_dead() */
	for (i = mv->roots_gen + 1; i <= gen && gen - i < SHVM_DEAD_ROOTS; i++)
		/* Acquire: if it was overwritten before, root_gen says so below. */
		root_forget(mv, smp_load_acquire(&mmu->dead_roots[i % SHVM_DEAD_ROOTS]));
	if (mv->root_role.pae_host ||
	    READ_ONCE(mmu->root_gen) - mv->roots_gen >= SHVM_DEAD_ROOTS)
		roots_forget(mv);
	else
		mv->roots_gen = gen;
}

void shvm_mmu_set_paging(struct shvm_mmu_vcpu *mv, const struct shvm_paging *p)
{
	union shvm_role role = role_of(p);

	mv->paging = *p;
	mv->gpt_mode = shvm_gpt_mode(p);
	shvm_tags_forget(mv);
	if (role.word == mv->root_role.word)
		return;
	mv->root_role = role;
	roots_forget(mv);
}

static struct shvm_cached_root *root_remember(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp)
{
	struct shvm_cached_root *root = &mv->roots[mv->next_root];

	mv->next_root = (mv->next_root + 1) % SHVM_NR_CACHED_ROOTS;
	root->table = cr3_table(mv->cr3);
	root->sp = sp;
	root->hpa = shvm_arch_table_hpa(sp->spt);
	*root_hint(mv, mv->cr3) = root;
	return root;
}

/* Does the guest expect to see all changes of its tables after this load? */
static bool load_flushes(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush)
{
	return !noflush || pcid_place(mv, cr3)->cr3 != cr3;
}

/*
 * With PCIDs it may be long until a flush ends what is out of sync, and each load of CR3 is slower
 * until then: if nothing there has been used for some loads, it may as well end now.
 */
static bool oos_is_idle(struct shvm_mmu_vcpu *mv)
{
	u64 notes = atomic64_read(&mv->mmu->oos_notes);

	if (mv->idle_notes != notes) {
		mv->idle_notes = notes;
		mv->idle_loads = 0;
	}
	return ++mv->idle_loads >= OOS_IDLE_LOADS;
}

/* What has changed since then has to be compared: for shvm_oos_sync(). */
static u64 load_since(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush)
{
	return load_flushes(mv, cr3, noflush) || oos_is_idle(mv) ? 0 : pcid_place(mv, cr3)->left;
}

/* What others used while this PCID was not in use is nothing that its translations could show. */
static bool load_try_sync(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush)
{
	u64 since = load_since(mv, cr3, noflush);

	return since == (u64)atomic64_read(&mv->mmu->oos_notes) || shvm_oos_try_sync(mv, since);
}

/* All but the current one. */
static void pcids_forget(struct shvm_mmu_vcpu *mv)
{
	struct shvm_pcid *p;

	for (p = mv->pcids; p < mv->pcids + SHVM_NR_PCIDS; p++)
		if (p != mv->pcid)
			p->cr3 = SHVM_NO_TABLE;
}

static noinline bool root_search(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	u64 table = cr3_table(cr3);
	int i;

	for (i = 0; i < SHVM_NR_CACHED_ROOTS; i++) {
		if (mv->roots[i].table == table) {
			*root_hint(mv, cr3) = &mv->roots[i];
			root_switch(mv, cr3, &mv->roots[i]);
			return true;
		}
	}
	return false;
}

static bool root_load_cached(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	if (mv->root_role.pae_host || mv->roots_gen != READ_ONCE(mv->mmu->root_gen))
		return false;
	return root_try_hint(mv, cr3) || root_search(mv, cr3);
}

bool shvm_mmu_try_load_cr3(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush)
{
	if (shvm_mmu_load_cr3_short(mv, cr3))
		return true;
	if (atomic_read(&mv->mmu->nr_oos) && !load_try_sync(mv, cr3, noflush))
		return false;
	return root_load_cached(mv, cr3);
}

void shvm_mmu_load_cr3(struct shvm_mmu_vcpu *mv, u64 cr3, bool noflush)
{
	bool cached;

	shvm_oos_sync(mv, load_since(mv, cr3, noflush));
	/* With interrupts on only the lock keeps a cached root from being freed under us. */
	shvm_lock_mmu_read(mv);
	cached = root_load_cached(mv, cr3);
	shvm_unlock_mmu_read(mv);
	if (cached)
		return;
	mv->replaced.nr = 0;
	pcid_switch(mv, cr3);
	mv->cr3 = cr3;
	if (!mv->root_role.direct)
		root_unload(mv);
}

void shvm_mmu_set_pdptes(struct shvm_mmu_vcpu *mv, const u64 pdpte[SHVM_PAE_ROOTS])
{
	memcpy(mv->pdpte, pdpte, sizeof(mv->pdpte));
	if (mv->root_role.format != SHVM_GPT_PAE)
		return;
	root_unload(mv);
	/* New addresses, and not every load of the registers is a flush. */
	shvm_oos_sync_for_link(mv);
}

/* Nothing to do for the hardware's TLB: it holds what the shadow tables would give (tag.c). */
bool shvm_mmu_try_flush_all(struct shvm_mmu_vcpu *mv)
{
	if (atomic_read(&mv->mmu->nr_oos))
		return false;
	pcids_forget(mv);
	return true;
}

void shvm_mmu_flush_all(struct shvm_mmu_vcpu *mv)
{
	pcids_forget(mv);
	shvm_oos_sync(mv, 0);
}

bool shvm_mmu_try_invlpg(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	return shvm_oos_try_sync_addr(mv, addr);
}

/* Whatever PCID: the page may be global. */
void shvm_mmu_invlpg(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	shvm_oos_sync_addr(mv, addr);
}

bool shvm_mmu_try_set_pge(struct shvm_mmu_vcpu *mv, u64 cr4)
{
	if (!shvm_mmu_try_flush_all(mv))
		return false;
	mv->paging.cr4 = cr4;
	return true;
}

void shvm_mmu_root_obsolete(struct shvm_mmu_vcpu *mv)
{
	if (mv->roots_gen != READ_ONCE(mv->mmu->root_gen))
		roots_prune(mv);
}

enum root_result {
	ROOT_LOADED,
	ROOT_WAIT,	/* for a flush, a store by software to the table, or a slot change */
	ROOT_ABSENT,	/* CR3 leads outside memory */
};

static enum root_result root_missing(struct shvm_mmu *mmu, gfn_t f)
{
	return shvm_slots_find(mmu_slots(mmu), f) ? ROOT_WAIT : ROOT_ABSENT;
}

/*
 * A new address space shares most tables with others, those of the guest's kernel: link what is
 * there, instead of one fault for each. Their own A is clear, as nobody has used them yet.
 */
static void root_link_known(struct shvm_mmu_vcpu *mv, struct shvm_sp *root)
{
	union shvm_role role = root->role;
	struct shvm_sp *child;
	u64 gpte;
	int i;

	role.level--;
	/* What is out of sync has to be brought up to date for new addresses: a fault will. */
	if (!role.wp || atomic_read(&mv->mmu->nr_oos))
		return;
	for (i = 0; i < SHVM_SPT_ENTRIES && mv->cache.nr_chain > 1; i++) {
		/* It was just filled: absent entries are 0. */
		if (i % SHVM_USED_GROUP == 0 && !group_any(root->spt + i)) {
			i += SHVM_USED_GROUP - 1;
			continue;
		}
		if (READ_ONCE(root->spt[i]) != shvm_spte_trap ||
		    !shvm_entry_read_gpte(mv->mmu, root, i, &gpte) ||
		    (gpte & (GPTE_P | GPTE_A)) != (GPTE_P | GPTE_A) ||
		    (gpte & mv->gpt_mode.reserved[role.level + 1][false]))
			continue;
		child = shvm_sp_find(mv->mmu, gpte_frame(&shvm_gpt_formats[role.format], gpte,
							 role.level + 1, false), role);
		if (child && READ_ONCE(child->filled))
			shvm_entry_link(mv, root, i, child,
					shvm_spte_table(child, gpte_access(gpte, role.nx)) &
					~SPTE_A);
	}
}

/* One root table, ready for the hardware. mmu->lock for reading, SRCU. */
static enum root_result root_get(struct shvm_mmu_vcpu *mv, gfn_t f, union shvm_role role,
				 struct shvm_sp **out)
{
	struct shvm_sp *sp = shvm_sp_get(mv, f, role);
	bool filled, is_new;

	if (!sp)
		return root_missing(mv->mmu, f);
	shvm_lock_sp(sp);
	is_new = !sp->filled;
	filled = shvm_sp_fill(mv->mmu, sp);
	if (filled && is_new && sp->role.level == 4 && shvm_mmu_prefetch)
		root_link_known(mv, sp);
	sp->is_root = true;
	WRITE_ONCE(sp->writes, 0);
	sp_stamp(mv, sp);
	shvm_unlock_sp(sp);
	*out = sp;
	return filled ? ROOT_LOADED : ROOT_WAIT;
}

/* Quarter i of the 4 GiB that a guest outside long mode sees. */
static enum root_result root_get_quarter(struct shvm_mmu_vcpu *mv, int i, struct shvm_sp **out)
{
	const struct shvm_gpt *g = &shvm_gpt_formats[mv->root_role.format];
	union shvm_role role = mv->root_role;
	gfn_t f = gfn((u64)i << (30 - SHVM_PAGE_SHIFT));

	*out = NULL;
	if (g->pdptes) {
		f = gpa_to_gfn(gpa(mv->pdpte[i] & g->frame));
		if (!(mv->pdpte[i] & GPTE_P))
			return ROOT_LOADED;
	} else if (!role.direct) {
		f = gpa_to_gfn(gpa(mv->cr3 & g->root));
		role.quadrant = i;
	}
	return root_get(mv, f, role, out);
}

/*
 * The PDPTE of the hardware. One that the guest does not have is absent: its fault is the guest's
 * own. A directory that the guest has, but not in memory, is all traps: the fault will tell.
 */
static u64 pae_entry(const struct shvm_mmu_vcpu *mv, int i, const struct shvm_sp *sp)
{
	if (!sp && !(mv->pdpte[i] & GPTE_P))
		return 0;
	return shvm_arch_table_hpa(sp ? sp->spt : mv->pae_trap).v | SPTE_P;
}

/* Every directory that the guest has, before it is needed: a fault cannot load another one. */
static enum root_result root_load_pae(struct shvm_mmu_vcpu *mv)
{
	struct shvm_sp *sp[SHVM_PAE_ROOTS];
	bool is_pae = mv->root_role.format == SHVM_GPT_PAE;
	enum root_result ret;
	int i;

	for (i = 0; i < SHVM_PAE_ROOTS; i++) {
		ret = root_get_quarter(mv, i, &sp[i]);
		if (ret == ROOT_WAIT || (ret == ROOT_ABSENT && !is_pae))
			return ret;
	}
	for (i = 0; i < SHVM_PAE_ROOTS; i++) {
		WRITE_ONCE(mv->pae_sp[i], sp[i]);
		mv->pae_root[i] = pae_entry(mv, i, sp[i]);
	}
	/* The root stays where it is, its entries do not. */
	shvm_tags_forget(mv);
	mv->root_hpa = shvm_arch_table_hpa(mv->pae_root);
	mv->root_is_loaded = true;
	return ROOT_LOADED;
}

static enum root_result root_load(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu *mmu = mv->mmu;
	enum root_result ret;
	struct shvm_sp *sp;

	/* Roots die under the lock for writing only, so what we take now fits this number. */
	if (mv->roots_gen != mmu->root_gen)
		roots_prune(mv);
	if (mv->root_role.pae_host)
		return root_load_pae(mv);
	ret = root_get(mv, gpa_to_gfn(gpa(cr3_table(mv->cr3))), mv->root_role, &sp);
	if (ret != ROOT_LOADED)
		return ret;
	root_set(mv, root_remember(mv, sp));
	atomic64_inc(&mmu->stats.cr3_slow);
	return ROOT_LOADED;
}

static int pae_root_prepare(struct shvm_mmu_vcpu *mv)
{
	int i;

	if (!mv->root_role.pae_host)
		return 0;
	if (!mv->pae_root)
		mv->pae_root = shvm_arch_table_alloc(true);
	if (!mv->pae_root)
		return -ENOMEM;
	if (mv->pae_trap)
		return 0;
	mv->pae_trap = shvm_arch_table_alloc(false);
	for (i = 0; mv->pae_trap && i < SHVM_SPT_ENTRIES; i++)
		mv->pae_trap[i] = shvm_spte_trap;
	return mv->pae_trap ? 0 : -ENOMEM;
}

static enum root_result root_load_locked(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu *mmu = mv->mmu;
	enum root_result ret;
	int idx = srcu_read_lock(&mmu->srcu);

	shvm_lock_mmu_read(mv);
	ret = root_load(mv);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mmu->srcu, idx);
	return ret;
}

/* The second round is for our own flush; what else is to be waited for is up to others. */
static int root_prepare(struct shvm_mmu_vcpu *mv)
{
	int round;

	for (round = 0; round < 2; round++) {
		if (shvm_cache_fill(mv) || shvm_make_room(mv))
			return -ENOMEM;
		switch (root_load_locked(mv)) {
		case ROOT_LOADED:
			return 0;
		case ROOT_ABSENT:
			return -EFAULT;
		case ROOT_WAIT:
			shvm_mmu_settle(mv->mmu);
		}
	}
	return -EAGAIN;
}

int shvm_mmu_prepare(struct shvm_mmu_vcpu *mv)
{
	if (mv->root_is_loaded && mv->roots_gen == READ_ONCE(mv->mmu->root_gen))
		return 0;
	if (pae_root_prepare(mv))
		return -ENOMEM;
	return root_prepare(mv);
}
