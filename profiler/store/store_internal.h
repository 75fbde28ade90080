/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of profiler/store/store.h's implementation share. */
#ifndef KILN_STORE_STORE_INTERNAL_H
#define KILN_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "profiler/store/dir.h"
#include "profiler/store/retain.h"
#include "profiler/store/store.h"

struct segment;

#define SEGMENT_NS	 3600000000000ull
#define INDEX_BYTES	 (16u << 20)
#define COARSE_AFTER_NS	 (24 * SEGMENT_NS)
#define COARSE_WINDOW_NS 60000000000ull

struct store {
	struct dir dir;
	struct store_opts opts;
	int lock_fd;
	struct moment (*clock)(void);				  /* moment_now() but in tests */
	int (*space)(const struct dir *d, struct dir_space *out); /* dir_space() but in tests */
	/* The one that windows go into, of the thread that appends; or NULL. */
	struct segment *segment;
	int64_t sequence;	  /* of the last segment that was begun; 0: not known yet */
	uint64_t dropped_in_vain; /* bytes of segments that went for space: there is none yet */
	/* Guards what follows: another thread may be in store_maintain(). */
	pthread_mutex_t mutex;
	char current[DIR_NAME_BYTES]; /* name of that segment's file; "" if there is none */
	struct store_stats stats;
	uint64_t other_bytes; /* of all segments but that one, as of the last look */
	struct {
		pthread_mutex_t mutex;
		int64_t offset_ns; /* of Unix time from CLOCK_BOOTTIME; 0: not known */
		int64_t distrust_until_boot_ns;
	} retention;
};

/* Adds to a counter of s->stats. */
#define store_count(s, counter)                                                                    \
	do {                                                                                       \
		pthread_mutex_lock(&(s)->mutex);                                                   \
		(s)->stats.counter++;                                                              \
		pthread_mutex_unlock(&(s)->mutex);                                                 \
	} while (0)

/* Ends the current segment, if there is one. Of the thread that appends. */
void store_end_segment(struct store *s);
/* Whether this is the file that windows go into now. */
bool store_is_current(struct store *s, const char *name);

#endif
