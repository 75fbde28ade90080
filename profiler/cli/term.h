/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the place we print to can show. */
#ifndef KILN_CLI_TERM_H
#define KILN_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"

#define COLOR_WORDS "auto|always|never"
enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct term {
	bool is_tty, color;
	size_t columns; /* 0: no limit (a file or a pipe) */
};

/*
 * Looks at a descriptor. Colour: --color, else NO_COLOR (no-color.org: set and not empty) and
 * TERM=dumb switch it off, else a terminal has it. Columns: of the terminal, else COLUMNS.
 */
struct term term_of(int fd, enum color_when color);

/* SGR (ECMA-48, 8.3.117) parameters used; "" ends a style. */
#define STYLE_HEAD "1"
#define STYLE_DIM  "2"
#define STYLE_HOT  "33"
#define STYLE_BAD  "31"
#define STYLE_GOOD "32"
#define STYLE_END  ""

/* Appends the escape for a style if the terminal has colour. */
void term_style(const struct term *t, struct buf *b, const char *style);

/*
 * Appends clean text s in exactly `columns` columns: padded with spaces, or cut, with the middle
 * replaced by "..", as the ends of a name tell most. Wide characters count 2; a cut never splits a
 * character from its combining marks.
 */
void term_fit(struct buf *b, const char *s, size_t columns);

/* Width of the first character of s, marks included, and its length in bytes; 0 at the end. */
size_t term_char(const char *s, size_t *len_bytes);

#endif
