/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled unwind tables on disk, by identity: DIR/HEX.unw. A file is written under a temporary
 * name and renamed, so several kilns may share the directory. What is read is checked completely.
 * Above the cap the least recently used files go. One thread.
 */
#ifndef KILN_UNWIND_UNWIND_CACHE_H
#define KILN_UNWIND_UNWIND_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/query/answer.h"

struct unwind_cache;

/* All tables of a distribution's programs have some 300 MB. Those of one host have a tenth. */
#define UNWIND_CACHE_BYTES (128ull << 20)

/* Creates the directory (mode 0700) if needed. Without a usable directory, or with dir NULL, the
 * cache is always empty. max_bytes 0: UNWIND_CACHE_BYTES. 0 or -ENOMEM. */
int unwind_cache_open(struct unwind_cache **out, const char *dir, uint64_t max_bytes);
void unwind_cache_close(struct unwind_cache *c);

/* Reads a table; *blob is malloc'd. id NULL: there is none. 0; -ENOENT; -EBADMSG: it was damaged or of another version,
 * and was removed. */
int unwind_cache_get(struct unwind_cache *c, const struct file_identity *id, void **blob,
		     size_t *len);
/* Stores a copy if possible. */
void unwind_cache_put(struct unwind_cache *c, const struct file_identity *id, const void *blob,
		      size_t len);

struct unwind_cache_stats {
	uint64_t hits, writes;
	uint64_t bad;	  /* damaged files */
	uint64_t dropped; /* files removed for lack of room */
};
/* Any thread may call it. */
void unwind_cache_stats(const struct unwind_cache *c, struct unwind_cache_stats *out);

#endif
