/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile's table as text: whole lines without escapes, except for colour. */
#ifndef KILN_CLI_TABLE_TEXT_H
#define KILN_CLI_TABLE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/profile/table.h"

/*
 * Appends the first n_rows (0: all) of the table that was built so, and the number of rows left out. No line is wider than
 * the terminal; names are shortened (short_name.h), and distinct rows stay distinct.
 */
void answer_table(struct buf *out, const struct table *tab, const struct table_opts *o,
		  const struct term *t, size_t n_rows);

/* Appends " 37.9%", six columns; "     -" if there is nothing. For values that are exact: see share.h. */
void answer_share(struct buf *out, int64_t part, int64_t whole);

/* Appends a name in what `before` columns leave of a line: short, if that is not enough. */
void table_add_name(struct buf *out, const char *name, const struct term *t, size_t before);

#endif
