/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled unwind tables on disk, by build id: DIR/BUILDID.unw. Files are written under a temporary
 * name and renamed, so several kilns may share the directory; what is read is checked whole. Past the
 * cap the least recently used files go. One thread.
 */
#ifndef KILN_UNWIND_UNWIND_CACHE_H
#define KILN_UNWIND_UNWIND_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

struct unwind_cache;

/* All tables of a distribution's programs are some 300 MB; what runs on one host is a tenth. */
#define UNWIND_CACHE_BYTES (128ull << 20)

/* Creates the directory (mode 0700) if need be; one that cannot be used means no cache. dir may be
 * NULL: the cache is then always empty. max_bytes: 0 = UNWIND_CACHE_BYTES. 0 or -ENOMEM. */
int unwind_cache_open(struct unwind_cache **out, const char *dir, uint64_t max_bytes);
void unwind_cache_close(struct unwind_cache *c);

/* *blob is malloc'd. 0; -ENOENT; -EBADMSG: damaged or of another version, removed. */
int unwind_cache_get(struct unwind_cache *c, const struct build_id *id, void **blob, size_t *len);
/* Keeps a copy if it can. */
void unwind_cache_put(struct unwind_cache *c, const struct build_id *id, const void *blob,
		      size_t len);

struct unwind_cache_stats {
	uint64_t hits, writes;
	uint64_t bad;	  /* files that were damaged */
	uint64_t dropped; /* files that went, for lack of room */
};
/* Any thread may ask. */
void unwind_cache_stats(const struct unwind_cache *c, struct unwind_cache_stats *out);

#endif
