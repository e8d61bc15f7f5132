// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit clusters, the part that is done once: what follows a MOV from CR3? Linux with page-table
 * isolation changes tables by reading CR3, a few instructions on the register, and MOV to CR3; all
 * of them together are one AND and one OR of CR3, perhaps kept in a second register, too, and
 * perhaps only if some bit in memory is clear. cluster.h does that in the exit of the MOV from CR3.
 * docs/performance.md, "Exit clusters".
 *
 * Exact: what the guest can tell apart is left to it. The instructions are read from the frame that
 * the shadow tables lead to, compared each time with what was decoded, and lie in one page with the
 * MOV from CR3, which the CPU has just fetched from there. None of them can fault, exit (but for
 * the last) or store to memory. The load is the same as by an exit of its own, or none.
 *
 * Takes no lock, allocates nothing: runs in the entry loop.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include "cluster.h"

static bool exit_clusters = true;
module_param(exit_clusters, bool, 0444);
MODULE_PARM_DESC(exit_clusters,
		 "finish MOV from CR3 ... MOV to CR3 of the guest in one VM exit (default: on)");

#define WINDOW		(SHVM_CLUSTER_WORDS * 8)	/* bytes of code that are looked at */
#define SHORT_WINDOW	(2 * 8)
#define INSN_MAX	15

/* Who wrote the arithmetic flags last, as far as it matters. */
enum flags {
	FLAGS_UNTOUCHED,
	FLAGS_OF_RESULT,	/* AND, OR: of d->result */
	FLAGS_OF_BIT,		/* BT of memory: CF is clear, or the cluster is not run */
	FLAGS_OTHER,
};

struct decode {
	struct shvm_cluster *c;
	unsigned int gpr;		/* that CR3 was read to */
	unsigned int pos;		/* in code */
	enum flags flags;
	struct shvm_cr3_form result;
	u8 code[WINDOW + INSN_MAX];	/* a copy, then zeros */
};

enum step { STEP_NEXT, STEP_LOADS, STEP_UNKNOWN };

#define REX_W	8
#define REX_R	4
#define REX_X	2
#define REX_B	1

#define MODRM_MOD(m)	((m) >> 6)
#define MODRM_REG(m)	(((m) >> 3) & 7)
#define MODRM_RM(m)	((m) & 7)

/* What a register is known to hold; NULL: it has nothing to do with CR3. */
static struct shvm_cr3_form *form_of(struct decode *d, unsigned int gpr)
{
	if (gpr == d->gpr)
		return &d->c->value;
	return d->c->has_copy && gpr == d->c->copy_gpr ? &d->c->copy : NULL;
}

static bool form_is_same(const struct shvm_cr3_form *a, const struct shvm_cr3_form *b)
{
	return a->and == b->and && a->or == b->or;
}

static s32 imm32(const u8 *p)
{
	return get_unaligned((const s32 *)p);
}

static enum step step_alu(struct decode *d, unsigned int gpr, bool is_or, s64 imm)
{
	struct shvm_cr3_form *form = form_of(d, gpr);

	if (!form)
		return STEP_UNKNOWN;
	if (is_or) {
		form->or |= imm;
	} else {
		form->and &= imm;
		form->or &= imm;
	}
	d->flags = FLAGS_OF_RESULT;
	d->result = *form;
	return STEP_NEXT;
}

static enum step step_mov(struct decode *d, unsigned int to, unsigned int from)
{
	struct shvm_cr3_form *source = form_of(d, from);

	if (!source)
		return STEP_UNKNOWN;
	if (!form_of(d, to)) {
		if (d->c->has_copy || to == SHVM_RSP)
			return STEP_UNKNOWN;
		d->c->has_copy = true;
		d->c->copy_gpr = to;
	}
	*form_of(d, to) = *source;
	return STEP_NEXT;
}

static enum step step_bts(struct decode *d, unsigned int gpr, unsigned int bit)
{
	struct shvm_cr3_form *form = form_of(d, gpr);

	if (!form)
		return STEP_UNKNOWN;
	form->or |= BIT_ULL(bit);
	d->flags = FLAGS_OTHER;
	return STEP_NEXT;
}

/* Of a quadword at GS: only one is remembered. */
static enum step step_bt(struct decode *d, unsigned int gpr, s32 disp)
{
	const struct shvm_cr3_form *form = form_of(d, gpr);

	if (!form || d->c->tests_bit)
		return STEP_UNKNOWN;
	d->c->tests_bit = true;
	d->c->disp = disp;
	d->c->bit = *form;
	d->flags = FLAGS_OF_BIT;
	return STEP_NEXT;
}

/* Forward only, so that decoding comes to an end. */
static enum step step_jump(struct decode *d, s8 by)
{
	if (by < 0)
		return STEP_UNKNOWN;
	d->pos += by;
	return STEP_NEXT;
}

/* CF is clear where it is known. */
static enum step step_branch(struct decode *d, bool if_clear, s8 by)
{
	if (d->flags != FLAGS_OF_BIT)
		return STEP_UNKNOWN;
	return step_jump(d, if_clear ? by : 0);
}

/* 0F 1F /0 with any address that is not relative to RIP. */
static unsigned int nop_operand_bytes(const u8 *modrm)
{
	static const u8 disp[] = { 0, 1, 4 };
	u8 mod = MODRM_MOD(*modrm), rm = MODRM_RM(*modrm);

	if (MODRM_REG(*modrm) || mod == 3)
		return 0;
	if (mod == 0 && (rm == 5 || (rm == 4 && MODRM_RM(modrm[1]) == 5)))
		return 0;
	return 1 + (rm == 4) + disp[mod];
}

/* The length of a NOP; 0: it is none. */
static unsigned int nop_bytes(const u8 *p)
{
	unsigned int prefixes = 0, operand;

	while (p[prefixes] == 0x66 && prefixes < 4)
		prefixes++;
	p += prefixes;
	if (p[0] == 0x90)
		return prefixes + 1;
	if (p[0] != 0x0f || p[1] != 0x1f)
		return 0;
	operand = nop_operand_bytes(p + 2);
	return operand ? prefixes + 2 + operand : 0;
}

/* 81, 83, 25, 0D: AND and OR with a constant. */
static enum step decode_alu(struct decode *d, u8 rex, const u8 *p)
{
	unsigned int gpr = MODRM_RM(p[1]) | (rex & REX_B ? 8 : 0);
	u8 op = MODRM_REG(p[1]);

	if (p[0] == 0x25 || p[0] == 0x0d) {
		d->pos += 5;
		return step_alu(d, SHVM_RAX, p[0] == 0x0d, imm32(p + 1));
	}
	if (MODRM_MOD(p[1]) != 3 || (op != 1 && op != 4))
		return STEP_UNKNOWN;
	d->pos += p[0] == 0x81 ? 6 : 3;
	return step_alu(d, gpr, op == 1, p[0] == 0x81 ? imm32(p + 2) : (s8)p[2]);
}

static enum step decode_mov(struct decode *d, u8 rex, const u8 *p)
{
	unsigned int reg = MODRM_REG(p[1]) | (rex & REX_R ? 8 : 0);
	unsigned int rm = MODRM_RM(p[1]) | (rex & REX_B ? 8 : 0);

	if (MODRM_MOD(p[1]) != 3)
		return STEP_UNKNOWN;
	d->pos += 2;
	return p[0] == 0x89 ? step_mov(d, rm, reg) : step_mov(d, reg, rm);
}

/* 0F BA /5: BTS with a constant. */
static enum step decode_bts(struct decode *d, u8 rex, const u8 *p)
{
	if (MODRM_MOD(p[2]) != 3 || MODRM_REG(p[2]) != 5)
		return STEP_UNKNOWN;
	d->pos += 4;
	return step_bts(d, MODRM_RM(p[2]) | (rex & REX_B ? 8 : 0), p[3] % 64);
}

/* 0F A3 with an absolute address: BT. */
static enum step decode_bt(struct decode *d, u8 rex, const u8 *p)
{
	if ((p[2] & 0xc7) != 0x04 || p[3] != 0x25)
		return STEP_UNKNOWN;
	d->pos += 8;
	return step_bt(d, MODRM_REG(p[2]) | (rex & REX_R ? 8 : 0), imm32(p + 4));
}

/* 0F 22 /3: the end, if it is the register that CR3 was read to. Its operand has 64 bits anyway. */
static enum step decode_load(struct decode *d, u8 rex, const u8 *p)
{
	d->pos += 3;
	if (MODRM_REG(p[2]) != 3 || (rex & REX_R) ||
	    (MODRM_RM(p[2]) | (rex & REX_B ? 8 : 0)) != d->gpr)
		return STEP_UNKNOWN;
	return STEP_LOADS;
}

/* What has REX.W in all clusters. */
static enum step decode_quadword(struct decode *d, u8 rex, const u8 *p)
{
	switch (p[0]) {
	case 0x25:
	case 0x0d:
	case 0x81:
	case 0x83:
		return decode_alu(d, rex, p);
	case 0x89:
	case 0x8b:
		return decode_mov(d, rex, p);
	case 0x0f:
		return p[1] == 0xba ? decode_bts(d, rex, p) : STEP_UNKNOWN;
	default:
		return STEP_UNKNOWN;
	}
}

static enum step decode_insn(struct decode *d)
{
	const u8 *p = d->code + d->pos;
	unsigned int nop = nop_bytes(p);
	bool gs = p[0] == 0x65;
	u8 rex = 0;

	if (nop) {
		d->pos += nop;
		return STEP_NEXT;
	}
	if (p[0] == 0xeb || p[0] == 0x72 || p[0] == 0x73) {
		d->pos += 2;
		return p[0] == 0xeb ? step_jump(d, p[1]) : step_branch(d, p[0] == 0x73, p[1]);
	}
	p += gs;
	d->pos += gs;
	if ((*p & 0xf0) == 0x40) {
		rex = *p++;
		d->pos++;
	}
	if (rex & REX_X)
		return STEP_UNKNOWN;
	if (gs)
		return (rex & REX_W) && p[0] == 0x0f && p[1] == 0xa3 ? decode_bt(d, rex, p) :
								     STEP_UNKNOWN;
	if (p[0] == 0x0f && p[1] == 0x22)
		return decode_load(d, rex, p);
	return rex & REX_W ? decode_quadword(d, rex, p) : STEP_UNKNOWN;
}

/* False: it is no cluster. len: bytes of the window. */
static bool decode_all(struct decode *d, unsigned int len)
{
	enum step step;

	do {
		step = decode_insn(d);
		if (d->pos > len)
			return false;
	} while (step == STEP_NEXT);
	if (step != STEP_LOADS)
		return false;
	d->c->sets_flags = d->flags == FLAGS_OF_RESULT;
	return d->flags == FLAGS_UNTOUCHED ||
	       (d->flags == FLAGS_OF_RESULT && form_is_same(&d->result, &d->c->value));
}

/* A page behind the shadow tables was got from get_user_pages(), so it has a kernel address. */
static const u8 *peek_address(const struct shvm_peek *peek)
{
	if (WARN_ON_ONCE(!pfn_valid(peek->at.v >> PAGE_SHIFT)))
		return NULL;
	return __va(peek->at.v);
}

static unsigned int bytes_left(u64 addr)
{
	return PAGE_SIZE - (addr & (PAGE_SIZE - 1));
}

/* The MOV from CR3 itself has three bytes, and a prefix for the upper registers. */
static u64 code_addr(u64 rip, u64 q)
{
	return rip + 3 + (CR_GPR(q) >= SHVM_R8);
}

static bool find_code(struct shvm_vcpu *vcpu, struct shvm_cluster *c, u64 addr)
{
	if (bytes_left(addr) == PAGE_SIZE || bytes_left(addr) < SHORT_WINDOW ||
	    !shvm_mmu_peek(&vcpu->mmu, gva(addr), true, &c->page))
		return false;
	c->code_at = peek_address(&c->page);
	return c->code_at;
}

static bool is_canonical(u64 addr)
{
	return (s64)(addr << 16) >> 16 == (s64)addr;
}

/* No entry of a table has this value. */
#define NO_ENTRY	(~0ULL)

static void data_forget(struct shvm_cluster *c)
{
	c->data.index = 0;
	c->data.top = NO_ENTRY;
}

/*
 * In 64-bit code GS has no limit, and the kernel may read what is not the user's. What is found now
 * is good for c->owed, too: no right was lost since, or the next exit finds that out.
 */
bool shvm_vmx_cluster_find_data(struct shvm_vcpu *vcpu, struct shvm_cluster *c)
{
	u64 addr;

	c->gs_base = vmcs_read_natural(GUEST_GS_BASE);
	addr = c->gs_base + c->disp;
	if (is_canonical(addr) && bytes_left(addr) >= sizeof(u64) &&
	    shvm_mmu_peek(&vcpu->mmu, gva(addr), false, &c->data)) {
		c->data_at = peek_address(&c->data);
		if (c->data_at)
			return true;
	}
	data_forget(c);
	return false;
}

/* What has been decoded is what counts, and what is compared with memory later. */
static bool cluster_decode(struct shvm_cluster *c, u64 rip, u64 q)
{
	unsigned int len = min_t(unsigned int, bytes_left(code_addr(rip, q)), WINDOW);
	struct decode d = { .c = c, .gpr = CR_GPR(q) };

	if (len < WINDOW)
		len = SHORT_WINDOW;
	memcpy(c->code, c->code_at, len);
	memcpy(d.code, c->code, len);
	c->is_short = false;
	c->value = (struct shvm_cr3_form){ .and = ~0ULL };
	c->has_copy = false;
	c->tests_bit = false;
	if (!decode_all(&d, len))
		return false;
	c->is_short = d.pos <= SHORT_WINDOW;
	c->next_rip = code_addr(rip, q) + d.pos;
	return c->is_short || len == WINDOW;
}

/* The guest may write it later, or have patched half of it: look again now and then. */
static bool cluster_refuse(struct shvm_cluster *c, u64 rip)
{
	c->rip = rip;
	c->qualification = 0;
	c->refused = 0;
	return false;
}

/* Rights were lost since, which mostly is about other pages. c->owed is new already. */
static bool cluster_still_holds(struct shvm_vcpu *vcpu, struct shvm_cluster *c)
{
	if (!shvm_mmu_peek_again(&vcpu->mmu, &c->page) || !cluster_code_is_same(c))
		return false;
	if (c->tests_bit && !shvm_mmu_peek_again(&vcpu->mmu, &c->data))
		data_forget(c);
	return true;
}

bool shvm_vmx_cluster_find(struct shvm_vcpu *vcpu, struct shvm_cluster *c, u64 rip, u64 q)
{
	if (!exit_clusters)
		return false;
	if (c->rip == rip && !c->qualification && ++c->refused)
		return false;
	c->owed = shvm_mmu_rights_lost(&vcpu->mmu);
	if (c->rip == rip && c->qualification == q && cluster_still_holds(vcpu, c))
		return true;
	if (!find_code(vcpu, c, code_addr(rip, q)) || !cluster_decode(c, rip, q))
		return cluster_refuse(c, rip);
	data_forget(c);
	c->rip = rip;
	c->qualification = q;
	return true;
}
