/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One window of the agent, of as many parts as the collector hands out meanwhile. */
#ifndef KILN_AGENT_WINDOW_PARTS_H
#define KILN_AGENT_WINDOW_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/record/merged.h"

struct collector;
struct labels;
struct outbox;

struct window_parts { /* all-zero is empty and valid */
	struct merged merged;
	int64_t begin_unix_ns;
	uint64_t duration_ns; /* that was lived through */
};

/* What was collected since the last part joins the window; nobody lived through `absent_ns` of it. 0; -ENOSPC
 * when it is in, and no more will fit; or -errno. */
int window_parts_take(struct window_parts *w, struct collector *c, bool last, uint64_t absent_ns);

/* "kiln.KEY=VALUE" in the profile. 0 or -ENOMEM. */
int window_parts_note(struct window_parts *w, const char *key, int64_t value);

/* Names and relabels what has come; the processes of `own` are left out. 0 or -errno. */
int window_parts_label(struct window_parts *w, struct labels *labels, const pid_t *own, size_t n);

/* Adds what has been lost otherwise, if anything has come: then it is accounted for, and *lost is empty. 0 or
 * -ENOMEM. */
int window_parts_add_lost(struct window_parts *w, struct quality *lost);

/* Sends what has come, if anything has, to the store, and empties the window. 0 or -errno. */
int window_parts_store(struct window_parts *w, struct outbox *outbox);
void window_parts_release(struct window_parts *w);

#endif
