/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sampler's windows on their way to the store writer, over a channel that may break at any time. Each is
 * kept until the writer has acknowledged it, within bounds; what is not stored is counted. A window that
 * finds no room is lost, rather than an older one: the writer may be about to store that. One thread.
 */
#ifndef KILN_AGENT_OUTBOX_H
#define KILN_AGENT_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/profile/quality.h"

struct outbox;
struct profile;

#define OUTBOX_WINDOWS_MAX 60	       /* ten minutes */
#define OUTBOX_BYTES_MAX   (16u << 20) /* a busy window has 1 MB */

/* windows_max 0: OUTBOX_WINDOWS_MAX. 0 or -ENOMEM. */
int outbox_new(struct outbox **out, size_t windows_max);
void outbox_free(struct outbox *o);

/* The way to a writer, which the outbox owns from now on. What waits is sent. */
void outbox_connect(struct outbox *o, int sock);

/* Sends a finished profile (merged_finish()), or keeps it until it can be sent; what it cannot keep it counts
 * as lost, and says so. 0, or -errno: it is lost. */
int outbox_put(struct outbox *o, const struct profile *p, const struct quality *q,
	       int64_t begin_unix_ns, uint64_t duration_ns);

/* A window that could not even be made. */
void outbox_lose(struct outbox *o, const struct quality *q, int err);

/* Reads what the writer has acknowledged, and sends what waits. Does not wait. */
void outbox_turn(struct outbox *o);
/* The same until nothing waits any more: 0; or -ETIMEDOUT. */
int outbox_flush(struct outbox *o, uint64_t deadline_ns);

struct outbox_counts {
	uint64_t stored, lost; /* windows */
	uint64_t waiting;      /* not yet acknowledged */
	uint64_t unsent;       /* ... of which no writer has a copy */
};
void outbox_counts(const struct outbox *o, struct outbox_counts *out);

/* Takes what became of the samples of windows lost since the last call: what was in them is lost now, too, as
 * LOSS_not_stored. Without blame. */
void outbox_take_lost(struct outbox *o, struct quality *out);

#endif
