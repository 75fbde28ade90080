// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/line.h"

#include <stdbool.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/text.h"

#define NARROW	      40
#define NARROW_INDENT 2

static bool is_narrow(const struct term *t)
{
	return t->columns && t->columns < NARROW;
}

size_t line_left(const struct term *t)
{
	return is_narrow(t) ? NARROW_INDENT : LINE_COLUMNS;
}

void line_title(struct buf *out, const char *title, const struct term *t)
{
	if (!is_narrow(t)) {
		buf_printf(out, LINE_TITLE, title);
		return;
	}
	if (*title)
		buf_printf(out, "%s\n", title);
	buf_printf(out, "%*s", NARROW_INDENT, "");
}

size_t line_width(const char *text)
{
	size_t columns = text_columns(text);

	for (const char *c = text; (c = strchr(c, '\033')); c++)
		columns -= strcspn(c, "m") + 1;
	return columns;
}

static size_t width_of(const char *word, size_t len)
{
	struct buf text = {0};
	size_t width;

	buf_add(&text, word, len);
	width = line_width(buf_cstr(&text));
	buf_release(&text);
	return width;
}

void line_wrap(struct buf *out, const char *line, size_t indent, const struct term *t)
{
	size_t at = 0;

	if (!t->columns) {
		buf_str(out, line);
		return;
	}
	indent = is_narrow(t) ? MIN(indent, NARROW_INDENT) : indent;
	while (*line) {
		size_t gap = strspn(line, " "), len = strcspn(line + gap, " ");
		size_t width = width_of(line + gap, len);

		if (at > indent && at + gap + width > t->columns) {
			buf_printf(out, "\n%*s", (int)indent, "");
			at = indent;
			gap = 0;
			line += strspn(line, " ");
		}
		buf_add(out, line, gap + len);
		at += gap + width;
		line += gap + len;
	}
}
