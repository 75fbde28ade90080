/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One segment being written: a file of windows (profiler/store/schema.h) and, in memory, the index of
 * what they have in common. A window is in the file when segment_append() has returned 0, whatever
 * happens afterwards. A failed one leaves the segment as it was.
 */
#ifndef KILN_STORE_SEGMENT_H
#define KILN_STORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/store/schema.h"

struct profile;
struct quality;
struct segment;

/* The file exists and is empty. 0 or -errno. */
int segment_create(struct segment **out, const char *path, const struct segment_head *head);
/*
 * Goes on with a segment that was left open: reads all that windows have in common. -EBADMSG: it is
 * damaged, -ENOTSUP: a newer version wrote it, -EROFS: it is closed, or another -errno.
 */
int segment_reopen(struct segment **out, const char *path);
/* What has been appended is in the file; readers need nothing else. NULL is fine. */
void segment_free(struct segment *s);
/* It takes no more windows, even if this fails. 0 or -errno. */
int segment_finish(struct segment *s);

/* 0; -EFBIG: no segment holds such a window; -ENOSPC, -EROFS, -EBADMSG (damaged), or another -errno. */
int segment_append(struct segment *s, const struct profile *p, const struct quality *q,
		   int64_t begin_unix_ns, uint64_t duration_ns);

const struct segment_head *segment_facts(const struct segment *s);
/* Bytes of memory for the index. */
size_t segment_index_bytes(const struct segment *s);
uint64_t segment_windows(const struct segment *s);

#endif
