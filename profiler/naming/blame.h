/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blame: which binaries make a profile worse, and what to do about each. One thread. */
#ifndef KILN_NAMING_BLAME_H
#define KILN_NAMING_BLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/cleanup.h"

struct aggregate;
struct agg_frame;
struct blame;
struct naming;
struct quality;

struct blame *blame_new(void);
void blame_free(struct blame *b);
DEFINE_CLEANUP(blame, blame_free)

/* The frames that follow are of other samples than those before. */
void blame_next(struct blame *b);
/* `count` samples have a frame in the binary that f is in. Only files and anonymous code are
 * blamed. Out of memory: the frame is not counted. */
void blame_frame(struct blame *b, const struct agg_frame *f, uint64_t count, bool unnamed);
/* The user stacks of `count` samples ended at f before their root, for that reason. */
void blame_broken(struct blame *b, const struct agg_frame *f, enum unwind_end why, uint64_t count);

/* Puts the worst binaries into q->blame, worst first. A binary appears once, whatever its names
 * and processes. Asks readers about files, and packages.h. 0 or -ENOMEM. */
int blame_report(struct blame *b, struct naming *n, const struct aggregate *a, struct quality *q);

#endif
