// SPDX-License-Identifier: GPL-2.0-only
/*
 * True faults of the guest without a VM exit, by the #PF error-code mask and match of VT-x: whether
 * this machine can do it, the control values, and what looks after faults that became stale.
 * docs/mmu.md, "Faults without an exit". Takes no lock; shvm_vmx_direct_test() runs under that of
 * shvm_vmx_get().
 */
#define pr_fmt(fmt) "shvm: " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/tick.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/processor.h>
#include <asm/trapnr.h>

#include "../rmap/spte.h"
#include "../x86/x86.h"
#include "vmx_internal.h"

static bool direct_faults = true;
module_param(direct_faults, bool, 0444);
MODULE_PARM_DESC(direct_faults,
		 "deliver faults on absent entries of the guest without a VM exit (default: on)");

/* The self-test has passed: direct_faults counts. */
static bool direct_is_proven;

/* #PF error code (SDM 4.7). */
#define PFEC_PRESENT	BIT(0)
#define PFEC_RESERVED	BIT(3)
#define PFEC_FETCH	BIT(4)

/*
 * With bit 14 of the exception bitmap clear and MATCH = 0 a #PF is delivered without an exit if
 * (error & MASK) == 0, else it exits (SDM 25.6.3). P = 0 comes of notrap entries alone. The
 * hardware sets I/D for every fetch; where the guest's CPU would not, fetches exit.
 */
u32 shvm_vmx_pf_mask(const struct shvm_vcpu *vcpu)
{
	if (!direct_faults || !direct_is_proven)
		return 0;
	if (shvm_mmu_fetch_is_told(vcpu->cr4, vcpu->efer))
		return PFEC_PRESENT;
	return PFEC_PRESENT | PFEC_FETCH;
}

/*
 * After an interrupt of the host, and so after each of its timer ticks while the guest runs. Once a
 * tick is enough, whatever else interrupts.
 */
void shvm_vmx_direct_tick(struct shvm_vcpu *vcpu)
{
	unsigned long now = jiffies;

	if (!direct_is_proven || vcpu->vmx.direct_tick == now)
		return;
	vcpu->vmx.direct_tick = now;
	if (shvm_vmx_pf_mask(vcpu))
		shvm_mmu_rescue(&vcpu->mmu, gva(vcpu->cr2));
}

static void direct_off(const char *why)
{
	direct_faults = false;
	pr_notice("guest page faults will all exit: %s\n", why);
}

/*
 * Not from the kernel's idea of the width, which is smaller where some address bits select a key of
 * memory encryption: those are not reserved.
 */
static bool has_reserved_address_bit(void)
{
	return cpuid_eax(0x80000000) < 0x80000008 || (cpuid_eax(0x80000008) & 0xff) < 52;
}

void __init shvm_vmx_direct_probe(void)
{
	if (!has_reserved_address_bit()) {
		shvm_spte_trap = SPTE_TRAP_BITS;
		direct_off("no address bit is reserved on this CPU");
	} else if (direct_faults && tick_nohz_full_enabled()) {
		direct_off("CPUs may run without a timer tick (nohz_full)");
	}
}

/* ---- the self-test: a guest of 15 bytes on hand-made tables ---- */

/* Linear addresses. */
#define VA_MEMORY	0x0000	/* code, descriptors, stack */
#define VA_NOTRAP	0x1000
#define VA_TRAP		0x2000

/* In its memory. */
#define AT_HANDLER	0x100
#define AT_GDT		0x200
#define AT_IDT		0x300
#define IDT_BYTES	((X86_TRAP_PF + 1) * 16)

#define SEL_CODE	8
#define MAX_ENTRIES	10000	/* interrupts may end each one before the first instruction */

static const u8 test_code[] = {
	0x8a, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00,	/* mov VA_NOTRAP, %al */
};

static const u8 test_handler[] = {
	0x5b,						/* pop %rbx: the error code */
	0x8a, 0x04, 0x25, 0x00, 0x20, 0x00, 0x00,	/* mov VA_TRAP, %al */
};

struct test_case {
	bool nx;		/* EFER.NXE of the guest */
	bool fetch;		/* of VA_NOTRAP, instead of a read */
	bool delivered;		/* must be */
};

static const struct test_case test_cases[] = {
	{ .nx = true, .delivered = true },
	{ .nx = true, .fetch = true, .delivered = true },
	{ .delivered = true },
	{ .fetch = true },
};

struct test_guest {
	struct shvm_vcpu *vcpu;
	u64 *table[4];		/* by level - 1 */
	u8 *memory;
};

static void test_guest_free(struct test_guest *g)
{
	int i;

	if (g->vcpu)
		shvm_vmx_vcpu_destroy(g->vcpu);
	kfree(g->vcpu);
	for (i = 0; i < ARRAY_SIZE(g->table); i++)
		free_page((unsigned long)g->table[i]);
	free_page((unsigned long)g->memory);
}

static bool test_guest_alloc(struct test_guest *g)
{
	bool ok = true;
	int i;

	g->vcpu = kzalloc(sizeof(*g->vcpu), GFP_KERNEL);
	g->memory = (u8 *)get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(g->table); i++) {
		g->table[i] = (u64 *)get_zeroed_page(GFP_KERNEL);
		ok &= !!g->table[i];
	}
	if (!ok || !g->vcpu || !g->memory)
		return false;
	/* Not the first vCPU: no interrupt controller belongs to it. */
	g->vcpu->id = 1;
	return !shvm_vmx_vcpu_create(g->vcpu);
}

static void test_guest_fill(struct test_guest *g)
{
	u64 *gdt = (u64 *)(g->memory + AT_GDT), *idt = (u64 *)(g->memory + AT_IDT);
	int i;

	memcpy(g->memory, test_code, sizeof(test_code));
	memcpy(g->memory + AT_HANDLER, test_handler, sizeof(test_handler));
	gdt[SEL_CODE / 8] = 0x00af9b000000ffffULL;
	/* An interrupt gate: its offset is below 64 KiB. */
	idt[X86_TRAP_PF * 2] = (VA_MEMORY + AT_HANDLER) | SEL_CODE << 16 | 0x8e00ULL << 32;

	for (i = 3; i > 0; i--)
		g->table[i][0] = __pa(g->table[i - 1]) | SPTE_P | SPTE_W;
	g->table[0][VA_MEMORY >> PAGE_SHIFT] = __pa(g->memory) | SPTE_P | SPTE_W;
	g->table[0][VA_NOTRAP >> PAGE_SHIFT] = SPTE_NOTRAP;
	g->table[0][VA_TRAP >> PAGE_SHIFT] = shvm_spte_trap;
	g->vcpu->mmu.root_hpa = hpa(__pa(g->table[3]));
}

static void test_segments(struct shvm_vcpu *vcpu)
{
	static const struct shvm_segment code = {
		.selector = SEL_CODE, .limit = ~0u, .type = 0xb, .s = 1, .present = 1, .l = 1,
		.g = 1,
	};
	static const struct shvm_segment data = {
		.limit = ~0u, .type = 3, .s = 1, .present = 1, .db = 1, .g = 1,
	};
	static const struct shvm_segment tss = {
		.selector = 0x10, .limit = 0x67, .type = 0xb, .present = 1,
	};
	static const struct shvm_segment none = { .unusable = 1 };
	static const struct shvm_dtable gdt = { .base = VA_MEMORY + AT_GDT, .limit = 0xff };
	static const struct shvm_dtable idt = {
		.base = VA_MEMORY + AT_IDT, .limit = IDT_BYTES - 1
	};

	shvm_vmx_set_segment(vcpu, SHVM_CS, &code);
	shvm_vmx_set_segment(vcpu, SHVM_SS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_DS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_ES, &data);
	shvm_vmx_set_segment(vcpu, SHVM_FS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_GS, &data);
	shvm_vmx_set_segment(vcpu, SHVM_TR, &tss);
	shvm_vmx_set_segment(vcpu, SHVM_LDTR, &none);
	shvm_vmx_set_dtable(vcpu, false, &gdt);
	shvm_vmx_set_dtable(vcpu, true, &idt);
}

/* The VMCS is loaded; preemption off. */
static void test_state(struct shvm_vcpu *vcpu, const struct test_case *c)
{
	vcpu->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP | X86_CR0_NE | X86_CR0_ET;
	vcpu->cr4 = X86_CR4_PAE;
	vcpu->efer = EFER_LME | EFER_LMA | (c->nx ? EFER_NX : 0);
	vcpu->cr2 = 0;
	vcpu->gpr[SHVM_RBX] = ~0ULL;
	test_segments(vcpu);
	shvm_vmx_update_efer(vcpu);
	shvm_vmx_update_cr0(vcpu);
	shvm_vmx_update_exceptions(vcpu);
	shvm_vmx_set_rip(vcpu, c->fetch ? VA_NOTRAP : VA_MEMORY);
	shvm_vmx_set_rsp(vcpu, VA_MEMORY + PAGE_SIZE);
	shvm_vmx_set_rflags(vcpu, X86_EFLAGS_FIXED);
}

enum test_result { TEST_PASSED, TEST_FAILED, TEST_UNDECIDED };

static bool is_page_fault(const struct shvm_vmx_exit *exit)
{
	return exit->reason == EXIT_REASON_EXCEPTION_NMI && (exit->intr_info & SHVM_INTR_VALID) &&
	       SHVM_INTR_TYPE(exit->intr_info) == SHVM_INTR_HW_EXCEPTION &&
	       SHVM_INTR_VECTOR(exit->intr_info) == X86_TRAP_PF;
}

/* The first exit that is about the guest. */
static enum test_result test_judge(const struct shvm_vcpu *vcpu, const struct test_case *c)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;
	u32 first = c->fetch ? PFEC_FETCH : 0;
	bool ok;

	if (vcpu->vmx.failed || !is_page_fault(exit))
		return TEST_FAILED;
	if (c->delivered)
		ok = exit->qualification == VA_TRAP && vcpu->cr2 == VA_NOTRAP &&
		     exit->intr_error == (PFEC_PRESENT | PFEC_RESERVED) &&
		     vcpu->gpr[SHVM_RBX] == first;
	else
		ok = exit->qualification == VA_NOTRAP && exit->intr_error == first;
	return ok ? TEST_PASSED : TEST_FAILED;
}

/* One stay in the guest. True: it ended by something that is not the guest's. */
static bool test_enter(struct shvm_vcpu *vcpu, const struct test_case *c, bool first)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	preempt_disable();
	shvm_vmx_load(vcpu, smp_processor_id());
	if (first)
		test_state(vcpu, c);
	shvm_vmx_enter(vcpu);
	shvm_vmx_unload(vcpu);
	preempt_enable();
	cond_resched();
	return !vcpu->vmx.failed &&
	       (exit->reason == SHVM_VMX_EXIT_DONE ||
		exit->reason == EXIT_REASON_EXTERNAL_INTERRUPT ||
		(exit->reason == EXIT_REASON_EXCEPTION_NMI &&
		 SHVM_INTR_TYPE(exit->intr_info) == SHVM_INTR_NMI));
}

static enum test_result test_run(struct shvm_vcpu *vcpu, const struct test_case *c)
{
	int i;

	for (i = 0; i < MAX_ENTRIES; i++) {
		if (!test_enter(vcpu, c, !i))
			return test_judge(vcpu, c);
		/* The guest is not entered before the thread was in user space. */
		if (shvm_vcpu_must_return())
			break;
	}
	return TEST_UNDECIDED;
}

static enum test_result test_all(struct test_guest *g)
{
	enum test_result ret = TEST_PASSED;
	u64 efer;
	int i;

	rdmsrl(MSR_EFER, efer);
	test_guest_fill(g);
	for (i = 0; i < ARRAY_SIZE(test_cases) && ret == TEST_PASSED; i++)
		/* A host without NX does not report fetches. */
		if (!test_cases[i].fetch || (efer & EFER_NX))
			ret = test_run(g->vcpu, &test_cases[i]);
	return ret;
}

/**
 * shvm_vmx_direct_test - try out whether the CPU does what direct faults need
 *
 * VMX is on everywhere and no VM exists. Hypervisors that we run in may get the mask wrong, or
 * have another idea of reserved bits than their CPUID. If so, all #PF exit. Out of memory or
 * interrupted: they exit, too, and the next call tries again.
 */
void shvm_vmx_direct_test(void)
{
	struct test_guest g = { };
	enum test_result ret = TEST_UNDECIDED;

	if (direct_is_proven || !direct_faults)
		return;
	direct_is_proven = true;
	if (test_guest_alloc(&g))
		ret = test_all(&g);
	test_guest_free(&g);
	if (ret != TEST_PASSED)
		direct_is_proven = false;
	if (ret == TEST_FAILED) {
		shvm_spte_trap = SPTE_TRAP_BITS;
		direct_off("the CPU, or the hypervisor around it, failed the self-test");
	}
}
