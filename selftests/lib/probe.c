// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of the probe: its block of memory, lists of commands, and what came of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define NR_GATES	32
#define MAX_REPORTS	12
#define CRASHED		1000	/* commands that went wrong, at least, if the guest did not end */

extern char probe_code[], probe_code_end[], probe_user[], probe_user_end[];
extern char probe_gates32[], probe_gates64[];

/* ---- the block ---- */

static void *block(struct probe *p, u32 offset)
{
	return vm_hva(p->vm, p->gpa + offset);
}

static void block_set_lidt(struct probe *p, u32 offset, u32 table, u16 limit)
{
	u16 *lidt = block(p, offset);
	u32 base = p->base + table;

	lidt[0] = limit;
	memcpy(lidt + 1, &base, 4);
}

static void gates_make(struct probe *p)
{
	u32 gate32 = p->base + (probe_gates32 - probe_code), i;
	u32 gate64 = p->base + (probe_gates64 - probe_code);
	u16 *idt32 = block(p, PROBE_IDT32), *idt64 = block(p, PROBE_IDT64);

	for (i = 0; i < NR_GATES; i++, gate32 += PROBE_GATE, gate64 += PROBE_GATE) {
		u16 for32[] = { gate32, SEL_CODE32, 0xee00, gate32 >> 16 };
		u16 for64[] = { gate64, SEL_CODE64, 0xee00, gate64 >> 16, 0, 0, 0, 0 };

		memcpy(idt32 + i * 4, for32, sizeof(for32));
		memcpy(idt64 + i * 8, for64, sizeof(for64));
	}
	block_set_lidt(p, PROBE_LIDT32, PROBE_IDT32, NR_GATES * 8 - 1);
	block_set_lidt(p, PROBE_LIDT64, PROBE_IDT64, NR_GATES * 16 - 1);
}

/* ESP0 and SS0; in long mode SS0 is the upper half of RSP0. */
static void tss_make(struct probe *p)
{
	u32 *tss = block(p, PROBE_TSS);

	tss[1] = p->base + PROBE_STACK;
	tss[2] = p->env.efer & EFER_LMA ? 0 : SEL_DATA;
}

static struct shvm_segment segment(u16 selector, u8 type)
{
	return (struct shvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1,
		.s = 1, .db = 1, .g = 1, .dpl = selector & 3,
	};
}

static void state_set(struct probe *p)
{
	struct shvm_sregs sregs;

	vcpu_ioctl(p->vcpu, SHVM_GET_SREGS, &sregs);
	sregs.cs = segment(SEL_CODE32, 11);
	sregs.ss = segment(SEL_DATA, 3);
	sregs.ds = segment(SEL_UDATA, 3);	/* those of ring 0 would not survive ring 3 */
	sregs.es = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.ldt = (struct shvm_segment){ .type = 2, .unusable = 1 };
	sregs.tr = (struct shvm_segment){
		.base = p->base + PROBE_TSS, .limit = 0x67, .selector = SEL_TSS,
		.type = 11, .present = 1,
	};
	sregs.gdt = (struct shvm_dtable){ .base = p->base + PROBE_GDT, .limit = 0x3f };
	sregs.idt = (struct shvm_dtable){ .base = p->base + PROBE_IDT32, .limit = 0xff };
	if (p->env.efer & EFER_LMA)
		sregs.idt = (struct shvm_dtable){ .base = p->base + PROBE_IDT64, .limit = 0x1ff };
	sregs.cr0 = p->env.cr0;
	sregs.cr3 = p->cr3;
	sregs.cr4 = p->env.cr4;
	sregs.efer = p->env.efer;
	vcpu_ioctl(p->vcpu, SHVM_SET_SREGS, &sregs);
}

void probe_place(struct probe *p, u32 base)
{
	struct shvm_regs regs = {
		.rip = base, .rbp = base, .rsp = base + PROBE_STACK, .rflags = RFLAGS_FIXED,
	};

	p->base = base;
	gates_make(p);
	tss_make(p);
	state_set(p);
	vcpu_ioctl(p->vcpu, SHVM_SET_REGS, &regs);
}

struct probe *probe_create(struct test_vm *vm, int id)
{
	struct probe *p = calloc(1, sizeof(*p));

	p->vm = vm;
	p->vcpu = vcpu_create_bare(vm, id);
	p->vcpu->cpu = &p->cpu;
	p->gpa = vm_alloc_pages(vm, PROBE_SIZE / PAGE_SIZE);
	p->cmds = block(p, PROBE_LIST);
	p->env = format_env();
	p->env.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
	p->env.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	memcpy(block(p, PROBE_CODE), probe_code, probe_code_end - probe_code);
	memcpy(block(p, PROBE_USER), probe_user, probe_user_end - probe_user);
	memcpy(block(p, PROBE_GDT), vm_hva(vm, GDT_BASE), SEL_TSS);
	probe_place(p, p->gpa);
	return p;
}

void probe_map(struct probe *p, struct paging *paging)
{
	u32 i;

	for (i = 0; i < PROBE_SIZE; i += PAGE_SIZE)
		paging_map(paging, p->base + i, p->gpa + i,
			   PTE_P | PTE_W | (i == PROBE_USER ? PTE_U : 0));
}

/* ---- lists ---- */

void probe_add(struct probe *p, u32 op, u32 addr, u64 value)
{
	if (p->nr == PROBE_MAX_CMDS - 1)
		test_die("the probe's list is full");
	p->want[p->nr] = (struct probe_want){ .text = "", .id = p->nr };
	p->cmds[p->nr++] = (struct probe_cmd){
		.op = op, .addr = addr, .lo = value, .hi = value >> 32, .vector = NO_EXCEPTION,
	};
}

void probe_want_value(struct probe *p, u64 value)
{
	p->want[p->nr - 1].value = true;
	p->want[p->nr - 1].what = value;
}

void probe_want_fault(struct probe *p, u32 vector, u32 error, u32 cr2)
{
	struct probe_want *want = &p->want[p->nr - 1];

	want->fault = true;
	want->vector = vector;
	want->error = error;
	want->cr2 = cr2;
}

void probe_name(struct probe *p, const char *text, long id)
{
	p->want[p->nr - 1].text = text;
	p->want[p->nr - 1].id = id;
}

void probe_add_entry(struct probe *p, int format, u64 entry_gpa, u64 value)
{
	probe_add(p, formats[format].entry_size == 4 ? PROBE_WRITE : PROBE_WRITE64, entry_gpa,
		  value);
}

void probe_add_entry_check(struct probe *p, int format, u64 entry_gpa, u64 value)
{
	probe_add(p, formats[format].entry_size == 4 ? PROBE_READ : PROBE_READ64, entry_gpa, 0);
	probe_want_value(p, value);
}

void probe_add_read(struct probe *p, u32 gva, u32 value)
{
	probe_add(p, PROBE_READ, gva, 0);
	probe_want_value(p, value);
}

void probe_add_absent(struct probe *p, u32 gva)
{
	probe_add(p, PROBE_READ, gva, 0);
	probe_want_fault(p, 14, 0, gva);
}

void probe_add_cr0(struct probe *p, u64 cr0)
{
	probe_add(p, PROBE_CR0, 0, cr0);
	p->env.cr0 = cr0;
	p->env.efer &= ~EFER_LMA;
	if ((cr0 & CR0_PG) && (p->env.efer & EFER_LME))
		p->env.efer |= EFER_LMA;
}

void probe_add_cr3(struct probe *p, u64 cr3)
{
	probe_add(p, PROBE_CR3, 0, cr3);
	p->cr3 = cr3;
}

void probe_add_cr4(struct probe *p, u64 cr4)
{
	probe_add(p, PROBE_CR4, 0, cr4);
	p->env.cr4 = cr4;
}

void probe_add_efer(struct probe *p, u64 efer)
{
	probe_add(p, PROBE_EFER, 0, efer & ~EFER_LMA);
	p->env.efer = efer;
}

/* What a change to or from long mode needs: an event on the way would end the guest. */
static void add_tables_of_mode(struct probe *p, bool lma)
{
	probe_add(p, PROBE_LIDT, p->base + (lma ? PROBE_LIDT64 : PROBE_LIDT32), 0);
	probe_add(p, PROBE_WRITE, p->base + PROBE_TSS + 8, lma ? 0 : SEL_DATA);
}

void probe_add_enter(struct probe *p, struct paging *paging)
{
	const struct paging_format *to = &formats[paging ? paging->format : FORMAT_OFF];
	bool was_lma = p->env.efer & EFER_LMA;

	if (p->env.cr0 & CR0_PG)
		probe_add_cr0(p, p->env.cr0 & ~CR0_PG);
	if (was_lma && !to->efer)
		add_tables_of_mode(p, false);
	if ((p->env.efer & FORMAT_EFER) != to->efer)
		probe_add_efer(p, (p->env.efer & ~FORMAT_EFER) | (to->efer & EFER_LME));
	if (!paging) {
		p->env.format = FORMAT_OFF;
		return;
	}
	if ((p->env.cr4 & FORMAT_CR4) != to->cr4)
		probe_add_cr4(p, (p->env.cr4 & ~FORMAT_CR4) | to->cr4);
	probe_add_cr3(p, paging->root);
	probe_add_cr0(p, p->env.cr0 | CR0_PG);
	if (!was_lma && to->efer)
		add_tables_of_mode(p, true);
	p->env.format = paging->format;
}

void probe_set_state(struct probe *p, struct paging *paging, u64 cr0, u64 cr4, u64 efer)
{
	const struct paging_format *to = &formats[paging ? paging->format : FORMAT_OFF];

	p->env.format = to - formats;
	p->env.cr0 = (cr0 & ~FORMAT_CR0) | to->cr0;
	p->env.cr4 = (cr4 & ~FORMAT_CR4) | to->cr4;
	p->env.efer = (efer & ~FORMAT_EFER) | to->efer;
	p->cr3 = paging ? paging->root : 0;
	tss_make(p);
	state_set(p);
}

/* ---- running and judging ---- */

int probe_run_raw(struct probe *p)
{
	probe_add(p, PROBE_END, 0, 0);
	p->nr--;
	*(volatile u32 *)block(p, PROBE_DATA) = p->base + PROBE_LIST;
	return vcpu_run(p->vcpu);
}

/* The event that ends what went well is none. */
static bool cmd_faulted(struct probe *p, const struct probe_cmd *cmd)
{
	if (cmd->vector == (u32)NO_EXCEPTION)
		return false;
	if (cmd->vector != 3)
		return true;
	if ((u8)cmd->op == PROBE_FETCH && cmd->eip == cmd->addr + 1)
		return false;
	return !(cmd->op & PROBE_AS_USER) || cmd->eip - p->base - PROBE_USER >= PAGE_SIZE;
}

static bool cmd_is_good(struct probe *p, const struct probe_cmd *cmd,
			const struct probe_want *want)
{
	u64 value = cmd->value;

	if (cmd_faulted(p, cmd) != want->fault)
		return false;
	if (want->fault)
		return cmd->vector == want->vector && cmd->error == want->error &&
		       (want->vector != 14 || cmd->cr2 == want->cr2);
	if ((u8)cmd->op == PROBE_READ64 || (u8)cmd->op == PROBE_GET_CRS)
		value |= (u64)cmd->value_hi << 32;
	return !want->value || value == want->what;
}

static void cmd_report(struct probe *p, const struct probe_cmd *cmd,
		       const struct probe_want *want)
{
	if (p->reports++ >= MAX_REPORTS)
		return;
	fprintf(stderr, "# %s, %s %ld: operation %#x at %#x with %#lx: wanted ",
		formats[p->env.format].name, want->text, want->id, cmd->op, cmd->addr,
		(long)((u64)cmd->hi << 32 | cmd->lo));
	if (want->fault)
		fprintf(stderr, "vector %d error %#x cr2 %#x", want->vector, want->error,
			want->cr2);
	else if (want->value)
		fprintf(stderr, "%#lx", (long)want->what);
	else
		fprintf(stderr, "no fault");
	if (cmd->vector == (u32)NO_EXCEPTION)
		fprintf(stderr, ", got %#x_%08x\n", cmd->value_hi, cmd->value);
	else
		fprintf(stderr, ", got vector %d error %#x cr2 %#x eip %#x value %#x\n",
			cmd->vector, cmd->error, cmd->cr2, cmd->eip, cmd->value);
}

int probe_run(struct probe *p)
{
	int exit, bad = 0, i;

	if (p->crashed)
		return CRASHED;
	exit = probe_run_raw(p);
	for (i = 0; i < p->nr && exit == EXIT_DONE; i++) {
		if (cmd_is_good(p, &p->cmds[i], &p->want[i]))
			continue;
		cmd_report(p, &p->cmds[i], &p->want[i]);
		bad++;
	}
	if (exit != EXIT_DONE) {
		u32 next = *(volatile u32 *)block(p, PROBE_DATA);

		i = (next - p->base - PROBE_LIST) / CMD_SIZE;
		fprintf(stderr, "# %s: the guest ended by exit %#x at command %d of %d (%s %ld)\n",
			formats[p->env.format].name, exit, i, p->nr,
			i < p->nr ? p->want[i].text : "", i < p->nr ? p->want[i].id : 0);
		p->crashed = true;
		bad = CRASHED;
	}
	p->nr = 0;
	return bad;
}
