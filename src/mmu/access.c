// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software accesses to guest memory: translation for the emulator, reads, and stores that keep
 * the shadow of guest tables exact. docs/mmu.md, "A trapped store".
 */
#include "shadow.h"

/*
 * Trapped stores to one table without a sign of its use before its shadows are dropped. A trapped
 * store costs about 6,000 instructions, a table that comes back 28,000 and 5,000 for each page that
 * is used again. Tables of user addresses see long bursts (fork, exec, unmap); those of the
 * guest's kernel are shared by all address spaces and soon used again. docs/performance.md.
 */
#define FLOOD_STORES_USER	3
#define FLOOD_STORES_KERNEL	12

/* A store or compare-exchange as a value. */
struct shvm_store {
	gpa_t at;
	const void *old;	/* NULL: plain store */
	const void *new;
	u32 len;
};

int shvm_mmu_translate(struct shvm_mmu_vcpu *mv, gva_t addr, u32 access, gpa_t *out, u32 *error)
{
	struct shvm_gpt_walk walk = { .addr = addr, .access = access };

	switch (shvm_gpt_walk(mv, &walk)) {
	case GPT_WALK_OK:
		*out = gpa(gfn_to_gpa(walk.frame).v | (addr.v & (SHVM_PAGE_SIZE - 1)));
		return 0;
	case GPT_WALK_FAULT:
		*error = walk.error;
		/* The guest's own fault flushes the address: see fault_steps(). */
		shvm_oos_sync_addr(mv, addr);
		return 1;
	case GPT_WALK_RETRY:
		return -EAGAIN;
	case GPT_WALK_NOMEM:
		return -ENOMEM;
	case GPT_WALK_HOST:
		break;
	}
	return -EFAULT;
}

/* The host has no page for the access; interrupted: RUN looks at signals before it comes back. */
static enum shvm_mem_result mem_host_failed(int err)
{
	if (err == -EINTR)
		return SHVM_MEM_RETRY;
	return err == -ENOMEM ? SHVM_MEM_NOMEM : SHVM_MEM_FAULT;
}

enum shvm_mem_result shvm_mmu_read(struct shvm_mmu *mmu, gpa_t at, void *buf, u32 len)
{
	struct shvm_gfn_ref ref;
	enum shvm_mem_result ret;
	hva_t from;
	int err;

	ret = shvm_gfn_get(mmu, gpa_to_gfn(at), false, &ref);
	if (ret != SHVM_MEM_OK)
		return ret;
	from = slot_hva(ref.slot, at);
	shvm_gfn_put(&ref);
	err = shvm_arch_read_user(from, buf, len);
	return err ? mem_host_failed(err) : SHVM_MEM_OK;
}

/* -EFAULT: make it resident and come back; 1: compare lost. */
static int store_now(const struct shvm_slot *slot, const struct shvm_store *st)
{
	hva_t to = slot_hva(slot, st->at);

	if (st->old)
		return shvm_arch_cmpxchg_user_atomic(to, st->old, st->new, st->len);
	return shvm_arch_write_user_atomic(to, st->new, st->len);
}

/* Entries of sp that the store touches: first and after the last one; none: equal. */
static void store_span(const struct shvm_store *st, const struct shvm_sp *sp, unsigned int *first,
		       unsigned int *end)
{
	u32 bytes = shvm_gpt_formats[sp->role.format].entry_bytes;
	unsigned int shift = sp->index_shift, base = sp->role.quadrant * SHVM_SPT_ENTRIES;
	unsigned int from = gpa_offset(st->at) / bytes;
	unsigned int to = (gpa_offset(st->at) + st->len - 1) / bytes + 1;

	*first = clamp(from << shift, base, base + SHVM_SPT_ENTRIES) - base;
	*end = clamp(to << shift, base, base + SHVM_SPT_ENTRIES) - base;
}

static void store_zap(struct shvm_mmu *mmu, struct shvm_sp *sp, const struct shvm_store *st)
{
	unsigned int i, end;

	store_span(st, sp, &i, &end);
	shvm_lock_sp(sp);
	for (; sp->filled && i < end; i++)
		shvm_entry_drop(mmu, sp, i, shvm_spte_trap);
	shvm_unlock_sp(sp);
}

/*
 * The upper half of an 8-byte entry is a 32-bit entry, whose A and D are address bits 37 and 38: a
 * shadow of the former has to look again. It re-reads under sp->lock, so it cannot be late.
 */
void shvm_table_marked(struct shvm_mmu_vcpu *mv, gfn_t table, unsigned int index)
{
	struct shvm_mmu *mmu = mv->mmu;
	struct shvm_store st = {
		.at = gpa(gfn_to_gpa(table).v + index * sizeof(u32)), .len = sizeof(u32),
	};
	struct shvm_sp *sp;
	int idx;

	if (!(index & 1))
		return;
	idx = srcu_read_lock(&mmu->srcu);
	shvm_lock_mmu_read(mv);
	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(mmu, table), hash)
		if (gfn_eq(sp->gfn, table) && !sp->role.direct &&
		    shvm_gpt_formats[sp->role.format].entry_bytes == sizeof(u64))
			store_zap(mmu, sp, &st);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mmu->srcu, idx);
}

/* The store is done: the entry follows what is in memory now, whoever wrote it last. */
static void entry_refresh(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp, unsigned int index)
{
	u64 gpte;

	if (!shvm_entry_read_gpte(mv->mmu, sp, index, &gpte))
		return;
	shvm_entry_drop(mv->mmu, sp, index,
			gpte & GPTE_P || sp->oos ? shvm_spte_trap : SPTE_NOTRAP);
	shvm_oos_note(mv->mmu, sp, index, gpte);
	/* The usual next thing is an access by it: then that needs no exit. */
	if (sp->role.level == 1)
		shvm_entry_prefetch(mv, sp, index, gpte);
}

/* The guest's own entry above a table of user addresses has U, and so has ours. */
static unsigned int flood_stores(const struct shvm_sp *sp)
{
	const u64 *parent = shvm_chain_first(sp->parents);

	return parent && (READ_ONCE(*parent) & SPTE_U) ? FLOOD_STORES_USER : FLOOD_STORES_KERNEL;
}

/* A root has no parents: it is in use while a vCPU runs on it, or one did since the last store. */
static bool table_was_used(struct shvm_mmu *mmu, struct shvm_sp *sp)
{
	return shvm_sp_was_used(mmu, sp) || (sp->is_root && shvm_arch_root_in_use(mmu, sp));
}

/* After some more stores; sp->lock. */
static bool sp_is_idle(struct shvm_mmu *mmu, struct shvm_sp *sp, u8 stores)
{
	/* root_set() clears the count without the lock: a store more or less does not matter. */
	u8 writes = READ_ONCE(sp->writes);

	if (table_was_used(mmu, sp))
		writes = 0;
	else if (writes <= FLOOD_STORES_KERNEL)
		writes += stores;
	WRITE_ONCE(sp->writes, writes);
	return writes > flood_stores(sp) || (!sp->parents && !sp->is_root);
}

bool shvm_table_is_idle(struct shvm_mmu *mmu, gfn_t f)
{
	struct shvm_sp *sp;
	bool idle = false;

	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(mmu, f), hash) {
		if (!gfn_eq(sp->gfn, f) || sp->role.direct)
			continue;
		/* Without the lock: nearly all are in use. */
		if ((READ_ONCE(sp->parents) || READ_ONCE(sp->is_root)) &&
		    READ_ONCE(sp->writes) <= FLOOD_STORES_USER)
			return false;
		shvm_lock_sp(sp);
		idle = sp_is_idle(mmu, sp, 0);
		shvm_unlock_sp(sp);
		if (!idle)
			return false;
	}
	return idle;
}

/* Returns true if nobody seems to use the table as one any more. */
static bool store_refresh(struct shvm_mmu_vcpu *mv, struct shvm_sp *sp,
			  const struct shvm_store *st)
{
	unsigned int i, end;
	bool idle;

	store_span(st, sp, &i, &end);
	shvm_lock_sp(sp);
	for (; sp->filled && i < end; i++)
		entry_refresh(mv, sp, i);
	idle = sp_is_idle(mv->mmu, sp, 1);
	shvm_unlock_sp(sp);
	return idle;
}

/* The four steps on a tracked frame. SRCU held, writers raised by the caller and dropped here. */
static int table_store_locked(struct shvm_mmu_vcpu *mv, struct shvm_slot *slot,
			      const struct shvm_store *st, bool *idle)
{
	struct shvm_mmu *mmu = mv->mmu;
	gfn_t table = gpa_to_gfn(st->at);
	struct shvm_sp *sp;
	int ret;

	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(mmu, table), hash)
		if (gfn_eq(sp->gfn, table) && !sp->role.direct)
			store_zap(mmu, sp, st);
	ret = store_now(slot, st);
	/* The store is visible before installers are let in again, and we read after that. */
	smp_mb__before_atomic();
	atomic_dec(mmu_writers(mmu, table));
	smp_mb__after_atomic();	/* our read in entry_refresh() follows */
	*idle = true;
	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(mmu, table), hash)
		if (gfn_eq(sp->gfn, table) && !sp->role.direct)
			*idle &= store_refresh(mv, sp, st);
	return ret;
}

/* SRCU and mmu->lock for reading are held. *idle: its shadows had better be dropped. */
static int table_store(struct shvm_mmu_vcpu *mv, struct shvm_slot *slot,
		       const struct shvm_store *st, bool *idle)
{
	gfn_t table = gpa_to_gfn(st->at);
	struct shvm_gfn_state *state = slot_gfn_state(slot, table);
	struct shvm_mmu *mmu = mv->mmu;
	int ret;

	*idle = false;
	atomic_inc(mmu_writers(mmu, table));
	smp_mb__after_atomic();	/* pairs with shvm_sp_fill(): it sees writers, or we see tracked */
	if (!READ_ONCE(state->tracked)) {
		ret = store_now(slot, st);
		smp_mb__before_atomic();	/* the store before installers are let in */
		atomic_dec(mmu_writers(mmu, table));
		return ret;
	}
	mv->stats.table_writes++;
	shvm_oos_note_store(mv, st->at, *(const u8 *)st->new & GPTE_P);
	return table_store_locked(mv, slot, st, idle);
}

static enum shvm_mem_result mem_store(struct shvm_mmu_vcpu *mv, const struct shvm_store *st)
{
	struct shvm_mmu *mmu = mv->mmu;
	enum shvm_mem_result ret;
	struct shvm_gfn_ref ref;
	hva_t to = hva(0);
	int tries, err = 0;
	bool idle = false;

	/* The page may be taken away between fault-in and store; each time is host progress. */
	for (tries = 0; tries < 16; tries++) {
		if (shvm_cache_fill(mv))
			return SHVM_MEM_NOMEM;
		ret = shvm_gfn_get(mmu, gpa_to_gfn(st->at), true, &ref);
		if (ret == SHVM_MEM_OK) {
			to = slot_hva(ref.slot, st->at);
			shvm_lock_mmu_read(mv);
			err = table_store(mv, ref.slot, st, &idle);
			shvm_unlock_mmu_read(mv);
			shvm_gfn_put(&ref);
		}
		if (idle)
			shvm_mmu_unshadow(mmu, gpa_to_gfn(st->at));
		if (ret != SHVM_MEM_OK || err != -EFAULT)
			break;
		err = shvm_arch_fault_in(to, true);
		if (err)
			return mem_host_failed(err);
		err = -EFAULT;
	}
	if (ret != SHVM_MEM_OK || !err)
		return ret;
	return err == -EFAULT ? SHVM_MEM_RETRY : SHVM_MEM_LOST;
}

enum shvm_mem_result shvm_mmu_write(struct shvm_mmu_vcpu *mv, gpa_t at, const void *buf, u32 len)
{
	struct shvm_store st = { .at = at, .new = buf, .len = len };

	return mem_store(mv, &st);
}

enum shvm_mem_result shvm_mmu_cmpxchg(struct shvm_mmu_vcpu *mv, gpa_t at, const void *old,
				      const void *new, u32 len)
{
	struct shvm_store st = { .at = at, .old = old, .new = new, .len = len };

	return mem_store(mv, &st);
}

bool shvm_mmu_read_now(struct shvm_mmu *mmu, gpa_t at, void *buf, u32 len)
{
	struct shvm_slot *slot;

	return shvm_gfn_look(mmu, gpa_to_gfn(at), false, &slot) == SHVM_MEM_OK &&
	       !shvm_arch_read_user_atomic(slot_hva(slot, at), buf, len);
}

/* A table that is idle now is dropped at the next store: shvm_lookup_store(). */
enum shvm_mem_result shvm_mmu_table_store_now(struct shvm_mmu_vcpu *mv, gpa_t at, const void *old,
					      const void *new, u32 len)
{
	struct shvm_store st = { .at = at, .old = old, .new = new, .len = len };
	struct shvm_slot *slot;
	bool idle;
	int err;

	if (shvm_gfn_look(mv->mmu, gpa_to_gfn(at), true, &slot) != SHVM_MEM_OK)
		return SHVM_MEM_RETRY;
	err = table_store(mv, slot, &st, &idle);
	if (!err)
		return SHVM_MEM_OK;
	return err == -EFAULT ? SHVM_MEM_RETRY : SHVM_MEM_LOST;
}
