#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Breaks src/mmu and src/rmap in one place at a time and runs the tests: each break must be caught.
# A line of the table is a name, a file and a Perl substitution on that file. Races are in a table of
# their own, with the scenario of the controlled scheduler that must find them.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")"
out=../../build/tests/host/mutations

usage()
{
	cat <<END
usage: tests/host/mutations.sh [NAME...]   only these (default: all)

Exit status: 0 if every mutation was caught, else 1.
END
}

table()
{
	cat <<'END'
no-write-protect	mmu/sp.c	s/\tshvm_rmap_write_protect\(&mmu->tlb, head\);\n//
writable-though-tracked	mmu/entry.c	s/home->state && home->state->tracked/0/
no-reread-of-gpte	mmu/fault.c	s/return !\(\(gpte \^ seen\)[^;]*;/return true;/
rmap-not-removed	rmap/rmap.c	s/WARN_ONCE\(!shvm_chain_del\(head, sptep, [^;]*;//
direct-base-of-wrong-level	mmu/fault.c	s/(level_first\(w->frame, parent->role\.level)\);/${1} - 1);/
writable-though-clean	mmu/entry.c	s/may_write = dirty && host->writable/may_write = host->writable/
writable-though-host-is-not	mmu/entry.c	s/may_write = dirty && host->writable/may_write = dirty/
no-flush	mmu/flush.c	s/\tshvm_arch_flush\(mmu\);\n//
zap-owes-no-flush	rmap/rmap.c	s/if \(n\)\n\t\tshvm_tlb_owe\(tlb\);//
protect-owes-no-flush	rmap/rmap.c	s/if \(lost\)\n\t\tshvm_tlb_owe\(tlb\);//
tracked-page-owes-nothing	mmu/sp.c	s/(WRITE_ONCE\(sp->tlb_owed, )[^;]*;/${1}0);/
store-refreshes-one-entry	mmu/access.c	s/\*end = clamp[^;]*;/*end = *first + (*first < SHVM_SPT_ENTRIES);/
dirty-not-set	mmu/gpt.c	s/bits \|= GPTE_D;/;/
dirty-on-tables	mmu/gpt.c	s/level == w->leaf && \(w->access/(w->access/
accessed-without-access	mmu/entry.c	s/\(gpte & \(GPTE_P \| GPTE_A\)\) != \(GPTE_P \| GPTE_A\)/!(gpte & GPTE_P)/
smep-ignored	mmu/gpt.c	s/ \|\| \(!user && page_user && \(p->cr4 & X86_CR4_SMEP\)\)//
error-code-always-fetch	mmu/gpt.c	s/return \(\(cr4 & X86_CR4_PAE\)[^;]*;/return true;/
reserved-bits-of-large	mmu/gpt.c	s/rsvd \|= GENMASK_ULL\(gpt_shift\(g, level\) - 1, 13\);/;/
links-give-all-rights	mmu/fault.c	s/return entry_access\(f->walk[^;]*;/return GPT_ACC_ALL;/
no-accumulated-access	mmu/fault.c	s/role->access = w->acc[^;]*;/;/
clean-large-page-forgotten	mmu/fault.c	s/role->clean = [^;]*;/;/
nx-not-in-key	mmu/root.c	s/role\.nx = [^;]*;/role.nx = 1;/
smep-not-in-key	mmu/root.c	s/role\.smep_nowp = [^;]*;/;/
smap-not-in-key	mmu/root.c	s/role\.smap_nowp = [^;]*;/;/
wp-not-in-key	mmu/root.c	s/role\.wp = wp;/role.wp = 1;/
smap-form-without-wp	mmu/fault.c	s/ \|\| fault_defies_smap\(mv, f\)//
executable-without-wp	mmu/entry.c	s/if \(role\.smep_nowp\)/if (0)/
not-untracked	mmu/sp.c	s/(->tracked) - 1\)/$1)/
parents-not-unlinked	mmu/sp.c	s/\tshvm_sp_unlink\(mmu, sp\);\n//
freed-before-flush	mmu/sp.c	s/\tshvm_mmu_settle\(mmu\);\n//
roots-not-told	mmu/sp.c	s/smp_store_release\(&mmu->root_gen[^;]*;/;/
key-without-role	mmu/sp.c	s/ && sp->role\.word == role\.word//
stale-host-frame	mmu/flush.c	s/return atomic_read_acquire\(&mmu->inval\.active\) \|\|\n[^;]*;/return false;/
child-keeps-parent	mmu/entry.c	s/SHVM_MMU_\w+\(mmu, !shvm_chain_del\([^;]*;//
old-leaf-overwritten	mmu/entry.c	s/return spte_is_leaf\(old\) && \(\(\(old/return 0 \&\& spte_is_leaf(old) \&\& (((old/
chain-without-end	mmu/entry.c	s/chain_make_room\(mmu, home\);//
prefetch-in-other-mode	mmu/entry.c	s/ \|\| \(!sp->role\.nx && \(gpte & GPTE_NX\)\)//
read-only-table-faults	mmu/gpt.c	s/w->dirty = [^;]*;/w->dirty = w->gpte[w->leaf] & GPTE_D;/
budget-ignored	mmu/reclaim.c	s/ && mmu->sps_gone - gone < want/ \&\& 0/
victim-youngest-first	mmu/victim.c	s/v->of\[i - 1\]\.rank > rank/v->of[i - 1].rank < rank/
second-chance-forgotten	mmu/victim.c	s/shvm_sp_was_used\(mmu, sp\) && READ_ONCE/0 \&\& READ_ONCE/
victim-in-use	mmu/victim.c	s/if \(!sp->is_root \|\| !shvm_arch_root_in_use\(mmu, sp\)\)/if (1)/g
victim-twice	mmu/reclaim.c	s/if \(!hlist_unhashed\(&v\.of\[i\]\.sp->hash\)\)/if (1)/
hand-left-behind	mmu/sp.c	s/\t\tmmu->hand = sp->link\.next;/\t\t;/
starves-for-ever	mmu/reclaim.c	s/if \(mv->starved <= STARVED_MAX\)/if (1)/
starves-by-limit	mmu/reclaim.c	s/\t\tmv->starved\+\+;\n\treturn 0;/\t\t;\n\treturn 0;/
host-takes-without-locks	mmu/locks.c	s/if \(!spin_trylock\(&mv->lock\)\)/if (!spin_trylock(\&mv->lock) \&\& 0)/
locks-of-vcpus-kept	mmu/locks.c	s/\t\t\tunlock_vcpus\(mmu, mv\);\n//
lock-of-the-vm-kept	mmu/locks.c	s/(unlock_vcpus\(mmu, mv\);\n)\t\t\tspin_unlock\(&mmu->lock\);\n/$1/
most-pages-not-noted	mmu/sp.c	s/(LIST_HEAD\(work\);\n\n)\tsps_note_max\(mmu\);\n/$1/
bound-of-pages-too-low	mmu/sp.c	s/\t\tatomic_add\(SHVM_SPS_STEP, &mmu->sps_bound\);/\t\t;/
bound-of-pages-stays	mmu/sp.c	s/\tatomic_dec\(&mmu->sps_bound\);\n//
zap-forgets-other-cpus	mmu/reclaim.c	s/(sps_born_before.*?; i < )SHVM_STRIPES/${1}1/s
old-era-stays	mmu/reclaim.c	s/sp->born < era/sp->born + 1 < era/
notrap-stays	mmu/access.c	s/gpte & GPTE_P \|\| sp->oos \? shvm_spte_trap : SPTE_NOTRAP/SPTE_NOTRAP/
age-lost	rmap/rmap.c	s/shvm_age_keep\(age\);/;/
quadrant-of-table-forgotten	mmu/fault.c	s/role->quadrant = sp_index[^;]*;/;/
quadrant-of-root-forgotten	mmu/root.c	s/role\.quadrant = i;/;/
direct-page-with-quadrant	mmu/fault.c	s/\trole->quadrant = 0;\n//
key-without-quadrant	mmu/sp.c	s/sp->role\.word == role\.word/!((sp->role.word ^ role.word) & ~0xc0u)/
key-without-format	mmu/sp.c	s/sp->role\.word == role\.word/!((sp->role.word ^ role.word) & ~0x38u)/
pse-not-in-key	mmu/root.c	s/role\.pse = [^;]*;/role.pse = shvm_gpt_formats[role.format].pse;/
ps-without-pse	mmu/gpt.c	s/gpt_large\(g, p->cr4 & X86_CR4_PSE\)/gpt_large(g, true)/
pse36-ignored	mmu/gpt.c	s/if \(p->pse36\)/if (0)/
pse36-whatever-cpuid	mmu/gpt.c	s/if \(p->pse36\)/if (1)/
pse36-bit-21	mmu/gpt.c	s/rsvd &= BIT_ULL\(21\) \| /rsvd &= /
pse36-beyond-maxphyaddr	mmu/gpt.c	s/BIT_ULL\(21\) \| beyond_maxphyaddr\(p\) >> \(32 - 13\)/BIT_ULL(21)/
half-of-large-page	mmu/fault.c	s/(\*key = )level_first\(w->frame, parent->role\.level\);/${1}gfn(w->frame.v & ~(2 * level_frames(parent->role.level) - 1));/
entry-index-not-mapped	mmu/entry.c	s/sp_guest_index\(sp, index\)/index/
fill-reads-first-quadrant	mmu/sp.c	s/sp_guest_index\(sp, 0\) \* bytes/0/
fill-without-shift	mmu/sp.c	s/table\[i >> shift\]/table[i % (SHVM_SPT_ENTRIES >> shift)]/
store-to-first-quadrant	mmu/access.c	s/base = sp->role\.quadrant \* SHVM_SPT_ENTRIES/base = 0/
store-drops-first-of-two	mmu/access.c	s/clamp\(to << shift,/clamp((to << shift) - shift,/
store-drops-second-of-two	mmu/access.c	s/clamp\(from << shift,/clamp((from << shift) + shift,/
marks-eight-bytes	mmu/gpt.c	s/bits, g->entry_bytes\)/bits, 8)/
pdptes-not-loaded	mmu/root.c	s/\troot_unload\(mv\);\n(\t\/\* New)/$1/
pdptes-not-kept	mmu/root.c	s/\tmemcpy\(mv->pdpte, [^;]*;\n//
pdpte-reserved-accepted	mmu/gpt.c	s/ \| GENMASK_ULL\(8, 5\)//
pdpte-absent-refused	mmu/gpt.c	s/\(pdpte\[i\] & GPTE_P\) && //
pdpte-absent-used	mmu/root.c	s/if \(!\(mv->pdpte\[i\] & GPTE_P\)\)/if (0)/
pdpte-absent-walked	mmu/gpt.c	s/return pdpte & GPTE_P;/return true;/
directory-absent-for-ever	mmu/fault.c	s/mv->root_is_loaded = false;/;/
absent-table-mapped	mmu/fault.c	s/if \(f->walk\.absent \|\|\n\t    /if (/
pae-bits-62-52	mmu/gpt.c	s/\t\t\.reserved = GENMASK_ULL\(62, 52\),\n//
pae-without-nx	mmu/gpt.c	s/(\.large = BIT\(2\)), \.has_nx = true/$1/
cr3-of-64-bits	mmu/gpt.c	s/\.root = GENMASK_ULL\(31, 12\)/.root = GENMASK_ULL(51, 12)/
cr3-of-64-bits-pae	mmu/gpt.c	s/\.root = GENMASK_ULL\(31, 5\)/.root = GENMASK_ULL(51, 5)/
error-code-nx-without-pae	mmu/gpt.c	s/\(\(cr4 & X86_CR4_PAE\) && (\(efer & EFER_NX\))\)/$1/
former-root-for-ever	mmu/access.c	s/\(sp->is_root && shvm_arch_root_in_use\(mmu, sp\)\)/sp->is_root/
marks-not-seen-elsewhere	mmu/gpt.c	s/shvm_table_marked\([^;]*;/;/
prefetch-in-other-format	mmu/entry.c	s/sp->role\.format != mv->root_role\.format \|\| //
zap-forgets-long-chains	mmu/reclaim.c	s/if \(long_chains\)/if (0)/
long-chain-not-noted	mmu/entry.c	s/if \(n == SHVM_CHAIN_LONG\)/if (0)/
chains-of-the-first-slot	mmu/host.c	s/i < slots->nr; i\+\+\) \{\n\t\tr\.slot/i < 1; i++) {\n\t\tr.slot/
crowded-table-stays	mmu/reclaim.c	s/if \(sp->crowded\)/if (0)/
parents-without-end	mmu/sp.c	s/if \(shvm_chain_count\(sp->parents\) >= SHVM_CHAIN_MAX\)/if (0)/
large-though-tracked	mmu/entry.c	s/ && !\(home\.large && home\.large->tracked\)//
large-level-despite-table	mmu/large.c	s/if \(READ_ONCE\(large->tracked\)\)/if (0)/
table-leaves-large	mmu/large.c	s/gone = shvm_rmap_zap\([^;]*;/gone = 0;/
group-not-tracked	mmu/large.c	s/large->tracked \+ 1\)/large->tracked)/
group-not-untracked	mmu/large.c	s/large->tracked - 1\)/large->tracked)/
large-zapped-after-the-debt	mmu/sp.c	s/\tshvm_large_forbid\(mmu, slot, sp->gfn\);\n(\tshvm_lock_rmap\(head\);.*?\tshvm_unlock_rmap\(head\);\n)/$1\tshvm_large_forbid(mmu, slot, sp->gfn);\n/s
untracked-stays-read-only	rmap/rmap.c	s/seen = cmpxchg64\(sptep, old, old \| SPTE_W\)/seen = old/
trapped-store-of-user-page	mmu/lookup.c	s/\(l\.all & \(SPTE_W \| SPTE_U\)\) != SPTE_W/!(l.all \& SPTE_W)/
trapped-store-despite-tables	mmu/lookup.c	s/\t\tlookup_add\(l, l->spte\);\n//
piece-of-large-frame-forgotten	mmu/lookup.c	s/within = f\.v & [^;]*;/;/
host-not-asked-to-write	mmu/fault.c	s/ &&\n\t\t\tf->leaf\.host\.writable;/;/
large-leaves-no-mark	rmap/rmap.c	s/spte_gone\(READ_ONCE\(\*sptep\)\)/shvm_spte_trap/g
table-does-not-wait	mmu/entry.c	s/return large \|\| shvm_tlb_is_settled\(mmu, sp->large_owed\);/return true;/
large-does-not-wait	mmu/entry.c	s/\(large \|\| sp->role\.level > 2\) && /sp->role.level > 2 \&\& !large \&\& /
table-of-tables-does-not-wait	mmu/entry.c	s/\(large \|\| sp->role\.level > 2\) && /large \&\& /
table-owes-nothing	mmu/entry.c	s/\tsp->table_owed = shvm_tlb_owed[^;]*;\n//
large-owes-nothing	mmu/entry.c	s/\tsp->large_owed = shvm_tlb_owed[^;]*;\n//g
large-over-a-table	mmu/entry.c	s/if \(spte_is_table\(old\)\)\n\t\treturn true;/if (0)\n\t\treturn true;/
large-host-frame-of-the-fault	mmu/fault.c	s/\tleaf->host\.hfn\.v &= [^;]*;\n//
large-guest-frame-of-the-fault	mmu/fault.c	s/leaf->frame = level_first\(f->walk\.frame, level\);/leaf->frame = f->walk.frame;/
large-without-its-bit	mmu/entry.c	s/\tif \(role\.level > 1\)\n\t\tspte \|= SPTE_PS;\n//
host-level-ignored	mmu/fault.c	s/top = min\(top, shvm_arch_host_level\([^;]*;/;/
oos-notrap-stays	mmu/oos.c	s/\tsp_set_traps\(sp\);\n//
oos-link-without-sync	mmu/fault.c	s/if \(f->synced \|\|/if (1 ||/
oos-short-load-without-sync	mmu/root_cache.h	s/likely\(!atomic_read\(&mv->mmu->nr_oos\)\) && //
hint-of-another-table	mmu/root_cache.h	s/ \|\|\n\t\t     root->table != cr3_table\(cr3\)//
oos-load-without-sync	mmu/root.c	s/if \(atomic_read\(&mv->mmu->nr_oos\) && !load_try/if (0 \&\& !load_try/
oos-slow-load-without-sync	mmu/root.c	s/\tshvm_oos_sync\(mv, load_since[^;]*;//
oos-full-flush-without-sync	mmu/root.c	s/pcids_forget\(mv\);\n\tshvm_oos_sync\(mv, 0\);/pcids_forget(mv);/
oos-invlpg-without-sync	mmu/root.c	s/\tshvm_oos_sync_addr\(mv, addr\);//
oos-fault-flushes-nothing	mmu/fault.c	s/\t\tshvm_oos_sync_addr\(mv, pf->addr\);\n//
oos-short-fault-flushes-nothing	mmu/fault.c	s/\tif \(!shvm_oos_try_sync_addr\(mv, pf->addr\)\)\n\t\treturn false;\n//
oos-short-invlpg-without-sync	mmu/root.c	s/return shvm_oos_try_sync_addr\(mv, addr\);/return true;/
oos-load-forgets-the-new	mmu/oos.c	s/sp->oos->groups \|= [^;]*;/;/
oos-load-forgets-the-older	mmu/oos.c	s/\telse if \(since < o->since\)\n\t\tgroups = sp->used;[^\n]*\n//
oos-settled-despite-others	mmu/flush.c	s/\tif \(!shvm_arch_flush_is_free\(mv\)\)\n\t\treturn false;\n//
oos-pcid-keeps-all	mmu/root.c	s/return !noflush \|\| pcid_place\(mv, cr3\)->cr3 != cr3;/return !noflush;/
oos-pcid-forgets-nothing	mmu/root.c	s/p->cr3 = SHVM_NO_TABLE;/;/
oos-close-keeps-write	mmu/oos.c	s/\tWRITE_ONCE\(state->loose, false\);\n\tshvm_rmap_write_protect[^;]*;//
oos-in-sync-before-flush	mmu/oos.c	s/quiet = o->closing && [^;]*;/quiet = true;/
oos-fill-not-noted	mmu/fault.c	s/\t\tshvm_oos_note\(mv->mmu, sp, index, f->walk[^;]*;/\t\t;/
oos-old-rights-stay	mmu/oos.c	s/if \(gpte == shvm_oos_known\(sp, index\)\)/if (1)/
oos-idle-is-open-for-ever	mmu/root.c	s/ \|\| oos_is_idle\(mv\) \? 0/ ? 0/
oos-idle-orphan-for-ever	mmu/root.c	s/\tshvm_oos_sync\(mv, load_since[^;]*;/\tshvm_oos_sync(mv, load_flushes(mv, cr3, noflush) ? 0 : pcid_place(mv, cr3)->left);/
oos-known-fault-flushes-nothing	mmu/fault.c	s/\t\tshvm_oos_sync_addr_locked\(mv, pf->addr\);\n/\t\t;\n/
fault-known-by-supervisors	mmu/gpt.c	s/!\(access & SHVM_ACCESS_USER\) \|\| \(gpte & mv->gpt_mode\.reserved\[1\]/(gpte \& mv->gpt_mode.reserved[1]/
fault-known-despite-reserved	mmu/gpt.c	s/ \|\| \(gpte & mv->gpt_mode\.reserved\[1\]\[false\]\)//
fault-known-for-ever	mmu/fault.c	s/mv->denied_last \|\| page == mv->denied_page \|\| //
fault-known-in-turn	mmu/fault.c	s/mv->denied_last \|\| //
fault-known-though-absent	mmu/fault.c	s/ \|\| !\(\(gpte & GPTE_P\) \|\| sp->oos\)//
oos-loose-for-ever	mmu/sp.c	s/WRITE_ONCE\(state->tracked, state->tracked \+ 1\);\n\tWRITE_ONCE\(state->loose, false\);/WRITE_ONCE(state->tracked, state->tracked + 1);/
dead-root-kept	mmu/root.c	s/\t\troot_forget\(mv, smp_load_acquire[^;]*;/\t\t;/
large-of-the-wrong-guest-size	mmu/fault.c	s/SHVM_LARGE_TOP : f->walk\.leaf;/SHVM_LARGE_TOP : 2;/
giant-in-pae	mmu/fault.c	s/mv->root_role\.pae_host \? 2 : SHVM_LARGE_TOP/SHVM_LARGE_TOP/
slot-alignment-ignored	rmap/slot.c	s/ \|\| \(\(slot->base\.v \^ [^\n]*\)\)\n/)\n/
slot-start-ignored	rmap/slot.h	s/ \|\| first < slot->base\.v//
slot-end-ignored	rmap/slot.h	s/first < slot->base\.v \|\|\n[^\n]*\n/first < slot->base.v)\n/
group-before-the-first	rmap/slot.c	s/n = slot->npages \/ level_frames\(level\)/n = 1 + slot->npages \/ level_frames(level)/; s/(\tif \(!n)/\tn -= n > 1 ? 2 : 1;\n$1/
large-in-the-chain-of-its-frame	mmu/entry.c	s/if \(level == 1\) \{/if (1) {/
large-age-lost	mmu/entry.c	s/home->age = &home->large->age;/static struct shvm_age none;\n\n\thome->age = &none;/
large-age-lost-by-tables	mmu/large.c	s/&large->head, &large->age\)/&large->head, &(struct shvm_age){ 0 })/
large-age-not-asked	mmu/host.c	s/(bool young = false;\n\n\tif \()/$1at->level == 1 && /
age-lost-by-zap	rmap/rmap.c	s/(u32 shvm_rmap_zap.*?)age_fold\(age, (xchg[^;]*)\);/$1$2;/s
age-lost-by-remove	rmap/rmap.c	s/age_fold\(age, (xchg[^;]*)\);/$1;/
age-of-neighbours	mmu/entry.c	s/dirty, &leaf\.host, 0\);\n\tshvm_entry_install\(mv, sp, index, &leaf\);/dirty, \&leaf.host, 0) | SPTE_A;\n\tshvm_entry_install(mv, sp, index, \&leaf);/
age-of-compared-entries	mmu/entry.c	s/(gpte & GPTE_D,\n[^\n]*0\));/$1 | SPTE_A;/
age-lost-by-comparing	mmu/entry.c	s/want = new \| \(old & \(SPTE_A \| SPTE_D\)\);/want = new | (old \& SPTE_D);/
age-told-for-ever	rmap/age.h	s/return age_change\(age, SHVM_AGE_DUE, 0\);/return shvm_age_is_due(age);/
age-hidden-by-working-set	mmu/working_set.c	s/shvm_age_keep\(age\);/shvm_age_see(age);/
age-kept-by-working-set	mmu/working_set.c	s/if \(!shvm_rmap_clear_young\(head\)\)/if (!shvm_rmap_is_young(head))/
age-hidden-by-host	mmu/host.c	s/shvm_age_see_told\(at->age\)/shvm_age_tell(at->age)/
age-of-the-asked-part-only	mmu/host.c	s/\tgroup_owe_rest\(r, at[^;]*;/\t;/
age-of-more-than-the-group	mmu/host.c	s/if \(range_has_all\(r, g, level - 1\)\)/if (0)/
age-survives-munmap	rmap/age.h	s/age_change\(age, ~0u, 0\);/age_change(age, SHVM_AGE_DUE, 0);/
age-of-software-unseen	mmu/gfn.c	s/shvm_age_see\([^;]*;/;/
age-of-looks	mmu/gfn.c	s/\treturn (READ_ONCE\(s->invalid\))/\tshvm_age_see(\&slot_gfn_state(s, f)->age);\n\treturn $1/
age-of-software-told	rmap/age.h	s/(age_change\(age, ~SHVM_AGE_DUE, shvm_age_now\(\) << 1)\);/$1 | SHVM_AGE_DUE);/
age-of-large-unseen	mmu/working_set.c	s/return shvm_age_time\(&large->age\);/return 0;/
age-tears-what-is-idle	mmu/working_set.c	s/if \(use_collect\(w, &large->head, &large->age\) && \*w->tear\)/use_collect(w, \&large->head, \&large->age);\n\t\tif (*w->tear)/
age-tears-without-end	mmu/working_set.c	s/\t\t\t--\*w->tear;/\t\t\t;/
age-torn-without-rest	mmu/large.c	s/TEAR_FAULTS;/0;/
large-stays-mapped	mmu/host.c	s/(if \()(READ_ONCE\(\*at->head\)\) \{\n\t\tshvm_lock_rmap\(at->head\);\n\t\tgone)/$1at->level == 1 && $2/
large-of-the-first-group-only	mmu/host.c	s/at\.f = level_next\(at\.f, at\.level\)/at.f = r->end/
never-put-together	mmu/reclaim.c	s/\t\tshvm_large_merge\([^;]*;/;/
put-together-on-paper	mmu/large.c	s/\tshvm_sp_unlink\(mmu, sp\);/;/
torn-for-ever	mmu/large.c	s/return \(s64\)\(READ_ONCE\(large->rest\)[^;]*;/return READ_ONCE(large->rest);/
torn-without-rest	mmu/large.c	s/return \(s64\)\(READ_ONCE\(large->rest\)[^;]*;/return false;/
large-rights-of-a-table	mmu/fault.c	s/acc = gpte_access\(f->walk\.gpte\[level\], sp->role\.nx\);/acc = level > 1 ? GPT_ACC_ALL : gpte_access(f->walk.gpte[level], sp->role.nx);/
large-writable-though-clean	mmu/fault.c	s/dirty = f->walk\.dirty;/dirty = level > 1 || f->walk.dirty;/
large-direct-though-clean	mmu/fault.c	s/bool dirty = !sp->role\.clean;/bool dirty = level > 1 || !sp->role.clean;/
notrap-in-direct-pages	mmu/sp.c	s/(sp->spt\[i\] = )shvm_spte_trap;/${1}SPTE_NOTRAP;/
notrap-where-a-table-was	mmu/sp.c	s/xchg\(sptep, shvm_spte_trap\)/xchg(sptep, SPTE_NOTRAP)/
notrap-where-a-page-was	rmap/spte.h	s/\| SPTE_LEAF : shvm_spte_trap;/| SPTE_LEAF : SPTE_NOTRAP;/
notrap-in-dead-tables	mmu/sp.c	s/(if \(spte == SPTE_NOTRAP\)\n\t\t\t)WRITE_ONCE[^;]*;/${1};/; s/WRITE_ONCE\(sp->spt\[i\], trap\);/(void)trap;/
notrap-for-every-entry	mmu/sp.c	s/(table\[i >> shift\]) & GPTE_P/$1 >> 1 \& 1/
directory-absent-notrap	mmu/root.c	s/if \(!sp && !\(mv->pdpte\[i\] & GPTE_P\)\)/if (!sp)/
directory-of-notraps	mmu/root.c	s/\t\tmv->pae_trap\[i\] = shvm_spte_trap;/\t\t;/
rescue-changes-nothing	mmu/rescue.c	s/\t\t\tWRITE_ONCE\(\*sptep, shvm_spte_trap\);\n//
rescue-without-a-walk	mmu/rescue.c	s/ && guest_has_entries\(mv, addr\)//
rescue-by-mapped-pages-only	mmu/rescue.c	s/ \|\| \(ret == GPT_WALK_FAULT && \(walk\.error & PFEC_P\)\)//
rescue-of-true-faults	mmu/rescue.c	s/ && \(walk\.error & PFEC_P\)//
rescue-marks-entries	mmu/rescue.c	s/shvm_gpt_look\(/shvm_gpt_walk(/
rescue-in-the-first-table	mmu/lookup.c	s/sp = shvm_arch_table_owner\(hpa\(l->spte[^;]*;/sp = NULL;/
tag-after-lost-rights	mmu/mmu.h	s/return shvm_striped_sum\(&mv->mmu->tlb\.owed\)/return (u8)shvm_striped_sum(\&mv->mmu->tlb.owed)/
tag-after-ageing	mmu/host.c	s/\t\tshvm_tlb_aged\(&mmu->tlb\);/\t\t;/
tag-of-any-root	mmu/tag.c	s/tag->root == mv->root_hpa\.v && //
tag-in-new-mode	mmu/root.c	s/(shvm_gpt_mode\(p\);\n)\tshvm_tags_forget\(mv\);\n/$1/
tag-for-other-directories	mmu/root.c	s/(do not\. \*\/\n)\tshvm_tags_forget\(mv\);\n/$1/
tag-faults-for-ever	mmu/fault.c	s/\t\tshvm_tags_forget\(mv\);/\t\t;/
look-at-user-page	mmu/lookup.c	s/\(l\.all & SPTE_U\) \|\| //
look-at-data-for-code	mmu/lookup.c	s/ \|\| \(fetch && \(l\.any & SPTE_NX\)\)//
look-kept-for-ever	mmu/lookup.c	s/(\t\tif \(\(READ_ONCE\(\*p->way[^\n]*\n)\t\t\treturn false;/$1\t\t\t;/
look-kept-in-another-root	mmu/mmu.h	s/return !\(\(READ_ONCE\(mv->root->spt[^;]*;/return true;/
mmio-without-accessed	mmu/mmio.c	s/used = GPTE_P \| GPTE_A/used = GPTE_P/
mmio-stores-clean	mmu/mmio.c	s/stored = GPTE_W \| GPTE_D/stored = GPTE_W/
mmio-stores-read-only	mmu/mmio.c	s/stored = GPTE_W \| GPTE_D/stored = GPTE_D/
mmio-stores-below-read-only	mmu/mmio.c	s/l->all & SPTE_W && //
mmio-user-below-supervisor	mmu/mmio.c	s/l->all & SPTE_U && //
mmio-user-of-supervisor	mmu/mmio.c	s/\tif \(!\(l->all & SPTE_U[^;]*;\n//
mmio-fetch	mmu/mmio.c	s/ \|\| \(error & PFEC_I\)//
mmio-reserved-bits	mmu/mmio.c	s/\(gpte & mv->gpt_mode\.reserved[^)]*\)/0/
mmio-rights-without-wp	mmu/mmio.c	s/ \|\| !l\.sp->role\.wp//
mmio-direct-page-as-table	mmu/mmio.c	s/l\.sp->role\.direct/0/
mmio-table-as-page	mmu/mmio.c	s/\(!large && l\.sp->role\.level > 1\) \|\| //
mmio-part-of-large-page	mmu/mmio.c	s/gpt_shift\(g, sp->role\.level\)/(12 + 9 * (sp->role.level - 1))/
mmio-despite-slot	mmu/mmio.c	s/\tif \(shvm_slots_find[^;]*;\n//
mmio-no-way	mmu/fault.c	s/return fault_map_way\(mv, f\);/return SHVM_PF_EMULATE;/
mmio-way-without-paging	mmu/fault.c	s/page != before \|\| f->walk\.absent \|\| mv->root_role\.direct/page != before || f->walk.absent/
mmio-way-of-old-walk	mmu/fault.c	s/return ret == SHVM_PF_FIXED \? SHVM_PF_RETRY : ret;/return SHVM_PF_EMULATE;/
store-does-not-zap	mmu/access.c	s/shvm_entry_drop\(m[^;]*;/;/g
END
}

races()
{
	cat <<'END'
race-no-reread	mmu/fault.c	s/return !\(\(gpte \^ seen\)[^;]*;/return true;/	new-table-tlb
race-stale-frame	mmu/entry.c	s/ok = !shvm_inval_is_stale\(mmu, leaf->seq\)/ok = true/	fault-invalidate
remove-owes-first	rmap/rmap.c	s/(\tage_fold\(age, xchg\(sptep, spte_gone[^\n]*\n\tWARN_ONCE.*?)\tshvm_tlb_owe\(tlb\);/\tshvm_tlb_owe(tlb);\n$1/s	flush-owed
done-too-far	mmu/flush.c	s/tlb_done_raise\(&mmu->tlb, owed\)/tlb_done_raise(&mmu->tlb, shvm_tlb_owed(&mmu->tlb))/	flush-owed
fill-despite-writers	mmu/sp.c	s/atomic_read\(mmu_writers\(mmu, sp->gfn\)\) \|\|//	add-fill
fill-despite-invalidation	mmu/sp.c	s/(mmu_writers\(mmu, sp->gfn\)\)) \|\|\n[^)]*\)\)/$1)/	replace-fill
race-writable-though-tracked	mmu/entry.c	s/home->state && home->state->tracked/0/	new-table-tlb
oos-flush-looks-without-lock	mmu/oos.c	s/(\t\tshvm_lock_sp\(o->sp\);\n)(\t\tif \(READ_ONCE\(o->sp->spt\[index\]\) != shvm_spte_trap\))(.*?)(\t\tshvm_unlock_sp\(o->sp\);)/$2 {\n$1\t\t{$3\t\t}\n$4\n\t\t}/s	oos-invlpg
oos-open-despite-other-role	mmu/oos.c	s/open = state->tracked == n;/open = true;/	oos-other-role
debt-of-others-forgotten	mmu/sp.c	s/\tshvm_rmap_write_protect\(&mmu->tlb, head\);/\tbool lost = shvm_rmap_write_protect(&mmu->tlb, head);/; s/(tlb_owed, )(shvm_tlb_owed\(&mmu->tlb\))/$1lost ? $2 : 0/	new-table-debt
active-ends-before-seq	mmu/flush.c	s/(\tatomic64_inc\(&mmu->inval.seq\);\n)(.*?)(\tatomic_dec\(&mmu->inval.active\);\n)/$3$2$1/s	fault-move
stale-without-active	mmu/flush.c	s/return atomic_read_acquire\(&mmu->inval.active\) \|\|/return/	fault-move
load-cr3-unlocked	mmu/root.c	s/\tshvm_lock_mmu_read\(mv\);\n(\tcached = [^\n]*\n)\tshvm_unlock_mmu_read\(mv\);/$1/	root-slow
fault-on-dead-root	mmu/lookup.c	s/ \|\| mv->roots_gen != READ_ONCE\(mv->mmu->root_gen\)//	root-running
fast-load-of-dead-root	mmu/root.c	s/ \|\| mv->roots_gen != READ_ONCE\(mv->mmu->root_gen\)//	root-fast
hint-of-dead-root	mmu/root_cache.h	s/ \|\| mv->roots_gen != READ_ONCE\(mv->mmu->root_gen\)//	root-fast
race-age-lost	rmap/rmap.c	s/shvm_age_keep\(age\);/;/	age-zap
race-age-hidden	mmu/working_set.c	s/shvm_age_keep\(age\);/shvm_age_see(age);/	age-set
race-age-told-in-two-steps	rmap/age.h	s/return age_change\(age, SHVM_AGE_DUE, 0\);/u32 old = age_word(age);\n\n\tWRITE_ONCE(age->word, old & ~SHVM_AGE_DUE);\n\treturn old & SHVM_AGE_DUE;/	age-use
leaf-taken-meanwhile	mmu/entry.c	s/if \(spte_is_leaf\(READ_ONCE\(sp->spt\[index\]\)\)\) \{/if (1) {/	age-zap
two-shadows	mmu/sp.c	s/if \(!other\)\n\t\thlist_add/other = NULL;\n\t\thlist_add/	fault-invalidate
lock-is-kept	mmu/sp.c	s/\t\tshvm_unlock_sp\(sp\);\n(\t\tmv->cache)/$1/	fault-invalidate
race-freed-before-flush	mmu/sp.c	s/\tshvm_mmu_settle\(mmu\);\n//	root-all
race-roots-not-told	mmu/sp.c	s/smp_store_release\(&mmu->root_gen[^;]*;/;/	root-all
plain-store-unannounced	mmu/access.c	s/(\tatomic_inc\(mmu_writers\(mmu, table\)\);\n[^\n]*\n)(\tif \(!READ_ONCE\(state->tracked\)\) \{\n\t\tret = store_now\(slot, st\);\n)[^;]*;[^;]*;\n/$2/; s/(\treturn table_store_locked)/\tatomic_inc(mmu_writers(mmu, table));\n$1/	add-fill
ranks-inverted	mmu/entry.c	s/(\tok = !shvm_inval_is_stale\(mmu, leaf->seq\)[^\n]*\n)/\tshvm_lock_leaf(&mmu->sps[0].lock);\n\tshvm_unlock_leaf(&mmu->sps[0].lock);\n$1/	fault-move
zap-owes-first	rmap/rmap.c	s/\tif \(n\)\n\t\tshvm_tlb_owe\(tlb\);//; s/(\tu32 n = 0;\n)/$1\tshvm_tlb_owe(tlb);\n/	flush-others
race-large-though-tracked	mmu/entry.c	s/ && !\(home\.large && home\.large->tracked\)//	large-table
race-table-leaves-large	mmu/large.c	s/gone = shvm_rmap_zap\([^;]*;/gone = 0;/	large-table-tlb
race-large-zapped-after-the-debt	mmu/sp.c	s/\tshvm_large_forbid\(mmu, slot, sp->gfn\);\n(\tshvm_lock_rmap\(head\);.*?\tshvm_unlock_rmap\(head\);\n)/$1\tshvm_large_forbid(mmu, slot, sp->gfn);\n/s	large-table-tlb
race-host-level-as-it-was	mmu/entry.c	s/ok = !shvm_inval_is_stale\(mmu, leaf->seq\) &&/ok = (home.large || !shvm_inval_is_stale(mmu, leaf->seq)) \&\&/	large-split
race-large-leaves-no-mark	rmap/rmap.c	s/spte_gone\(READ_ONCE\(\*sptep\)\)/shvm_spte_trap/g	large-to-table
debt-of-whoever-took-it	mmu/entry.c	s/shvm_tlb_owe\(&mmu->tlb\);\n(\t+sp->large_owed)/$1/g	large-torn-to-table
race-large-does-not-wait	mmu/entry.c	s/\(large \|\| sp->role\.level > 2\) && /sp->role.level > 2 \&\& !large \&\& /	table-to-large
notrap-while-others-store	mmu/access.c	s/(shvm_entry_drop\(mmu, sp, i, )shvm_spte_trap\)/${1}SPTE_NOTRAP)/	absent-store
reload-owes-nothing	mmu/sp.c	s/(it was asked to reload still runs on the root. This flush comes after.\n\t\t \*\/\n)\t\tshvm_tlb_owe[^;]*;/$1/	root-debt
END
}

# mutate NAME FILE EXPRESSION [SCENARIO]: build it and run the tests; true if they fail.
mutate()
{
	local name=$1 file=../../src/$2 expression=$3 scenario=${4:-} copy build target=mutant
	local tests=(--bail --steps 240000) program=mmu-test

	if [ -n "$scenario" ]; then
		target=mutant-sched
		program=mmu-sched
		tests=(--scenario "$scenario" --runs 30000 --bound 2)
	fi

	mkdir -p "$out/$name"
	copy=$out/$name/$(basename "$file")
	build=("$target" MUTANT="$copy" NAME="$out/$name/$program")
	if [[ $file = *.h ]]; then
		# Everything is built from a copy.
		rm -rf "$out/$name/src"
		cp -r ../../src "$out/$name"
		copy=$out/$name/src/$2
		build=("$out/$name/$program" SRC="$out/$name/src" OUT="$out/$name")
	fi
	perl -0pe "$expression" "$file" >"$copy"
	if cmp -s "$file" "$copy"; then
		echo "the expression does not match"
		return 1
	fi
	if ! make -s "${build[@]}" >"$out/$name/build.log" 2>&1; then
		echo "does not compile"
		return 1
	fi
	if timeout 300 "$out/$name/$program" "${tests[@]}" >"$out/$name/log" 2>&1; then
		echo "not caught"
		return 1
	fi
	grep -m 1 -e '^not ok' -e '^# repeat:' "$out/$name/log" || echo "not ok - hang"
}

case ${1:-} in
-h | --help)
	usage
	exit 0
	;;
esac

ulimit -c 0
make -s all
missed=0
while IFS=$'\t' read -r name file expression scenario; do
	[ $# -eq 0 ] || case " $* " in
	*" $name "*) ;;
	*) continue ;;
	esac
	if result=$(mutate "$name" "$file" "$expression" "$scenario"); then
		echo "caught $name: ${result#not ok }"
	else
		echo "MISSED $name: $result"
		missed=$((missed + 1))
	fi
done < <(table; races)
echo "$missed missed"
[ $missed -eq 0 ]
