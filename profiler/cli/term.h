/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the output's terminal can show. */
#ifndef KILN_CLI_TERM_H
#define KILN_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"

#define COLOR_WORDS "auto|always|never"
enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct term {
	bool is_tty, color;
	size_t columns; /* 0: none are known (a file or a pipe) */
};

/* As columns: nothing is shortened. */
#define TERM_ENDLESS (1 << 30)

/*
 * Looks at a descriptor. Colour: --color decides, else NO_COLOR (no-color.org: set and not empty)
 * or TERM=dumb switches it off, else a terminal has it. Columns: the terminal's, else COLUMNS.
 */
struct term term_of(int fd, enum color_when color);

/* SGR parameters in use (ECMA-48, 8.3.117). "" ends a style. */
#define STYLE_HEAD "1"
#define STYLE_DIM  "2"
#define STYLE_HOT  "33"
#define STYLE_BAD  "31"
#define STYLE_GOOD "32"
#define STYLE_END  ""

/* Appends the escape for a style if the terminal has colour. */
void term_style(const struct term *t, struct buf *b, const char *style);

/*
 * Appends clean text in exactly `columns` columns. Pads it with spaces, or replaces its middle by
 * "..", because the ends of a name say most. Wide characters count 2. A cut never separates a
 * character from its combining marks.
 */
void term_fit(struct buf *b, const char *s, size_t columns);

#endif
