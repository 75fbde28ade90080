/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole segment at once, from windows that are stored already: its dictionary is in the order that
 * takes least room. Until builder_finish() all of it is in memory, the windows compressed.
 */
#ifndef KILN_STORE_BUILDER_H
#define KILN_STORE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/store/schema.h"

struct builder;
struct quality;
struct stage;
struct sums;

/* 0 or -ENOMEM. */
int builder_new(struct builder **out);
void builder_free(struct builder *b);

/* Where dictionary and kinds of the segment grow: sums that are added are in its numbers. */
struct stage *builder_stage(struct builder *b);
/* Windows in the order of time. Sums are joined. 0 or -errno. */
int builder_add(struct builder *b, int64_t kind, const struct sums *sums, const struct quality *q,
		int64_t begin_unix_ns, int64_t duration_ns);
/* Forgets all windows after the first n. */
void builder_cut(struct builder *b, size_t n);
size_t builder_windows(const struct builder *b);
size_t builder_bytes(const struct builder *b);

/* Writes an empty file, to the disk. `replaced`: ids of segments whose place it takes. 0 or -errno. */
int builder_finish(struct builder *b, const char *path, const struct segment_head *head,
		   const int64_t *replaced, size_t n_replaced);

#endif
