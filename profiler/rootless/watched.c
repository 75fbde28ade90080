// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/rootless/thread_facts.h"
#include "profiler/rootless/threads.h"

#define PROCESSES_MAX 1024
#define THREADS_MAX   4096 /* of a process */
/* A thread that does not run is looked at every so many times. Its CPU time does not get lost. */
#define PAUSE_MAX 8
/* So many times longer while its process's CPU time is that of other threads, but for a part of the period. */
#define PAUSE_STRETCH 8
#define UNEXPLAINED   8
/* Of processes with more threads not all of those that sleep are asked for children at once. */
#define FEW_THREADS    32
#define SLEEPERS_PARTS 16
/* While nobody begins or ends, lists of threads and children are read every so many looks; and in the look after the one
 * that found it so, because who was about to begin then may have been in no list yet. */
#define STILL_MAX 8
#define SETTLING  1
/* So much later than it was due, a look is too late: a sample is no witness of what ran so long before. */
#define LATE_NS (NS_PER_S / 2)
/* Mappings of a process are read in one of so many parts of the time. */
#define MAPS_SHARE 64
/* Helpers of kiln's own: when there are more, they are looked at again. */
#define HELPERS_MAX 64

static struct watched_process *find(const struct watched *w, pid_t tgid)
{
	for (size_t i = 0; i < w->all.len; i++)
		if (w->all.data[i]->tgid == tgid)
			return w->all.data[i];
	return NULL;
}

static void free_process(struct watched_process *p)
{
	vec_release(&p->threads);
	vec_release(&p->maps.all);
	free(p);
}

/* --- threads ------------------------------------------------------------------------------------ */

static struct watched_thread *find_thread(const struct watched_process *p, pid_t tid)
{
	for (size_t i = 0; i < p->threads.len; i++)
		if (p->threads.data[i].tid == tid)
			return &p->threads.data[i];
	return NULL;
}

/* Whatever is read now may have been used long ago. */
static bool is_late(const struct watched *w)
{
	return w->looked_ns && monotonic_ns() - w->looked_ns > w->period_ns + LATE_NS;
}

/* 0: it cannot be read, or the process is gone. */
static uint64_t read_clock(const struct watched_process *p)
{
	return p->clock ? clock_ns(p->clock) : 0;
}

/* Its own time and that of its threads. Not all sandboxes have it. */
static void begin_clock(struct watched_process *p, bool is_born)
{
	clockid_t clock;

	p->clock = clock_getcpuclockid(p->tgid, &clock) ? 0 : clock;
	p->clock_ns = read_clock(p);
	p->begin_ns = is_born ? 0 : p->clock_ns;
}

static uint64_t counted_ns(const struct watched_process *p)
{
	return p->begin_ns + p->used_ns + p->gone_ns;
}

/* A thread that executes a program becomes the first one, with its CPU time, which was counted before. */
static uint64_t not_counted(const struct watched_process *p, const struct watched_thread *t,
			    uint64_t ns)
{
	uint64_t clock_ns, room;

	if (t->tid != p->tgid || counted_ns(p) + ns <= p->clock_ns)
		return ns;
	clock_ns = read_clock(p);
	if (!clock_ns)
		return ns;
	room = clock_ns > counted_ns(p) ? clock_ns - counted_ns(p) : 0;
	return ns < room ? ns : room;
}

static void add_cpu(struct watched *w, struct watched_process *p, struct watched_thread *t,
		    uint64_t cpu_ns)
{
	uint64_t more = cpu_ns > t->cpu_ns ? cpu_ns - t->cpu_ns : 0;

	t->cpu_ns = cpu_ns;
	p->has_run |= more > 0;
	t->pause = more ? 0 : t->pause < PAUSE_MAX ? t->pause + 1 : PAUSE_MAX;
	t->rest = t->pause;
	if (!w->counts)
		return;
	more = not_counted(p, t, more);
	if (w->is_late)
		w->lost_ns += (int64_t)more;
	else
		t->owed_ns += more;
	p->used_ns += more;
	w->used_ns += more;
}

static void end_thread(struct watched *w, struct watched_process *p, size_t i)
{
	const struct watched_thread *t = &p->threads.data[i];

	w->lost_ns += (int64_t)(t->owed_ns - t->phase_ns);
	tell_exit(w->ring, boottime_ns(), p->tgid, t->tid);
	p->threads.data[i] = p->threads.data[--p->threads.len];
	w->still = 0;
}

struct looking {
	struct watched *w;
	struct watched_process *p;
	bool is_known; /* the process was there before: threads are new, and so is their CPU time */
};

static int see_thread(void *ctx, pid_t tgid, pid_t tid)
{
	struct looking *l = ctx;
	struct watched_thread *t = find_thread(l->p, tid), fresh = {.tid = tid, .is_alive = true};
	uint64_t cpu_ns;

	if (t) {
		t->is_alive = true;
		return 0;
	}
	if (l->p->threads.len >= THREADS_MAX ||
	    vec_reserve(&l->p->threads, l->p->threads.len + 1)) {
		l->w->full++;
		return 0;
	}
	if (thread_cpu_ns(&l->w->files, tgid, tid, &cpu_ns))
		return 0;
	fresh.cpu_ns = l->is_known ? 0 : cpu_ns;
	fresh.owed_ns = fresh.phase_ns = hash_u64(l->w->seed++) % l->w->period_ns;
	if (tid != tgid)
		tell_fork(l->w->ring, boottime_ns(), tgid, tid, tgid);
	t = &l->p->threads.data[l->p->threads.len++];
	*t = fresh;
	add_cpu(l->w, l->p, t, cpu_ns);
	return 0;
}

/* Returns false if the process is gone. */
static bool see_threads(struct watched *w, struct watched_process *p, bool is_known)
{
	struct looking l = {w, p, is_known};
	bool there;

	for (size_t i = 0; i < p->threads.len; i++)
		p->threads.data[i].is_alive = false;
	there = !threads_each(p->tgid, see_thread, &l);
	for (size_t i = p->threads.len; i--;)
		if (!p->threads.data[i].is_alive)
			end_thread(w, p, i);
	return there && p->threads.len;
}

static void read_cpu(struct watched *w, struct watched_process *p, bool all)
{
	for (size_t i = 0; i < p->threads.len; i++) {
		struct watched_thread *t = &p->threads.data[i];
		uint64_t cpu_ns;

		if (t->rest && !w->is_late && !all) {
			t->rest -= !p->is_explained || w->looks % PAUSE_STRETCH == 0;
			continue;
		}
		if (thread_cpu_ns(&w->files, p->tgid, t->tid, &cpu_ns))
			p->has_run = p->has_lost_thread = true;
		else
			add_cpu(w, p, t, cpu_ns);
	}
}

/* --- threads that nobody saw end ---------------------------------------------------------------- */

/*
 * What the process used before clock_ns, and none of its threads that are there, was used by threads that ended: since
 * they were last looked at, or before they ever were. Returns false if the process is gone.
 */
static bool count_gone(struct watched *w, struct watched_process *p, uint64_t clock_ns)
{
	if (!w->counts || clock_ns <= counted_ns(p) + w->period_ns)
		return true;
	if (!see_threads(w, p, true))
		return false;
	read_cpu(w, p, true);
	if (clock_ns <= counted_ns(p))
		return true;
	w->lost_ns += (int64_t)(clock_ns - counted_ns(p));
	p->gone_ns += clock_ns - counted_ns(p);
	return true;
}

/* --- processes ---------------------------------------------------------------------------------- */

static int add_process(struct watched *w, pid_t tgid, pid_t parent, bool is_born)
{
	struct watched_process *p;
	struct thread_facts facts;
	int err = thread_facts_read(&w->files, tgid, tgid, &facts);

	if (err || find(w, tgid))
		return err;
	if (w->all.len >= PROCESSES_MAX) {
		w->full++;
		return -ENOSPC;
	}
	p = calloc(1, sizeof(*p));
	if (!p || vec_push(&w->all, p)) {
		free(p);
		return -ENOMEM;
	}
	p->tgid = tgid;
	p->parent_tgid = parent ?: facts.parent_tgid;
	p->program = facts.program;
	p->executable = thread_executable(tgid);
	p->has_run = true;
	p->is_counted = is_born && w->counts;
	p->waited_ns = p->known_ns = facts.children_ns;
	begin_clock(p, is_born);
	w->still = 0;
	if (is_born)
		tell_fork(w->ring, boottime_ns(), tgid, tgid, p->parent_tgid);
	/* What it has mapped is told with its first sample, whether it has called exec or not. */
	tell_comm(w->ring, boottime_ns(), tgid, tgid, facts.comm, is_born);
	see_threads(w, p, is_born);
	return 0;
}

int watched_add(struct watched *w, pid_t tgid)
{
	return add_process(w, tgid, 0, false);
}

/* CPU time of children that came and went between two looks. */
static uint64_t unseen_ns(const struct watched *w, const struct watched_process *p)
{
	return w->counts && p->waited_ns > p->known_ns ? p->waited_ns - p->known_ns : 0;
}

static void end_process(struct watched *w, size_t i)
{
	struct watched_process *p = w->all.data[i], *parent = find(w, p->parent_tgid);
	uint64_t unseen = unseen_ns(w, p);

	while (p->threads.len)
		end_thread(w, p, p->threads.len - 1);
	if (parent && !p->is_orphan)
		parent->known_ns += p->used_ns + p->gone_ns + p->known_ns + unseen;
	w->lost_ns += (int64_t)unseen;
	w->all.data[i] = w->all.data[--w->all.len];
	free_process(p);
}

struct births {
	struct watched *w;
	pid_t parent;
};

static void see_child(void *ctx, pid_t child)
{
	const struct births *b = ctx;

	if (!find(b->w, child))
		add_process(b->w, child, b->parent, true);
}

/* Of many threads, those that sleep for long take turns. */
static bool may_have_children(const struct watched_process *p, size_t thread)
{
	return p->threads.len <= FEW_THREADS || p->threads.data[thread].pause < PAUSE_MAX ||
	       thread % SLEEPERS_PARTS == p->sleepers;
}

static void see_children(struct watched *w, struct watched_process *p)
{
	struct births b = {w, p->tgid};

	for (size_t i = 0; i < p->threads.len; i++)
		if (may_have_children(p, i))
			thread_children(&w->files, p->tgid, p->threads.data[i].tid, see_child, &b);
	p->sleepers = (p->sleepers + 1) % SLEEPERS_PARTS;
}

/* A process that has not run has started nothing. One whose threads are as many as before, and none of them has ended,
 * has the same. Returns false if the process is gone. */
static bool see_what_is_new(struct watched *w, struct watched_process *p)
{
	struct thread_facts facts;
	bool has_lost_thread = p->has_lost_thread;

	p->has_run = p->has_lost_thread = false;
	if (thread_facts_read(&w->files, p->tgid, p->tgid, &facts))
		return false;
	if ((has_lost_thread || facts.threads != p->threads.len) && !see_threads(w, p, true))
		return false;
	if (facts.children_ns > p->waited_ns)
		p->waited_ns = facts.children_ns;
	see_children(w, p);
	return true;
}

/* --- orphans ------------------------------------------------------------------------------------ */

void watched_take_orphans(struct watched *w, pid_t command)
{
	if (!prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		w->command = command;
}

enum stranger { HELPER, ORPHAN, UNCLEAR };

/*
 * Helpers are forks of this process, which have executed no program. Of the dead, of those that are about to be, and of
 * those that may not be looked at, nothing is left but the name.
 */
static enum stranger what_is(pid_t pid, const struct thread_facts *f)
{
	uint64_t executable = thread_executable(pid);
	struct thread_facts own;

	if (thread_facts_read(NULL, getpid(), getpid(), &own))
		return UNCLEAR;
	if (executable && executable != thread_executable(getpid()))
		return ORPHAN;
	if (f->program)
		return f->program == own.program ? HELPER : ORPHAN;
	if (!strncmp(f->comm, "kiln", 4) || !strcmp(f->comm, own.comm))
		return HELPER;
	return f->is_dead ? ORPHAN : UNCLEAR;
}

/* Takes nothing, since that could be the stop of a thread (launch.c). */
static bool has_ended(pid_t pid)
{
	siginfo_t si = {.si_pid = 0};

	return !waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT | WNOHANG) && si.si_pid == pid;
}

/* What it and the children it waited for used. */
static uint64_t reap(pid_t pid)
{
	struct rusage used;

	if (wait4(pid, NULL, WNOHANG, &used) != pid)
		return 0;
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
}

/* Nobody but kiln waits for it. */
static void end_orphan(struct watched *w, struct watched_process *p)
{
	uint64_t cpu_ns, known;
	size_t i = 0;

	read_cpu(w, p, false);
	known = p->used_ns + p->gone_ns + (p->waited_ns > p->known_ns ? p->waited_ns : p->known_ns);
	cpu_ns = reap(p->tgid);
	if (p->is_counted && cpu_ns > known)
		w->lost_ns += (int64_t)(cpu_ns - known);
	while (w->all.data[i] != p)
		i++;
	end_process(w, i);
}

static bool is_known_helper(const struct watched *w, pid_t pid)
{
	for (size_t i = 0; i < w->helpers.len; i++)
		if (w->helpers.data[i] == pid)
			return true;
	return false;
}

static void see_stranger(struct watched *w, pid_t pid)
{
	struct watched_process *p;
	struct thread_facts facts;
	enum stranger what;

	if (is_known_helper(w, pid) || thread_facts_read(&w->files, pid, pid, &facts))
		return;
	what = what_is(pid, &facts);
	if (what == UNCLEAR)
		return;
	if (what == HELPER) {
		w->helpers.len = w->helpers.len < HELPERS_MAX ? w->helpers.len : 0;
		vec_push(&w->helpers, pid); /* without memory it is looked at again */
		return;
	}
	if (facts.is_dead) {
		uint64_t cpu_ns = has_ended(pid) ? reap(pid) : 0;

		w->lost_ns += w->counts ? (int64_t)cpu_ns : 0;
		return;
	}
	add_process(w, pid, w->command, true);
	p = find(w, pid);
	if (p)
		p->is_orphan = true;
}

static void see_own_child(void *ctx, pid_t pid)
{
	struct watched *w = ctx;
	struct watched_process *p = pid == w->command ? NULL : find(w, pid);

	if (p) {
		p->is_orphan = true;
		if (has_ended(pid))
			end_orphan(w, p);
	} else if (pid != w->command) {
		see_stranger(w, pid);
	}
}

/* The kernel gives orphans to the first thread. */
static void see_orphans(struct watched *w)
{
	if (w->command)
		thread_children(&w->files, getpid(), getpid(), see_own_child, w);
}

/* Whether somebody may have begun or ended. */
static bool is_unsettled(struct watched *w)
{
	if (last_pid_moved(&w->last_pid))
		w->still = 0;
	else if (++w->still > STILL_MAX)
		w->still = SETTLING;
	return w->still <= SETTLING;
}

static bool look_at(struct watched *w, struct watched_process *p, bool at_all)
{
	uint64_t clock_ns = read_clock(p);

	p->has_run |= clock_ns != p->clock_ns;
	p->clock_ns = clock_ns;
	read_cpu(w, p, false);
	p->is_explained =
		w->counts && clock_ns && clock_ns <= counted_ns(p) + w->period_ns / UNEXPLAINED;
	if (!p->has_run)
		return true;
	if ((at_all || p->has_lost_thread) && !see_what_is_new(w, p))
		return false;
	return count_gone(w, p, clock_ns);
}

void watched_look(struct watched *w)
{
	bool at_all = is_unsettled(w);

	w->looks++;
	w->is_late = is_late(w);
	w->looked_ns = monotonic_ns();
	for (size_t i = w->all.len; i--;) {
		/* Children come behind all others. */
		if (!look_at(w, w->all.data[i], at_all))
			end_process(w, i);
	}
	if (at_all)
		see_orphans(w);
}

struct watched_thread *watched_find(const struct watched *w, pid_t tgid, pid_t tid,
				    struct watched_process **p)
{
	*p = find(w, tgid);
	return *p ? find_thread(*p, tid) : NULL;
}

void watched_read(struct watched *w, struct watched_process *p, struct watched_thread *t)
{
	uint64_t cpu_ns;

	w->is_late = is_late(w);
	if (thread_cpu_ns(&w->files, p->tgid, t->tid, &cpu_ns))
		return;
	add_cpu(w, p, t, cpu_ns);
	t->rest = 1; /* the look that follows has it */
}

/* Where no stack begins at random (setarch -R), that of another program may begin where the last one's did: in the last
 * 16 MiB, as with a randomised one out of a thousand. */
static bool is_at_fixed_place(uint64_t program)
{
	return program >> 24 == 0x7fffff || program >> 24 == 0xff;
}

bool watched_has_executed(const struct watched_process *p, const struct thread_facts *now)
{
	return now->program != p->program ||
	       (is_at_fixed_place(now->program) && thread_executable(p->tgid) != p->executable);
}

void watched_executed(struct watched_process *p, const struct thread_facts *now)
{
	p->program = now->program;
	p->executable = thread_executable(p->tgid);
	p->samples = 0;
	p->maps_due_ns = 0;
	p->is_refused = p->is_told = p->is_traced = false;
	p->refused_ns = 0;
	vec_release(&p->maps.all);
}

/* Again after the 1st, 2nd, 4th, ... sample of a program, and for code that is in none. A library that is loaded later is
 * found by the raw walk, which has /proc read while the process lives. */
static bool wants_maps(const struct watched_process *p, uint64_t ip)
{
	return (!(p->samples & (p->samples - 1)) || !told_maps_have(&p->maps, ip)) &&
	       monotonic_ns() >= p->maps_due_ns;
}

/* To read very many takes milliseconds, in which the program cannot map anything. */
void watched_tell_maps(const struct watched *w, struct watched_process *p, uint64_t t_ns,
		       uint64_t ip)
{
	uint64_t began = monotonic_ns();

	if (!wants_maps(p, ip))
		return;
	tell_maps(w->ring, t_ns, p->tgid, &p->maps);
	p->maps_due_ns = began + MAPS_SHARE * (monotonic_ns() - began);
}

void watched_begin(struct watched *w)
{
	watched_look(w);
	for (size_t i = 0; i < w->all.len; i++) {
		w->all.data[i]->known_ns = w->all.data[i]->waited_ns;
		w->all.data[i]->used_ns = 0;
		w->all.data[i]->begin_ns = w->all.data[i]->clock_ns;
	}
	w->counts = true;
}

uint64_t watched_lost_ns(const struct watched *w, bool last)
{
	int64_t lost = w->lost_ns;

	for (size_t i = 0; i < w->all.len; i++) {
		const struct watched_process *p = w->all.data[i];

		lost += (int64_t)unseen_ns(w, p);
		for (size_t t = 0; last && t < p->threads.len; t++)
			lost += (int64_t)(p->threads.data[t].owed_ns - p->threads.data[t].phase_ns);
	}
	return lost > 0 ? (uint64_t)lost : 0;
}

void watched_release(struct watched *w)
{
	if (w->command)
		prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	for (size_t i = 0; i < w->all.len; i++)
		free_process(w->all.data[i]);
	vec_release(&w->all);
	vec_release(&w->helpers);
	thread_files_release(&w->files);
	last_pid_release(&w->last_pid);
}
