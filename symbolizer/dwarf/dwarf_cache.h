/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loaded units of all files of a reader, with the products made of them on demand (functions,
 * lines, the split unit): accounted in bytes, and evicted coldest first.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_CACHE_H
#define KILN_SYMBOLIZER_DWARF_DWARF_CACHE_H

#include "symbolizer/dwarf/dwarf_cu.h"

struct cu_cache {
	struct cu *coldest, *hottest;
	size_t bytes;
};

/*
 * Loads the unit of a file's list, or moves it to the hot end of the cache. Borrowed until
 * cu_cache_trim(). 0 or -errno.
 */
int cu_get(struct cu_cache *cache, struct dwarf_file *f, struct unit *u, struct cu **out);

/* The DIE a reference points to: its unit (loaded through the cache) and offset. */
bool cu_ref(struct cu_cache *cache, struct cu *cu, const struct die_attr *attr, struct cu **to,
	    uint64_t *off);

/* Recounts a unit after something was added to it. */
void cu_account(struct cu_cache *cache, struct cu *cu);
/* Evicts the coldest units until at most max_bytes are held, sparing `keep`. */
void cu_cache_trim(struct cu_cache *cache, size_t max_bytes, const struct cu *keep);
void cu_cache_release(struct cu_cache *cache);

/* A unit that is in no cache (a split one), with its products. */
void cu_free(struct cu *cu);

#endif
