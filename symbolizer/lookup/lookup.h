/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lookup: the cache of files, and the search for addresses in them, in this process. A reader
 * runs it; without a sandbox, kiln itself does. Not thread-safe. Demangling needs 1.5 MiB of stack.
 */
#ifndef KILN_SYMBOLIZER_LOOKUP_LOOKUP_H
#define KILN_SYMBOLIZER_LOOKUP_LOOKUP_H

#include "symbolizer/query/answer.h"
#include "symbolizer/query/query.h"

struct debug_opener;
struct elf_segment;
struct line_store;
struct lookup;

/*
 * Makes an empty lookup. Takes cache_bytes, names_only, debug_dirs (copied) and find_debug from
 * opts. 0 or -ENOMEM.
 */
int lookup_new(struct lookup **out, const struct symbolizer_opts *opts);
void lookup_free(struct lookup *s);
/* Sets where debug files come from, from now on. Copies *opener; its ctx is borrowed. */
void lookup_set_opener(struct lookup *s, const struct debug_opener *opener);
/* Sets the store of line tables, borrowed; NULL: use no line tables. */
void lookup_set_lines(struct lookup *s, const struct line_store *lines);

/* Empties the cache of files. */
void lookup_forget(struct lookup *s);
/* Closes files that nobody has asked about for SYMBOLIZER_IDLE_NS. */
void lookup_rest(struct lookup *s);

/*
 * Resolves q's n addresses: file offsets if q->offsets, else ELF addresses; functions in a JIT
 * compiler's file for QUERY_JITDUMP and QUERY_PERFMAP. Calls fn once for each address, in any
 * order. Results are borrowed during the call of fn. An unusable file is a reason in the results.
 * 0, or -ENOMEM: then fn may not have been called for all.
 */
int lookup_resolve(struct lookup *s, const struct sym_query *q, sym_result_fn fn, void *ctx);
/*
 * Builds the line table of q->file, in the file that the store gives. Uses up to a minute of CPU
 * time. 0; -ENOENT if the file cannot be used or there is no store; or -errno of the store or of
 * object_build_table().
 */
int lookup_build(struct lookup *s, const struct sym_query *q);
/*
 * Gives the executable segment that holds elf_va. 0; -ENOENT if there is none or the file cannot be
 * used; -ENOMEM.
 */
int lookup_segment(struct lookup *s, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg);
/* Gives all segments of the file, borrowed until the next call; none if it cannot be read. 0 or
 * -ENOMEM. */
int lookup_segments(struct lookup *s, const struct sym_file *file, const struct elf_segment **segs,
		    size_t *n);
/* Counters since lookup_new(). Fields of the worker are 0. */
void lookup_stats(const struct lookup *s, struct symbolizer_stats *out);

#endif
