/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of texts and numbers, for a terminal or as Markdown. */
#ifndef KILN_CLI_SHEET_H
#define KILN_CLI_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/cli/term.h"

struct sheet_column {
	const char *head;
	bool is_text; /* on the left; the last one gets what is left of the terminal's width */
};

struct sheet { /* all-zero but the columns; errors are sticky */
	const struct sheet_column *columns;
	size_t n_columns;
	VEC(char *) cells; /* row by row */
	int err;
};

/* The next cell; text is cleaned. */
void sheet_cell(struct sheet *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sheet_release(struct sheet *s);

/* Whole lines. 0 or -ENOMEM. */
int sheet_text(struct buf *out, const struct sheet *s, const struct term *t);
int sheet_markdown(struct buf *out, const struct sheet *s);
/* Appends text that is no mark-up of Markdown's, nor HTML. */
void sheet_add_markdown(struct buf *out, const char *text);

#endif
