/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bits of page-table entries and of the error code of #PF, as the SDM (volume 3, 4.5 and 4.7)
 * numbers them, for the tests, the oracle and the model of the CPU. Nothing from src/mmu: what is
 * wrong there must not be wrong here too.
 */
#ifndef SDM_H
#define SDM_H

#define E_P	(1ULL << 0)
#define E_W	(1ULL << 1)
#define E_U	(1ULL << 2)
#define E_A	(1ULL << 5)
#define E_D	(1ULL << 6)
#define E_PS	(1ULL << 7)
#define E_NX	(1ULL << 63)
#define E_ADDR	0x000ffffffffff000ULL
#define E_HIGH	0x7ff0000000000000ULL	/* reserved in PAE entries, ignored in 4-level ones */

#define PF_P	1u
#define PF_W	2u
#define PF_U	4u
#define PF_RSVD	8u
#define PF_I	16u

#endif
