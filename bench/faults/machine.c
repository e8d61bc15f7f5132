// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a VM, its guest's tables, the hardware's walk, and src/mmu/arch.h on top of it. Of
 * the last, only what the storms need does something; the rest cannot be reached.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "machine.h"
#include "memory.h"
#include "mmu/gpt.h"

#define FRAMES_EACH	(16 * 1024ULL)	/* of a vCPU */
#define FIRST_HFN	0x1000000ULL
#define TABLES		(1ULL << 20)

/* Frames of a vCPU, from its first one on. */
enum {
	PML4, PDPT, PD,
	PT = PD + NR_PTS / ENTRIES,
	/* Of the first one only: half of the address space is the same for all. */
	KERNEL_PDPT = PT + NR_PTS, KERNEL_PD, KERNEL_PT,
	DATA = 1024,
};

#define NR_DATA		(NR_DENSE * ENTRIES + NR_PTS)

static_assert(KERNEL_PT < DATA);
static_assert(DATA + NR_DATA <= FRAMES_EACH);

/* --- tables of the shadow --- */

static struct {
	struct stock stock;
	u8 *base;
	struct {
		struct shvm_sp *sp;
	} __attribute__((aligned(CACHE_LINE))) *owner;
} tables;

void tables_init(void)
{
	tables.base = memory_reserve(TABLES * SHVM_PAGE_SIZE);
	tables.owner = memory_reserve(TABLES * sizeof(*tables.owner));
	tables.stock.size = SHVM_PAGE_SIZE;
	tables.stock.next = tables.base;
	tables.stock.left = TABLES * SHVM_PAGE_SIZE;
}

static u64 table_number(u64 at)
{
	return (at - (uintptr_t)tables.base) / SHVM_PAGE_SIZE;
}

u64 *shvm_arch_table_alloc(bool low)
{
	return memset(stock_get(&tables.stock), 0, SHVM_PAGE_SIZE);
}

void shvm_arch_table_free(u64 *table)
{
	stock_put(&tables.stock, table);
}

hpa_t shvm_arch_table_hpa(const u64 *table)
{
	return hpa((uintptr_t)table);
}

void shvm_arch_table_set_owner(u64 *table, struct shvm_sp *sp)
{
	tables.owner[table_number((uintptr_t)table)].sp = sp;
}

struct shvm_sp *shvm_arch_table_owner(hpa_t table)
{
	return tables.owner[table_number(table.v)].sp;
}

/* --- the VMM's memory is always there --- */

static void *user(hva_t at)
{
	return (void *)(uintptr_t)at.v;
}

int shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len)
{
	if (len == sizeof(u64))
		*(u64 *)buf = READ_ONCE(*(u64 *)user(at));
	else
		memcpy(buf, user(at), len);
	return 0;
}

int shvm_arch_read_user(hva_t at, void *buf, u32 len)
{
	return shvm_arch_read_user_atomic(at, buf, len);
}

int shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len)
{
	if (len != sizeof(u64))
		return -EFAULT;
	WRITE_ONCE(*(u64 *)user(at), *(const u64 *)buf);
	return 0;
}

int shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len)
{
	u64 seen = *(const u64 *)old;

	if (len != sizeof(u64))
		return -EFAULT;
	return cmpxchg64((u64 *)user(at), seen, *(const u64 *)new) != seen;
}

int shvm_arch_diff_user_atomic(hva_t at, const u64 *known, u32 from, u32 len)
{
	for (; from < len; from += sizeof(u64))
		if (READ_ONCE(((u64 *)user(at))[from / sizeof(u64)]) != known[from / sizeof(u64)])
			break;
	return from;
}

int shvm_arch_scan_table_atomic(hva_t at, u64 *out, u64 mark)
{
	const u64 *from = user(at);
	int i;

	for (i = 0; i < ENTRIES; i++)
		out[i] = mark & -(from[i] & 1);
	return 0;
}

int shvm_arch_fault_in(hva_t at, bool write)
{
	return 0;
}

/* The VMM's address of a frame is as good as any other number for it. */
bool shvm_arch_host_frame_atomic(hva_t at, bool write, struct shvm_host_frame *out)
{
	*out = (struct shvm_host_frame){ hfn(at.v >> SHVM_PAGE_SHIFT), true };
	return true;
}

int shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out)
{
	shvm_arch_host_frame_atomic(at, write, out);
	return 0;
}

bool shvm_arch_host_is_young(struct shvm_mmu *mmu, hva_t at)
{
	return true;
}

int shvm_arch_host_level(struct shvm_mmu *mmu, hva_t at, const struct shvm_host_frame *host)
{
	return 1;
}

/* --- vCPUs --- */

void shvm_arch_flush(struct shvm_mmu *mmu)
{
	measured.flushes++;
	measured.ipis += container_of(mmu, struct machine, mmu)->running - 1;
}

bool shvm_arch_flush_is_free(const struct shvm_mmu_vcpu *mv)
{
	return container_of(mv->mmu, struct machine, mmu)->running == 1;
}

/* Each one looks before it faults. */
void shvm_arch_reload_roots(struct shvm_mmu *mmu)
{
}

void shvm_arch_low_changed(struct shvm_mmu *mmu)
{
}

int shvm_arch_make_room(u32 want)
{
	return 0;
}

bool shvm_arch_root_in_use(struct shvm_mmu *mmu, const struct shvm_sp *sp)
{
	struct machine *m = container_of(mmu, struct machine, mmu);
	int i;

	for (i = 0; i < m->nr_vcpus; i++)
		if (READ_ONCE(m->vcpu[i].mv.root) == sp)
			return true;
	return false;
}

void shvm_arch_broken(struct shvm_mmu *mmu, const char *why)
{
	shim_warn(__FILE__, __LINE__, "the shadow MMU says that it is broken\n");
}

/* --- the guest's tables --- */

static u64 *guest_table(const struct vcpu *v, u64 frame)
{
	return (u64 *)(v->machine->memory + ((v->first + frame) << SHVM_PAGE_SHIFT));
}

static u64 entry(const struct vcpu *v, u64 frame)
{
	return (v->first + frame) << SHVM_PAGE_SHIFT | GPTE_P | GPTE_W | GPTE_A;
}

u64 *guest_pte(struct vcpu *v, u64 page)
{
	return &guest_table(v, PT + page / ENTRIES)[page % ENTRIES];
}

gfn_t data_frame(const struct vcpu *v, u64 page)
{
	u64 table = page / ENTRIES;

	return gfn(v->first + DATA + (table < NR_DENSE ? page : NR_DENSE * ENTRIES + table));
}

static void guest_make_tables(struct vcpu *v)
{
	const struct vcpu *kernel = v->machine->vcpu;
	u64 i, n;

	guest_table(v, PML4)[0] = entry(v, PDPT) | GPTE_U;
	guest_table(v, PML4)[ENTRIES / 2] = entry(kernel, KERNEL_PDPT);
	guest_table(kernel, KERNEL_PDPT)[0] = entry(kernel, KERNEL_PD);
	guest_table(kernel, KERNEL_PD)[0] = entry(kernel, KERNEL_PT);
	for (i = 0; i < NR_DENSE; i++)
		guest_table(kernel, KERNEL_PT)[v->id * NR_DENSE + i] = entry(v, PT + i) | GPTE_D;
	for (i = 0; i < NR_PTS / ENTRIES; i++)
		guest_table(v, PDPT)[i] = entry(v, PD + i) | GPTE_U;
	for (i = 0; i < NR_PTS; i++) {
		guest_table(v, PD)[i] = entry(v, PT + i) | GPTE_U;
		for (n = 0; n < (i < NR_DENSE ? ENTRIES : 1); n++)
			*guest_pte(v, i * ENTRIES + n) =
				gfn_to_gpa(data_frame(v, i * ENTRIES + n)).v | GPTE_P | GPTE_W |
				GPTE_U;
	}
}

/* --- life --- */

static void slots_make(struct machine *m)
{
	u64 npages = m->nr_vcpus * FRAMES_EACH;
	struct shvm_slots *slots = shvm_slots_alloc(1);

	shvm_slots_free(m->mmu.slots);
	m->memory = memory_reserve(npages << SHVM_PAGE_SHIFT);
	slots->slot[0] = shvm_slot_alloc(gfn(0), npages, hva((uintptr_t)m->memory));
	rcu_assign_pointer(m->mmu.slots, slots);
	shvm_mmu_slots_changed(&m->mmu);
	/* Reclaim is not what is measured. */
	if (shvm_mmu_set_budget(&m->mmu, m->nr_vcpus * 2 * NR_PTS))
		abort();
}

static void vcpu_make(struct machine *m, struct vcpu *v)
{
	const struct shvm_paging paging = {
		.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP, .cr4 = X86_CR4_PAE,
		.efer = EFER_NX | EFER_LMA | EFER_LME, .maxphyaddr = 40,
	};

	v->machine = m;
	v->id = v - m->vcpu;
	v->first = v->id * FRAMES_EACH;
	guest_make_tables(v);
	if (shvm_mmu_vcpu_init(&m->mmu, &v->mv))
		abort();
	shvm_mmu_set_paging(&v->mv, &paging);
	shvm_mmu_load_cr3(&v->mv, (v->first + PML4) << SHVM_PAGE_SHIFT, false);
}

struct machine *machine_create(int nr_vcpus)
{
	struct machine *m = kvcalloc(1, sizeof(*m) + nr_vcpus * sizeof(*m->vcpu), GFP_KERNEL);
	int i;

	if (!m || shvm_mmu_init(&m->mmu))
		abort();
	m->nr_vcpus = nr_vcpus;
	m->running = 1;
	slots_make(m);
	for (i = 0; i < nr_vcpus; i++)
		vcpu_make(m, &m->vcpu[i]);
	return m;
}

/* --- accesses --- */

/* The hardware's walk: sets A and D; 0, or the error code of the fault with P. */
static u32 cpu_walk(struct vcpu *v, u64 addr, u32 access)
{
	u64 *table = (u64 *)(uintptr_t)shvm_mmu_root(&v->mv).v, *sptep, spte;
	u64 all = ~0ULL, marks = SPTE_A;
	int level;

	for (level = 4; level; level--) {
		sptep = &table[addr >> (3 + 9 * level) & (ENTRIES - 1)];
		spte = READ_ONCE(*sptep);
		if (!spte_is_live(spte))
			return PFEC_P | PFEC_RSVD | access;
		all &= spte;
		if (level == 1 && (access & PFEC_W) && (all & SPTE_W))
			marks |= SPTE_D;
		if (~spte & marks)
			__atomic_fetch_or(sptep, marks, __ATOMIC_RELAXED);
		table = (u64 *)(uintptr_t)(spte & SPTE_FRAME);
	}
	if (((access & PFEC_W) && !(all & SPTE_W)) || ((access & PFEC_U) && !(all & SPTE_U)))
		return PFEC_P | access;
	return 0;
}

/* Until the access leads somewhere; false: it is to be emulated, at *at. */
static bool vcpu_access(struct vcpu *v, u64 addr, u32 access, gpa_t *at)
{
	struct shvm_pf pf;
	u32 error;
	int n;

	for (n = 0; n < 1000; n++) {
		shvm_mmu_root_obsolete(&v->mv);
		if (shvm_mmu_prepare(&v->mv))
			continue;
		error = cpu_walk(v, addr, access);
		if (!error)
			return true;
		pf = (struct shvm_pf){ .addr = gva(addr), .error = error };
		v->faults++;
		v->again += n > 0;
		switch (shvm_mmu_fault(&v->mv, &pf)) {
		case SHVM_PF_FIXED:
		case SHVM_PF_RETRY:
			break;
		case SHVM_PF_EMULATE:
			*at = pf.gpa;
			return false;
		default:
			shim_warn(__FILE__, __LINE__, "fault at %llx: no such memory\n", addr);
		}
	}
	shim_warn(__FILE__, __LINE__, "fault at %llx: no end\n", addr);
	return false;
}

void vcpu_touch(struct vcpu *v, u64 page)
{
	gpa_t at;

	if (!vcpu_access(v, DATA_BASE + (page << SHVM_PAGE_SHIFT), PFEC_W | PFEC_U, &at))
		shim_warn(__FILE__, __LINE__, "page %llu is no memory\n", page);
}

static u64 pts_address(const struct vcpu *v)
{
	return PTS_BASE + (v->id * NR_DENSE << SHVM_PAGE_SHIFT);
}

void vcpu_set_pte(struct vcpu *v, u64 page, u64 pte)
{
	gpa_t at;

	if (vcpu_access(v, pts_address(v) + page * sizeof(pte), PFEC_W, &at)) {
		WRITE_ONCE(*guest_pte(v, page), pte);
		return;
	}
	v->stores++;
	if (shvm_mmu_write(&v->mv, at, &pte, sizeof(pte)) != SHVM_MEM_OK)
		shim_warn(__FILE__, __LINE__, "store to %llx failed\n", at.v);
}

/* As the host would take its memory away. */
void vcpu_unmap(struct vcpu *v, bool tables)
{
	struct shvm_mmu *mmu = v->mv.mmu;
	u64 from = tables ? 0 : DATA;
	int idx = srcu_read_lock(&mmu->srcu);

	shvm_mmu_invalidate_begin(mmu);
	shvm_mmu_unmap(mmu, mmu->slots->slot[0], gfn(v->first + from), DATA + NR_DATA - from);
	shvm_mmu_settle(mmu);
	shvm_mmu_invalidate_end(mmu);
	srcu_read_unlock(&mmu->srcu, idx);
}

void vcpu_read_pts(struct vcpu *v)
{
	gpa_t at;
	u64 i;

	for (i = 0; i < NR_DENSE; i++)
		vcpu_access(v, pts_address(v) + (i << SHVM_PAGE_SHIFT), 0, &at);
}
