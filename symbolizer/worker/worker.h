/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: a reader process without privileges (sandbox.h), and this half of it in kiln. This half
 * asks questions, has debug files opened for the reader (opener.h, broker.h), and believes none of its answers
 * unchecked.
 *
 * If the reader crashes, hangs, runs out of memory or answers nonsense on a file, a new reader is
 * asked for names only. If that fails as well, the file's addresses have no names (SYM_CRASHED).
 * There is no second try for a question without lines, and none for a file that waits for its
 * server. Such files are remembered. After many failures, lines are given up for all files for a
 * while, later names.
 *
 * The reader and its spawner (spawner.h) end with the thread that called worker_new(). One thread
 * at a time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_H
#define KILN_SYMBOLIZER_WORKER_WORKER_H

#include "symbolizer/lookup/lookup.h"

struct buf;
struct elf_facts;
struct line_store;
struct worker;

struct worker_opts {
	/* What a new reader starts with, borrowed and not used yet. NULL: the reader answers
	 * questions about tables only. */
	struct lookup *lookup;
	bool names_only;
	bool lazy;			/* do not wait for the reader before the first question */
	const struct line_store *lines; /* store of line tables, borrowed; NULL: none */
	/* For tests: the reader's main function. NULL: worker_serve(). */
	int (*serve)(int sock, pid_t parent, struct lookup *lookup);
	int (*find_debug)(void *ctx, const struct build_id *id); /* see symbolizer_opts */
	void *find_ctx;
	uint64_t stall_ns; /* longest time without progress; 0 = 2 s */
	/* Who opens debug files, borrowed; NULL: this process does (broker.h). */
	struct opener *opener;
	/* A worker that lives longer and has the same serve() and lookup: its spawner starts this
	 * reader, too. NULL: fork one. */
	const struct worker *like;
};

/* 0 or -errno; -EPERM if even the least sandbox is impossible. */
int worker_new(struct worker **out, const struct worker_opts *opts);
void worker_free(struct worker *w);
/* Ends the current question and all later ones. Any thread may call it. */
void worker_cancel(struct worker *w);
/* Ends the reader, and with it all that it remembers of files. The next question starts another. */
void worker_forget(struct worker *w);
/* In a forked child: drops the parent's reader and threads without waiting. */
void worker_abandon(struct worker *w);

/*
 * Like lookup_resolve(), but the reader answers. A file that the reader fails on is a reason in the
 * results.
 */
int worker_resolve(struct worker *w, const struct sym_query *q, sym_result_fn fn, void *ctx);
/* Asks one question about a whole file. *facts, and for QUERY_TABLE the unchecked bytes of the
 * table, are borrowed until the next question. 0 or -ENOMEM. */
int worker_ask(struct worker *w, enum query_kind kind, const struct sym_file *file,
	       const struct elf_facts **facts, const struct buf **table);
/* Like lookup_segment(). */
int worker_segment(struct worker *w, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg);
void worker_stats(const struct worker *w, struct symbolizer_stats *out);

pid_t worker_pid(const struct worker *w); /* 0: no reader runs */
/* Parts of the sandbox in force, see sandbox.h. */
unsigned worker_sandbox_parts(const struct worker *w);

/* --- the served half -------------------------------------------------------------------------- */

#define WORKER_SOCK 3
/* Memory besides what was inherited. Sections of the largest debug files have 1 GiB. */
#define WORKER_MEMORY (2ull << 30)

/* The reader's main function. Returns -errno when the socket is closed or it cannot go on. */
int worker_serve(int sock, pid_t parent, struct lookup *lookup);
/* Its parts: enters the sandbox and reports that; answers one query at WORKER_SOCK. 0 or -errno. */
int worker_enter(int sock, pid_t parent, uint64_t memory_bytes);
int worker_serve_one(int sock, struct lookup *lookup);

#endif
