/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loaded units of all files of a reader, and what is made of them on demand: functions, lines, the
 * split unit. The cache counts bytes and evicts the least recently used unit first.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_CACHE_H
#define KILN_SYMBOLIZER_DWARF_DWARF_CACHE_H

#include "symbolizer/dwarf/dwarf_cu.h"

struct cu_cache {
	struct cu *coldest, *hottest;
	size_t bytes;
};

/*
 * Loads a unit of a file's list, or marks it as recently used. Borrowed until cu_cache_trim(). 0 or
 * -errno.
 */
int cu_get(struct cu_cache *cache, struct dwarf_file *f, struct unit *u, struct cu **out);

/* Finds the DIE that a reference points to: its unit, loaded through the cache, and its offset. */
bool cu_ref(struct cu_cache *cache, struct cu *cu, const struct die_attr *attr, struct cu **to,
	    uint64_t *off);

/* Counts a unit's bytes again after something was added to it. */
void cu_account(struct cu_cache *cache, struct cu *cu);
/* Evicts the least recently used units, but not `keep`, until at most max_bytes are held. */
void cu_cache_trim(struct cu_cache *cache, size_t max_bytes, const struct cu *keep);
void cu_cache_release(struct cu_cache *cache);

/* Frees a split unit, which is in no cache, with all that was made of it. */
void cu_free(struct cu *cu);

#endif
