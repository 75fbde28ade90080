/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line tables of a symbolizer. Answers requests about the table of the current file, and keeps a
 * list of files whose tables are due. The asker may be a reader of hostile files. It learns and
 * changes nothing about tables of other files. It writes only while a table is being built.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_JOBS_H
#define KILN_SYMBOLIZER_LINES_LINE_JOBS_H

#include "symbolizer/lines/line_cache.h"

struct line_jobs;
struct sym_file;

/* dir: see line_cache.h. 0 or -ENOMEM. */
int line_jobs_new(struct line_jobs **out, const char *dir);
void line_jobs_free(struct line_jobs *j);
void line_jobs_stats(const struct line_jobs *j, struct line_cache_stats *out);

/* The store that answers readers. Lives as long as j. */
const struct line_store *line_jobs_store(const struct line_jobs *j);
/* Sets the current file, borrowed; NULL: none. */
void line_jobs_at(struct line_jobs *j, const struct sym_file *file);

/* In the process that builds them: makes the files its own. */
void line_jobs_claim(struct line_jobs *j);
size_t line_jobs_count(const struct line_jobs *j);
/*
 * Builds the tables that are due. Calls build() for each file; build() may ask the store for a file
 * to write. It returns true if it failed for good. Then, if it had got a file and left no table, a
 * refusal is written.
 */
typedef bool (*line_build_fn)(void *ctx, const struct sym_file *file);
void line_jobs_run(struct line_jobs *j, line_build_fn build, void *ctx);

#endif
