/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walk workers for the samples of different owners. A walk worker is shown stacks, which hold secrets, and the files of
 * the processes that it walks, any of which may take it over. So each user's processes have a reader of their own:
 * a file that one user made never sees another's stacks. Whoever maps a file has run its code already.
 *
 * The reader that was not used for the longest time ends for a new owner. So many owners cannot make kiln start
 * readers all the time, one is taken away only if it was not taken away lately. One thread.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WALK_SET_H
#define KILN_SYMBOLIZER_WORKER_WALK_SET_H

#include "symbolizer/worker/walk_worker.h"

/* Nearly all samples that need a CFI walk are root's or one other user's. */
#define WALK_OWNERS_MAX 4

struct walk_set;

/* As walk_worker_new(), with a first worker, for root's processes. */
int walk_set_new(struct walk_set **out, const struct walk_worker_opts *opts);
void walk_set_free(struct walk_set *s);

/* The worker for the processes of this owner, borrowed; without a sandbox the only one. NULL: there is none for it
 * now, so its samples lose their stacks. */
struct walk_worker *walk_set_for(struct walk_set *s, uint32_t owner);

/* What walk_worker.h says, of all of them. */
void walk_set_forget(struct walk_set *s);
void walk_set_rest(struct walk_set *s);
void walk_set_stats(const struct walk_set *s, struct walk_worker_stats *out);

#endif
