/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbolizer proper, working in this process: the cache of files, and looking addresses up in
 * them. symbolizer.h is the door, and its contract holds here.
 */
#ifndef KILN_SYMBOLIZER_LOOKUP_LOCAL_H
#define KILN_SYMBOLIZER_LOOKUP_LOCAL_H

#include <time.h>

#include "symbolizer/query/query.h"
#include "symbolizer/symbolizer.h"

struct buf;
struct debug_opener;
struct line_store;
struct local;

int local_new(struct local **out, const struct symbolizer_opts *opts);
void local_free(struct local *s);
/* Where debug files come from from now on. */
void local_set_opener(struct local *s, const struct debug_opener *opener);
/* Who has line tables from now on; borrowed, NULL: nobody. */
void local_set_lines(struct local *s, const struct line_store *lines);

int local_resolve(struct local *s, const struct sym_query *q, sym_result_fn fn, void *ctx);
/* Builds the line table of q->file, if the store takes it. 0, or -errno as object_build_table(). */
int local_build(struct local *s, const struct sym_query *q);
int local_segment(struct local *s, const struct sym_file *file, uint64_t elf_va,
		  struct elf_segment *seg);
/* All segments of the file: borrowed until the next call, none if it cannot be read. 0 or -ENOMEM. */
int local_segments(struct local *s, const struct sym_file *file, const struct elf_segment **segs,
		   size_t *n);
void local_stats(const struct local *s, struct symbolizer_stats *out);

/* What a file is known by where nothing is believed that it says itself. */
struct file_key {
	uint64_t dev, ino, size;
	struct timespec mtime;
};
/* All-zero and false when there is no such descriptor. */
bool sym_file_key(int fd, struct file_key *key);

/* Clean name to call a file by: the last component of its path. 0 or -ENOMEM. */
int sym_module_name(struct buf *out, const char *path);
/* Answers an address of which nothing is known: "module+0xADDR". 0 or -ENOMEM. */
int sym_answer_bare(size_t index, uint64_t addr, enum sym_reason reason, const char *module,
		    sym_result_fn fn, void *ctx);

#endif
