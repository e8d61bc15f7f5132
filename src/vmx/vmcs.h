/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMCS fields and VMX instructions. A field is read or written only with the width that its
 * encoding has (SDM 25.11.2): anything else does not compile. Each instruction has an exception
 * table entry: VMX may be switched off under us when the machine reboots.
 */
#ifndef SHVM_VMCS_H
#define SHVM_VMCS_H

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/vmx.h>

struct shvm_vmcs {
	u32 revision;
	u32 abort;
	u8 data[4096 - 8];
};

static_assert(sizeof(struct shvm_vmcs) == 4096);

#define VMCS_WIDTH_16		0
#define VMCS_WIDTH_64		1
#define VMCS_WIDTH_32		2
#define VMCS_WIDTH_NATURAL	3
#define VMCS_WIDTH(field)	(((field) >> 13) & 3)

/* A VMX instruction failed or faulted: report it once, unless the machine is going down. */
void shvm_vmx_insn_failed(const char *insn, unsigned long operand);

/* For fields computed at run time (segments). 0 on failure, which has been reported. */
static __always_inline unsigned long vmcs_read_any(unsigned long field)
{
	unsigned long val;

	asm goto("1:	vmread %[field], %[val]\n\t"
		 "	jbe %l[fail]\n\t"
		 _ASM_EXTABLE(1b, %l[fail])
		 : [val] "=r" (val) : [field] "r" (field) : "cc" : fail);
	return val;
fail:
	shvm_vmx_insn_failed("vmread", field);
	return 0;
}

static __always_inline void vmcs_write_any(unsigned long field, unsigned long val)
{
	asm goto("1:	vmwrite %[val], %[field]\n\t"
		 "	jbe %l[fail]\n\t"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [val] "r" (val), [field] "r" (field) : "cc" : fail);
	return;
fail:
	shvm_vmx_insn_failed("vmwrite", field);
}

#define VMCS_READ(field, width, type) ({				\
	static_assert(VMCS_WIDTH(field) == (width), "width of " #field);	\
	(type)vmcs_read_any(field);					\
})

#define VMCS_WRITE(field, width, type, val) ({				\
	static_assert(VMCS_WIDTH(field) == (width), "width of " #field);	\
	vmcs_write_any(field, (type)(val));				\
})

#define vmcs_read16(field)		VMCS_READ(field, VMCS_WIDTH_16, u16)
#define vmcs_read32(field)		VMCS_READ(field, VMCS_WIDTH_32, u32)
#define vmcs_read64(field)		VMCS_READ(field, VMCS_WIDTH_64, u64)
#define vmcs_read_natural(field)	VMCS_READ(field, VMCS_WIDTH_NATURAL, u64)
#define vmcs_write16(field, val)	VMCS_WRITE(field, VMCS_WIDTH_16, u16, val)
#define vmcs_write32(field, val)	VMCS_WRITE(field, VMCS_WIDTH_32, u32, val)
#define vmcs_write64(field, val)	VMCS_WRITE(field, VMCS_WIDTH_64, u64, val)
#define vmcs_write_natural(field, val)	VMCS_WRITE(field, VMCS_WIDTH_NATURAL, u64, val)

/* The others take a physical address in memory. 0 or -EIO. */
static inline int vmx_on(u64 pa)
{
	asm goto("1:	vmxon %[pa]\n\t"
		 "	jbe %l[fail]\n\t"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [pa] "m" (pa) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

static inline int vmx_off(void)
{
	asm goto("1:	vmxoff\n\t"
		 "	jbe %l[fail]\n\t"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

static inline int vmx_vmclear(u64 pa)
{
	asm goto("1:	vmclear %[pa]\n\t"
		 "	jbe %l[fail]\n\t"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [pa] "m" (pa) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

static inline int vmx_vmptrld(u64 pa)
{
	asm goto("1:	vmptrld %[pa]\n\t"
		 "	jbe %l[fail]\n\t"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [pa] "m" (pa) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

#endif
