// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the shadow already knows, so that nobody has to ask the guest's tables or the host's: where
 * a linear address leads, and which host frame is behind a guest frame. Whoever gets no answer
 * here asks them. Changes nothing.
 */
#include "shadow.h"

#define PFEC_STORE	(PFEC_P | PFEC_W)
#define PFEC_CAUSES	(PFEC_P | PFEC_W | PFEC_U | PFEC_RSVD | PFEC_I)

/* Where an address leads. */
struct lookup {
	gfn_t frame;
	u64 all, any;	/* bits set in all, in any of the entries on the way; W: but for us */
};

static struct shvm_sp *lookup_root(const struct shvm_mmu_vcpu *mv)
{
	if (!mv->root_is_loaded || mv->root_role.pae_host ||
	    mv->roots_gen != READ_ONCE(mv->mmu->root_gen))
		return NULL;
	return mv->root;
}

static unsigned int lookup_index(const struct shvm_sp *sp, gva_t addr)
{
	return (addr.v >> (SHVM_PAGE_SHIFT + 9 * (sp->role.level - 1))) % SHVM_SPT_ENTRIES;
}

static void lookup_add(struct lookup *l, u64 spte)
{
	l->all &= spte;
	l->any |= spte;
}

/* The leaf at an index that looked like one, and its frame: both of them under the lock of sp. */
static bool lookup_leaf(struct shvm_sp *sp, unsigned int index, gva_t addr, struct lookup *l)
{
	gfn_t first;
	u64 spte;

	shvm_lock_sp(sp);
	spte = READ_ONCE(sp->spt[index]);
	first = sp->role.direct ? sp_direct_gfn(sp, index) : gfn(sp->gfns[index]);
	shvm_unlock_sp(sp);
	if (!spte_is_leaf(spte))
		return false;
	l->frame = gfn_add(first, (addr.v >> SHVM_PAGE_SHIFT) &
				  (level_frames(sp->role.level) - 1));
	lookup_add(l, spte & SPTE_GUESTW ? spte | SPTE_W : spte);
	return true;
}

/*
 * Go the way that the hardware would go now. mmu->lock is held for reading: no table is freed. What
 * is found holds as what a TLB holds: until the guest flushes.
 */
static bool lookup(struct shvm_mmu_vcpu *mv, gva_t addr, struct lookup *l)
{
	struct shvm_sp *sp = lookup_root(mv);
	unsigned int index;
	u64 spte;

	*l = (struct lookup){ .all = ~0ULL };
	while (sp) {
		index = lookup_index(sp, addr);
		spte = READ_ONCE(sp->spt[index]);
		if (!spte_is_table(spte))
			return spte_is_leaf(spte) && lookup_leaf(sp, index, addr, l);
		lookup_add(l, spte);
		sp = shvm_arch_table_owner(hpa(spte & SPTE_FRAME));
	}
	return false;
}

/* The frame is tracked, which is why W is not set: its slot. A hint, as after a walk. */
static struct shvm_slot *tracked_slot(struct shvm_mmu *mmu, gfn_t f)
{
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), f);
	const struct shvm_gfn_state *state;

	if (!slot || READ_ONCE(slot->invalid))
		return NULL;
	state = slot_gfn_state(slot, f);
	return READ_ONCE(state->tracked) && !READ_ONCE(state->loose) ? slot : NULL;
}

static gpa_t lookup_gpa(const struct lookup *l, gva_t addr)
{
	return gpa(gfn_to_gpa(l->frame).v | (addr.v & (SHVM_PAGE_SIZE - 1)));
}

bool shvm_lookup_trapped_store(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_slot *slot = NULL;
	struct lookup l;
	int idx;

	/* The guest's kernel, and below a page of the kernel: SMAP has no say. */
	if ((pf->error & PFEC_CAUSES) != PFEC_STORE)
		return false;
	idx = srcu_read_lock(&mmu->srcu);
	shvm_lock_mmu_read(mmu);
	if (lookup(mv, pf->addr, &l) && (l.all & (SPTE_W | SPTE_U)) == SPTE_W)
		slot = tracked_slot(mmu, l.frame);
	shvm_unlock_mmu_read(mmu);
	if (slot)
		pf->tracked = !shvm_oos_open(mv, slot, l.frame);
	srcu_read_unlock(&mmu->srcu, idx);
	if (!slot)
		return false;
	pf->gpa = lookup_gpa(&l, pf->addr);
	return true;
}

bool shvm_mmu_lookup_code(struct shvm_mmu_vcpu *mv, gva_t addr, bool user, gpa_t *out)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct lookup l;
	bool found;

	shvm_lock_mmu_read(mmu);
	found = lookup(mv, addr, &l) && !(l.any & SPTE_NX) && !(l.all & SPTE_U) == !user;
	shvm_unlock_mmu_read(mmu);
	if (found)
		*out = lookup_gpa(&l, addr);
	return found;
}

bool shvm_lookup_frame(const struct shvm_slot *slot, gfn_t f, struct shvm_host_frame *host)
{
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_large *large;
	u64 spte, within = 0;
	int level = 1;

	for (;;) {
		spte = READ_ONCE(*head) ? shvm_rmap_any(head) : 0;
		if (spte)
			break;
		do {
			if (++level > SHVM_LARGE_TOP)
				return false;
			large = slot_large(slot, f, level);
		} while (!large);
		head = &large->head;
		within = f.v & (level_frames(level) - 1);
	}
	host->hfn = hfn(spte_to_hfn(spte).v + within);
	host->writable = spte & SPTE_HOSTW;
	return true;
}
