// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "profiler/base/text.h"
#include "profiler/cli/term.h"

/* Claims of a narrower terminal are ignored: no table fits there. */
#define MIN_COLUMNS 40
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

/* Length in bytes of the UTF-8 character at s, which is clean text. */
static size_t utf8_len(const char *s)
{
	size_t n = 1;

	while (((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static size_t width_of(const char *s, size_t len)
{
	char one[8] = "";

	memcpy(one, s, len < sizeof(one) ? len : sizeof(one) - 1);
	return text_columns(one);
}

size_t term_char(const char *s, size_t *len_bytes)
{
	size_t len, width;

	*len_bytes = 0;
	if (!*s)
		return 0;
	len = utf8_len(s);
	width = width_of(s, len);
	while (s[len]) {
		size_t mark = utf8_len(s + len);

		if (width_of(s + len, mark))
			break;
		len += mark;
	}
	*len_bytes = len;
	return width;
}

/* Bytes of s that fit in `columns` columns. *used: the columns that they take. */
static size_t prefix_within(const char *s, size_t columns, size_t *used)
{
	size_t at = 0, len;

	*used = 0;
	for (;;) {
		size_t width = term_char(s + at, &len);

		if (!len || *used + width > columns)
			return at;
		*used += width;
		at += len;
	}
}

void term_fit(struct buf *b, const char *s, size_t columns)
{
	size_t width = text_columns(s), used, len, tail;
	const char *rest = s;

	if (width <= columns) {
		buf_printf(b, "%s%*s", s, (int)(columns - width), "");
		return;
	}
	if (columns < 6) {
		buf_add(b, s, prefix_within(s, columns, &used));
		buf_printf(b, "%*s", (int)(columns - used), "");
		return;
	}
	buf_add(b, s, prefix_within(s, (columns - 2 + 1) / 2, &used));
	buf_str(b, "..");
	tail = columns - 2 - used;
	for (; width > tail; rest += len)
		width -= term_char(rest, &len);
	buf_printf(b, "%s%*s", rest, (int)(tail - width), "");
}
