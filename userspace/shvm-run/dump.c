// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU's registers for a person: after a crash, at the time limit, or at Ctrl-A r.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

#define EFER_LMA BIT(10)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define CR4_LA57 BIT(12)
#define PTE_P BIT_ULL(0)
#define PTE_PS BIT_ULL(7)
#define PTE_ADDR 0x000ffffffffff000ULL
#define CODE_BYTES 16

static void dump_segment(const char *name, const struct shvm_segment *s)
{
	fprintf(stderr, "%s %04x base %016llx limit %08x ", name, s->selector,
		(unsigned long long)s->base, s->limit);
	fprintf(stderr, "type %x s %u dpl %u p %u l %u db %u g %u%s\n", s->type, s->s, s->dpl,
		s->present, s->l, s->db, s->g, s->unusable ? " unusable" : "");
}

static void dump_general(const struct shvm_regs *r)
{
	const struct {
		const char *name;
		u64 value;
	} regs[] = {
		{ "rax", r->rax }, { "rbx", r->rbx },	 { "rcx", r->rcx }, { "rdx", r->rdx },
		{ "rsi", r->rsi }, { "rdi", r->rdi },	 { "rbp", r->rbp }, { "rsp", r->rsp },
		{ "r8 ", r->r8 },  { "r9 ", r->r9 },	 { "r10", r->r10 }, { "r11", r->r11 },
		{ "r12", r->r12 }, { "r13", r->r13 },	 { "r14", r->r14 }, { "r15", r->r15 },
		{ "rip", r->rip }, { "rfl", r->rflags },
	};
	const unsigned int nr = ARRAY_SIZE(regs);
	unsigned int i;

	for (i = 0; i < nr; i++)
		fprintf(stderr, "%s %016llx%c", regs[i].name, (unsigned long long)regs[i].value,
			i % 4 == 3 || i == nr - 1 ? '\n' : ' ');
}

/* How the guest's paging cuts up an address. */
struct paging {
	unsigned int top_shift; /* of the root's index */
	unsigned int bits; /* of each index */
	unsigned int entry_size;
	u64 root_mask; /* of CR3 */
};

static const struct paging paging_4level = { 39, 9, 8, PTE_ADDR };
static const struct paging paging_pae = { 30, 9, 8, 0xffffffe0 };
static const struct paging paging_2level = { 22, 10, 4, 0xfffff000 };

static const struct paging *dump_paging(const struct shvm_sregs *s)
{
	if (s->efer & EFER_LMA)
		return &paging_4level;
	return s->cr4 & CR4_PAE ? &paging_pae : &paging_2level;
}

/* Linear to guest-physical; false if not mapped or in 5-level mode. */
static bool dump_translate(struct machine *m, const struct shvm_sregs *s, u64 gva, u64 *gpa)
{
	const struct paging *p = dump_paging(s);
	u64 table = s->cr3 & p->root_mask;
	unsigned int shift;

	*gpa = gva;
	if (!(s->cr0 & CR0_PG))
		return true;
	if (s->cr4 & CR4_LA57)
		return false;
	for (shift = p->top_shift; shift >= 12; shift -= p->bits) {
		u64 index = gva >> shift & (BIT_ULL(p->bits) - 1);
		u8 *at = memory_at(m, table + index * p->entry_size, p->entry_size);
		u64 pte = 0;

		if (at)
			memcpy(&pte, at, p->entry_size);
		if (!(pte & PTE_P))
			return false;
		table = pte & PTE_ADDR;
		if (shift == 12 || (shift <= 30 && (pte & PTE_PS))) {
			u64 offset = BIT_ULL(shift) - 1;

			*gpa = (table & ~offset) | (gva & offset);
			return true;
		}
	}
	return false;
}

static void dump_code(struct machine *m, const struct shvm_sregs *s, u64 rip)
{
	unsigned int i;

	fprintf(stderr, "code at rip:");
	for (i = 0; i < CODE_BYTES; i++) {
		u64 gpa;
		u8 *byte = NULL;

		if (dump_translate(m, s, rip + i, &gpa))
			byte = memory_at(m, gpa, 1);
		if (byte)
			fprintf(stderr, " %02x", *byte);
		else
			fprintf(stderr, " ??");
	}
	fputc('\n', stderr);
}

void dump_registers(struct machine *m)
{
	struct shvm_regs regs;
	struct shvm_sregs s;

	if (ioctl(m->hv.vcpu_fd, SHVM_GET_REGS, &regs) < 0 ||
	    ioctl(m->hv.vcpu_fd, SHVM_GET_SREGS, &s) < 0) {
		fprintf(stderr, "(the hypervisor does not give the registers)\n");
		return;
	}
	dump_general(&regs);
	fprintf(stderr, "cr0 %016llx cr2 %016llx cr3 %016llx cr4 %016llx efer %016llx\n",
		(unsigned long long)s.cr0, (unsigned long long)s.cr2, (unsigned long long)s.cr3,
		(unsigned long long)s.cr4, (unsigned long long)s.efer);
	dump_segment("cs ", &s.cs);
	dump_segment("ss ", &s.ss);
	dump_segment("ds ", &s.ds);
	dump_segment("es ", &s.es);
	dump_segment("fs ", &s.fs);
	dump_segment("gs ", &s.gs);
	dump_segment("tr ", &s.tr);
	dump_segment("ldt", &s.ldt);
	fprintf(stderr, "gdt base %016llx limit %04x  idt base %016llx limit %04x\n",
		(unsigned long long)s.gdt.base, s.gdt.limit, (unsigned long long)s.idt.base,
		s.idt.limit);
	dump_code(m, &s, regs.rip);
}
