/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces as types, so that the compiler tells a guest frame from a host frame.
 * Shared by every folder and by the user-space build of the MMU; holds no state.
 */
#ifndef SHVM_TYPES_H
#define SHVM_TYPES_H

#include <linux/bits.h>
#include <linux/types.h>

/* Guest virtual (linear), guest physical, host virtual and host physical addresses in bytes. */
typedef struct { u64 v; } gva_t;
typedef struct { u64 v; } gpa_t;
typedef struct { u64 v; } hva_t;
typedef struct { u64 v; } hpa_t;

/* 4 KiB frames: of the guest, of the host (backs guest memory). */
typedef struct { u64 v; } gfn_t;
typedef struct { u64 v; } hfn_t;

#define SHVM_PAGE_SHIFT		12
#define SHVM_PAGE_SIZE		BIT_ULL(SHVM_PAGE_SHIFT)

/* Guest-physical addresses that a memory slot may hold: 44 bits, so a gfn fits 32 bits. */
#define SHVM_GPA_BITS		44
#define SHVM_GFN_BITS		(SHVM_GPA_BITS - SHVM_PAGE_SHIFT)
#define SHVM_MAX_GFN		BIT_ULL(SHVM_GFN_BITS)

static inline gva_t gva(u64 v) { return (gva_t){ v }; }
static inline gpa_t gpa(u64 v) { return (gpa_t){ v }; }
static inline hva_t hva(u64 v) { return (hva_t){ v }; }
static inline hpa_t hpa(u64 v) { return (hpa_t){ v }; }
static inline gfn_t gfn(u64 v) { return (gfn_t){ v }; }
static inline hfn_t hfn(u64 v) { return (hfn_t){ v }; }

static inline gfn_t gpa_to_gfn(gpa_t a) { return gfn(a.v >> SHVM_PAGE_SHIFT); }
static inline gpa_t gfn_to_gpa(gfn_t f) { return gpa(f.v << SHVM_PAGE_SHIFT); }
static inline u32 gpa_offset(gpa_t a) { return a.v & (SHVM_PAGE_SIZE - 1); }
static inline gfn_t gfn_add(gfn_t f, u64 n) { return gfn(f.v + n); }
static inline bool gfn_eq(gfn_t a, gfn_t b) { return a.v == b.v; }

#endif
