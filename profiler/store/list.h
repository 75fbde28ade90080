/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in a store, by time and by file. By label: profiler/store/overview.h. */
#ifndef KILN_STORE_LIST_H
#define KILN_STORE_LIST_H

#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/store/query.h"

struct store_slot {
	int64_t begin_ns;
	uint64_t windows;
	int64_t samples, cpu_ns; /* that match `where` */
	uint64_t lost;		 /* samples, of all */
};

struct store_times {
	VEC(struct store_slot) v;     /* ascending; none without windows */
	int64_t first_ns, end_ns;     /* of all windows; 0 without */
	uint64_t segments_unreadable; /* of that time */
	uint64_t windows_unreadable;  /* or places at which windows may be missing */
};
void store_times_release(struct store_times *t);

/* Sums by time, in slots of width_ns (1 s at least; more than a million slots are -E2BIG). 0 or -errno with a
 * sentence. */
int store_times(struct store *s, const struct store_query *q, int64_t width_ns,
		struct store_times *out, struct why *why);
/* The same with slots that begin at phase_ns and multiples of the width from there: a zone's offset. */
int store_times_from(struct store *s, const struct store_query *q, int64_t width_ns,
		     int64_t phase_ns, struct store_times *out, struct why *why);

#define STORE_FILE_STATES(X)                                                                       \
	X(OPEN, "being written")                                                                   \
	X(CLOSED, "written")                                                                       \
	X(COMPACTED, "compacted")                                                                  \
	X(REPLACED, "replaced")	       /* goes at the next store_maintain() */                     \
	X(NEWER, "of a newer version") /* left alone */                                            \
	X(DAMAGED, "damaged")                                                                      \
	X(UNREADABLE, "not readable")

enum store_file_state {
#define X(state, text) STORE_FILE_##state,
	STORE_FILE_STATES(X)
#undef X
};
const char *store_file_state_text(enum store_file_state s);

struct store_file {
	char name[64];
	int64_t begin_ns, end_ns; /* what it may cover; end 0: not known */
	int64_t window_ns;	  /* 0: windows as they came */
	uint64_t windows, bytes;
	enum store_file_state state;
};

struct store_files {
	VEC(struct store_file) v; /* by time */
};
void store_files_release(struct store_files *f);
/* 0 or -errno. */
int store_files(struct store *s, struct store_files *out);

#endif
