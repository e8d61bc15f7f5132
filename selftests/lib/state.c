// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry states of vCPUs, and the descriptor tables that they need in guest memory.
 */
#include <string.h>

#include "gates.h"
#include "shvm_test.h"

#define IDT_BASE	0x2000ul
#define NR_GDT		(8 + 2 * MAX_TEST_VCPUS)	/* the TSSs of all vCPUs at the end */

/* Per vCPU: struct guest_cpu, then TSS and the stack of #DF, then 8 KiB of stack. */
#define AREA_BASE(id)	(0x10000ul + (id) * 0x4000ul)
#define AREA_TSS	0x1000ul
#define AREA_DF_STACK	0x2000ul	/* end of it */
#define AREA_SIZE	0x4000ul

extern char guest_idt_stubs[];

static void idt_set(u8 *gate, u64 handler, int dpl, int ist)
{
	u16 gate16[8] = {
		handler, SEL_CODE64, 0x8e00 | dpl << 13 | ist, handler >> 16,
		handler >> 32, handler >> 48, 0, 0,
	};

	memcpy(gate, gate16, sizeof(gate16));
}

void vm_init_descriptors(struct test_vm *vm)
{
	u64 *gdt = vm_hva(vm, GDT_BASE);
	u8 *idt = vm_hva(vm, IDT_BASE);
	int i;

	gdt[SEL_CODE64 / 8] = 0x00af9b000000ffff;
	gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffff;
	gdt[SEL_UCODE32 / 8] = 0x00cffb000000ffff;
	gdt[SEL_UDATA / 8] = 0x00cff3000000ffff;
	gdt[SEL_UCODE64 / 8] = 0x00affb000000ffff;
	for (i = 0; i < 256; i++)
		idt_set(idt + i * 16, (u64)guest_idt_stubs + i * GATE_SIZE,
			i == 3 || i == 4 || i == 0x80 ? 3 : 0, i == 8);
}

void vcpu_init_area(struct test_vcpu *vcpu)
{
	u64 base = AREA_BASE(vcpu->id), tss = base + AREA_TSS;
	u64 *gdt = vm_hva(vcpu->vm, GDT_BASE + SEL_TSS + vcpu->id * 16);
	u64 *tss_hva = vm_hva(vcpu->vm, tss + 4);	/* RSP0 is at offset 4, IST1 at 36 */
	u64 rsp0 = base + AREA_SIZE, ist1 = base + AREA_DF_STACK;

	memset(vm_hva(vcpu->vm, base), 0, AREA_SIZE);
	vcpu->cpu = vm_hva(vcpu->vm, base);
	vcpu->cpu->self = (void *)base;
	vcpu->cpu->id = vcpu->id;
	memcpy(tss_hva, &rsp0, 8);
	memcpy(tss_hva + 4, &ist1, 8);
	gdt[0] = 0x67 | (tss & 0xffffff) << 16 | 0x8bull << 40 | (tss >> 24 & 0xff) << 56;
	gdt[1] = tss >> 32;
}

u64 vcpu_stack_top(struct test_vcpu *vcpu)
{
	/* Leaves room for what ring 3 pushes at RSP0 while guest_call_user() waits. */
	return AREA_BASE(vcpu->id) + AREA_SIZE - 0x800;
}

static struct shvm_segment segment(u16 selector, u8 type, bool l, bool db)
{
	return (struct shvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1,
		.s = 1, .l = l, .db = db, .g = 1,
	};
}

static void sregs_common(struct test_vcpu *vcpu, struct shvm_sregs *sregs)
{
	u64 area = AREA_BASE(vcpu->id);

	vcpu_ioctl(vcpu, SHVM_GET_SREGS, sregs);
	sregs->ds = segment(SEL_DATA, 3, false, true);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->ss = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->gs.base = area;
	sregs->ldt = (struct shvm_segment){ .type = 2, .unusable = 1 };
	sregs->tr = (struct shvm_segment){
		.base = area + AREA_TSS, .limit = 0x67, .selector = SEL_TSS + vcpu->id * 16,
		.type = 11, .present = 1,
	};
	sregs->gdt = (struct shvm_dtable){ .base = GDT_BASE, .limit = NR_GDT * 8 - 1 };
	sregs->idt = (struct shvm_dtable){ .base = IDT_BASE, .limit = 4095 };
}

void vcpu_set_long_mode(struct test_vcpu *vcpu)
{
	struct shvm_sregs sregs;

	sregs_common(vcpu, &sregs);
	sregs.cs = segment(SEL_CODE64, 11, true, false);
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr3 = vcpu->vm->root;
	sregs.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	sregs.efer = EFER_LME | EFER_LMA | EFER_NX | EFER_SCE;
	vcpu_ioctl(vcpu, SHVM_SET_SREGS, &sregs);
}

void vcpu_set_protected_mode(struct test_vcpu *vcpu)
{
	struct shvm_sregs sregs;

	sregs_common(vcpu, &sregs);
	sregs.cs = segment(SEL_CODE32, 11, false, true);
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
	sregs.cr3 = 0;
	sregs.cr4 = 0;
	sregs.efer = 0;
	vcpu_ioctl(vcpu, SHVM_SET_SREGS, &sregs);
}

void vcpu_set_entry(struct test_vcpu *vcpu, const void *fn, u64 arg0, u64 arg1)
{
	struct shvm_regs regs = {
		.rip = (u64)fn, .rdi = arg0, .rsi = arg1, .rflags = RFLAGS_FIXED,
		.rsp = vcpu_stack_top(vcpu) - 8,	/* as after a call */
	};

	vcpu_ioctl(vcpu, SHVM_SET_REGS, &regs);
}
