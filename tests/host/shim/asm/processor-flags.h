/* SPDX-License-Identifier: GPL-2.0-only */
/* Control register bits, as the Intel SDM numbers them. */
#ifndef SHIM_PROCESSOR_FLAGS_H
#define SHIM_PROCESSOR_FLAGS_H

#define X86_CR0_PE	(1ULL << 0)
#define X86_CR0_WP	(1ULL << 16)
#define X86_CR0_NW	(1ULL << 29)
#define X86_CR0_CD	(1ULL << 30)
#define X86_CR0_PG	(1ULL << 31)
#define X86_CR4_PSE	(1ULL << 4)
#define X86_CR4_PAE	(1ULL << 5)
#define X86_CR4_PGE	(1ULL << 7)
#define X86_CR4_LA57	(1ULL << 12)
#define X86_CR4_PCIDE	(1ULL << 17)
#define X86_CR4_SMEP	(1ULL << 20)
#define X86_CR4_SMAP	(1ULL << 21)

#endif
