/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbolizer proper, working in this process: the cache of files, and looking addresses up in
 * them. symbolizer.h is the door, and its contract holds here.
 */
#ifndef KILN_SYMBOLIZER_LOOKUP_LOOKUP_H
#define KILN_SYMBOLIZER_LOOKUP_LOOKUP_H

#include "symbolizer/query/answer.h"
#include "symbolizer/query/query.h"

struct debug_opener;
struct elf_segment;
struct line_store;
struct lookup;

int lookup_new(struct lookup **out, const struct symbolizer_opts *opts);
void lookup_free(struct lookup *s);
/* Where debug files come from from now on. */
void lookup_set_opener(struct lookup *s, const struct debug_opener *opener);
/* Who has line tables from now on; borrowed, NULL: nobody. */
void lookup_set_lines(struct lookup *s, const struct line_store *lines);

/* Empties the cache of files. */
void lookup_forget(struct lookup *s);

int lookup_resolve(struct lookup *s, const struct sym_query *q, sym_result_fn fn, void *ctx);
/* Builds the line table of q->file, if the store takes it. 0, or -errno as object_build_table(). */
int lookup_build(struct lookup *s, const struct sym_query *q);
int lookup_segment(struct lookup *s, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg);
/* All segments of the file: borrowed until the next call, none if it cannot be read. 0 or -ENOMEM. */
int lookup_segments(struct lookup *s, const struct sym_file *file, const struct elf_segment **segs,
		    size_t *n);
void lookup_stats(const struct lookup *s, struct symbolizer_stats *out);

#endif
