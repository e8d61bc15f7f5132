// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the shadow already knows, so that nobody has to ask the guest's tables or the host's: where
 * a linear address leads, and which host frame is behind a guest frame. Whoever gets no answer
 * here asks them. Changes nothing.
 */
#include "shadow.h"

#define PFEC_STORE	(PFEC_P | PFEC_W)
#define PFEC_CAUSES	(PFEC_P | PFEC_W | PFEC_U | PFEC_RSVD | PFEC_I)

struct shvm_sp *shvm_lookup_root(const struct shvm_mmu_vcpu *mv, gva_t addr)
{
	if (!mv->root_is_loaded || mv->roots_gen != READ_ONCE(mv->mmu->root_gen))
		return NULL;
	if (!mv->root_role.pae_host)
		return mv->root;
	return mv->pae_sp[(addr.v >> 30) % SHVM_PAE_ROOTS];
}

static void lookup_add(struct shvm_lookup *l, u64 spte)
{
	l->all &= spte;
	l->any |= spte;
}

bool shvm_lookup_entry(const struct shvm_mmu_vcpu *mv, gva_t addr, struct shvm_lookup *l)
{
	struct shvm_sp *sp = shvm_lookup_root(mv, addr);

	*l = (struct shvm_lookup){ .all = ~0ULL };
	while (sp) {
		l->sp = sp;
		l->index = sp_index(sp, addr);
		/* Pairs with the exchange by which a filled table is linked. */
		l->spte = smp_load_acquire(&sp->spt[l->index]);
		if (!spte_is_table(l->spte))
			return true;
		lookup_add(l, l->spte);
		/* It may be unlinked meanwhile, but is not freed. */
		sp = shvm_arch_table_owner(hpa(l->spte & SPTE_FRAME));
	}
	return false;
}

/*
 * What the entry maps, if it maps a page. Without the lock of its table, in which all vCPUs look
 * that store by the same mapping of the guest's kernel: a frame is written while the entry is not
 * live, so it belongs to one of two equal values around it.
 */
static bool lookup_leaf(struct shvm_lookup *l, gva_t addr)
{
	struct shvm_sp *sp = l->sp;
	u64 spte = l->spte;
	gfn_t first;

	if (!spte_is_leaf(spte))
		return false;
	first = sp->role.direct ? sp_direct_gfn(sp, l->index) : gfn(READ_ONCE(sp->gfns[l->index]));
	smp_rmb();	/* pairs with the exchanges by which an entry comes and goes */
	if ((READ_ONCE(sp->spt[l->index]) ^ spte) & ~(SPTE_A | SPTE_D))
		return false;
	l->frame = gfn_add(first, (addr.v >> SHVM_PAGE_SHIFT) &
				  (level_frames(sp->role.level) - 1));
	l->writable = spte & SPTE_W;
	lookup_add(l, spte & SPTE_GUESTW ? spte | SPTE_W : spte);
	return true;
}

/* The slot of a frame whose tables are why W is not set. A hint, as after a walk. */
static struct shvm_slot *slot_of_tracked(struct shvm_mmu *mmu, gfn_t f)
{
	struct shvm_slot *slot = shvm_slots_find(mmu_slots(mmu), f);
	const struct shvm_gfn_state *state;

	if (!slot || READ_ONCE(slot->invalid))
		return NULL;
	state = slot_gfn_state(slot, f);
	return READ_ONCE(state->tracked) && !READ_ONCE(state->loose) ? slot : NULL;
}

static gpa_t lookup_gpa(const struct shvm_lookup *l, gva_t addr)
{
	return gpa(gfn_to_gpa(l->frame).v | (addr.v & (SHVM_PAGE_SIZE - 1)));
}

/* The page that an address leads to. mmu->lock for reading is held. */
static bool lookup_page(struct shvm_mmu_vcpu *mv, gva_t addr, struct shvm_lookup *l)
{
	return shvm_lookup_entry(mv, addr, l) && lookup_leaf(l, addr);
}

enum shvm_lookup_result shvm_lookup_store(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	struct shvm_slot *slot;
	struct shvm_lookup l;

	/* The guest's kernel, and below a page of the kernel: SMAP has no say. */
	if ((pf->error & PFEC_CAUSES) != PFEC_STORE || !lookup_page(mv, pf->addr, &l) ||
	    (l.all & (SPTE_W | SPTE_U)) != SPTE_W)
		return SHVM_LOOKUP_NOTHING;
	/* The last shadow of the frame has gone meanwhile. */
	if (l.writable)
		return SHVM_LOOKUP_LET;
	slot = slot_of_tracked(mv->mmu, l.frame);
	if (!slot)
		return SHVM_LOOKUP_NOTHING;
	/* Out of sync, what maps the frame is writable again. */
	if (shvm_oos_open(mv, slot, l.frame))
		return SHVM_LOOKUP_LET;
	pf->tracked = true;
	pf->gpa = lookup_gpa(&l, pf->addr);
	return shvm_table_is_idle(mv->mmu, l.frame) ? SHVM_LOOKUP_IDLE : SHVM_LOOKUP_TRAPPED;
}

bool shvm_mmu_lookup_code_now(struct shvm_mmu_vcpu *mv, gva_t addr, bool user, gpa_t *out)
{
	struct shvm_lookup l;

	if (!lookup_page(mv, addr, &l) || (l.any & SPTE_NX) || !(l.all & SPTE_U) != !user)
		return false;
	*out = lookup_gpa(&l, addr);
	return true;
}

bool shvm_mmu_lookup_code(struct shvm_mmu_vcpu *mv, gva_t addr, bool user, gpa_t *out)
{
	bool found;

	shvm_lock_mmu_read(mv);
	found = shvm_mmu_lookup_code_now(mv, addr, user, out);
	shvm_unlock_mmu_read(mv);
	return found;
}

/* The way to a leaf, as shvm_lookup_entry(), with all entries. */
static bool peek_walk(struct shvm_mmu_vcpu *mv, gva_t addr, struct shvm_peek *out,
		      struct shvm_lookup *l)
{
	struct shvm_sp *sp = shvm_lookup_root(mv, addr);
	u64 *sptep;

	*l = (struct shvm_lookup){ .all = ~0ULL };
	for (out->nr = 0; sp; out->nr++) {
		sptep = &sp->spt[sp_index(sp, addr)];
		l->sp = sp;
		/* Pairs with the exchange by which a filled table is linked. */
		l->spte = smp_load_acquire(sptep);
		if (out->nr) {
			out->way[out->nr - 1].at = sptep;
			out->way[out->nr - 1].spte = l->spte;
		} else {
			out->index = sp_index(sp, addr);
			out->top = l->spte;
		}
		lookup_add(l, l->spte);
		if (!spte_is_table(l->spte))
			break;
		sp = shvm_arch_table_owner(hpa(l->spte & SPTE_FRAME));
	}
	return sp && spte_is_leaf(l->spte);
}

/*
 * Without CR0.WP a page of the user may look like one of the kernel; but not where SMEP or SMAP
 * would keep the kernel out of it.
 */
bool shvm_mmu_peek(struct shvm_mmu_vcpu *mv, gva_t addr, bool fetch, struct shvm_peek *out)
{
	struct shvm_lookup l;

	if (!peek_walk(mv, addr, out, &l) || (l.all & SPTE_U) || (fetch && (l.any & SPTE_NX)))
		return false;
	out->at = hpa((l.spte & SPTE_FRAME) |
		      (addr.v & ((level_frames(l.sp->role.level) << SHVM_PAGE_SHIFT) - 1)));
	return true;
}

bool shvm_mmu_peek_again(const struct shvm_mmu_vcpu *mv, const struct shvm_peek *p)
{
	u32 i;

	if (!shvm_mmu_peek_holds(mv, p))
		return false;
	/* From the top, so that each table is one that is linked now. */
	for (i = 0; i < p->nr; i++)
		if ((READ_ONCE(*p->way[i].at) ^ p->way[i].spte) & ~(SPTE_A | SPTE_D))
			return false;
	return true;
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
