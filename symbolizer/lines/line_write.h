/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writing half of line tables: takes names, files, nodes and runs of rows in any order of
 * addresses, keeps them in a few bytes each, and writes the file. Errors are sticky and come out of
 * line_writer_error() and line_writer_finish().
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_WRITE_H
#define KILN_SYMBOLIZER_LINES_LINE_WRITE_H

#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/lines/line_format.h"

struct line_source;

struct line_run {
	uint64_t low, high; /* addresses */
	uint64_t spool;	    /* where its rows begin */
	uint32_t n_rows;
};

struct line_writer {
	struct buf names, nodes;
	struct htab name_index; /* to name_offs */
	VEC(uint32_t) name_offs;
	uint64_t seed;
	VEC(uint32_t) groups, files;
	struct htab file_index; /* to files */
	VEC(struct line_label) labels;
	uint32_t n_nodes;
	struct buf spool; /* rows as they came, of the runs */
	VEC(struct line_run) runs;
	struct line_state last; /* row of the run under way */
	uint64_t last_va;
	int err;
};

void line_writer_init(struct line_writer *w);
void line_writer_release(struct line_writer *w);
int line_writer_error(const struct line_writer *w);
size_t line_writer_bytes(const struct line_writer *w);

/* A string's offset in names. */
uint32_t line_writer_name(struct line_writer *w, const char *name);
/* Number of a label, for line_writer_node(). Its name may be set later, in labels.data. */
uint32_t line_writer_label(struct line_writer *w, uint32_t name, uint32_t decl_line);
/* Number of a file; path may be NULL. */
uint32_t line_writer_file(struct line_writer *w, const char *path);
/* parent 0: a function, call.file and call.line are not looked at. Returns its number. */
uint32_t line_writer_node(struct line_writer *w, uint32_t parent, uint32_t label,
			  uint32_t call_file, uint32_t call_line);

/* Rows of [low, high), the first at low, ascending. Runs do not overlap; there may be gaps. */
void line_writer_begin(struct line_writer *w, uint64_t low, uint64_t high);
void line_writer_row(struct line_writer *w, uint64_t va, const struct line_state *row);

/* Writes the file. 0 or -errno. */
int line_writer_finish(struct line_writer *w, const struct line_source *source, int fd);

/* Writes a header, which makes the file valid. Its sums and lengths are filled in here. */
int line_write_header(struct line_header *h, const struct line_source *source, int fd);

#endif
