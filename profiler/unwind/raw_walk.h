/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks in user space what the kernel half could not: samples of processes it did not know yet, of
 * files whose table was not there yet, and rules only DWARF can say. It is the kernel's walk by the
 * kernel's tables; a sample whose table is still being compiled waits for it, within limits, and one
 * in memory that nobody knows to be mapped until /proc was read again. What the tables cannot say is
 * libunwind's. The result joins the window.
 */
#ifndef KILN_UNWIND_RAW_WALK_H
#define KILN_UNWIND_RAW_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct drain;
struct files;
struct procs;
struct rescan;
struct raw_walk;
struct unwind_feed;
struct walk_worker;
struct window;

/* All are borrowed. 0 or -errno. */
int raw_walk_new(struct raw_walk **out, struct procs *procs, struct files *files,
		 struct unwind_feed *feed, struct rescan *rescan, struct walk_worker *walker);
void raw_walk_free(struct raw_walk *s);

/* Of the samples that wait for tables or for /proc; 96 MiB otherwise. */
void raw_walk_limit(struct raw_walk *s, size_t bytes);

/* Takes the raw samples that the drain holds and walks all that need not wait. The process table must
 * know all events up to now. */
void raw_walk_run(struct raw_walk *s, struct drain *d);

/* Whether samples wait. */
bool raw_walk_waits(const struct raw_walk *s);

/* Waits no longer for what belongs to this window: libunwind has to do. */
void raw_walk_finish(struct raw_walk *s, const struct window *w);

/* All in samples. */
#define RAW_WALK_COUNTERS(X)                                                                       \
	X(by_tables)	/* walked by the kernel's tables */                                        \
	X(by_libunwind) /* walked by libunwind */                                                  \
	X(complete)	/* of both, to the root */                                                 \
	X(waited)	/* had to wait for a table */                                              \
	X(late)		/* of these, gave up: the window ended, or after a time */                 \
	X(crowded)	/* of these, gave up: too much was waiting already */                      \
	X(tables_full)	/* of by_libunwind: the tables in use take all the memory they may */      \
	X(objects_full) /* files that libunwind did not get: one program maps too many */

struct raw_walk_stats {
#define X(name) uint64_t name;
	RAW_WALK_COUNTERS(X)
#undef X
	uint64_t lost, files_failed;	/* samples and files on which libunwind's process failed */
	uint64_t why[UNWIND_END_COUNT]; /* where the kernel half had stopped */
};
void raw_walk_stats(const struct raw_walk *s, struct raw_walk_stats *out);

#endif
