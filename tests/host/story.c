// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of the directed tests and what can be done with it.
 */
#include "story.h"

void poke(u64 table, u32 index, u64 entry)
{
	host_poke(page_of(table), index * 8, &entry, 8);
}

void poke_32(u64 table, u32 index, u32 entry)
{
	host_poke(page_of(table), index * 4, &entry, 4);
}

void store_bytes(struct vcpu *v, u64 at, const void *bytes, u32 len)
{
	vcpu_exit(v);
	CHECK(shvm_mmu_write(&v->mv, gpa(at), bytes, len) == SHVM_MEM_OK, "store");
	use_by_software(at >> 12);
	history_store(page_of(at >> 12), at & 0xfff, len);
	memcpy(&machine->mirror[page_of(at >> 12)][at & 0xfff], bytes, len);
}

void store(struct vcpu *v, u64 table, u32 index, u64 entry)
{
	store_bytes(v, table << 12 | index * 8, &entry, 8);
}

void store_32(struct vcpu *v, u64 table, u32 index, u32 entry)
{
	store_bytes(v, table << 12 | index * 4, &entry, 4);
}

u64 entry_of(u64 table, u32 index)
{
	u64 e;

	host_peek(page_of(table), index * 8, &e, 8);
	return e;
}

u32 entry_32(u64 table, u32 index)
{
	u32 e;

	host_peek(page_of(table), index * 4, &e, 4);
	return e;
}

struct outcome act(struct vcpu *v, enum kind what, bool user, u64 addr)
{
	struct operation op = { .a = { .addr = addr, .kind = what, .user = user }, .len = 8 };

	op.data[0] = addr >> 12;
	return verified_access(v, &op, false);
}

void touch(struct vcpu *v, enum kind what, u64 addr)
{
	struct operation op = { .a = { .addr = addr, .kind = what }, .len = 8 };
	struct outcome out = vcpu_access(v, &op);

	CHECK(out.kind != STUCK, "stuck at %llx", addr);
	vcpu_exit(v);
	check_all();
}

void expect(struct vcpu *v, enum kind what, bool user, u64 addr, enum outcome_kind want)
{
	struct outcome out = act(v, what, user, addr);

	CHECK(out.kind == want, "%llx: outcome %d, want %d", addr, out.kind, want);
}

void expect_fault(struct vcpu *v, enum kind what, u64 addr, u32 error)
{
	struct outcome out = act(v, what, false, addr);

	CHECK(out.kind == FAULT && out.error == error, "%llx: outcome %d error %x, want %x", addr,
	      out.kind, out.error, error);
}

void store_at(struct vcpu *v, u64 addr, u64 value, u32 len)
{
	struct operation op = { .a = { .addr = addr, .kind = WRITE }, .len = len };

	memcpy(op.data, &value, len);
	CHECK(verified_access(v, &op, false).kind == DONE, "store at %llx", addr);
}

void try_all(struct vcpu *v, u64 addr, unsigned int order)
{
	unsigned int i, n;

	for (i = 0; i < 6; i++) {
		n = (i * 5 + order) % 6;
		act(v, n % 3, n >= 3, addr);
	}
}

int set_bit_of(struct vcpu *v, u64 cr0, u64 cr4, u64 efer)
{
	struct shvm_paging p = v->paging;

	p.cr0 ^= cr0;
	p.cr4 ^= cr4;
	p.efer ^= efer;
	return vcpu_set_paging(v, &p);
}

void story_format(struct vcpu *v, enum oracle_format format)
{
	static const u64 cr3[] = {
		[O_OFF] = 0, [O_32] = PD32, [O_PAE] = PDPT, [O_64] = ROOT,
	};
	struct shvm_paging p = oracle_paging(format);

	CHECK(!vcpu_set_registers(v, &p, cr3[format] << 12), "registers for format %d", format);
}

static void make_tables(void)
{
	int i;

	poke(ROOT, 0, L3 << 12 | ALL);
	poke(L3, 0, L2 << 12 | ALL);
	poke(L2, 0, L1 << 12 | ALL);
	for (i = 0; i < 4; i++) {
		poke(PDPT, i, (PD + i) << 12 | P);
		poke(PD + i, 0, L1 << 12 | ALL);
	}
	poke_32(PD32, 0, PT32 << 12 | ALL);
	for (i = 0; i < 8; i++) {
		poke(L1, i, (u64)(DATA + i) << 12 | ALL);
		poke_32(PT32, i, (DATA + i) << 12 | ALL);
	}
}

void story_begin(int nr_vcpus)
{
	int i;

	check_behind = false;
	CHECK(!machine_module_init(), "module");
	CHECK(machine_create(nr_vcpus), "machine");
	CHECK(!slot_add(0, 0, 192, 0, false), "slot");
	CHECK(!slot_add(1, BIG, 600, 256, false), "slot");
	CHECK(!slot_add(2, 0x601, 8, 1024, true), "slot");
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 1000), "budget");
	make_tables();
	for (i = 0; i < nr_vcpus; i++)
		story_format(&machine->vcpu[i], O_64);
}

void story_end(void)
{
	u64 i;

	check_all();
	if (!check_behind)
		check_mirror();
	host_age(0, HVA_PAGES, false);
	host_age(0, HVA_PAGES, true);
	for (i = 0; i < HVA_PAGES; i++)
		if (machine->host[i].frame >= 0)
			host_drop(i);
	if (machine->giant)
		host_map_giant(0);
	for (i = 0; i < MAX_MSLOTS; i++)
		if (machine->slot[i].used)
			CHECK(!slot_delete(i), "slot");
	check_all();
	machine_destroy();
	machine_module_exit();
	CHECK(!shim_alloc_live, "%ld objects are left", shim_alloc_live);
}
