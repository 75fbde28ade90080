/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What worker.c (whom to trust) and worker_talk.c (the process and what is said) share. */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_PRIV_H
#define KILN_SYMBOLIZER_WORKER_WORKER_PRIV_H

#include <stdatomic.h>

#include "profiler/base/clock.h"
#include "symbolizer/sandbox/spawner.h"
#include "symbolizer/worker/stalls.h"
#include "symbolizer/worker/worker.h"
#include "symbolizer/worker/worker_wire.h"

/* So long a worker may neither say anything nor compute: it waits for a file server that hangs.
 * Half as long for the next file there, and then no more are asked for. */
#define WORKER_STALL_NS	  2000000000ull
#define WORKER_STALLS_MAX 3

struct worker {
	struct worker_opts opts;
	struct spawner *spawner;
	struct broker *broker;
	int sock;
	pid_t pid; /* 0: none */
	clockid_t cpu_clock;
	bool greeted; /* it has said what it has given up */
	atomic_bool cancelled;
	unsigned sandbox_parts;
	VEC(pid_t) unreaped; /* killed, but not dead yet */
	struct stalls stalls;
	struct symbolizer_stats past, current;
	uint64_t restarts;
	/* of the file last asked for */
	struct file_id facts_of;
	struct elf_facts facts;
	struct buf blob;
	char msg[WIRE_BYTES_MAX];
};

struct ask { /* one attempt at one part of a query */
	const struct sym_query *q;
	bool names_only;
	const uint32_t *index; /* of the addresses that are asked for */
	struct wire_reader reader;
	uint64_t moved_ns, moved_cpu_ns; /* when it last got on */
	uint64_t begun_cpu_ns;
	uint64_t stall_ns, work_ns; /* it may wait, and compute, that long */
	uint64_t opens, opened_dev; /* of the debug file opened last; 0: none */
	bool hung[2];		    /* below the root, on the host: nothing more is opened there */
	bool done;
};

static inline bool worker_is_stopped(const struct worker *w)
{
	return atomic_load(&w->cancelled);
}

/* What the spawner runs: the other half. */
int worker_serve_in(void *ctx, int sock, pid_t parent);
/* Starts one, without waiting for it. 0 or -errno. */
int worker_start(struct worker *w);
/* Makes sure that one runs and is locked up. 0 or -errno. */
int worker_ensure(struct worker *w);
/* Ends it. Its wait status, or 0. A process in the hands of a hung server may outlive SIGKILL. */
int worker_stop(struct worker *w);
/* Buries those that had. */
void worker_reap(struct worker *w);

/* Parts of a conversation: it got on; more comes, or can be said (0, or how it failed as below); says
 * something, with a descriptor or -1. */
void worker_note_progress(struct worker *w, struct ask *a);
int worker_wait(struct worker *w, struct ask *a, short events);
int worker_tell(struct worker *w, struct ask *a, const void *head, size_t head_len,
		const void *body, size_t body_len, int fd);

/*
 * Asks, and passes answers on until all are there. 0, -ENOMEM (ours), or how the process failed:
 * -ECANCELED, -ETIME (it waits for a file), -ETIMEDOUT (it computes), -EBADMSG, -ENOBUFS (its memory), another
 * -errno when it is gone.
 */
int worker_converse(struct worker *w, struct ask *a, sym_result_fn fn, void *ctx);

#endif
