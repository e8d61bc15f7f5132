// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shadow page fault, in five steps: walk the guest's tables; reflect what is the guest's own;
 * prepare memory; find the host frame; map under the locks what is still true.
 */
#include "shadow.h"

#define PREFETCH	8u	/* entries, aligned; a cache line of a table */

struct shvm_fault {
	/* constant */
	struct shvm_pf *pf;
	u32 access;
	/* from the walk */
	struct shvm_gpt_walk walk;
	/* from the host */
	struct shvm_leaf leaf;
	int level;			/* of the leaf to be made */
	bool way_only;			/* no leaf: no memory is there */
	bool synced;			/* no page was out of date at some time after the walk */
};

/* Hardware entries are made from these rights: a clean page must trap its first store. */
static u8 entry_access(u64 gpte, bool nx, bool is_clean_leaf)
{
	u8 acc = gpte_access(gpte, nx);

	if (is_clean_leaf)
		acc &= ~GPT_ACC_W;
	return acc;
}

/* The table that the entry at walk level + 1 leads to. */
static void child_key(const struct shvm_fault *f, const struct shvm_sp *parent, gfn_t *key,
		      union shvm_role *role)
{
	const struct shvm_gpt_walk *w = &f->walk;
	int level = parent->role.level - 1;

	*role = parent->role;
	role->level = level;
	role->quadrant = 0;
	if (!parent->role.direct && level >= w->leaf) {
		*key = w->table[level];
		/* An entry above covers as many of ours as the child has parts. */
		role->quadrant = sp_index(parent, f->walk.addr) & ((1u << parent->index_shift) - 1);
	} else {
		role->direct = 1;
		*key = level_first(w->frame, parent->role.level);
	}
	if (!role->wp && !parent->role.direct) {
		role->access = w->acc[parent->role.level];
		/* All rights are in the leaf, so the leaf must know that a large page is clean. */
		role->clean = role->direct && !w->dirty;
	}
}

/*
 * Does the guest's entry still say what the walk saw? A may have been set meanwhile, but not
 * cleared: our entry would serve the guest beyond its next flush without A.
 */
static bool gpte_unchanged(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index,
			   u64 seen)
{
	u64 gpte;

	if (!shvm_entry_read_gpte(mv->mmu, sp, index, &gpte))
		return false;
	return !((gpte ^ seen) & ~(gpte & GPTE_A));
}

/* Rights of the entry in parent that leads to the child. */
static u8 link_access(const struct shvm_fault *f, const struct shvm_sp *parent)
{
	int level = parent->role.level;

	if (parent->role.direct)
		return GPT_ACC_ALL;
	return entry_access(f->walk.gpte[level], parent->role.nx,
			    level == f->walk.leaf && !f->walk.dirty);
}

/*
 * A page out of sync is up to date as far as the addresses go that it has served so far. For new
 * ones no CPU can have an old translation.
 */
static bool link_wants_sync(struct shvm_mmu_vcpu *mv, const struct shvm_fault *f,
			    const struct shvm_sp *parent, const struct shvm_sp *child)
{
	u64 old = READ_ONCE(parent->spt[sp_index(parent, f->walk.addr)]);

	if (f->synced || child->role.direct || !atomic_read(&mv->mmu->nr_oos))
		return false;
	if (child->role.level == 1 && !READ_ONCE(child->oos))
		return false;
	return !spte_is_table(old) || shvm_arch_table_owner(hpa(old & SPTE_FRAME)) != child;
}

static enum shvm_map_result map_link(struct shvm_mmu_vcpu *mv, struct shvm_fault *f,
				     struct shvm_sp *parent, struct shvm_sp *child)
{
	enum shvm_map_result ret = SHVM_MAP_RETRY;
	unsigned int index = sp_index(parent, f->walk.addr);
	int level = parent->role.level;

	shvm_lock_sp(parent);
	if (link_wants_sync(mv, f, parent, child))
		ret = SHVM_MAP_SYNC;
	else if (parent->role.direct || gpte_unchanged(mv, parent, index, f->walk.gpte[level]))
		ret = shvm_entry_link(mv, parent, index, child,
				      shvm_spte_table(child, link_access(f, parent)));
	shvm_unlock_sp(parent);
	return ret;
}

/*
 * What lies beside a page is likely to be used next: a fault costs 5,000 instructions, this 400.
 * Of the entries of a page table those that the guest has used, or says so.
 */
static void map_neighbours(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index)
{
	unsigned int i = index & ~(PREFETCH - 1), end = i + PREFETCH;
	hva_t table = hva(0);
	u64 gpte = 0;

	if (!shvm_mmu_prefetch || (!sp->role.direct && !shvm_entry_table(mv->mmu, sp, &table)))
		return;
	/* The blocks of the cache are for the fault itself, too: leave one. */
	for (; i < end && mv->cache.nr_chain > 1; i++) {
		if (READ_ONCE(sp->spt[i]) != shvm_spte_trap)
			continue;
		if (!sp->role.direct &&
		    (!shvm_entry_read(table, sp, i, &gpte) || !(gpte & GPTE_A)))
			continue;
		shvm_oos_note(mv->mmu, sp, i, gpte);
		shvm_entry_prefetch(mv, sp, i, gpte);
	}
}

/* Under the lock of sp, in which the leaf will be. */
static void leaf_make(struct shvm_fault *f, const struct shvm_sp *sp)
{
	struct shvm_leaf *leaf = &f->leaf;
	int level = sp->role.level;
	u8 acc = GPT_ACC_ALL;
	bool dirty = !sp->role.clean;

	if (!sp->role.direct) {
		acc = gpte_access(f->walk.gpte[level], sp->role.nx);
		dirty = f->walk.dirty;
	}
	if (!sp->role.wp)
		acc &= sp->role.access;
	leaf->frame = level_first(f->walk.frame, level);
	leaf->host.hfn.v &= ~(level_frames(level) - 1);
	leaf->spte = shvm_spte_leaf(sp->role, acc, dirty, &leaf->host, f->access) | SPTE_A;
}

static enum shvm_map_result map_leaf(struct shvm_mmu_vcpu *mv, struct shvm_fault *f,
				     struct shvm_sp *sp)
{
	enum shvm_map_result ret = SHVM_MAP_RETRY;
	unsigned int index = sp_index(sp, f->walk.addr);
	bool was_live;

	shvm_lock_sp(sp);
	was_live = spte_is_live(READ_ONCE(sp->spt[index]));
	leaf_make(f, sp);
	if (sp->role.direct || gpte_unchanged(mv, sp, index, f->walk.gpte[sp->role.level]))
		ret = shvm_entry_install(mv, sp, index, &f->leaf);
	if (ret == SHVM_MAP_DONE)
		shvm_oos_note(mv->mmu, sp, index, f->walk.gpte[sp->role.level]);
	/*
	 * Beside one that gets more rights they had their chance before. Beside one that the host
	 * had to bring in they are not there, mostly.
	 */
	if (ret == SHVM_MAP_DONE && f->level == 1 && !was_live && !f->leaf.host.faulted_in)
		map_neighbours(mv, sp, index);
	WRITE_ONCE(sp->writes, 0);
	shvm_unlock_sp(sp);
	return ret;
}

static struct shvm_sp *fault_root(struct shvm_mmu_vcpu *mv, const struct shvm_fault *f)
{
	struct shvm_sp *sp = shvm_lookup_root(mv, f->walk.addr);

	/* The directory was not in memory when the root was loaded, and now it is. */
	if (!sp && mv->root_role.pae_host)
		mv->root_is_loaded = false;
	return sp;
}

/* Find or make all tables down to that of the leaf first, so that one flush serves all new ones. */
static enum shvm_map_result map_collect(struct shvm_mmu_vcpu *mv, struct shvm_fault *f,
					struct shvm_sp *path[])
{
	struct shvm_sp *sp = fault_root(mv, f);
	enum shvm_map_result ret = SHVM_MAP_DONE;
	union shvm_role role;
	gfn_t key;

	if (!sp)
		return SHVM_MAP_RETRY;
	path[sp->role.level] = sp;
	while (sp->role.level > f->level) {
		child_key(f, sp, &key, &role);
		sp = shvm_sp_get(mv, key, role);
		if (!sp)
			return SHVM_MAP_RETRY;
		sp_stamp(mv, sp);
		path[role.level] = sp;
		/* Without sp->lock: a hint only, shvm_sp_fill() looks again. */
		if (!READ_ONCE(sp->filled) &&
		    !shvm_tlb_is_settled(mv->mmu, READ_ONCE(sp->tlb_owed)))
			ret = SHVM_MAP_FLUSH;
	}
	return ret;
}

static enum shvm_map_result map_locked(struct shvm_mmu_vcpu *mv, struct shvm_fault *f)
{
	struct shvm_sp *path[GPT_TOP + 1] = { };
	enum shvm_map_result ret;
	int level;

	/*
	 * An invalidation of a table that begins later drops its shadows, for which it waits until
	 * mmu->lock is free again. The host frame of the leaf is looked at once more, later.
	 */
	if (shvm_inval_is_stale(mv->mmu, f->leaf.seq))
		return SHVM_MAP_RETRY;
	ret = map_collect(mv, f, path);
	for (level = GPT_TOP; level > f->level && ret == SHVM_MAP_DONE; level--)
		if (path[level])
			ret = map_link(mv, f, path[level], path[level - 1]);
	if (ret != SHVM_MAP_DONE || f->way_only)
		return ret;
	return map_leaf(mv, f, path[f->level]);
}

static enum shvm_map_result map_once(struct shvm_mmu_vcpu *mv, struct shvm_fault *f)
{
	struct shvm_mmu *mmu = mv->mmu;
	enum shvm_map_result ret;
	int idx = srcu_read_lock(&mmu->srcu);

	shvm_lock_mmu_read(mv);
	ret = map_locked(mv, f);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mmu->srcu, idx);
	return ret;
}

static enum shvm_pf_result fault_map(struct shvm_mmu_vcpu *mv, struct shvm_fault *f)
{
	enum shvm_map_result ret;
	int tries;

	/*
	 * A round that wants a flush has made at least one table that stays, or taken away what
	 * was mapped in another size: at most so many for each level, if other vCPUs do not
	 * keep changing sizes in the same tables.
	 */
	for (tries = 0; tries <= 2 * GPT_TOP + 1; tries++) {
		ret = map_once(mv, f);
		if (ret == SHVM_MAP_SYNC) {
			shvm_oos_sync_for_link(mv);
			f->synced = true;
		} else if (ret == SHVM_MAP_FLUSH) {
			shvm_mmu_settle(mv->mmu);
		} else {
			break;
		}
		if (shvm_cache_fill(mv))
			return SHVM_PF_NOMEM;
	}
	return ret == SHVM_MAP_DONE ? SHVM_PF_FIXED : SHVM_PF_RETRY;
}

/*
 * CR0.WP = 0 and a supervisor's store to a user's read-only page: the entry would need U = 0, and
 * then SMAP does not guard the page any more. Rare enough to be done by software.
 */
static bool fault_defies_smap(struct shvm_mmu_vcpu *mv, const struct shvm_fault *f)
{
	return mv->root_role.smap_nowp && !(f->access & SHVM_ACCESS_USER) &&
	       (f->walk.acc[f->walk.leaf] & (GPT_ACC_U | GPT_ACC_W)) == GPT_ACC_U;
}

static enum shvm_pf_result host_error(int err)
{
	if (err == -EINTR)
		return SHVM_PF_RETRY;
	return err == -ENOMEM ? SHVM_PF_NOMEM : SHVM_PF_USER;
}

/* How large can the page be mapped? Only what the guest maps as one page is worth a question. */
static int fault_level(struct shvm_mmu_vcpu *mv, const struct shvm_fault *f, hva_t at)
{
	struct shvm_mmu *mmu = mv->mmu;
	int top = mv->root_role.direct ? SHVM_LARGE_TOP : f->walk.leaf;
	const struct shvm_slot *slot;
	int idx;

	top = min(top, mv->root_role.pae_host ? 2 : SHVM_LARGE_TOP);
	if (top > 1)
		top = min(top, shvm_arch_host_level(mmu, at, &f->leaf.host));
	if (top == 1)
		return 1;
	idx = srcu_read_lock(&mmu->srcu);
	slot = shvm_slots_find(mmu_slots(mmu), f->walk.frame);
	top = slot ? shvm_large_level(mmu, slot, f->walk.frame, top) : 1;
	srcu_read_unlock(&mmu->srcu, idx);
	return top;
}

/*
 * No memory is there. Where one access follows another, shadow the tables that lead there, so that
 * the next one finds the guest's entry by them: shvm_mmio_lookup(). RETRY: that took waiting, and
 * what the walk has found may not be true any more.
 */
static enum shvm_pf_result fault_map_way(struct shvm_mmu_vcpu *mv, struct shvm_fault *f)
{
	u64 page = f->pf->addr.v >> SHVM_PAGE_SHIFT, before = *mmio_place(mv, page);
	enum shvm_map_result first;
	enum shvm_pf_result ret;

	*mmio_place(mv, page) = page;
	if (page != before || f->walk.absent || mv->root_role.direct || !mv->root_role.wp ||
	    !shvm_mmu_last_entry)
		return SHVM_PF_EMULATE;
	f->level = f->walk.leaf;
	f->way_only = true;
	first = map_once(mv, f);
	if (first != SHVM_MAP_SYNC && first != SHVM_MAP_FLUSH)
		return SHVM_PF_EMULATE;
	if (shvm_cache_fill(mv))
		return SHVM_PF_NOMEM;
	ret = fault_map(mv, f);
	return ret == SHVM_PF_FIXED ? SHVM_PF_RETRY : ret;
}

/* What the guest frame is: nothing, a table, or memory of the host that leaf then describes. */
static enum shvm_pf_result fault_host(struct shvm_mmu_vcpu *mv, struct shvm_fault *f)
{
	struct shvm_mmu *mmu = mv->mmu;
	bool write = f->access & SHVM_ACCESS_WRITE, readonly = false, invalid = false;
	struct shvm_gfn_state *state;
	bool known = false;
	struct shvm_slot *slot;
	hva_t at = hva(0);
	int idx, err;

	f->pf->gpa = gpa(gfn_to_gpa(f->walk.frame).v | (f->pf->addr.v & (SHVM_PAGE_SIZE - 1)));
	idx = srcu_read_lock(&mmu->srcu);
	slot = shvm_slots_find(mmu_slots(mmu), f->walk.frame);
	if (slot) {
		at = slot_hva(slot, gfn_to_gpa(f->walk.frame));
		invalid = READ_ONCE(slot->invalid);
		readonly = slot->flags & SHVM_SLOT_READONLY;
		state = slot_gfn_state(slot, f->walk.frame);
		f->pf->tracked = READ_ONCE(state->tracked) && !READ_ONCE(state->loose);
		if (write && f->pf->tracked && !readonly && !invalid) {
			shvm_lock_mmu_read(mv);
			f->pf->tracked = !shvm_oos_open(mv, slot, f->walk.frame);
			shvm_unlock_mmu_read(mv);
		}
		/* Not found writable is not the same as not writable: then the host is asked. */
		known = shvm_lookup_frame(slot, f->walk.frame, &f->leaf.host) &&
			f->leaf.host.writable;
	}
	srcu_read_unlock(&mmu->srcu, idx);
	if (invalid)
		return SHVM_PF_RETRY;
	if (!slot)
		return fault_map_way(mv, f);
	/* A table that is not there (but reads as all ones) cannot be shadowed. */
	if (f->walk.absent ||
	    (write && (readonly || f->pf->tracked || fault_defies_smap(mv, f))))
		return SHVM_PF_EMULATE;
	shvm_told_end(mv, f->walk.frame);
	if (!known) {
		err = shvm_arch_host_frame(at, write, &f->leaf.host);
		if (err)
			return host_error(err);
		if (f->leaf.host.faulted_in)
			mv->told_frame = f->walk.frame.v;
	}
	f->level = fault_level(mv, f, at);
	if (readonly)
		f->leaf.host.writable = false;
	shvm_arch_pause_mapping(mmu);
	return SHVM_PF_FIXED;
}

static u32 fault_access(const struct shvm_pf *pf)
{
	return (pf->error & (PFEC_W | PFEC_U | PFEC_I)) | pf->flags;
}

static enum shvm_pf_result fault_steps(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	struct shvm_fault f = {
		.pf = pf,
		.access = fault_access(pf),
		.walk = { .addr = pf->addr, .access = fault_access(pf) },
	};
	enum shvm_pf_result ret;
	bool quiet;

	pf->tracked = false;
	/*
	 * Before the walk, which passes by A and D where a table cannot be written, and before the
	 * look-up of the slot: one that moves counts as an invalidation.
	 */
	quiet = shvm_inval_begin_read(mv->mmu, &f.leaf.seq);
	switch (shvm_gpt_walk(mv, &f.walk)) {
	case GPT_WALK_OK:
		break;
	case GPT_WALK_FAULT:
		pf->guest_error = f.walk.error;
		/* A fault flushes the address that it is about (SDM 4.10.4.1). */
		shvm_oos_sync_addr(mv, pf->addr);
		return SHVM_PF_REFLECT;
	case GPT_WALK_RETRY:
		return SHVM_PF_RETRY;
	case GPT_WALK_HOST:
		return SHVM_PF_USER;
	case GPT_WALK_NOMEM:
		return SHVM_PF_NOMEM;
	}
	if (!quiet)
		return SHVM_PF_RETRY;
	if (shvm_cache_fill(mv) || shvm_make_room(mv))
		return SHVM_PF_NOMEM;
	ret = fault_host(mv, &f);
	return ret == SHVM_PF_FIXED ? fault_map(mv, &f) : ret;
}

/* Do the entries on the way to a page let an access through, whatever CR4 says? */
static bool refill_serves(const struct shvm_lookup *l, u64 spte, u32 error)
{
	u64 all = l->all & spte;

	return spte_is_leaf(spte) && !(all & SPTE_U) == !(error & PFEC_U) &&
	       ((all & SPTE_W) || !(error & PFEC_W)) &&
	       !((l->any | spte) & SPTE_NX && (error & PFEC_I));
}

/*
 * The guest's own fault, by the last entry. Not where hardware decides about "not present" without
 * us, not twice for a page, and not two times in a row: the VMM may have stored to a table above,
 * which a walk finds out.
 */
static bool entry_denies(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf, const struct shvm_sp *sp,
			 u64 gpte)
{
	u64 page = pf->addr.v >> SHVM_PAGE_SHIFT;

	if (mv->denied_last || page == mv->denied_page || !((gpte & GPTE_P) || sp->oos) ||
	    !shvm_gpt_entry_denies(mv, gpte, fault_access(pf), &pf->guest_error))
		return false;
	mv->denied_page = page;
	mv->denied_last = true;
	return true;
}

/* Does the guest's last entry let the access through? Then it is up to the host, mostly. */
static bool entry_allows(u64 gpte, u32 error)
{
	u64 needs = GPTE_P | GPTE_A | (error & PFEC_W ? GPTE_W : 0) | (error & PFEC_U ? GPTE_U : 0);

	return (gpte & needs) == needs && !(error & PFEC_I);
}

/* What the last entry says, which is read again; sp->lock. */
static enum shvm_lookup_result entry_refill(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf,
					    const struct shvm_lookup *l)
{
	struct shvm_sp *sp = l->sp;
	u64 gpte;

	if (!sp->filled || !shvm_entry_read_gpte(mv->mmu, sp, l->index, &gpte))
		return SHVM_LOOKUP_NOTHING;
	if (READ_ONCE(sp->spt[l->index]) == shvm_spte_trap && (gpte & GPTE_A)) {
		shvm_oos_note(mv->mmu, sp, l->index, gpte);
		shvm_entry_prefetch(mv, sp, l->index, gpte);
	}
	if (!refill_serves(l, READ_ONCE(sp->spt[l->index]), pf->error)) {
		if (entry_denies(mv, pf, sp, gpte))
			return SHVM_LOOKUP_FAULT;
		return entry_allows(gpte, pf->error) ? SHVM_LOOKUP_HOST : SHVM_LOOKUP_NOTHING;
	}
	map_neighbours(mv, sp, l->index);
	WRITE_ONCE(sp->writes, 0);
	sp_stamp(mv, sp);
	return SHVM_LOOKUP_LET;
}

/*
 * The usual fault by far: all tables on the way have shadows that lead to each other, and the
 * guest has used the page before, or the fault is its own. As the CPU does with what it remembers
 * of upper tables, only the last entry is read again.
 */
static enum shvm_lookup_result fault_refill(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	enum shvm_lookup_result known;
	struct shvm_lookup l;

	if (!shvm_lookup_entry(mv, pf->addr, &l) || l.sp->role.level > 1 || l.sp->role.direct ||
	    !l.sp->role.wp)
		return SHVM_LOOKUP_NOTHING;
	shvm_lock_sp(l.sp);
	known = entry_refill(mv, pf, &l);
	shvm_unlock_sp(l.sp);
	/* A fault flushes the address that it is about (SDM 4.10.4.1). */
	if (known == SHVM_LOOKUP_FAULT)
		shvm_oos_sync_addr_locked(mv, pf->addr);
	return known;
}

/* Racy on purpose: only its growth matters. Not each time, for all vCPUs read it. */
static void clock_tick(struct shvm_mmu_vcpu *mv)
{
	if (++mv->ticks < SHVM_CLOCK_STEP)
		return;
	mv->ticks = 0;
	WRITE_ONCE(mv->mmu->clock, READ_ONCE(mv->mmu->clock) + SHVM_CLOCK_STEP);
}

/* By the shadow tables alone. SRCU and mmu->lock for reading are held. */
static enum shvm_lookup_result fault_known(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	enum shvm_lookup_result known = shvm_lookup_store(mv, pf);

	/* First what costs next to nothing where it does not apply. */
	if (known == SHVM_LOOKUP_NOTHING && shvm_mmu_last_entry)
		known = shvm_mmio_lookup(mv, pf) ? SHVM_LOOKUP_MMIO : fault_refill(mv, pf);
	if (known == SHVM_LOOKUP_LET || known == SHVM_LOOKUP_TRAPPED)
		mv->denied_last = false;
	clock_tick(mv);
	return known;
}

static enum shvm_lookup_result fault_known_wait(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	struct shvm_mmu *mmu = mv->mmu;
	enum shvm_lookup_result known;
	int idx;

	/* Without memory less is known. */
	shvm_cache_fill(mv);
	idx = srcu_read_lock(&mmu->srcu);
	shvm_lock_mmu_read(mv);
	known = fault_known(mv, pf);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mmu->srcu, idx);
	return known;
}

/*
 * A fault makes the CPU forget the address (SDM 4.10.4.1), but does one that is an exit? If the
 * same one comes again though all is there, it does not, and another TLB tag ends that.
 */
static void fault_ends(struct shvm_mmu_vcpu *mv, gva_t addr, enum shvm_pf_result ret)
{
	u64 page = addr.v >> SHVM_PAGE_SHIFT;

	if (ret != SHVM_PF_FIXED)
		page = SHVM_NO_PAGE;
	else if (page == mv->fixed_page)
		shvm_tags_forget(mv);
	mv->fixed_page = page;
}

static void fault_count(struct shvm_mmu_vcpu_stats *stats, enum shvm_pf_result ret)
{
	u64 *counter[] = {
		[SHVM_PF_FIXED] = &stats->pf_fixed,
		[SHVM_PF_RETRY] = &stats->pf_retry,
		[SHVM_PF_REFLECT] = &stats->pf_reflect,
		[SHVM_PF_EMULATE] = &stats->pf_emulate,
		[SHVM_PF_USER] = &stats->pf_user,
		[SHVM_PF_NOMEM] = &stats->pf_nomem,
	};

	++*counter[ret];
}

/**
 * shvm_mmu_fault - handle a #PF exit
 * @mv: the faulting vCPU; its thread, nothing locked, may sleep
 * @pf: in and out, see struct shvm_pf
 */
enum shvm_pf_result shvm_mmu_fault(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	enum shvm_lookup_result known = SHVM_LOOKUP_HOST;
	enum shvm_pf_result ret;

	shvm_mmu_root_obsolete(mv);
	if (mv->host_asked != pf->addr.v >> SHVM_PAGE_SHIFT)
		known = fault_known_wait(mv, pf);
	mv->host_asked = SHVM_NO_PAGE;
	switch (known) {
	case SHVM_LOOKUP_TRAPPED:
	case SHVM_LOOKUP_MMIO:
		ret = SHVM_PF_EMULATE;
		break;
	case SHVM_LOOKUP_IDLE:
		shvm_mmu_unshadow(mv->mmu, gpa_to_gfn(pf->gpa));
		ret = SHVM_PF_FIXED;
		break;
	case SHVM_LOOKUP_LET:
		ret = SHVM_PF_FIXED;
		break;
	case SHVM_LOOKUP_FAULT:
		ret = SHVM_PF_REFLECT;
		break;
	default:
		ret = fault_steps(mv, pf);
	}
	fault_ends(mv, pf->addr, ret);
	fault_count(&mv->stats, ret);
	return ret;
}

/*
 * Where the hardware has seen "not present", or user code without the right, the guest's own fault
 * is the likely answer, worth a walk at once. A store of the guest's kernel goes to its tables,
 * mostly.
 */
static bool fault_may_be_guests(u32 error)
{
	return !(error & PFEC_P) || (error & PFEC_U);
}

static bool try_reflect(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	struct shvm_gpt_walk walk = { .addr = pf->addr, .access = fault_access(pf) };

	if (shvm_gpt_look(mv, &walk) != GPT_WALK_FAULT)
		return false;
	/* A fault flushes the address that it is about: see fault_steps(). */
	if (!shvm_oos_try_sync_addr(mv, pf->addr))
		return false;
	pf->guest_error = walk.error;
	mv->stats.pf_reflect++;
	return true;
}

static enum shvm_lookup_result try_known(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	enum shvm_lookup_result known;
	int idx;

	if (!shvm_cache_is_ready(&mv->cache) || !shvm_mmu_try_begin(mv, &idx))
		return SHVM_LOOKUP_IDLE;
	known = fault_known(mv, pf);
	shvm_mmu_end(mv, idx);
	return known;
}

enum shvm_pf_result shvm_mmu_try_fault(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	/* The guest of the load-time test has no MMU of ours. */
	if (!mv->mmu)
		return SHVM_PF_UNKNOWN;
	switch (try_known(mv, pf)) {
	case SHVM_LOOKUP_TRAPPED:
	case SHVM_LOOKUP_MMIO:
		return SHVM_PF_EMULATE;
	case SHVM_LOOKUP_LET:
		fault_ends(mv, pf->addr, SHVM_PF_FIXED);
		mv->stats.pf_fixed++;
		return SHVM_PF_FIXED;
	case SHVM_LOOKUP_FAULT:
		mv->stats.pf_reflect++;
		return SHVM_PF_REFLECT;
	case SHVM_LOOKUP_HOST:
		/* Who comes next need not look at all this again. */
		mv->host_asked = pf->addr.v >> SHVM_PAGE_SHIFT;
		return SHVM_PF_UNKNOWN;
	case SHVM_LOOKUP_IDLE:
		return SHVM_PF_UNKNOWN;
	case SHVM_LOOKUP_NOTHING:
		break;
	}
	return fault_may_be_guests(pf->error) && try_reflect(mv, pf) ? SHVM_PF_REFLECT :
								      SHVM_PF_UNKNOWN;
}
