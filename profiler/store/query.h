/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a store holds of a range of time, as one profile. */
#ifndef KILN_STORE_QUERY_H
#define KILN_STORE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/profile/quality.h"
#include "profiler/store/store.h"

struct profile;

struct store_query {
	int64_t since_ns, until_ns;	   /* half-open; STORE_BEGIN, STORE_END */
	const char *where;		   /* see profiler/store/where.h; NULL or "": everything */
	const char *const *without_labels; /* keys that are left out, NULL-terminated, or NULL: who
					      does not ask for threads need not add up each */
	bool without_stacks; /* sums by labels alone: what is there, and how much of it */
};

#define STORE_BEGIN 0
#define STORE_END   INT64_MAX

struct store_result {
	struct profile *profile; /* its time and duration are those of the windows */
	struct quality
		quality; /* of all windows of the range, whatever `where` says; quality_where()
				    of the profile then has the condition */
	uint64_t windows, segments;
	/* Where these are not 0, something is missing: */
	uint64_t segments_damaged; /* could not be read at all */
	uint64_t segments_newer;   /* written by a newer version */
	uint64_t rows_damaged;	   /* places in segments at which windows may be missing */
	/* ... or bears the name of what it was lost to (profiler/store/restore.h): */
	uint64_t windows_damaged; /* their sums are there, their stacks are not */
	uint64_t pieces_damaged;  /* of names and stacks */
};
void store_result_release(struct store_result *r);

/*
 * Merges the windows that begin in the range. Without any the profile is empty, without sample types.
 * May run while the store is written, compacted and cut. 0; -EINVAL: `where` is malformed, or the windows
 * are of different sample types; or another -errno, with a sentence in *why.
 */
int store_query(struct store *s, const struct store_query *q, struct store_result *out,
		struct why *why);

#endif
