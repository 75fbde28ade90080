// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "profiler/base/text.h"
#include "profiler/cli/term.h"

/* Claims of a narrower terminal are ignored: no table fits there. */
#define MIN_COLUMNS 20
#define MAX_COLUMNS 10000

static bool wants_color(bool is_tty, enum color_when when)
{
	const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");

	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	if ((no_color && *no_color) || (kind && !strcmp(kind, "dumb")))
		return false;
	return is_tty;
}

static size_t columns_of(int fd, bool is_tty)
{
	const char *env = getenv("COLUMNS");
	struct winsize size;
	uint64_t columns = 0;

	if (is_tty && !ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		columns = size.ws_col;
	else if (!env || text_parse_u64(env, MAX_COLUMNS, &columns))
		columns = is_tty ? 80 : 0;
	return columns && columns < MIN_COLUMNS ? MIN_COLUMNS : (size_t)columns;
}

struct term term_of(int fd, enum color_when color)
{
	bool is_tty = isatty(fd);

	return (struct term){
		.is_tty = is_tty,
		.color = wants_color(is_tty, color),
		.columns = columns_of(fd, is_tty),
	};
}

void term_style(const struct term *t, struct buf *b, const char *style)
{
	if (t->color)
		buf_printf(b, "\033[%sm", style);
}

void term_fit(struct buf *b, const char *s, size_t columns)
{
	size_t used = text_add_cut(b, s, columns);

	buf_printf(b, "%*s", (int)(columns - used), "");
}
