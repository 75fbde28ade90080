/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbolizer in a process of its own, which has no privileges (sandbox.h): this half asks it,
 * opens for it the debug files it wants (broker.h), and believes nothing it says. A file on which
 * it crashes, hangs, runs out of memory or talks nonsense is tried once more for names only in a
 * new process; if that fails too, its addresses have no names (SYM_CRASHED). Where there is no
 * less to ask for, and of a file that waits for its server, once is enough. Such files are
 * remembered, and when there are many of them lines, then names are given up for a while.
 *
 * It, and the one that starts it (spawner.h), end when the thread that called worker_new() does.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_H
#define KILN_SYMBOLIZER_WORKER_WORKER_H

#include "symbolizer/lookup/lookup.h"

struct buf;
struct elf_facts;
struct line_store;
struct worker;

struct worker_opts {
	/* Unused so far; what a new process starts with. Borrowed. NULL: asked about tables only */
	struct lookup *lookup;
	bool names_only;
	bool lazy; /* the process is started, but not waited for before the first question */
	const struct line_store *lines; /* asked for it; NULL: no line tables. Borrowed */
	/* The other half, in the new process: NULL for worker_serve(). For tests. */
	int (*serve)(int sock, pid_t parent, struct lookup *lookup);
	int (*find_debug)(void *ctx, const struct build_id *id); /* see symbolizer_opts */
	void *find_ctx;
	uint64_t stall_ns; /* how long nothing may happen; 0 = 2 s */
};

/* 0, or -errno: -EPERM where not even the least of a sandbox is possible. */
int worker_new(struct worker **out, const struct worker_opts *opts);
void worker_free(struct worker *w);
/* Ends all questions, now and later: for any thread. */
void worker_cancel(struct worker *w);
/* Ends the process, and with it all that it remembers of files; the next question starts another. */
void worker_forget(struct worker *w);
/* In a forked child: lets go of the parent's process and threads. Nothing is waited for. */
void worker_abandon(struct worker *w);

int worker_resolve(struct worker *w, const struct sym_query *q, sym_result_fn fn, void *ctx);
/* Asks one of the questions about a whole file; *facts, and for QUERY_TABLE the bytes of the table,
 * which nobody has checked, are borrowed until the next question. 0 or -ENOMEM. */
int worker_ask(struct worker *w, enum query_kind kind, const struct sym_file *file,
	       const struct elf_facts **facts, const struct buf **table);
int worker_segment(struct worker *w, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg);
void worker_stats(const struct worker *w, struct symbolizer_stats *out);

pid_t worker_pid(const struct worker *w);	       /* 0: none runs */
unsigned worker_sandbox_parts(const struct worker *w); /* that are in force, see sandbox.h */

/* --- the served half -------------------------------------------------------------------------- */

#define WORKER_SOCK 3
/* On top of what was inherited: sections of the largest debug files are 1 GiB. */
#define WORKER_MEMORY (2ull << 30)

/* Returns -errno when the socket is closed or there is no way on. */
int worker_serve(int sock, pid_t parent, struct lookup *lookup);
/* Its parts: enters the sandbox and says so; answers one query at WORKER_SOCK. 0 or -errno. */
int worker_enter(int sock, pid_t parent, uint64_t memory_bytes);
int worker_serve_one(int sock, struct lookup *lookup);

#endif
