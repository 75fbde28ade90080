/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what samples tell of mappings (bpf/mappings.bpf.h) to the process table: puts the records of a
 * set together, and knows the files that were told of once.
 */
#ifndef KILN_COLLECT_REPORTED_MAPPINGS_H
#define KILN_COLLECT_REPORTED_MAPPINGS_H

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

/* Takes what the drain holds. The process table must know all events up to now. */
void reported_mappings_run(struct reported_mappings *t, struct drain *d);

#define REPORTED_COUNTERS(X)                                                                       \
	X(sets)	   /* of mappings, taken over */                                                   \
	X(files)   /* told of */                                                                   \
	X(cut)	   /* sets too large to be told: /proc is read */                                  \
	X(unknown) /* sets with a file that was not told of, or with a part missing: the same */   \
	X(bad)	   /* records that make no sense: a bug if ever */

struct reported_stats {
#define X(name) uint64_t name;
	REPORTED_COUNTERS(X)
#undef X
};
void reported_mappings_stats(const struct reported_mappings *t, struct reported_stats *out);

#endif
