/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that are sampled by stops, and their threads: found in /proc, with the CPU time that each used and that
 * no sample stands for yet. Internal to the room.
 */
#ifndef KILN_ROOTLESS_WATCHED_H
#define KILN_ROOTLESS_WATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "bpf/abi.h"
#include "profiler/base/vec.h"
#include "profiler/rootless/last_pid.h"
#include "profiler/rootless/tell.h"
#include "profiler/rootless/thread_facts.h"
#include "profiler/rootless/thread_files.h"

struct watched_thread {
	pid_t tid;
	char comm[KILN_COMM_LEN];
	uint64_t cpu_ns; /* as last read */
	/*
	 * Of these, without a sample, beside phase_ns. A sample is due for each whole period. The phase is anything
	 * below a period, by chance: so who lives for less than a period has a sample as often as his time is
	 * worth one.
	 */
	uint64_t owed_ns, phase_ns;
	bool is_pending;     /* it was asked to stop and has not yet */
	uint8_t calm;	     /* stops in its turns since one was in a system call */
	bool is_alive;	     /* in the last look at the process's threads */
	uint8_t rest, pause; /* looks that are left out while it does not run */
};

struct watched_process {
	pid_t tgid, parent_tgid;
	VEC(struct watched_thread) threads;
	uint64_t program;    /* thread_facts.program */
	uint64_t executable; /* thread_executable() */
	struct told_maps maps;
	uint32_t samples;     /* since the program began */
	uint64_t maps_due_ns; /* CLOCK_MONOTONIC before which its mappings are not read again */
	unsigned sleepers;    /* which part of them is asked for children next */
	bool has_run;	      /* since the last look */
	bool is_explained;    /* its CPU time is that of threads that were read */
	bool has_lost_thread; /* one of them has ended since then */
	uint64_t refused_ns;  /* CLOCK_MONOTONIC since when it may not be traced; 0: it may */
	bool is_refused;      /* it may not be traced */
	bool is_traced;	      /* by another program */
	bool is_told;	      /* its user was told */
	bool is_counted;      /* CPU time counted when it began */
	bool is_orphan;	      /* its parent ended, and now it is a child of kiln's */
	clockid_t clock; /* its CPU time, with that of threads that nobody saw; 0: cannot be read */
	uint64_t clock_ns, begin_ns; /* as last read, and since when CPU time counts */
	uint64_t used_ns;	     /* by threads that were seen */
	uint64_t gone_ns;	     /* by threads that ended, since they were looked at */
	uint64_t waited_ns,
		known_ns; /* by children that it has waited for: in all, and those that were watched */
};

struct watched {
	struct record_ring *ring; /* borrowed */
	uint64_t period_ns, seed; /* seed: of chance */
	VEC(struct watched_process *) all;
	bool counts;	    /* CPU time counts, because sampling has begun */
	uint64_t looked_ns; /* CLOCK_MONOTONIC of the last look */
	bool is_late;	    /* that look is */
	uint64_t used_ns;
	int64_t lost_ns; /* of threads that ended: without a sample, less what samples stand for too much */
	uint64_t full; /* processes and threads that were left out: there are too many */
	struct last_pid last_pid;
	unsigned still; /* looks since somebody began or ended */
	unsigned looks;
	pid_t command;	    /* the child of kiln's whose orphans are watched; 0: none */
	VEC(pid_t) helpers; /* children of kiln's own */
	struct thread_files files;
};

/* Adds a process that is there, with its threads. 0 or -errno. */
int watched_add(struct watched *w, pid_t tgid);
/* From here on this process takes orphans below a child of its own, and reaps them: a daemon's parent ends at once. */
void watched_take_orphans(struct watched *w, pid_t command);
/* From here on CPU time counts. */
void watched_begin(struct watched *w);
/* Reads CPU times; finds new threads and children, and those that ended. If the last look was long ago, because kiln was
 * stopped, nobody knows what the CPU time since then was for: it is lost. */
void watched_look(struct watched *w);
/* A thread and its process; NULL if it is not there any more. */
struct watched_thread *watched_find(const struct watched *w, pid_t tgid, pid_t tid,
				    struct watched_process **p);
/* Whether a process executes another program than the one it is known for. */
bool watched_has_executed(const struct watched_process *p, const struct thread_facts *now);
/* From here on it is known for that one. */
void watched_executed(struct watched_process *p, const struct thread_facts *now);
/* Tells its mappings, if they are due again for a sample at t_ns with this address. */
void watched_tell_maps(const struct watched *w, struct watched_process *p, uint64_t t_ns,
		       uint64_t ip);
/* Reads the CPU time of one thread. */
void watched_read(struct watched *w, struct watched_process *p, struct watched_thread *t);
/* CPU time so far that no sample stands for, of threads that ended and of all that was never seen. */
uint64_t watched_lost_ns(const struct watched *w, bool last);
void watched_release(struct watched *w);

#endif
