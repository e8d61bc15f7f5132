// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest tables of every format, and the rules for accesses through them. Host code only.
 */
#include <stdlib.h>

#include "format.h"

const struct paging_format formats[NR_FORMATS] = {
	[FORMAT_OFF] = { "off" },
	[FORMAT_32] = { "two-level", 2, 4, 10, CR0_PG, 0, 0 },
	[FORMAT_PAE] = { "PAE", 3, 8, 9, CR0_PG, CR4_PAE, 0 },
	[FORMAT_64] = { "4-level", 4, 8, 9, CR0_PG, CR4_PAE, EFER_LME | EFER_LMA },
};

u64 format_span(int format, int level)
{
	return PAGE_SIZE << (level - 1) * formats[format].index_bits;
}

static u64 entry_index(int format, u32 gva, int level)
{
	u64 index = gva / format_span(format, level);

	return index & ((1u << formats[format].index_bits) - 1);
}

u64 format_get(struct test_vm *vm, int format, u64 entry_gpa)
{
	void *hva = vm_hva(vm, entry_gpa);

	return formats[format].entry_size == 4 ? *(volatile u32 *)hva : *(volatile u64 *)hva;
}

void format_set(struct test_vm *vm, int format, u64 entry_gpa, u64 value)
{
	void *hva = vm_hva(vm, entry_gpa);

	if (formats[format].entry_size == 4)
		*(volatile u32 *)hva = value;
	else
		*(volatile u64 *)hva = value;
}

u64 format_table(struct test_vm *vm, int format, int level)
{
	/* A PDPTE of PAE has no rights; their bits are reserved. */
	u64 flags = format == FORMAT_PAE && level == 2 ? PTE_P : PTE_TABLE;

	return pt_alloc(vm) | flags;
}

u64 paging_entry(struct paging *paging, u32 gva, int level)
{
	int format = paging->format, i;
	u64 table = paging->root, entry;

	for (i = formats[format].levels; ; i--) {
		entry = table + entry_index(format, gva, i) * formats[format].entry_size;
		if (i == level)
			return entry;
		if (!(format_get(paging->vm, format, entry) & PTE_P))
			format_set(paging->vm, format, entry,
				   format_table(paging->vm, format, i - 1));
		table = format_get(paging->vm, format, entry) & PTE_ADDR;
	}
}

void paging_map(struct paging *paging, u32 gva, u64 gpa, u64 flags)
{
	format_set(paging->vm, paging->format, paging_entry(paging, gva, 1), gpa | flags);
}

struct paging *paging_create(struct test_vm *vm, int format)
{
	struct paging *paging = calloc(1, sizeof(*paging));
	u64 gpa;

	*paging = (struct paging){ .vm = vm, .format = format, .root = pt_alloc(vm) };
	for (gpa = 0; gpa < RAM_SIZE; gpa += PAGE_SIZE)
		paging_map(paging, gpa, gpa, PTE_P | PTE_W);
	return paging;
}

/* ---- the rules ---- */

struct format_env format_env(void)
{
	return (struct format_env){
		.phys_bits = region_phys_bits(),
		.pse36 = region_cpuid_has(1, 3, 17),
		.gbpages = region_cpuid_has(0x80000001, 3, 26),
	};
}

/* From bit lo up to, not including, bit hi. */
static u64 bits(int lo, int hi)
{
	return lo < hi ? (1ull << hi) - (1ull << lo) : 0;
}

static u64 reserved_large(const struct format_env *env, int level)
{
	if (env->format == FORMAT_32)
		return !env->pse36 ? bits(13, 22) :
		       bits(env->phys_bits < 40 ? env->phys_bits - 19 : 21, 22);
	if (level == 3 && !env->gbpages)
		return PTE_PS;
	return bits(13, level == 3 ? 30 : 21);
}

static bool entry_is_leaf(const struct format_env *env, int level, u64 entry)
{
	if (level == 1)
		return true;
	if (env->format == FORMAT_32)
		return (entry & PTE_PS) && (env->cr4 & CR4_PSE);
	return (entry & PTE_PS) && (level == 2 || (level == 3 && env->format == FORMAT_64));
}

u64 format_reserved(const struct format_env *env, int level, u64 entry)
{
	u64 reserved = 0;

	if (env->format == FORMAT_PAE && level == 3)
		return bits(1, 3) | bits(5, 9) | bits(env->phys_bits, 63) | PTE_NX;
	if (env->format == FORMAT_PAE)
		reserved = bits(env->phys_bits, 63);
	if (env->format == FORMAT_64)
		reserved = bits(env->phys_bits, 52) | (level == 4 ? PTE_PS : 0);
	if (env->format != FORMAT_32 && !(env->efer & EFER_NX))
		reserved |= PTE_NX;
	if (level > 1 && entry_is_leaf(env, level, entry))
		reserved |= reserved_large(env, level);
	return reserved;
}

static bool rights_suffice(const struct format_env *env, const struct format_access *access,
			   u64 all, u64 nx)
{
	bool fetch = access->kind == ACCESS_FETCH;

	if (access->user && !(all & PTE_U))
		return false;
	if (!access->user && (all & PTE_U)) {
		if (fetch && (env->cr4 & CR4_SMEP))
			return false;
		if (!fetch && (env->cr4 & CR4_SMAP) && !access->ac)
			return false;
	}
	if (fetch)
		return !nx;
	return access->kind == ACCESS_READ || (all & PTE_W) ||
	       (!access->user && !(env->cr0 & CR0_WP));
}

struct format_result format_walk(const struct format_env *env, const u64 *entries,
				 const struct format_access *access)
{
	struct format_result result = { .fault = true };
	bool nx_counts = env->format != FORMAT_32 && (env->efer & EFER_NX);
	u64 all = PTE_W | PTE_U, nx = 0;
	int level;

	result.error = (access->kind == ACCESS_WRITE ? PF_W : 0) | (access->user ? PF_U : 0);
	if (access->kind == ACCESS_FETCH && (nx_counts || (env->cr4 & CR4_SMEP)))
		result.error |= PF_I;
	for (level = formats[env->format].levels; ; level--) {
		u64 entry = entries[level];

		if (!(entry & PTE_P))
			return result;
		/* A PDPTE of PAE was checked when it was loaded. */
		if (env->format != FORMAT_PAE || level != 3) {
			if (entry & format_reserved(env, level, entry)) {
				result.error |= PF_P | PF_RSVD;
				return result;
			}
			all &= entry;
			nx |= nx_counts ? entry & PTE_NX : 0;
		}
		if (entry_is_leaf(env, level, entry))
			break;
	}
	result.error |= PF_P;
	result.leaf = level;
	result.fault = !rights_suffice(env, access, all, nx);
	return result;
}

u64 format_used(int format, const struct format_result *result,
		const struct format_access *access, int level)
{
	if (level < result->leaf || (format == FORMAT_PAE && level == 3))
		return 0;
	return PTE_A | (level == result->leaf && access->kind == ACCESS_WRITE ? PTE_D : 0);
}
