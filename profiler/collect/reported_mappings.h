/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what samples tell of mappings (bpf/mappings.bpf.h) to the process table: puts the records of a
 * set together, and knows the files that were told of once.
 */
#ifndef KILN_COLLECT_REPORTED_MAPPINGS_H
#define KILN_COLLECT_REPORTED_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>

struct drain;
struct files;
struct procs;
struct rescan;
struct sampler;
struct reported_mappings;

/* All are borrowed. 0 or -errno. */
int reported_mappings_new(struct reported_mappings **out, struct sampler *sampler,
			  struct procs *procs, struct files *files, struct rescan *rescan);
void reported_mappings_free(struct reported_mappings *t);

/* Other bounds than 16,384 files with 4 MiB of paths, and 8 MiB of sets that were begun; 0: as it is. */
void reported_mappings_limit(struct reported_mappings *t, size_t files, size_t path_bytes,
			     size_t set_bytes);

/* Takes what the drain holds. The process table must know all events up to now. */
void reported_mappings_run(struct reported_mappings *t, struct drain *d);

#define REPORTED_COUNTERS(X)                                                                       \
	X(sets)	     /* of mappings, taken over */                                                 \
	X(files)     /* told of */                                                                 \
	X(cut)	     /* sets too large to be told: /proc is read */                                \
	X(unknown)   /* sets with a file that was not told of, or with a part missing: the same */ \
	X(forgotten) /* files, for lack of room: they are told again when they are seen again */   \
	X(dropped)   /* sets begun and given up, for lack of room or because they never ended */   \
	X(bad)	     /* records that make no sense: a bug if ever */

struct reported_stats {
#define X(name) uint64_t name;
	REPORTED_COUNTERS(X)
#undef X
};
void reported_mappings_stats(const struct reported_mappings *t, struct reported_stats *out);

#endif
