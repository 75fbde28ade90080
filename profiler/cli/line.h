/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the first answer: a title at the left, and what it says in as many columns as there are. */
#ifndef KILN_CLI_LINE_H
#define KILN_CLI_LINE_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"

/* Columns before what a line says. */
#define LINE_TITLE   "%-9s"
#define LINE_COLUMNS 9
/* Width of lines in a file: they are read in terminals, too. */
#define FILE_COLUMNS 100

/* Columns of a terminal, or FILE_COLUMNS. */
static inline size_t line_columns(const struct term *t)
{
	return t->columns ? t->columns : FILE_COLUMNS;
}

/* Columns that titles take: in a narrow terminal a title has a line of its own. */
size_t line_left(const struct term *t);
/* Appends a title, "" on the lines after the first one. */
void line_title(struct buf *out, const char *title, const struct term *t);

/* Columns of a text without the escapes of colour. */
size_t line_width(const char *text);

/*
 * Appends a line without its end, broken at blanks where a terminal is too narrow; what follows is `indent` to the
 * right, less in a narrow one. A word that is too long stays whole, and so does a line in a file: others read it.
 */
void line_wrap(struct buf *out, const char *line, size_t indent, const struct term *t);

#endif
