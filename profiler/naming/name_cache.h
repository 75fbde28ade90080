/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recent names of addresses in files: (file id, file offset) to functions and lines. There are two
 * generations. When the younger one has half of the cap, the older one is dropped. Entries that are
 * looked up move to the younger. So names in use stay, in bounded memory and without a list of
 * uses. After every call both are within the cap. Pure memory. Not thread-safe.
 */
#ifndef KILN_NAMING_NAME_CACHE_H
#define KILN_NAMING_NAME_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_cache;

/* Several times the names of a host's busy programs: some 200 bytes an address. */
#define NAME_CACHE_BYTES (8u << 20)

struct cached_line {		     /* strings are borrowed until the next call */
	const char *name, *raw_name; /* raw_name may be NULL */
	const char *file;	     /* source file, or NULL */
	uint32_t line, start_line;   /* 0: unknown */
};

struct cached_name {
	uint64_t elf_va;
	uint64_t seg_va, seg_len, seg_off; /* segment of the address; all 0: unknown */
	uint8_t as, is_root;		   /* as in struct named_frame */
	const struct cached_line *lines;   /* innermost inlined call first */
	size_t n_lines;
};

/* max_bytes 0: NAME_CACHE_BYTES. 0 or -ENOMEM. */
int name_cache_new(struct name_cache **out, size_t max_bytes);
void name_cache_free(struct name_cache *c);

/* Looks an address up and fills *out, which is borrowed until the next call. False if the
 * address is not known. */
bool name_cache_find(struct name_cache *c, uint32_t file, uint64_t file_off,
		     struct cached_name *out);
/* Remembers a new name, or drops it when out of memory. */
void name_cache_add(struct name_cache *c, uint32_t file, uint64_t file_off,
		    const struct cached_name *name);
void name_cache_clear(struct name_cache *c);

struct name_cache_stats {
	uint64_t hits, misses;
	uint64_t dropped; /* addresses forgotten because of the cap */
	size_t bytes, entries;
};
void name_cache_stats(const struct name_cache *c, struct name_cache_stats *out);

#endif
