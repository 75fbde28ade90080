/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes reported mappings (bpf/mappings.bpf.h) into the process table. Puts the records of a
 * snapshot together, and remembers files, which are reported once. One thread.
 */
#ifndef KILN_COLLECT_REPORTED_MAPPINGS_H
#define KILN_COLLECT_REPORTED_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct drain;
struct files;
struct procs;
struct rescan;
struct sampler;
struct reported_mappings;

/* Borrows all. 0 or -errno. */
int reported_mappings_new(struct reported_mappings **out, struct sampler *sampler,
			  struct procs *procs, struct files *files, struct rescan *rescan);
void reported_mappings_free(struct reported_mappings *t);

/* Sets other bounds, for tests, than 16,384 files with 4 MiB of paths and 8 MiB of incomplete
 * sets. 0: no change. */
void reported_mappings_limit(struct reported_mappings *t, size_t files, size_t path_bytes,
			     size_t set_bytes);

/* fn is called when a process is seen to have code without a file, and no jitdump. */
void reported_mappings_watch(struct reported_mappings *t, void (*fn)(void *ctx, pid_t tgid),
			     void *ctx);

/* Takes the records that the drain holds. The process table must have all events up to now. */
void reported_mappings_run(struct reported_mappings *t, struct drain *d);

#define REPORTED_COUNTERS(X)                                                                       \
	X(sets)	     /* snapshots taken over */                                                    \
	X(files)     /* files reported */                                                          \
	X(cut)	     /* sets too large to report, so the process is rescanned */                   \
	X(unknown)   /* sets with an unreported file or a missing part: rescanned, too */          \
	X(forgotten) /* files forgotten for lack of room; they are reported again */               \
	X(dropped)   /* incomplete sets dropped, for lack of room or because no more came */       \
	X(bad)	     /* malformed records, which would be a bug */

struct reported_stats {
#define X(name) uint64_t name;
	REPORTED_COUNTERS(X)
#undef X
};
void reported_mappings_stats(const struct reported_mappings *t, struct reported_stats *out);

#endif
