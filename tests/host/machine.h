/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A computer that runs one VM: the VMM's memory with the host's page tables, memory slots, and
 * CPUs that walk shadow tables as hardware does, through a TLB that forgets only what it must.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <pthread.h>

#include "mmu/arch.h"
#include "mmu/mmu.h"
#include "mmu/shadow.h"

#define MAX_VCPUS	4
#define MAX_MSLOTS	8
#define HVA_BASE	0x100000000000ULL
#ifndef HVA_PAGES
#define HVA_PAGES	4096		/* fewer where many machines are made one after the other */
#endif
#define BLOCK		512		/* pages that one huge entry of the host maps */
#define NR_BLOCKS	(HVA_PAGES / BLOCK)
#define GIANT_PAGE	0x40000		/* page of the VMM's memory where the giant one begins */
#define GIANT_PAGES	0x40000		/* in it: 1 GiB */
#define NR_FRAMES	6144		/* that are mapped one by one */
#define FRAME_BASE	0x8000000ULL	/* first host frame: uses address bit 39 */
#define NR_TABLES	4096
#define TABLE_BASE	0x10000ULL	/* frame of the first shadow table */
#define MAXPHYADDR	40
#define TLB_SIZE	64
#define TLB_LARGE	8		/* entries for pages of 2 MiB and more, behind the others */
#define TLB_ALL		(TLB_SIZE + TLB_LARGE)

/* What the VMM has mapped at a page of its memory. */
enum vma { VMA_RW, VMA_RO, VMA_NONE };

struct host_page {
	int frame;			/* from FRAME_BASE on; -1: not resident */
	bool writable;			/* false with VMA_RW: copy on write */
	enum vma vma;
	u8 *swap;			/* contents while swapped out */
};

/* A slot as the tests know it, apart from the module's table. */
struct mslot {
	bool used, readonly;
	u64 base, npages, first;	/* first: page of the VMM's memory */
};

enum kind { READ, WRITE, FETCH };

struct access {
	u64 addr;
	enum kind kind;
	bool user, ac, implicit;
};

/*
 * What the TLB keeps of a translation: of a large one all of it, or the part of 4 KiB that was
 * used, as the CPU likes (SDM 4.10.2.3).
 */
struct tlb_entry {
	bool valid, w, u, nx, dirty;
	u8 level, kept;			/* size of the translation, and of what is kept of it */
	u64 tag;
	u64 page;			/* the first one that is kept */
	u64 hfn;
	u64 gfn;			/* as the oracle saw it when the entry was made */
};

/* Where the kernel's page was that the entry loop has looked for last. */
struct look {
	struct shvm_peek at;
	u64 owed;			/* rights lost when it held last */
	u64 kept;			/* how often the same answer served again */
	enum kind kind;
	struct tlb_entry entry;		/* as what the hardware would have found */
};

struct vcpu {
	struct shvm_mmu_vcpu mv;
	int id;
	struct shvm_paging paging;
	u64 cr3;
	u64 guest_pdpte[4];		/* the guest's registers, PAE paging */
	int in_guest;			/* atomic */
	int reload, kick;		/* atomic: requests */
	u64 exits;			/* atomic */
	u64 accesses;			/* begun: the instructions of this CPU */
	u64 root;			/* as the VMCS holds it */
	u64 pdpte[4];			/* PAE host format: the hardware's, loaded at entry */
	struct tlb_entry tlb[TLB_ALL];
	u64 tag;			/* in use; 0: no tags */
	u64 tags[SHVM_NR_TLB_TAGS];	/* what the module's are called */
	u64 last_tag;
	struct look look;
};

struct machine {
	struct shvm_mmu mmu;
	struct vcpu vcpu[MAX_VCPUS];
	int nr_vcpus;
	bool threads;			/* vCPUs are threads: no oracle, no look at others' TLBs */
	bool lockstep;			/* threads, but only one of them runs at a time */
	bool unseen;			/* threads have run: use.c knows nothing any more */
	bool mirrored;			/* mirror[] says what memory must contain */

	pthread_mutex_t host_mutex;	/* changes of the host's page tables; outermost */
	pthread_rwlock_t mm_lock;	/* host[], frames' life; innermost */
	pthread_mutex_t slots_mutex;
	/* Memory is there when it is touched; the giant page's is behind that of the others. */
	struct host_page *host;
	u8 (*mirror)[SHVM_PAGE_SIZE];
	u64 nr_pages;
	bool huge[NR_BLOCKS];		/* one entry maps all of it; mm_lock */
	bool absent[NR_BLOCKS];		/* not mapped while it is copied; mm_lock */
	int giant;			/* by entries of which level; 0: nothing is there */
	struct mslot slot[MAX_MSLOTS];

	/*
	 * Called where a vCPU holds no lock in the middle of an access and others could run: what
	 * they do between two steps of a fault, without threads. May be NULL.
	 */
	void (*disturb)(void);
	/* The same, when the host has just told how large it maps something. May be NULL. */
	void (*at_level)(void);
	int host_busy;			/* host_mutex is held by the one thread */
	bool thp;			/* the first touch of an empty block maps it huge */
	bool huge_reuse;		/* the next store to a block on write makes all writable */

	bool poked;			/* host_poke() may have made entries present, unseen */
	u64 invalidations;		/* atomic; also by copy on write */
	int inject_eintr;		/* 1 in so many look-ups of a host frame is interrupted */
	int broken;			/* shvm_arch_broken() was called */
};

extern struct machine *machine;		/* the one that is there */

/* Faults without an exit: as they are; all #PF exit; the same, and the trap entry has P = 0. */
enum direct { DIRECT_ON, DIRECT_OFF, DIRECT_NO_BIT };
extern enum direct machine_direct;	/* set before it is created */
extern bool machine_tagged;		/* the same: an exit leaves the TLB as it is (VPID) */

/* Each program's own: prints how to repeat what it is doing. */
void fail_repeat(void);
/* --- fail.c: ends the test with a message --- */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define CHECK(cond, fmt, ...)	do { if (!(cond)) fail(fmt, ##__VA_ARGS__); } while (0)

/* --- machine.c: the host --- */
extern bool machine_has_giant;		/* set before the first: machines have the giant page */
bool machine_create(int nr_vcpus);	/* false: no memory, nothing is left */
void machine_destroy(void);
int machine_module_init(void);
void machine_module_exit(void);
u8 *host_frame_memory(u64 hfn);
void tables_check_dead(void);
u64 *machine_table(u64 at);		/* for the CPU: the memory of a shadow table */
bool host_frame_is_live(u64 hfn);
const u8 *host_contents(u64 page);	/* of the VMM's memory; NULL: zeros */
bool host_owns(const void *at);		/* is it in the memory of a frame? */
int host_level(u64 page);		/* of the entry that maps it, 1 to 3 */
void host_swap_out(u64 page);		/* the contents come back with the next use */
void host_drop(u64 page);		/* as MADV_DONTNEED: comes back as zeros */
void host_replace(u64 page, const u8 *contents);	/* something else is mapped there */
void host_unmap(u64 page);		/* and map something new there, which is empty */
void host_migrate(u64 page);		/* another frame, same contents */
void host_write_protect(u64 page);	/* copy on write from now on */
void host_set_vma(u64 page, enum vma vma);
/*
 * Blocks. What is done above to one page of a huge block splits it first. False: it is not one, or
 * it cannot become one.
 */
bool host_collapse(u64 block);		/* as khugepaged: copy it and map it by one entry */
bool host_split(u64 block);		/* the same frames by small entries */
bool host_migrate_block(u64 block);	/* another group of frames, by one entry again */
bool host_protect_block(u64 block);	/* copy on write from now on, by one entry still */
void host_drop_block(u64 block);	/* huge or not */
void host_map_giant(int level);		/* 3: by one entry, 2: by 512; 0: unmap */
/*
 * The host or a device looks at and changes memory, unseen by the module. After a change faults
 * without an exit may be stale, if machine->poked is not reset: then the next tick mends them.
 */
void host_peek(u64 page, u32 off, void *buf, u32 len);
void host_poke(u64 page, u32 off, const void *buf, u32 len);
u32 host_age(u64 first, u64 n, bool clear);	/* how many of them, at least, were used */
u32 host_ask(u64 first, u64 n, bool clear);	/* the same, unverified */

/* --- slots; 0 or -errno --- */
extern u32 pages_limit;		/* of all VMs together; 0: none */
int slot_add(int id, u64 base, u64 npages, u64 first, bool readonly);
int slot_delete(int id);
void zap_all(bool long_chains);			/* true: as if a frame's chain had become long */
int slot_move(int id, u64 base);
const struct mslot *slot_of(u64 f);
/* Page of the VMM's memory behind a guest frame; -1: no slot. */
long page_of(u64 f);

/* --- cpu.c: vCPUs --- */
enum outcome_kind {
	DONE,		/* gpa, and hfn if the hardware did it */
	FAULT,		/* the guest gets #PF with error */
	MMIO,		/* gpa */
	USER,		/* -EFAULT */
	NOMEM,
	NOROOT,		/* CR3 leads outside memory */
	STUCK,		/* no end */
};

struct outcome {
	enum outcome_kind kind;
	u32 error;
	u64 gpa, hfn;
	bool hardware, from_tlb;
	bool walked;		/* hardware: by the shadow tables as they were then */
	bool direct;		/* a fault that did not exit */
	bool known;		/* MMIO, by the shadow tables alone */
	bool in_loop;		/* a store that the entry loop has done */
	struct tlb_entry *tlb;	/* hardware: the entry that served it */
	u64 nth;		/* page of that entry */
	int exits;
};

/* A memory access of up to 16 bytes within one page. old: compare-exchange. */
struct operation {
	struct access a;
	u8 data[16];
	const u8 *old;
	u32 len;
	bool lost;		/* out: compare failed */
	u64 rnd;		/* decides what the hardware is free to decide */
};

#define RND_PARTS	128	/* of a large translation the TLB keeps the part that was used */
#define RND_LOOK	(1u << 16)	/* not the hardware reads, but the entry loop */
#define RND_KEEP	(7u << 17)	/* ... only where it has looked before */

/* look.c: for a vCPU in the guest. NULL: not this access, or not known. */
struct tlb_entry *vcpu_look(struct vcpu *v, const struct operation *op);

u32 access_flags(const struct access *a);	/* SHVM_ACCESS_* */
struct outcome vcpu_access(struct vcpu *v, struct operation *op);
void vcpu_exit(struct vcpu *v);		/* leaves the guest: its TLB is empty, without tags */
/*
 * 0; 1: PDPTEs had to be loaded and one has a reserved bit, #GP; -EFAULT: the host has no memory
 * for them. If not 0, nothing has changed.
 */
int vcpu_set_paging(struct vcpu *v, const struct shvm_paging *p);	/* MOV to CR0, CR4; WRMSR */
int vcpu_load_cr3(struct vcpu *v, u64 cr3);
int vcpu_load_cr3_keep(struct vcpu *v, u64 cr3);	/* bit 63, if CR4.PCIDE is on */
int vcpu_load_cr3_fast(struct vcpu *v, u64 cr3, bool keep);
int vcpu_set_registers(struct vcpu *v, const struct shvm_paging *p, u64 cr3);	/* all at once */
void vcpu_invlpg(struct vcpu *v, u64 addr);
void vcpu_invlpg_fast(struct vcpu *v, u64 addr);
bool vcpu_may_use(const struct vcpu *v, const struct tlb_entry *e);	/* before another flush */
bool vcpu_must_exit(struct vcpu *v);		/* threads: somebody kicked it */

/* --- oracle.c: what the SDM says --- */
enum oracle_kind { O_OK, O_FAULT, O_HOST, O_NOROOT };
enum oracle_format { O_OFF, O_32, O_PAE, O_64, O_NR_FORMATS };

struct oracle {
	enum oracle_kind kind;
	enum oracle_format format;
	int levels, bytes;	/* tables that are walked; size of an entry */
	u32 error;
	u64 gfn;
	int nr_marks;		/* A and D to be set */
	struct {
		u64 gpa, bits;
	} mark[5];
	u64 entry[5];		/* guest-physical addresses of the entries read, top first */
	int nr_entries;
};

enum oracle_format oracle_format(const struct shvm_paging *p);
/* What an ordinary guest of the format has in its registers. */
struct shvm_paging oracle_paging(enum oracle_format format);
u64 oracle_linear(const struct shvm_paging *p, u64 addr);	/* 32 bits outside long mode */
/* What a load of the four registers of PAE paging finds; O_FAULT: #GP. */
enum oracle_kind oracle_pdptes(const struct shvm_paging *p, u64 cr3, u64 pdpte[4]);
void oracle_walk(const struct vcpu *v, const struct access *a, struct oracle *o);
void oracle_commit(const struct oracle *o);	/* set the marks in the mirror */

/* --- history.c: what the tables were --- */
void history_reset(void);
void history_store(u64 page, u32 off, u32 len);	/* before the mirror changes */
void history_flush(const struct vcpu *v);	/* all PCIDs */
void history_leave(const struct vcpu *v);	/* CR3 will be another */
void history_load(const struct vcpu *v, bool noflush);	/* it is */
void history_flush_page(const struct vcpu *v, u64 addr);
/* Could the vCPU's TLB hold what served the access? Then out->tlb->gfn says what it was. */
bool history_explains(const struct vcpu *v, const struct access *a, struct outcome *out);

/* --- verify.c --- */
struct verdicts {
	u64 done, faults, mmio, emulated;
	u64 direct;		/* faults without an exit */
	u64 known;		/* mmio by the shadow tables alone */
	u64 hits, stale;	/* served by the TLB; and the tables say something else */
	u64 old;		/* by a shadow out of sync, and the tables say something else */
	u64 opens, changes;	/* tables let go out of sync, entries of theirs that changed */
	u64 kept;		/* answers of shvm_mmu_peek() that served again */
	u64 large;		/* served by large translations, TLB or not */
	u64 by_format[O_NR_FORMATS];	/* of those that are done */
};

extern struct verdicts verdicts;
struct outcome verified_access(struct vcpu *v, struct operation *op, bool may_lack_memory);
void verified_translation(struct vcpu *v, const struct access *a);	/* the emulator's */
/* The vCPU whose access is under way and has not been disturbed yet, or NULL. */
const struct vcpu *verify_now(void);
void verify_disturb(void (*fn)(void));	/* run something in the middle of it */
void verify_failed(void);		/* prints the access that is under way */
bool host_can(u64 f, bool write);	/* has the host memory for a guest frame? */

bool verify_runs(void);			/* an access is under way that will be verified */

/* --- use.c: which pages of the VMM's memory were used, for what asks after their age --- */
extern u32 use_clock;			/* tenths of a second; ticks when a test says so */
void use_reset(void);
void use_walked(u64 hfn, int level);	/* by the hardware, through a translation of that size */
void use_tried(const struct oracle *o, bool large);	/* an access may have been made ready for */
void use_by_software(u64 gfn);
void use_read(u64 gfn);			/* perhaps, by software */
void use_unknown(void);			/* anything may have been used */
void use_forget(u64 first, u64 n);	/* the VMM has something else there, or no slot */
void use_check(u64 first, u64 n);	/* the module's answers for pages, one by one */
void use_told(u64 first, u64 n);	/* the host has been told */
void use_faulted_in(u64 page);		/* for an access: the host's own entry is young */
bool use_host_knows(u64 first, u64 n);	/* of one of them */
/* Ask for the working set, and verify each answer. Of guest frames. */
void use_working_set(u64 first, u64 n, u32 tear, u32 *answers);
u32 use_age(u64 f);			/* of one frame */

/* --- check.c --- */
void check_all(void);		/* structure and exactness of all shadows; vCPUs stand still */
void check_mirror(void);	/* memory is what the mirror says */
void check_tlbs(void);		/* no TLB holds what it must not */
extern u64 check_large_seen;	/* large leaves that check_all() has come across */
extern bool check_dead;		/* at each flush: no table that died has a notrap entry */
void check_dead_table(const struct shvm_sp *sp);
extern bool check_behind;	/* tables were changed behind the module: no A4, A7 */

/* --- tests --- */
struct random_options {
	u64 seed, steps, audit;		/* audit: every so many steps */
	int config;			/* below NR_CONFIGS */
	enum direct direct;
	u32 off;			/* techniques that are turned off */
	bool tags;			/* the TLB is not empty after an exit */
	u64 fail_alloc;			/* the Nth allocation fails; 0: none */
	bool trace;
};

#define OFF_OOS		1
#define OFF_PREFETCH	2
#define OFF_LAST_ENTRY	4

#define NR_CONFIGS	9
bool random_run(const struct random_options *opt);	/* true: an allocation failed on purpose */
void random_repeat(void);		/* prints how to repeat the run that is under way */
void alloc_run(u64 seed);
void threads_run(u64 seed, int milliseconds);

struct directed {
	const char *name;
	void (*run)(void);
};

struct directed_set {
	const struct directed *tests;
	int nr;
};

extern const struct directed_set directed_tests, format_tests, pae_tests, two_level_tests,
	limit_tests, recycle_tests, walker_tests, class_tests, race_tests, coverage_tests,
	large_tests, size_tests, direct_tests, oos_tests, tag_tests, mmio_tests, age_tests;

/* Where random numbers come from instead, if not NULL. */
extern u64 (*rnd_source)(void);

static inline u64 rnd_mix(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline u64 rnd_next(u64 *state)
{
	return rnd_source ? rnd_source() : rnd_mix(state);
}

#endif
