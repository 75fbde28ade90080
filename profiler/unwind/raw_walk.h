/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw walk: walks raw samples in user space. The kernel half lacked their process, their file's
 * table, or a rule that only DWARF can express. A table walk with the kernel's own tables comes
 * first. A sample whose table is still being compiled waits for it, within limits. One with code in
 * no known mapping waits for a rescan. What the tables cannot walk goes to the walk worker
 * (libunwind). Each stack joins the drained window of its sample. One thread.
 */
#ifndef KILN_UNWIND_RAW_WALK_H
#define KILN_UNWIND_RAW_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct files;
struct procs;
struct rescan;
struct raw_queue;
struct raw_walk;
struct unwind_feed;
struct walk_set;
struct window;

/* Borrows all. 0 or -errno. */
int raw_walk_new(struct raw_walk **out, struct procs *procs, struct files *files,
		 struct unwind_feed *feed, struct rescan *rescan, struct walk_set *walkers);
void raw_walk_free(struct raw_walk *s);
/* From now on it reads what code was made at run time, where that says where its caller is. See code_reader.h for which
 * processes. 0 or -ENOMEM. */
int raw_walk_read_code(struct raw_walk *s);

/* Limits the memory of waiting samples; default 96 MiB. */
void raw_walk_limit(struct raw_walk *s, size_t bytes);

/* Takes the raw samples of the queue, and walks those that need not wait. The process
 * table must have all events up to now. */
void raw_walk_run(struct raw_walk *s, struct raw_queue *from);

/* True if samples wait. */
bool raw_walk_waits(const struct raw_walk *s);

/* Ends the waiting of samples in this window: libunwind walks them. */
void raw_walk_finish(struct raw_walk *s, const struct window *w);

/* Counters of samples. */
#define RAW_WALK_COUNTERS(X)                                                                       \
	X(by_tables)	/* walked by tables */                                                     \
	X(by_libunwind) /* walked by libunwind */                                                  \
	X(complete)	/* of both: walked to the root */                                          \
	X(waited)	/* waited for a table */                                                   \
	X(late)		/* of these, gave up: the window ended, or after a time */                 \
	X(crowded)	/* of these, gave up: too much was waiting */                              \
	X(old_jit) /* of by_tables: by a table of code made at run time older than the sample */   \
	X(tables_full)	/* of by_libunwind: no room for more tables, all are in use */             \
	X(objects_full) /* files not given to libunwind: the program maps too many */              \
	X(owners_full)	/* lost: samples of too many users' processes came at once */

struct raw_walk_stats {
#define X(name) uint64_t name;
	RAW_WALK_COUNTERS(X)
#undef X
	uint64_t lost, files_failed;	/* samples and files on which the walk worker failed */
	uint64_t why[UNWIND_END_COUNT]; /* why the kernel half stopped */
};
void raw_walk_stats(const struct raw_walk *s, struct raw_walk_stats *out);

#endif
