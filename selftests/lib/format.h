/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The paging formats of x86 as data, guest tables in any of them, and what the SDM says about one
 * access through given entries (volume 3, 4.3 to 4.8).
 */
#ifndef SHVM_SELFTESTS_FORMAT_H
#define SHVM_SELFTESTS_FORMAT_H

#include "region.h"

enum { FORMAT_OFF, FORMAT_32, FORMAT_PAE, FORMAT_64, NR_FORMATS };

#define MAX_LEVELS	4

struct paging_format {
	const char *name;
	int levels;
	int entry_size;
	int index_bits;
	u64 cr0, cr4, efer;	/* what selects it */
};

extern const struct paging_format formats[NR_FORMATS];

#define FORMAT_CR0	CR0_PG
#define FORMAT_CR4	CR4_PAE
#define FORMAT_EFER	(EFER_LME | EFER_LMA)

/* ---- tables ---- */

struct paging {
	struct test_vm *vm;
	int format;
	u64 root;		/* what CR3 is loaded with */
};

/* Tables that map all RAM of vm_create() at its own addresses, for ring 0. */
struct paging *paging_create(struct test_vm *vm, int format);
/* Bytes that an entry of this level maps if it is a leaf. */
u64 format_span(int format, int level);
/* A new table of a level, with the bits that an entry for it needs. */
u64 format_table(struct test_vm *vm, int format, int level);
u64 format_get(struct test_vm *vm, int format, u64 entry_gpa);
void format_set(struct test_vm *vm, int format, u64 entry_gpa, u64 value);
/* Where the entry for gva of a level is; missing levels above it are made. */
u64 paging_entry(struct paging *paging, u32 gva, int level);
void paging_map(struct paging *paging, u32 gva, u64 gpa, u64 flags);

/* ---- the rules ---- */

enum { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH, NR_ACCESSES };

/* What is not in the tables. */
struct format_env {
	int format;
	u64 cr0, cr4, efer;
	u32 phys_bits;
	bool pse36, gbpages;
};

struct format_access {
	int kind;
	bool user, ac;
};

struct format_result {
	bool fault;
	u32 error;		/* of the fault */
	int leaf;		/* else: level of the entry that maps */
};

/* Of the device, with paging off. */
struct format_env format_env(void);
u64 format_reserved(const struct format_env *env, int level, u64 entry);
/* entries[level]; those not reached are not looked at. */
struct format_result format_walk(const struct format_env *env, const u64 *entries,
				 const struct format_access *access);
/* A and D that the access, which did not fault, leaves in the entry of a level. */
u64 format_used(int format, const struct format_result *result,
		const struct format_access *access, int level);

#endif
