/* SPDX-License-Identifier: GPL-2.0-only */
/* Bits of IA32_EFER. */
#ifndef SHIM_MSR_INDEX_H
#define SHIM_MSR_INDEX_H

#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)
#define EFER_NX		(1ULL << 11)

#endif
