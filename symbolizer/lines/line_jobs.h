/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A symbolizer's line tables: answers what is asked about the table of the file at hand, and keeps
 * the files whose tables are due. The asker may be a process that reads hostile files: it learns and
 * changes nothing of any other file's table, and writes only while one is being built.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_JOBS_H
#define KILN_SYMBOLIZER_LINES_LINE_JOBS_H

#include "symbolizer/lines/line_cache.h"

struct line_jobs;
struct sym_file;

/* 0 or -ENOMEM. */
int line_jobs_new(struct line_jobs **out, const char *dir);
void line_jobs_free(struct line_jobs *j);
void line_jobs_stats(const struct line_jobs *j, struct line_cache_stats *out);

/* For whoever reads files: lives as long as j. */
const struct line_store *line_jobs_store(const struct line_jobs *j);
/* The file that questions are about from now on, borrowed; NULL: none. */
void line_jobs_at(struct line_jobs *j, const struct sym_file *file);

size_t line_jobs_count(const struct line_jobs *j);
/*
 * Builds what is due: build() is called for each file, and may ask the store for a file to write. If
 * it left none, though it got one, and says that it failed for good (true), that is written down.
 */
typedef bool (*line_build_fn)(void *ctx, const struct sym_file *file);
void line_jobs_run(struct line_jobs *j, line_build_fn build, void *ctx);

#endif
