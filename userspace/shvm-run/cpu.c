// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU as the kernel's entry finds it: CPUID, a few MSRs, flat segments; for the 64-bit entry
 * identity page tables for the first 4 GiB, for the 32-bit one paging off.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../lib/diag.h"
#include "machine.h"

#define CPUID_MAX_ENTRIES 256
#define CPUID_1_EDX_APIC BIT(9)
#define CPUID_1_EDX_HTT BIT(28)
#define CPUID_1_ECX_X2APIC BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)

#define MSR_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STRING 1

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define RFLAGS_FIXED 2
#define APIC_BASE_ENABLE BIT_ULL(11)

#define PTE_P BIT_ULL(0)
#define PTE_W BIT_ULL(1)
#define PTE_PS BIT_ULL(7)

#define SEL_CODE 0x10 /* the boot protocol's __BOOT_CS and __BOOT_DS */
#define SEL_DATA 0x18
#define SEL_TSS 0x20
#define SEG_CODE 0xb
#define SEG_DATA 0x3
#define SEG_TSS_BUSY 0xb

/*
 * One CPU, no LAPIC (the machine has an 8259 pair only), hence no performance counters either:
 * they could interrupt nobody. Leaves that count CPUs say one. The CPU's name is the host's; KVM
 * leaves it empty.
 */
static void cpuid_adjust(struct shvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 0x1:
		e->ebx &= 0x0000ffff;
		e->ebx |= 1 << 16;
		e->ecx &= ~(CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE);
		e->edx &= ~(CPUID_1_EDX_APIC | CPUID_1_EDX_HTT);
		break;
	case 0x4:
		e->eax &= 0x00003fff;
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		if (!(e->eax | e->ebx | e->ecx | e->edx))
			__cpuid(e->function, e->eax, e->ebx, e->ecx, e->edx);
		break;
	case 0xa:
	case 0xb:
	case 0x1f:
		e->eax = 0;
		e->ebx = 0;
		e->ecx = 0;
		e->edx = 0;
		break;
	}
}

static struct shvm_cpuid2 *cpuid_supported(struct machine *m)
{
	struct shvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		die(NULL, "out of memory");
	cpuid->nent = CPUID_MAX_ENTRIES;
	if (ioctl(m->hv.dev_fd, SHVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		die(NULL, "%s: GET_SUPPORTED_CPUID: %s", m->hv.path, strerror(errno));
	return cpuid;
}

void cpu_set_cpuid(struct machine *m, bool hypervisor_leaves)
{
	struct shvm_cpuid2 *cpuid = cpuid_supported(m);
	u32 i, kept = 0;

	for (i = 0; i < cpuid->nent; i++) {
		struct shvm_cpuid_entry2 e = cpuid->entries[i];

		if (e.function >> 28 == 4 && !hypervisor_leaves)
			continue;
		cpuid_adjust(&e);
		cpuid->entries[kept++] = e;
	}
	cpuid->nent = kept;
	hv_vcpu_do(&m->hv, SHVM_SET_CPUID2, cpuid, "SET_CPUID2");
	free(cpuid);
}

/* Linux turns its fast string functions off when firmware has not enabled them. */
void cpu_set_msrs(struct machine *m)
{
	struct {
		struct shvm_msrs head;
		struct shvm_msr_entry entry[1];
	} msrs = {
		.head.nmsrs = 1,
		.entry = { { .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING } },
	};

	if (ioctl(m->hv.vcpu_fd, SHVM_SET_MSRS, &msrs) != 1)
		stage("%s has no MSR %#x: the guest will not use fast strings", m->hv.path,
		      MSR_MISC_ENABLE);
}

static void page_tables_build(struct machine *m)
{
	u64 *pml4 = memory_at(m, GPA_PAGE_TABLES, 6 * 4096);
	u64 *pdpt = pml4 + 512;
	u64 *pd = pml4 + 1024;
	u64 i;

	pml4[0] = (GPA_PAGE_TABLES + 4096) | PTE_P | PTE_W;
	for (i = 0; i < 4; i++)
		pdpt[i] = (GPA_PAGE_TABLES + (2 + i) * 4096) | PTE_P | PTE_W;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PTE_P | PTE_W | PTE_PS;
}

static void gdt_build(struct machine *m, bool long_mode)
{
	u64 *gdt = memory_at(m, GPA_GDT, 0x30);

	/* Flat code, present, accessed: 64-bit or 32-bit. */
	gdt[SEL_CODE / 8] = long_mode ? 0x00af9b000000ffffULL : 0x00cf9b000000ffffULL;
	gdt[SEL_DATA / 8] = 0x00cf93000000ffffULL; /* flat data */
	gdt[SEL_TSS / 8] = 0x00008b0000000067ULL; /* busy TSS at 0, of the same width as the code */
	gdt[SEL_TSS / 8 + 1] = 0;
}

static struct shvm_segment segment(u16 selector, u8 type, bool long_mode)
{
	return (struct shvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = long_mode,
		.db = !long_mode,
	};
}

static void segments_set(struct shvm_sregs *sregs, bool long_mode)
{
	sregs->cs = segment(SEL_CODE, SEG_CODE, long_mode);
	sregs->ds = segment(SEL_DATA, SEG_DATA, false);
	sregs->es = sregs->ds;
	sregs->ss = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->tr = (struct shvm_segment){
		.selector = SEL_TSS,
		.limit = 0x67,
		.type = SEG_TSS_BUSY,
		.present = 1,
	};
	sregs->ldt = (struct shvm_segment){ .unusable = 1 };
	sregs->gdt = (struct shvm_dtable){ .base = GPA_GDT, .limit = 0x2f };
	sregs->idt = (struct shvm_dtable){ .limit = 0 };
}

void cpu_set_entry(struct machine *m, const struct linux_entry *entry)
{
	struct shvm_regs regs = {
		.rip = entry->rip,
		.rsi = GPA_BOOT_PARAMS,
		.rflags = RFLAGS_FIXED,
	};
	struct shvm_sregs sregs;

	hv_vcpu_do(&m->hv, SHVM_GET_SREGS, &sregs, "GET_SREGS");
	gdt_build(m, entry->long_mode);
	segments_set(&sregs, entry->long_mode);
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP;
	if (entry->long_mode) {
		page_tables_build(m);
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = GPA_PAGE_TABLES;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	/* KVM makes a LAPIC with its PIC; the guest's CPUID shows it while this bit is set. */
	if (!m->hv.own_chip)
		sregs.apic_base &= ~APIC_BASE_ENABLE;
	hv_vcpu_do(&m->hv, SHVM_SET_SREGS, &sregs, "SET_SREGS");
	hv_vcpu_do(&m->hv, SHVM_SET_REGS, &regs, "SET_REGS");
}
