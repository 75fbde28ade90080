/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line tables on disk, by identity (struct file_identity): DIR/HEX.lines. Above the cap, the least
 * recently used go. The header has the build id.
 *
 * A table is built only for a file that was resolved with DWARF in an earlier run too, so a
 * file that is seen once costs nothing. The empty file HEX.seen marks the first time.
 *
 * Several kilns may share the directory. The builder may be a process that has one descriptor and
 * can rename nothing. So a table is written in place, under its final name and a lock (flock(2),
 * LOCK_EX), its header last. No process waits for the lock. A file without a header counts as
 * missing: the next holder of the lock truncates it and starts again. A file with a header is never
 * changed, only unlinked. Readers take LOCK_SH. So a table is never read (line_table.h maps it)
 * while any process, even a compromised one, can write to it.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_CACHE_H
#define KILN_SYMBOLIZER_LINES_LINE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/query/answer.h"

/* A table has 6 % of the bytes of its ELF file with all debug sections. Tables of 20 GB of files
 * fit. */
#define LINE_CACHE_BYTES (1ull << 30)

struct line_cache;

/* Requests about the table of a file. All return -errno on failure. */
enum line_wish {
	LINE_GET,    /* open for reading; -ENOENT, or -EAGAIN while it is being written */
	LINE_CREATE, /* create for writing; -EAGAIN: another process builds it; -EEXIST */
	/* Note that it was resolved without a table; 1: also in an earlier run, so a table is
	 * due. */
	LINE_SEEN,
	LINE_DROP, /* unlink: it is damaged, outdated or of other sources */
	LINE_WISH_COUNT
};

/* Answers requests about the file at hand, whose build id the asker has read. Who answers knows its identity. */
struct line_store {
	int (*ask)(void *ctx, enum line_wish wish, const struct build_id *id);
	void *ctx;
};

/* max_bytes 0: LINE_CACHE_BYTES. With an unusable directory the cache is empty and stays so. 0
 * or -ENOMEM. */
int line_cache_open(struct line_cache **out, const char *dir, uint64_t max_bytes);
void line_cache_close(struct line_cache *c);

/* Answers one request: a descriptor that the caller owns, 0, 1 (LINE_SEEN only) or -errno. */
int line_cache_ask(struct line_cache *c, enum line_wish wish, const struct file_identity *id);

#define LINE_CACHE_COUNTERS(X)                                                                     \
	X(hits, "tables opened")                                                                   \
	X(misses, "tables not found")                                                              \
	X(created, "tables begun")                                                                 \
	X(dropped, "tables removed: damaged, outdated, of another version")                        \
	X(busy, "tables that another kiln is writing")                                             \
	X(unusable, "directory or file that cannot be used")

struct line_cache_stats {
#define X(name, text) uint64_t name;
	LINE_CACHE_COUNTERS(X)
#undef X
};
void line_cache_stats(const struct line_cache *c, struct line_cache_stats *out);

#endif
