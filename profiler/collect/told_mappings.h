/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what samples tell of mappings (bpf/mappings.bpf.h) to the process table: puts the records of a
 * set together, and knows the files that were told of once.
 */
#ifndef KILN_COLLECT_TOLD_MAPPINGS_H
#define KILN_COLLECT_TOLD_MAPPINGS_H

#include <stdint.h>

struct drain;
struct files;
struct procs;
struct rescan;
struct sampler;
struct told_mappings;

/* All are borrowed. 0 or -errno. */
int told_mappings_new(struct told_mappings **out, struct sampler *sampler, struct procs *procs,
		      struct files *files, struct rescan *rescan);
void told_mappings_free(struct told_mappings *t);

/* Takes what the drain holds. The process table must know all events up to now. */
void told_mappings_run(struct told_mappings *t, struct drain *d);

#define TOLD_COUNTERS(X)                                                                           \
	X(sets)	   /* of mappings, taken over */                                                   \
	X(files)   /* told of */                                                                   \
	X(cut)	   /* sets too large to be told: /proc is read */                                  \
	X(unknown) /* sets with a file that was not told of, or with a part missing: the same */   \
	X(bad)	   /* records that make no sense: a bug if ever */

struct told_stats {
#define X(name) uint64_t name;
	TOLD_COUNTERS(X)
#undef X
};
void told_mappings_stats(const struct told_mappings *t, struct told_stats *out);

#endif
