/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks in user space what the kernel half could not: samples of processes it did not know yet, of
 * files whose table was not there yet, and rules only DWARF can say. It is the kernel's walk by the
 * kernel's tables; a sample whose table is still being compiled waits for it, within limits, and one
 * in memory that nobody knows to be mapped until /proc was read again. What the tables cannot say is
 * libunwind's. The result joins the window.
 */
#ifndef KILN_UNWIND_SLOW_PATH_H
#define KILN_UNWIND_SLOW_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct drain;
struct files;
struct procs;
struct rescan;
struct slow_path;
struct unwind_feed;
struct walker;
struct window;

/* All are borrowed. 0 or -errno. */
int slow_path_new(struct slow_path **out, struct procs *procs, struct files *files,
		  struct unwind_feed *feed, struct rescan *rescan, struct walker *walker);
void slow_path_free(struct slow_path *s);

/* Takes the raw samples that the drain holds and walks all that need not wait. The process table must
 * know all events up to now. */
void slow_path_run(struct slow_path *s, struct drain *d);

/* Whether samples wait. */
bool slow_path_waits(const struct slow_path *s);

/* Waits no longer for what belongs to this window: libunwind has to do. */
void slow_path_finish(struct slow_path *s, const struct window *w);

/* All in samples. */
#define SLOW_PATH_COUNTERS(X)                                                                      \
	X(by_tables)	/* walked by the kernel's tables */                                        \
	X(by_libunwind) /* walked by libunwind */                                                  \
	X(complete)	/* of both, to the root */                                                 \
	X(waited)	/* had to wait for a table */                                              \
	X(late)		/* of these, gave up: the window ended, or after a time */                 \
	X(crowded)	/* of these, gave up: too much was waiting already */                      \
	X(objects_full) /* files that libunwind did not get: one program maps too many */

struct slow_path_stats {
#define X(name) uint64_t name;
	SLOW_PATH_COUNTERS(X)
#undef X
	uint64_t lost, files_failed;	/* samples and files on which libunwind's process failed */
	uint64_t why[UNWIND_END_COUNT]; /* where the kernel half had stopped */
};
void slow_path_stats(const struct slow_path *s, struct slow_path_stats *out);

#endif
