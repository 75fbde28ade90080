/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals that worker.c (trust in files), worker_talk.c (the conversation) and
 * worker_process.c (the process) share. */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_PRIV_H
#define KILN_SYMBOLIZER_WORKER_WORKER_PRIV_H

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "profiler/base/clock.h"
#include "symbolizer/sandbox/spawner.h"
#include "symbolizer/worker/stalls.h"
#include "symbolizer/worker/worker.h"
#include "symbolizer/worker/worker_wire.h"

/*
 * A worker that neither talks nor computes for this long waits for a file server that hangs. The
 * wait for the next file there is half as long. After WORKER_STALLS_MAX files there, no more are
 * asked for.
 */
#define WORKER_STALL_NS	  2000000000ull
#define WORKER_STALLS_MAX 3

struct worker {
	struct worker_opts opts;
	struct spawner *spawner;
	struct broker *broker;
	int sock;
	pid_t pid; /* 0: none */
	clockid_t cpu_clock;
	bool greeted; /* it has reported which privileges it gave up */
	atomic_bool cancelled;
	unsigned sandbox_parts;
	VEC(pid_t) unreaped; /* killed, but not dead yet */
	struct stalls stalls;
	struct symbolizer_stats past, current;
	uint64_t restarts;
	/* Of the last file. */
	struct file_id facts_of;
	struct elf_facts facts;
	struct buf blob;
	char msg[WIRE_BYTES_MAX];
};

struct ask { /* one attempt at one part of a query */
	const struct sym_query *q;
	bool names_only;
	const uint32_t *index; /* of the addresses to ask for */
	struct wire_reader reader;
	uint64_t moved_ns, moved_cpu_ns; /* last progress */
	uint64_t begun_cpu_ns;
	uint64_t since_ns, since_cpu_ns; /* of the whole conversation: worker_begin() */
	uint64_t stall_ns, work_ns;	 /* longest wait; CPU time allowed */
	uint64_t opens, opened_dev;	 /* of the last opened debug file; 0: none */
	/* A server hung below the root, on the host: open no more there. */
	bool hung[2];
	bool done;
	int refused; /* the reader was not asked: the opener's -errno */
};

static inline bool worker_is_stopped(const struct worker *w)
{
	return atomic_load(&w->cancelled);
}

/* The reader's main function, which the spawner calls. */
int worker_serve_in(void *ctx, int sock, pid_t parent);
/* Starts a reader without waiting for it. 0 or -errno. */
int worker_start(struct worker *w);
/* Makes sure that a reader runs and is sandboxed. 0 or -errno. */
int worker_ensure(struct worker *w);
/* Kills the reader. Returns its wait status, or 0. A process that waits for a hung server may
 * outlive SIGKILL. */
int worker_stop(struct worker *w);
/*
 * Whether a reader with that wait status was killed by somebody else, after a conversation that failed with err. When
 * memory runs out the kernel kills readers first. That is no file's fault, unless it happens again.
 */
static inline bool worker_was_killed(int err, int status)
{
	return err == -ECONNABORTED && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
/* Waits for such processes that have ended by now. */
void worker_reap(struct worker *w);

/*
 * Parts of a conversation. worker_begin() comes first. worker_note_progress(): the reader has made progress. worker_wait():
 * waits until the socket can be read or written; 0, or a failure as below. worker_send(): sends a
 * message, with a descriptor or -1.
 */
void worker_begin(struct worker *w, struct ask *a);
void worker_note_progress(struct worker *w, struct ask *a);
int worker_wait(struct worker *w, struct ask *a, short events);
/* Whether it takes too long, whatever it says. 0; -ETIMEDOUT if it computes too long; -ETIME if it waits too long. */
int worker_overdue(struct worker *w, struct ask *a);
int worker_send(struct worker *w, struct ask *a, const void *head, size_t head_len,
		const void *body, size_t body_len, int fd);
/* The same with a file, wherever it is open. If its opener cannot send it, a->refused says why and
 * the result is -ECANCELED: the reader is as it was. */
int worker_send_file(struct worker *w, struct ask *a, const void *head, size_t head_len,
		     const void *body, size_t body_len, const struct sym_file *file);

/*
 * Asks, and passes answers on until all have come. 0, -ENOMEM (ours), or the reader's failure:
 * -ECANCELED, -ETIME (waits for a file), -ETIMEDOUT (computes too long), -EBADMSG, -ENOBUFS (out of
 * memory), another -errno if it is gone.
 */
int worker_converse(struct worker *w, struct ask *a, sym_result_fn fn, void *ctx);

#endif
