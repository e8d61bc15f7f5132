// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controlled scheduler. Threads are real ones, so that everything per CPU is per thread, but
 * only the one that has the baton runs. Knows nothing of what they do.
 */
#define SHIM_NO_POINTS
#include <semaphore.h>

#include "sched.h"

/* Not there without a sanitizer. */
#pragma weak __sanitizer_symbolize_pc
void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *out, size_t size);

#define MAX_STEPS	60000
#define MAX_IDLE	500	/* rounds in which everybody only waits for somebody else */
#define MAX_IGNORED	8
#define MAX_SPINS	1
#define OBJECT_HEAD	128	/* bytes */
#define QUIET_FROM	64	/* copies of whole pages: only their first bytes are points */

enum state { ENDED, READY, SPINNING, BLOCKED };

struct thread {
	sem_t go;
	enum state state;
	const volatile void *lock;	/* BLOCKED: which */
	bool for_writing, asks_for_end;
	story_fn fn;
	const volatile void *last;
	u32 spins;
};

/* One step of the run. */
struct step {
	const volatile void *at;	/* NULL: the thread could not go on */
	void *pc;
	u8 thread, alternatives;	/* bit mask of threads that could go on instead */
	bool is_store;
};

static struct {
	struct thread thread[MAX_THREADS];
	int nr;
	bool active;
	int running;
	sem_t all_ended;
	struct schedule schedule;
	int next;		/* decision */
	struct step step[MAX_STEPS];
	u32 nr_steps, idle;
	struct {
		const char *at;
		size_t size;
	} ignored[MAX_IGNORED];
	int nr_ignored;
} s;

static __thread struct thread *self;

int sched_self(void)
{
	return self ? self - s.thread : -1;
}

u32 sched_steps(void)
{
	return s.nr_steps;
}

void sched_ignore(const void *at, size_t size)
{
	if (!at) {
		s.nr_ignored = 0;
		return;
	}
	CHECK(s.nr_ignored < MAX_IGNORED, "too much is ignored");
	s.ignored[s.nr_ignored].at = at;
	s.ignored[s.nr_ignored++].size = size;
}

/* --- what is a point --- */

static bool is_quiet(const volatile void *at)
{
	const char *p = (const char *)at;
	const char *last = (const char *)self->last;
	int i;

	for (i = 0; i < s.nr_ignored; i++)
		if (p - s.ignored[i].at >= 0 && p - s.ignored[i].at < (long)s.ignored[i].size)
			return true;
	self->last = at;
	if (!host_owns(p))
		return false;
	return p > last && p - last <= 8 && ((uintptr_t)p & (SHVM_PAGE_SIZE - 1)) >= QUIET_FROM;
}

static u8 others(void)
{
	u8 mask = 0;
	int i;

	for (i = 0; i < s.nr; i++)
		if (&s.thread[i] != self && (s.thread[i].state == READY ||
					     s.thread[i].state == SPINNING))
			mask |= 1u << i;
	return mask;
}

static struct step *step_new(const volatile void *at, bool is_store, void *pc)
{
	struct step *step = &s.step[s.nr_steps];

	CHECK(s.nr_steps < MAX_STEPS - 1, "after %u steps there is no end", s.nr_steps);
	*step = (struct step){
		.at = at, .pc = pc, .thread = sched_self(), .is_store = is_store,
		.alternatives = others(),
	};
	return step;
}

/* The thread that the schedule wants to go on at this step, or -1. Ends the step. */
static int decided(void)
{
	u32 now = s.nr_steps++;

	while (s.next < s.schedule.nr && s.schedule.d[s.next].step < now)
		s.next++;
	if (s.next == s.schedule.nr || s.schedule.d[s.next].step != now)
		return -1;
	return s.schedule.d[s.next++].thread;
}

/* --- the baton --- */

static void pass_to(int to)
{
	s.running = to;
	s.thread[to].state = READY;
	sem_post(&s.thread[to].go);
}

static void switch_to(int to)
{
	struct thread *me = self;

	if (&s.thread[to] == me) {
		me->state = READY;
		return;
	}
	pass_to(to);
	while (sem_wait(&me->go))
		;
}

static void describe_state(void)
{
	static const char *const name[] = { "ended", "ready", "waits for others", "blocked" };
	int i;

	for (i = 0; i < s.nr; i++) {
		printf("# thread %d: %s", i, name[s.thread[i].state]);
		if (s.thread[i].state == BLOCKED)
			printf(" by lock %p%s", s.thread[i].lock,
			       s.thread[i].for_writing ? " for writing" : "");
		printf("\n");
	}
}

static int after(int i, u8 mask)
{
	int n;

	for (n = 1; n <= s.nr; n++)
		if (mask >> (i + n) % s.nr & 1)
			return (i + n) % s.nr;
	return -1;
}

/* The running thread cannot go on: who does? The step was recorded. */
static int choose(void)
{
	int want = decided(), i;
	u8 ready = 0, spinning = 0;

	for (i = 0; i < s.nr; i++) {
		ready |= (s.thread[i].state == READY) << i;
		spinning |= (s.thread[i].state == SPINNING) << i;
	}
	if (want >= 0 && ((ready | spinning) >> want & 1))
		return want;
	if (ready) {
		s.idle = 0;
		return after(s.running, ready);
	}
	if (!spinning || s.idle++ == MAX_IDLE) {
		describe_state();
		fail("%s", spinning ? "livelock" : "deadlock");
	}
	return after(s.running, spinning);
}

void sched_point(const volatile void *at, bool is_store)
{
	int to;

	if (!self || !s.active || is_quiet(at))
		return;
	step_new(at, is_store, __builtin_return_address(0));
	to = decided();
	if (to >= 0 && to != sched_self() &&
	    (s.thread[to].state == READY || s.thread[to].state == SPINNING))
		switch_to(to);
}

/* The end of an object is an access to all of it; the first words stand for it. */
void sched_freed(const void *obj, size_t size)
{
	size_t i;

	for (i = 0; i < size && i < OBJECT_HEAD; i += 4)
		sched_point((const char *)obj + i, true);
}

static void block(const volatile void *lock, bool for_writing)
{
	if (!self)
		fail("a lock is not given back");
	self->state = BLOCKED;
	self->lock = lock;
	self->for_writing = for_writing;
	step_new(NULL, false, __builtin_return_address(0));
	switch_to(choose());
}

void sched_block(const volatile void *lock)
{
	block(lock, true);
}

void sched_wake(const volatile void *lock)
{
	int i;

	for (i = 0; i < s.nr; i++)
		if (s.thread[i].state == BLOCKED && s.thread[i].lock == lock)
			s.thread[i].state = READY;
}

int sched_spin(void)
{
	struct step *step;

	if (!self)
		return 0;
	self->state = SPINNING;
	step = step_new(NULL, false, __builtin_return_address(0));
	/* Who is next while somebody waits for others makes a difference the first time. */
	if (self->spins++ >= MAX_SPINS)
		step->alternatives = 0;
	switch_to(choose());
	return 0;
}

bool sched_others_ended(void)
{
	int i;

	self->asks_for_end = true;
	for (i = 0; i < s.nr; i++)
		if (s.thread[i].state != ENDED && !s.thread[i].asks_for_end)
			return false;
	return true;
}

/* --- locks of the C library; all are taken by trying --- */

int sched_mutex_lock(pthread_mutex_t *l)
{
	/* No point: mutexes guard the model only, and what is under them has points of its own. */
	while (pthread_mutex_trylock(l))
		block(l, true);
	return 0;
}

int sched_mutex_unlock(pthread_mutex_t *l)
{
	pthread_mutex_unlock(l);
	sched_wake(l);
	return 0;
}

static bool writer_waits(const void *lock)
{
	int i;

	for (i = 0; i < s.nr; i++)
		if (s.thread[i].state == BLOCKED && s.thread[i].lock == lock &&
		    s.thread[i].for_writing)
			return true;
	return false;
}

/* As in the kernel: a writer that waits keeps new readers out. */
int sched_rwlock_read(pthread_rwlock_t *l)
{
	sched_point(l, false);
	while (writer_waits(l) || pthread_rwlock_tryrdlock(l))
		block(l, false);
	return 0;
}

int sched_rwlock_tryread(pthread_rwlock_t *l)
{
	sched_point(l, false);
	return writer_waits(l) || pthread_rwlock_tryrdlock(l);
}

int sched_rwlock_write(pthread_rwlock_t *l)
{
	sched_point(l, true);
	while (pthread_rwlock_trywrlock(l))
		block(l, true);
	return 0;
}

int sched_rwlock_unlock(pthread_rwlock_t *l)
{
	pthread_rwlock_unlock(l);
	sched_wake(l);
	return 0;
}

/* --- a run --- */

static bool all_ended(void)
{
	int i;

	for (i = 0; i < s.nr; i++)
		if (s.thread[i].state != ENDED)
			return false;
	return true;
}

static void *thread_main(void *arg)
{
	self = arg;
	for (;;) {
		while (sem_wait(&self->go))
			;
		self->fn();
		self->state = ENDED;
		step_new(NULL, false, NULL);
		if (all_ended()) {
			s.nr_steps++;
			sem_post(&s.all_ended);
		} else {
			pass_to(choose());
		}
	}
	return NULL;
}

void sched_start(void)
{
	pthread_t thread;
	int i;

	sem_init(&s.all_ended, 0, 0);
	for (i = 0; i < MAX_THREADS; i++) {
		sem_init(&s.thread[i].go, 0, 0);
		CHECK(!pthread_create(&thread, NULL, thread_main, &s.thread[i]), "thread");
	}
}

void sched_run(const struct schedule *schedule, const story_fn thread[])
{
	int i;

	s.schedule = *schedule;
	s.next = 0;
	s.nr_steps = 0;
	s.idle = 0;
	for (s.nr = 0; s.nr < MAX_THREADS && thread[s.nr]; s.nr++) {
		struct thread *t = &s.thread[s.nr];

		t->fn = thread[s.nr];
		t->state = READY;
		t->asks_for_end = false;
		t->last = NULL;
		t->spins = 0;
	}
	s.running = s.nr - 1;
	s.active = true;
	step_new(NULL, false, NULL);
	i = choose();
	pass_to(i);
	while (sem_wait(&s.all_ended))
		;
	s.active = false;
}

/* --- where to go another way --- */

#define NR_BUCKETS	(1u << 16)

/* The last access of each thread to a word, by step + 1. */
struct word {
	const volatile void *at;
	u32 run;
	u32 load[MAX_THREADS], store[MAX_THREADS];
};

static struct word words[NR_BUCKETS];
static u32 words_run;

static struct word *word_of(const volatile void *at)
{
	uintptr_t key = (uintptr_t)at;
	u32 i = (key * 0x9E3779B97F4A7C15ULL) >> 48;

	for (;; i = (i + 1) % NR_BUCKETS) {
		struct word *w = &words[i];

		if (w->run != words_run) {
			memset(w, 0, sizeof(*w));
			w->run = words_run;
			w->at = (void *)key;
		}
		if (w->at == (void *)key)
			return w;
	}
}

static u32 first_free_step(void)
{
	return s.schedule.nr ? s.schedule.d[s.schedule.nr - 1].step + 1 : 0;
}

/* Does another thread still want what this step is about, and one of them changes it? */
static bool is_contended(u32 i)
{
	const struct step *step = &s.step[i];
	const struct word *w = word_of(step->at);
	int t;

	for (t = 0; t < s.nr; t++)
		if (t != step->thread &&
		    (w->store[t] > i + 1 || (step->is_store && w->load[t] > i + 1)))
			return true;
	return false;
}

u32 sched_branches(struct branch *out, u32 max)
{
	u32 i, n = 0;
	int t;

	words_run++;
	for (i = 0; i < s.nr_steps; i++) {
		const struct step *step = &s.step[i];

		if (step->at && step->is_store)
			word_of(step->at)->store[step->thread] = i + 1;
		else if (step->at)
			word_of(step->at)->load[step->thread] = i + 1;
	}
	for (i = first_free_step(); i < s.nr_steps; i++) {
		const struct step *step = &s.step[i];

		if (!step->alternatives || (step->at && !is_contended(i)))
			continue;
		for (t = 0; t < s.nr && n < max; t++)
			if ((step->alternatives >> t & 1) &&
			    (step->at || i + 1 == s.nr_steps || s.step[i + 1].thread != t))
				out[n++] = (struct branch){ { i, t }, step->at };
	}
	return n;
}

static void describe_pc(void *pc)
{
	char text[512] = "";

	if (pc && __sanitizer_symbolize_pc)
		__sanitizer_symbolize_pc((char *)pc - 1, "%f %s:%l", text, sizeof(text));
	printf("%s", text);
}

/* Every switch: where the thread stood that another one overtook or that could not go on. */
void sched_describe(void)
{
	u32 i;

	for (i = 0; i + 1 < s.nr_steps; i++) {
		const struct step *step = &s.step[i];

		if (step->thread == s.step[i + 1].thread)
			continue;
		printf("# step %u: thread %d after thread %d %s ", i, s.step[i + 1].thread,
		       step->thread, step->at ? "is about to:" : "cannot go on");
		describe_pc(step->pc);
		printf("\n");
	}
	if (s.active)
		describe_state();
}
