/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers for the files of different owners. A file may take over the reader that parses it, and
 * then changes the names of other files there. So the files of each owner have a reader of their
 * own. The least recently used reader ends for a new owner. One thread, but for worker_set_cancel().
 */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_SET_H
#define KILN_SYMBOLIZER_WORKER_WORKER_SET_H

#include "symbolizer/worker/worker.h"

/* Nearly all files that are mapped belong to root. */
#define WORKER_OWNERS_MAX 4

struct worker_set;

/* As worker_new(), with a first worker, for root's files. */
int worker_set_new(struct worker_set **out, const struct worker_opts *opts);
void worker_set_free(struct worker_set *s);

/* The worker for a file, borrowed. Without memory it is
 * the first one. */
struct worker *worker_set_for(struct worker_set *s, const struct sym_file *file);

/* What worker.h says, of all of them. */
void worker_set_cancel(struct worker_set *s);
void worker_set_forget(struct worker_set *s);
/* Ends readers that were not asked for SYMBOLIZER_IDLE_NS: they hold files open, and memory. */
void worker_set_rest(struct worker_set *s);
void worker_set_abandon(struct worker_set *s);
void worker_set_stats(const struct worker_set *s, struct symbolizer_stats *out);
/* The reader for root's files; 0: none runs. */
pid_t worker_set_pid(const struct worker_set *s);

#endif
