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

/*
 * What follows instruction 1 in an asm statement: success (CF and ZF clear) goes on, failure and a
 * fault leave for the C label "fail".
 */
#define VMX_CHECK			\
	"	ja 3f\n"			\
	"2:	jmp %l[fail]\n"		\
	"3:\n"				\
	_ASM_EXTABLE(1b, 2b)

/* A VMX instruction failed or faulted: report it once, unless the machine is going down. */
void shvm_vmx_insn_failed(const char *insn, unsigned long operand);

/*
 * For the shortest exits, where a call that may be made costs even if it is not: false on failure.
 * Who needs the field reads it once more by the accessors below, which say so.
 */
static __always_inline bool vmcs_try_read(unsigned long field, unsigned long *val)
{
	asm goto("1:	vmread %[field], %[val]\n"
		 VMX_CHECK
		 : [val] "=r" (*val) : [field] "r" (field) : "cc" : fail);
	return true;
fail:
	return false;
}

static __always_inline bool vmcs_try_write(unsigned long field, unsigned long val)
{
	asm goto("1:	vmwrite %[val], %[field]\n"
		 VMX_CHECK
		 : : [val] "r" (val), [field] "r" (field) : "cc" : fail);
	return true;
fail:
	return false;
}

/* For fields computed at run time (segments). 0 on failure, which has been reported. */
static __always_inline unsigned long vmcs_read_any(unsigned long field)
{
	unsigned long val;

	if (vmcs_try_read(field, &val))
		return val;
	shvm_vmx_insn_failed("vmread", field);
	return 0;
}

static __always_inline void vmcs_write_any(unsigned long field, unsigned long val)
{
	if (!vmcs_try_write(field, val))
		shvm_vmx_insn_failed("vmwrite", field);
}

/* The accessors to use: one for each width, checked when the compiler folds the constant. */
static __always_inline u16 vmcs_read16(unsigned long field)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_16);
	return vmcs_read_any(field);
}

static __always_inline void vmcs_write16(unsigned long field, u16 val)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_16);
	vmcs_write_any(field, val);
}

static __always_inline u32 vmcs_read32(unsigned long field)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_32);
	return vmcs_read_any(field);
}

static __always_inline void vmcs_write32(unsigned long field, u32 val)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_32);
	vmcs_write_any(field, val);
}

static __always_inline u64 vmcs_read64(unsigned long field)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_64);
	return vmcs_read_any(field);
}

static __always_inline void vmcs_write64(unsigned long field, u64 val)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_64);
	vmcs_write_any(field, val);
}

static __always_inline u64 vmcs_read_natural(unsigned long field)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_NATURAL);
	return vmcs_read_any(field);
}

static __always_inline void vmcs_write_natural(unsigned long field, u64 val)
{
	BUILD_BUG_ON(VMCS_WIDTH(field) != VMCS_WIDTH_NATURAL);
	vmcs_write_any(field, val);
}

/* The others take a physical address in memory. 0 or -EIO. */
static inline int vmx_on(u64 pa)
{
	asm goto("1:	vmxon %[pa]\n"
		 VMX_CHECK
		 : : [pa] "m" (pa) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

static inline int vmx_off(void)
{
	asm goto("1:	vmxoff\n"
		 VMX_CHECK
		 : : : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

static inline int vmx_vmclear(u64 pa)
{
	asm goto("1:	vmclear %[pa]\n"
		 VMX_CHECK
		 : : [pa] "m" (pa) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

static inline int vmx_vmptrld(u64 pa)
{
	asm goto("1:	vmptrld %[pa]\n"
		 VMX_CHECK
		 : : [pa] "m" (pa) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

/* This CPU's TLB keeps nothing of any VPID but 0. */
static inline int vmx_invvpid_all(void)
{
	const struct {
		u64 vpid, address;
	} none = { };
	const unsigned long all = VMX_VPID_EXTENT_ALL_CONTEXT;

	asm goto("1:	invvpid %[none], %[all]\n"
		 VMX_CHECK
		 : : [none] "m" (none), [all] "r" (all) : "cc", "memory" : fail);
	return 0;
fail:
	return -EIO;
}

#endif
