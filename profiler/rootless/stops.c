// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sampling by short stops: a thread of kiln's looks many times a second which threads of the targets have used CPU time
 * (watched.h), stops those that are on a CPU (stop_one.h), and tells what it read as perf would (tell.h). A sample stands
 * for the CPU time that its thread used since its last one, so sums are right, whatever the rate.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/procs/sideband.h"
#include "profiler/rootless/cpu_place.h"
#include "profiler/rootless/quick.h"
#include "profiler/rootless/record_ring.h"
#include "profiler/rootless/stop_one.h"
#include "profiler/rootless/thread_facts.h"
#include "profiler/rootless/watched.h"
#include "profiler/rootless/way.h"
#include "profiler/sampler/sampler_opts.h"

/* Half a second of 999 Hz with whole stacks, because nobody reads the ring while windows are named. */
#define RING_BYTES (16u << 20)
/* A thread that was asked to stop and is in a long system call is looked at so often. */
#define PENDING_NS 200000ull
/* Who may not be traced for so long is left alone. */
#define REFUSED_NS 50000000ull
/* The kernel holds back who wants to stop a process that executes a program, as long as its file takes: for ever, if a
 * file server hangs. */
#define PATIENCE_NS NS_PER_S
/* Threads that are stopped from their own CPU because they call the kernel often, each in a part of the period. */
#define TURNS_MAX 4
/* So many stops outside of system calls end a thread's turns. */
#define CALM_MAX 32
/* A thread that has been moved to another CPU is followed so often. */
#define MOVES_MAX 3
#define FOLLOW_NS 50000
/* Somebody who was asked, and whose number has changed, is looked for in each look for so long, then in some. */
#define LOST_NS	    NS_PER_S
#define UNSWEPT_MAX 8
#define HANGS	    "a process hangs while it executes a program"

struct turn {
	pid_t tgid, tid;
	int cpu; /* where it ran last */
};

struct stops {
	pid_t self;
	uint64_t period_ns;
	struct record_ring *ring;
	struct watched watched;	   /* under the lock, like what follows */
	struct sampler_stops told; /* what stops did */
	struct stopped stopped;
	size_t n_pending;
	uint64_t lost_ns; /* CLOCK_MONOTONIC of the last time that who was asked was not there */
	unsigned unswept; /* looks since they were last looked for */
	uint64_t next_ns;
	struct cpu_place place;
	bool is_afar; /* the stop was asked for from another CPU */
	int cpu;      /* where the thread ran that was asked */
	struct turn turns[TURNS_MAX];
	size_t n_turns, turn; /* turn: the next one's index */
	size_t first;	      /* the thread with which the next look begins */
	pthread_mutex_t lock;
	pthread_t thread;
	bool has_thread;
	atomic_bool ends;
	bool is_adopted; /* the sideband reads the ring */
	/* Of the main thread: */
	bool hangs, is_left;	/* the thread does; and nobody waits for it any more */
	struct way_totals last; /* as they were before that */
};

static void sleep_until(uint64_t ns)
{
	struct timespec ts = timespec_of(ns);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* --- samples ------------------------------------------------------------------------------------ */

/* Whole periods; the rest counts for the thread's next sample. */
static uint64_t pay(struct watched_thread *t, uint64_t period_ns)
{
	uint64_t rest = t->owed_ns % period_ns, paid = t->owed_ns - rest;

	t->owed_ns = rest;
	return paid;
}

static bool has_turn(const struct stops *s, pid_t tid)
{
	for (size_t i = 0; i < s->n_turns; i++)
		if (s->turns[i].tid == tid)
			return true;
	return false;
}

/* Its next stops are asked for on its own CPU, if there is room. */
static bool gets_turn(struct stops *s, const struct watched_process *p, struct watched_thread *t)
{
	if (has_turn(s, t->tid) || s->n_turns == TURNS_MAX)
		return false;
	s->turns[s->n_turns++] = (struct turn){p->tgid, t->tid, s->cpu};
	t->calm = 0;
	return true;
}

static void tell_stop(struct stops *s, struct watched_process *p, struct watched_thread *t)
{
	struct stopped *at = &s->stopped;
	uint64_t ns;

	s->told.ended += at->ended_call;
	s->told.restarted += at->restarted_call;
	s->told.held_ns += at->held_ns;
	t->calm = at->in_call ? 0 : MIN(t->calm + 1, CALM_MAX);
	/* It may have been elsewhere when it was asked: what it owes is for its next stop. */
	if (at->in_call && s->is_afar && gets_turn(s, p, t))
		return;
	ns = pay(t, s->period_ns);
	if (!ns)
		return;
	watched_tell_maps(&s->watched, p, at->t_ns, at->regs[UNWIND_RIP]);
	p->samples++;
	tell_sample(s->ring, p->tgid, t->tid, ns, at);
}

/* Another kiln may have stopped it for microseconds. */
static bool is_refused_for_long(struct watched_process *p)
{
	uint64_t now = monotonic_ns();

	p->refused_ns = p->refused_ns ?: now;
	return now - p->refused_ns >= REFUSED_NS;
}

/* Whoever traces it is left alone, too: a debugger is slow enough. */
static void refuse(struct stops *s, struct watched_process *p, const struct watched_thread *t)
{
	pid_t tracer = thread_tracer(t->tid);

	if (!p->is_told)
		log_warning("%s (pid %d) is left alone: it %s", t->comm, (int)p->tgid,
			    tracer ? "is traced by another program"
				   : "has privileges of its own, or does not want to be traced");
	p->is_refused = p->is_told = true;
	p->is_traced = tracer != 0;
	for (size_t i = 0; tracer && i < s->watched.all.len; i++) {
		struct watched_process *other = s->watched.all.data[i];

		if (other->tgid != tracer || other->is_refused)
			continue;
		log_warning("pid %d is left alone: it traces another program", (int)tracer);
		other->is_refused = true;
	}
}

static void take(struct stops *s, struct watched_process *p, struct watched_thread *t,
		 enum stop_result result)
{
	bool was_pending = t->is_pending;

	t->is_pending = result == STOP_PENDING;
	s->n_pending += t->is_pending;
	s->n_pending -= was_pending;
	if (result != STOP_TAKEN || !s->stopped.is_free)
		s->lost_ns = monotonic_ns();
	if (result == STOP_TAKEN) {
		p->refused_ns = 0;
		tell_stop(s, p, t);
	} else if (result == STOP_REFUSED && is_refused_for_long(p)) {
		refuse(s, p, t);
	}
}

/* Another program runs in the process, or the thread has another name. */
static void follow(struct stops *s, struct watched_process *p, struct watched_thread *t,
		   const struct thread_facts *now)
{
	bool exec = watched_has_executed(p, now);

	if (!exec && !memcmp(t->comm, now->comm, sizeof(t->comm)))
		return;
	memcpy(t->comm, now->comm, sizeof(t->comm));
	tell_comm(s->ring, boottime_ns(), p->tgid, t->tid, t->comm, exec);
	if (exec)
		watched_executed(p, now);
}

static bool is_own_child(const struct stops *s, const struct watched_process *p,
			 const struct watched_thread *t)
{
	return t->tid == p->tgid && p->parent_tgid == s->self;
}

static void say_wait(uint64_t ns)
{
	if (ns > PATIENCE_NS)
		log_warning("nothing was sampled for %.1f s: a process hung while it executed a "
			    "program",
			    (double)ns / 1e9);
}

static enum stop_result stop(struct stops *s, const struct watched_process *p,
			     const struct watched_thread *t)
{
	uint64_t asked_ns = monotonic_ns();
	enum stop_result result = stop_one_ask(t->tid, &s->stopped);

	s->stopped.first_stack = p->program;
	say_wait(monotonic_ns() - asked_ns);
	s->is_afar = s->place.at != s->cpu;
	if (result != STOP_PENDING)
		return result;
	return stop_one_await(t->tid, is_own_child(s, p, t), !s->is_afar, &s->stopped);
}

static bool runs(struct stops *s, const struct watched_process *p, const struct watched_thread *t,
		 struct thread_facts *now)
{
	return !t->is_pending && !thread_facts_read(&s->watched.files, p->tgid, t->tid, now) &&
	       now->on_cpu;
}

static void sample(struct stops *s, struct watched_process *p, struct watched_thread *t,
		   const struct thread_facts *now)
{
	enum stop_result result;

	follow(s, p, t, now);
	if (p->is_traced && !thread_tracer(t->tid)) /* a debugger looked at it, and went */
		p->is_refused = p->is_traced = false;
	if (p->is_refused)
		return;
	s->cpu = now->cpu;
	result = stop(s, p, t);
	if (!s->is_afar) /* else a look has just read it */
		watched_read(&s->watched, p, t);
	take(s, p, t, result);
}

/* Follows the thread to its CPU. A timer wakes this one there, as it would in the turn. */
static bool is_elsewhere(struct stops *s, int cpu)
{
	if (s->place.at == cpu || !cpu_place_go(&s->place, cpu))
		return false;
	sleep_until(monotonic_ns() + FOLLOW_NS);
	return true;
}

/* Samples a thread from its own CPU. One that does not run any more has no turn. */
static void take_turn(struct stops *s)
{
	struct turn *turn = &s->turns[s->turn];
	struct watched_process *p;
	struct watched_thread *t = watched_find(&s->watched, turn->tgid, turn->tid, &p);
	struct thread_facts now;

	for (int moves = 0; t && runs(s, p, t, &now); moves++) {
		turn->cpu = now.cpu;
		if (moves < MOVES_MAX && is_elsewhere(s, now.cpu))
			continue;
		sample(s, p, t, &now);
		break;
	}
	if (t && !t->pause && !p->is_refused && t->calm < CALM_MAX)
		s->turn++;
	else
		*turn = s->turns[--s->n_turns];
}

static void sample_from_here(struct stops *s, struct watched_process *p, struct watched_thread *t)
{
	struct thread_facts now;

	if (has_turn(s, t->tid) || t->owed_ns < s->period_ns || !runs(s, p, t, &now))
		return;
	sample(s, p, t, &now);
}

static enum stop_result poll_one(struct stops *s, const struct watched_process *p,
				 const struct watched_thread *t)
{
	s->stopped.first_stack = p->program;
	return stop_one_poll(t->tid, is_own_child(s, p, t), &s->stopped);
}

static void poll_pending(struct stops *s)
{
	s->is_afar = false; /* what takes so long is in a call */
	for (size_t i = 0; s->n_pending && i < s->watched.all.len; i++) {
		struct watched_process *p = s->watched.all.data[i];

		for (size_t j = 0; j < p->threads.len; j++) {
			struct watched_thread *t = &p->threads.data[j];

			if (t->is_pending)
				take(s, p, t, poll_one(s, p, t));
		}
	}
}

/* Threads that ended are not pending any more. */
static void count_pending(struct stops *s)
{
	s->n_pending = 0;
	for (size_t i = 0; i < s->watched.all.len; i++)
		for (size_t j = 0; j < s->watched.all.data[i]->threads.len; j++)
			s->n_pending += s->watched.all.data[i]->threads.data[j].is_pending;
}

/* Samples the threads from one index to another. Returns the index of the one that there was no time for. */
static size_t sample_some(struct stops *s, size_t from, size_t to, uint64_t until_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < s->watched.all.len; i++) {
		struct watched_process *p = s->watched.all.data[i];

		for (size_t j = 0; j < p->threads.len; j++, n++) {
			if (n < from || n >= to)
				continue;
			if (monotonic_ns() >= until_ns)
				return n;
			sample_from_here(s, p, &p->threads.data[j]);
		}
	}
	return to;
}

static void look_and_sample(struct stops *s)
{
	uint64_t until_ns;
	size_t first;

	watched_look(&s->watched);
	count_pending(s);
	if (!s->watched.counts)
		return;
	/* Where many threads want to run, each stop takes long: the others come after the next look. */
	until_ns = monotonic_ns() + s->period_ns;
	first = sample_some(s, s->first, SIZE_MAX, until_ns);
	if (first == SIZE_MAX)
		first = sample_some(s, 0, s->first, until_ns);
	s->first = first;
}

/* Who is missing is looked for in each look at first. */
static void sweep(struct stops *s)
{
	if (monotonic_ns() - s->lost_ns > LOST_NS && ++s->unswept < UNSWEPT_MAX)
		return;
	stop_one_sweep();
	s->unswept = 0;
}

/* One turn; after the last one a look at all threads. */
static void tick(struct stops *s)
{
	if (s->turn < s->n_turns)
		take_turn(s);
	if (s->turn < s->n_turns)
		return;
	look_and_sample(s);
	sweep(s);
	s->turn = 0;
}

/* --- the thread --------------------------------------------------------------------------------- */

/* Ticks that were missed are left out: the next sample stands for more. */
static void next_tick(struct stops *s)
{
	uint64_t now = monotonic_ns();

	uint64_t part_ns = s->period_ns / (s->n_turns ?: 1);

	s->next_ns += part_ns;
	if (s->next_ns < now)
		s->next_ns = now + part_ns;
}

static void *run(void *arg)
{
	struct stops *s = arg;
	bool ends = false;

	be_quick();
	cpu_place_init(&s->place);
	s->next_ns = monotonic_ns();
	while (!ends) {
		uint64_t now = monotonic_ns(), until;

		pthread_mutex_lock(&s->lock);
		poll_pending(s);
		if (now >= s->next_ns) {
			tick(s);
			next_tick(s);
		}
		until = s->n_pending ? now + PENDING_NS : s->next_ns;
		ends = atomic_load(&s->ends);
		cpu_place_go(&s->place, s->turn < s->n_turns ? s->turns[s->turn].cpu : -1);
		pthread_mutex_unlock(&s->lock);
		if (!ends)
			sleep_until(until < s->next_ns ? until : s->next_ns);
	}
	return NULL; /* the kernel lets go whoever is pending */
}

static struct timespec in_patience(const struct stops *s)
{
	return timespec_of(monotonic_ns() + (s->hangs ? 0 : PATIENCE_NS));
}

/* False: the thread hangs, and keeps it. */
static bool lock(struct stops *s)
{
	struct timespec until = in_patience(s);

	s->hangs = pthread_mutex_clocklock(&s->lock, CLOCK_MONOTONIC, &until);
	return !s->hangs;
}

static void end_thread(struct stops *s)
{
	struct timespec until = in_patience(s);

	if (!s->has_thread)
		return;
	atomic_store(&s->ends, true);
	s->is_left = pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &until);
	s->has_thread = false;
	if (!s->is_left)
		return;
	pthread_detach(s->thread);
	log_warning(HANGS ": since then nothing was sampled");
}

/* --- the way ------------------------------------------------------------------------------------ */

static void close_stops(void *way)
{
	struct stops *s = way;

	if (!s)
		return;
	end_thread(s);
	if (s->is_left)
		return; /* the thread has it all */
	watched_release(&s->watched);
	record_ring_free(s->ring);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
DEFINE_CLEANUP(stops, close_stops)

static int open_stops(void **out, const struct sampler_opts *opts, const char **why)
{
	_cleanup_(stops_freep) struct stops *s = calloc(1, sizeof(*s));
	int err;

	*why = "out of memory";
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->self = getpid();
	s->period_ns = NS_PER_S / opts->freq_hz;
	*why = "neither perf events nor ptrace(2) are permitted here: `kiln doctor` says more";
	err = stop_one_probe() ?: record_ring_new(&s->ring, RING_BYTES);
	if (err == -ENOMEM)
		*why = "out of memory";
	if (err)
		return err;
	s->watched.ring = s->ring;
	s->watched.period_ns = s->period_ns;
	s->watched.seed = hash_random_seed();
	*out = steal_ptr(s);
	return 0;
}

/* 0, or why this process cannot be stopped. */
static int may_stop(pid_t tgid, const char **why)
{
	char path[64], text[16] = "0";
	struct thread_facts facts;
	int err = thread_facts_read(NULL, tgid, tgid, &facts);

	*why = "no such process";
	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)tgid);
	*why = "not permitted to sample this process: it is another user's, or it has privileges "
	       "of its own; run as root";
	if (readlink(path, text, sizeof(text)) < 0 && (errno == EACCES || errno == EPERM))
		return -EACCES;
	*why = "kernel.yama.ptrace_scope allows to stop what kiln has started and nothing else: "
	       "record -- COMMAND, or sysctl kernel.yama.ptrace_scope=0";
	if (io_read_line("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)))
		return 0;
	return atoi(text) > 0 && facts.parent_tgid != getpid() ? -EPERM : 0;
}

static int add_target(void *way, struct sideband *sideband, pid_t tgid, const char **why)
{
	struct stops *s = way;
	struct watched_process *p;
	int err = may_stop(tgid, why);

	if (err)
		return err;
	*why = HANGS;
	if (!lock(s))
		return -ETIMEDOUT;
	*why = "out of memory";
	if (!s->is_adopted)
		err = sideband_adopt(sideband, record_ring_fd(s->ring), record_ring_pages(s->ring),
				     RING_BYTES);
	s->is_adopted |= !err;
	err = err ?: watched_add(&s->watched, tgid);
	if (!err && watched_find(&s->watched, tgid, tgid, &p) && p->parent_tgid == s->self)
		watched_take_orphans(&s->watched, tgid);
	pthread_mutex_unlock(&s->lock);
	if (!err && !s->has_thread) {
		err = -pthread_create(&s->thread, NULL, run, s);
		s->has_thread = !err;
	}
	return err;
}

static int start(void *way, const char **why)
{
	struct stops *s = way;

	*why = HANGS;
	if (!lock(s))
		return -ETIMEDOUT;
	watched_begin(&s->watched);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void end(void *way)
{
	end_thread(way);
}

static void totals(void *way, struct way_totals *out)
{
	struct stops *s = way;

	if (lock(s)) {
		s->last = (struct way_totals){.used_ns = s->watched.used_ns, .stops = s->told};
		s->last.stops.full = s->watched.full;
		s->last.lost_ns = watched_lost_ns(&s->watched, !s->has_thread);
		pthread_mutex_unlock(&s->lock);
	}
	*out = s->last;
}

const struct way way_stops = {
	.name = "stops",
	.red_zone = true,
	.open = open_stops,
	.close = close_stops,
	.add_target = add_target,
	.start = start,
	.stop = end,
	.totals = totals,
};
