/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows of profiles on this host's disk, for weeks, in a bounded directory. A window goes into the
 * current segment, a file of an hour or so; retention drops whole segments. One process appends; any
 * number of them read meanwhile.
 *
 *	store_open(&s, "/var/lib/kiln", &(struct store_opts){.access = STORE_WRITE, ...}, &why)
 *	every ten seconds: store_append(s, profile, &quality, begin, duration);
 *	now and then, also in a thread of its own: store_maintain(s)
 *
 *	store_open(&s, path, &(struct store_opts){.access = STORE_READ}, &why)
 *	store_query(s, &query, &result, &why)		profiler/store/query.h
 *
 * A window belongs to a range of time that holds its beginning, so that adjacent ranges add up. Times
 * are Unix time in ns, ranges half-open.
 */
#ifndef KILN_STORE_STORE_H
#define KILN_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/why.h"

struct profile;
struct quality;
struct store;

#define STORE_FREE_SHARE 10 /* a tenth */

enum store_access {
	STORE_READ,  /* changes nothing; the directory has to be there */
	STORE_EDIT,  /* may remove, beside a process that appends */
	STORE_WRITE, /* appends: one process at a time */
};

struct store_opts {
	enum store_access access;
	pid_t pid; /* whom others are told to have the store, as the one to end; 0: this process */
	uint64_t max_bytes, max_age_ns; /* older segments are dropped beyond this; 0: never */
	/* ... and while the file system has less free than this, or than STORE_FREE_SHARE of its size if that is
	 * less; but none when all together would not make up for it. Meanwhile nothing is stored. 0: never */
	uint64_t min_free_bytes;
	uint64_t segment_ns; /* what a segment covers, by the clock; 0: an hour; from 1 s */
	/* Windows of a day that has been over for coarse_after_ns (0: a day) are merged into such of
	 * coarse_window_ns (0: a minute). */
	uint64_t coarse_after_ns, coarse_window_ns;
	uint64_t read_until_ns; /* CLOCK_MONOTONIC; what reads longer ends with -ETIME; 0: never */
	size_t index_bytes; /* memory for what a segment's windows have in common: then it ends. 0: 16 MiB */
};

/*
 * Opens the store at a path. For writing the directory is made if it is missing: mode 0750, files 0640,
 * of the group "kiln" where there is one. 0 or -errno with a sentence in *why:
 * -EBUSY (another process appends: its pid is in the sentence), -ENOENT, -EACCES, -EPERM, ...
 */
int store_open(struct store **out, const char *path, const struct store_opts *opts,
	       struct why *why);
/* What has been appended is on disk. NULL is fine. */
void store_close(struct store *s);

/* Whether the path that it was opened by leads to it still: its directory may have been moved, removed, or have
 * another one mounted over it. What is written then, nobody finds. */
bool store_is_at(const struct store *s, const char *path);

/*
 * Adds a window: when it returns 0, the window survives whatever happens to this process and to the
 * machine's power. The profile stays the caller's; its own time and duration do not count, and quality
 * is stored beside it. On failure the window is not in the store, and the next one may succeed:
 * -ENOSPC (retention has dropped what it may, or store_look() says why it has not), -EROFS, -EFBIG (no segment holds it), -EINVAL (a time
 * before 1970), or another -errno.
 */
int store_append(struct store *s, const struct profile *p, const struct quality *q,
		 int64_t begin_unix_ns, uint64_t duration_ns);

/*
 * Does one piece of work that is due: drops what is too old or too much, puts aside what is damaged, and
 * writes older segments once more. 1: there may be more; 0: nothing was due; or -errno. To be called
 * about once a minute by a process that appends; beside store_append() in a thread of its own it does not
 * hold windows up. Takes some hundred ms of CPU an hour, and twice index_bytes of memory.
 */
int store_maintain(struct store *s);

/* What it has done since it was opened. */
struct store_stats {
	uint64_t windows; /* acknowledged */
	uint64_t failed;  /* windows that were not */
	uint64_t segments_begun;
	uint64_t index_full;	  /* segments that ended before their time: see index_bytes */
	uint64_t clock_back;	  /* ... because the clock had gone back */
	uint64_t segments_gone;	  /* ... because somebody had removed the file */
	uint64_t segments_broken; /* ... because it could not be written or read any more */
	uint64_t segments_newer;  /* found: written by a newer version, left alone */
	uint64_t dropped_for_size, dropped_for_age, dropped_for_space; /* segments */
	uint64_t compacted;   /* segments that went into others */
	uint64_t quarantined; /* damaged segments put aside; what could be read was kept */
};
void store_stats(struct store *s, struct store_stats *out);

/* What there is now. */
struct store_state {
	uint64_t bytes, old_bytes; /* of all segments; of all that could be dropped */
	int64_t oldest_unix_ns;	   /* when the oldest segment begins; 0: there is none */
	/* Of the file system: nothing is stored while free_bytes is less than min_free_bytes, which is what
	 * min_free_bytes of the options comes to here. */
	uint64_t free_bytes, total_bytes, min_free_bytes;
};
/* Any thread. 0 or -errno. */
int store_look(struct store *s, struct store_state *out);

#endif
