/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line tables on disk, by build id: DIR/BUILDID.lines. Past the cap the least recently used go.
 *
 * A table is built for a build id that was resolved with DWARF in an earlier run too, so that what is
 * seen once costs nothing; the empty file BUILDID.seen remembers that.
 *
 * Several kilns may share the directory, and whoever builds may be a process that has one descriptor
 * and can rename nothing. So a table is written in place: under its final name, by whoever has it
 * locked (flock(2), LOCK_EX, never waited for), the header last. A file without a header is not
 * there: whoever gets the lock next empties it and begins again. A file with one is never changed,
 * only unlinked. Readers take LOCK_SH, so a table is not read (line_table.h maps it) while anybody,
 * also a process that was taken over, can still write to it.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_CACHE_H
#define KILN_SYMBOLIZER_LINES_LINE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

/* A table has 6 % of the bytes of its ELF file with all debug sections: 20 GB of them fit. */
#define LINE_CACHE_BYTES (1ull << 30)

struct line_cache;

/* What may be asked about the table of a build id. All: -errno if not. */
enum line_wish {
	LINE_GET,    /* a descriptor for reading: -ENOENT, or -EAGAIN while it is being written */
	LINE_CREATE, /* one of an empty file, for writing: -EAGAIN if another builds it, -EEXIST */
	LINE_SEEN,   /* it was resolved without a table. 1: in an earlier run too, so one is due */
	LINE_DROP,   /* it is damaged, of another version, or of other sources: unlinks it */
	LINE_WISH_COUNT
};

/* Who answers: line_cache_ask(), or somebody who asks on. */
struct line_store {
	int (*ask)(void *ctx, enum line_wish wish, const struct build_id *id);
	void *ctx;
};

/* max_bytes 0: LINE_CACHE_BYTES. A directory that cannot be used means an empty cache that takes
 * nothing. 0 or -ENOMEM. */
int line_cache_open(struct line_cache **out, const char *dir, uint64_t max_bytes);
void line_cache_close(struct line_cache *c);

int line_cache_ask(struct line_cache *c, enum line_wish wish, const struct build_id *id);

#define LINE_CACHE_COUNTERS(X)                                                                     \
	X(hits, "tables opened")                                                                   \
	X(misses, "tables that are not there")                                                     \
	X(created, "tables begun")                                                                 \
	X(dropped, "tables thrown away: damaged, outdated, of another version")                    \
	X(busy, "tables another kiln is writing")                                                  \
	X(unusable, "directory or file that cannot be used")

struct line_cache_stats {
#define X(name, text) uint64_t name;
	LINE_CACHE_COUNTERS(X)
#undef X
};
void line_cache_stats(const struct line_cache *c, struct line_cache_stats *out);

#endif
