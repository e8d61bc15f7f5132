// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's VMM that reads the guest's memory in the entry loop, by shvm_mmu_peek(): it keeps where
 * a page was for as long as the module says that this holds. What it reads is verified as what the
 * hardware reads that walks the shadow tables.
 */
#include <asm/msr-index.h>

#include "machine.h"

static bool look_holds(struct vcpu *v, u64 owed)
{
	struct look *l = &v->look;

	if (!shvm_mmu_peek_holds(&v->mv, &l->at))
		return false;
	if (l->owed == owed)
		return true;
	l->owed = owed;
	l->entry.valid = shvm_mmu_peek_again(&v->mv, &l->at);
	return l->entry.valid;
}

static bool look_anew(struct vcpu *v, const struct access *a, u64 owed)
{
	struct look *l = &v->look;

	l->entry.valid = false;
	if (!shvm_mmu_peek(&v->mv, gva(a->addr), a->kind == FETCH, &l->at))
		return false;
	CHECK((l->at.at.v & 0xfff) == (a->addr & 0xfff), "%llx is found at %llx", a->addr,
	      l->at.at.v);
	l->kind = a->kind;
	l->owed = owed;
	l->entry = (struct tlb_entry){
		.valid = true, .level = 1, .kept = 1, .page = a->addr >> 12,
		.hfn = l->at.at.v >> 12,
	};
	return true;
}

struct tlb_entry *vcpu_look(struct vcpu *v, const struct operation *op)
{
	const struct access *a = &op->a;
	struct look *l = &v->look;
	u64 owed;

	if (!(op->rnd & RND_LOOK) || a->user || a->kind == WRITE || !(v->paging.efer & EFER_LMA))
		return NULL;
	owed = shvm_mmu_rights_lost(&v->mv);
	if (l->entry.valid && l->entry.page == a->addr >> 12 && l->kind == a->kind &&
	    look_holds(v, owed)) {
		l->kept++;
		return &l->entry;
	}
	if (op->rnd & RND_KEEP && l->entry.valid)
		return NULL;
	return look_anew(v, a, owed) ? &l->entry : NULL;
}
