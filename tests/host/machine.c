// SPDX-License-Identifier: GPL-2.0-only
/*
 * The computer's life, and src/mmu/arch.h on top of it.
 */
#include <string.h>

#include "host.h"

struct machine *machine;
u64 (*rnd_source)(void);
bool machine_has_giant;

int machine_module_init(void)
{
	frames_init();
	return shvm_mmu_module_init();
}

void machine_module_exit(void)
{
	shvm_mmu_module_exit();
}

/* Zero again, for the next machine. */
static void mirror_clear(u64 page)
{
	static const u8 zero[SHVM_PAGE_SIZE];

	if (memcmp(machine->mirror[page], zero, SHVM_PAGE_SIZE))
		memset(machine->mirror[page], 0, SHVM_PAGE_SIZE);
}

static void machine_free(void)
{
	u64 i;

	for (i = 0; i < HVA_PAGES; i++) {
		if (machine->host[i].frame >= 0 || machine->host[i].swap)
			mirror_clear(i);
		if (machine->host[i].frame >= 0)
			frame_put(machine->host[i].frame);
		free(machine->host[i].swap);
	}
	if (machine_has_giant)
		sparse_zero(machine->mirror[GIANT_PAGE], GIANT_SIZE);
	frames_check_free();
	free(machine);
	machine = NULL;
}

/* The arrays stay for all machines: new memory is dear. */
static void memory_create(void)
{
	static struct host_page *host;
	static u8 (*mirror)[SHVM_PAGE_SIZE];
	static u64 nr_pages;
	u64 i;

	if (!host) {
		nr_pages = machine_has_giant ? GIANT_PAGE + GIANT_PAGES : HVA_PAGES;
		host = sparse_alloc(nr_pages * sizeof(*host));
		mirror = sparse_alloc(nr_pages * SHVM_PAGE_SIZE);
	}
	machine->host = host;
	machine->mirror = mirror;
	machine->nr_pages = nr_pages;
	for (i = 0; i < HVA_PAGES; i++)
		host[i] = (struct host_page){ .frame = -1 };
	for (i = GIANT_PAGE; i < nr_pages; i++)
		host[i] = (struct host_page){ .frame = -1, .vma = VMA_NONE };
}

enum direct machine_direct;
bool machine_tagged;

bool machine_create(int nr_vcpus)
{
	machine = calloc(1, sizeof(*machine));
	CHECK(machine, "no memory for the test itself");
	shvm_spte_trap = SPTE_TRAP_BITS | (machine_direct == DIRECT_NO_BIT ? 0 : SPTE_P);
	memory_create();
	pthread_mutex_init(&machine->host_mutex, NULL);
	pthread_mutex_init(&machine->slots_mutex, NULL);
	pthread_rwlock_init(&machine->mm_lock, NULL);
	machine->mirrored = true;
	history_reset();
	use_reset();
	if (shvm_mmu_init(&machine->mmu)) {
		machine_free();
		return false;
	}
	for (; machine->nr_vcpus < nr_vcpus; machine->nr_vcpus++) {
		struct vcpu *v = &machine->vcpu[machine->nr_vcpus];

		v->id = machine->nr_vcpus;
		v->paging = (struct shvm_paging){ .maxphyaddr = 36 };
		CHECK(!shvm_mmu_vcpu_init(&machine->mmu, &v->mv), "vCPU %d", v->id);
	}
	return true;
}

void machine_destroy(void)
{
	int i;

	for (i = 0; i < machine->nr_vcpus; i++)
		shvm_mmu_vcpu_destroy(&machine->vcpu[i].mv);
	shvm_mmu_destroy(&machine->mmu);
	CHECK(!shvm_striped_sum(&machine->mmu.tlb.chain_blocks),
	      "the count of chain blocks is wrong");
	CHECK(!machine->broken, "the VM is marked as broken");
	machine_free();
}

/* --- src/mmu/arch.h --- */

int shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len)
{
	u64 page = page_at(at);
	const u8 *from;

	pthread_rwlock_rdlock(&machine->mm_lock);
	from = page_memory(page, false);
	if (from)
		mem_read(from + (at.v & (SHVM_PAGE_SIZE - 1)), buf, len);
	pthread_rwlock_unlock(&machine->mm_lock);
	return from ? 0 : -EFAULT;
}

int shvm_arch_diff_user_atomic(hva_t at, const u64 *known, u32 from, u32 len)
{
	const u8 *memory;
	u64 word;
	int ret = -EFAULT;

	pthread_rwlock_rdlock(&machine->mm_lock);
	memory = page_memory(page_at(at), false);
	if (memory) {
		for (; from < len; from += 8) {
			mem_read(memory + (at.v & (SHVM_PAGE_SIZE - 1)) + from, &word, 8);
			if (word != known[from / 8])
				break;
		}
		ret = from;
	}
	pthread_rwlock_unlock(&machine->mm_lock);
	return ret;
}

int shvm_arch_scan_table_atomic(hva_t at, u64 *out, u64 mark)
{
	u64 entry[SHVM_SPT_ENTRIES];
	int i, err = shvm_arch_read_user_atomic(at, entry, sizeof(entry));

	for (i = 0; !err && i < SHVM_SPT_ENTRIES; i++)
		if (entry[i] & 1)
			out[i] = mark;
	return err;
}

int shvm_arch_read_user(hva_t at, void *buf, u32 len)
{
	while (shvm_arch_read_user_atomic(at, buf, len))
		if (fault_in(page_at(at), false))
			return -EFAULT;
	return 0;
}

int shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len)
{
	u64 page = page_at(at);
	u8 *to;

	pthread_rwlock_rdlock(&machine->mm_lock);
	to = page_memory(page, true);
	if (to)
		mem_write(to + (at.v & (SHVM_PAGE_SIZE - 1)), buf, len);
	pthread_rwlock_unlock(&machine->mm_lock);
	return to ? 0 : -EFAULT;
}

int shvm_arch_fault_in(hva_t at, bool write)
{
	return fault_in(page_at(at), write);
}

int shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len)
{
	u64 page = page_at(at);
	int ret = -EFAULT;
	u8 *to;

	CHECK(!(at.v & (len - 1)), "compare-exchange of %u bytes at %llx", len, at.v);
	pthread_rwlock_rdlock(&machine->mm_lock);
	to = page_memory(page, true);
	if (to)
		ret = mem_cmpxchg(to + (at.v & (SHVM_PAGE_SIZE - 1)), old, new, len);
	pthread_rwlock_unlock(&machine->mm_lock);
	return ret;
}

bool shvm_arch_host_frame_atomic(hva_t at, bool write, struct shvm_host_frame *out)
{
	const struct host_page *p = &machine->host[page_at(at)];
	bool ok;

	pthread_rwlock_rdlock(&machine->mm_lock);
	ok = !!page_memory(page_at(at), write);
	if (ok) {
		out->hfn = hfn(FRAME_BASE + p->frame);
		out->writable = p->writable;
	}
	pthread_rwlock_unlock(&machine->mm_lock);
	return ok;
}

int shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out)
{
	static __thread u64 calls;

	if (machine->inject_eintr && !(++calls % machine->inject_eintr))
		return -EINTR;
	let_others_run();
	out->faulted_in = false;
	while (!shvm_arch_host_frame_atomic(at, write, out)) {
		if (fault_in(page_at(at), write))
			return -EFAULT;
		use_faulted_in(page_at(at));
		out->faulted_in = true;
	}
	return 0;
}

bool shvm_arch_host_is_young(struct shvm_mmu *mmu, hva_t at)
{
	return use_host_knows(page_at(at), 1);
}

int shvm_arch_host_level(struct shvm_mmu *mmu, hva_t at, const struct shvm_host_frame *host)
{
	u64 page = page_at(at);
	int level = 1;

	pthread_rwlock_rdlock(&machine->mm_lock);
	if (page_memory(page, host->writable) &&
	    host->hfn.v == FRAME_BASE + machine->host[page].frame)
		level = host_level(page);
	pthread_rwlock_unlock(&machine->mm_lock);
	if (machine->at_level && !shim_held)
		machine->at_level();
	let_others_run();
	return level;
}

void shvm_arch_flush(struct shvm_mmu *mmu)
{
	int i;

	let_others_run();
	if (check_dead)
		tables_check_dead();
	smp_mb();	/* SPTE stores before the look at in_guest; pairs with vcpu_enter() */
	for (i = 0; i < machine->nr_vcpus; i++) {
		struct vcpu *v = &machine->vcpu[i];
		u64 exits = __atomic_load_n(&v->exits, __ATOMIC_ACQUIRE);

		if (!__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
			continue;
		if (!machine->threads) {
			vcpu_exit(v);
			continue;
		}
		/* Again: an entry that was given up has taken the kick, but was no exit. */
		do {
			__atomic_store_n(&v->kick, 1, __ATOMIC_SEQ_CST);
			sched_yield();
		} while (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST) &&
			 __atomic_load_n(&v->exits, __ATOMIC_ACQUIRE) == exits);
	}
}

bool shvm_arch_flush_is_free(const struct shvm_mmu_vcpu *mv)
{
	int i;

	smp_mb();	/* as in shvm_arch_flush() */
	for (i = 0; i < machine->nr_vcpus; i++)
		if (&machine->vcpu[i].mv != mv &&
		    __atomic_load_n(&machine->vcpu[i].in_guest, __ATOMIC_SEQ_CST))
			return false;
	return true;
}

void shvm_arch_reload_roots(struct shvm_mmu *mmu)
{
	int i;

	for (i = 0; i < machine->nr_vcpus; i++) {
		__atomic_store_n(&machine->vcpu[i].reload, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&machine->vcpu[i].kick, 1, __ATOMIC_SEQ_CST);
	}
}

u32 pages_limit;

/* As the module does while it has one VM. */
int shvm_arch_make_room(u32 want)
{
	u64 used = shvm_mmu_pages_of_all() + want;

	if (!pages_limit || used <= pages_limit)
		return 0;
	if (shvm_mmu_give(&machine->mmu, used - pages_limit, true))
		return 0;
	return shvm_mmu_pages_of_all() + want <= pages_limit ? 0 : -ENOMEM;
}

bool shvm_arch_root_in_use(struct shvm_mmu *mmu, const struct shvm_sp *sp)
{
	int i, j;

	for (i = 0; i < machine->nr_vcpus; i++) {
		const struct shvm_mmu_vcpu *mv = &machine->vcpu[i].mv;

		if (READ_ONCE(mv->root) == sp)
			return true;
		for (j = 0; j < SHVM_PAE_ROOTS; j++)
			if (READ_ONCE(mv->pae_sp[j]) == sp)
				return true;
	}
	return false;
}

void shvm_arch_broken(struct shvm_mmu *mmu, const char *why)
{
	machine->broken = 1;
}

void shvm_arch_low_changed(struct shvm_mmu *mmu)
{
}
