/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writer of line tables. Takes names, files, nodes and runs of rows in any order of addresses,
 * keeps them in compact form, and writes the file. After an error, further calls do nothing.
 * line_writer_error() and line_writer_finish() return the first error.
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
	uint64_t spool;	    /* where its rows begin in line_writer.spool */
	uint32_t n_rows;
};

struct line_writer {
	struct buf names, nodes;
	struct htab name_index; /* to an index in name_offs */
	VEC(uint32_t) name_offs;
	uint64_t seed;
	VEC(uint32_t) groups, files;
	struct htab file_index; /* to an index in files */
	VEC(struct line_label) labels;
	uint32_t n_nodes;
	struct buf spool; /* rows of the runs, in the order of arrival */
	VEC(struct line_run) runs;
	struct line_state last; /* last row of the current run */
	uint64_t last_va;
	int err;
};

void line_writer_init(struct line_writer *w);
void line_writer_release(struct line_writer *w);
int line_writer_error(const struct line_writer *w);
size_t line_writer_bytes(const struct line_writer *w);

/* A string's offset in names. */
uint32_t line_writer_name(struct line_writer *w, const char *name);
/* Returns the label's number, for line_writer_node(). The name may be set later, in labels.data. */
uint32_t line_writer_label(struct line_writer *w, uint32_t name, uint32_t decl_line);
/* Returns the file's number. path may be NULL. */
uint32_t line_writer_file(struct line_writer *w, const char *path);
/* Returns the node's number. parent 0: a function; call_file and call_line are ignored. */
uint32_t line_writer_node(struct line_writer *w, uint32_t parent, uint32_t label,
			  uint32_t call_file, uint32_t call_line);

/* Begins a run: rows of [low, high), ascending, the first at low. Runs do not overlap. Gaps are
 * allowed. */
void line_writer_begin(struct line_writer *w, uint64_t low, uint64_t high);
void line_writer_row(struct line_writer *w, uint64_t va, const struct line_state *row);

/* Writes the file. 0 or -errno. */
int line_writer_finish(struct line_writer *w, const struct line_source *source, int fd);

/* Writes a header, which makes the file valid. Fills in its sums and lengths. */
int line_write_header(struct line_header *h, const struct line_source *source, int fd);

#endif
