// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <sys/param.h>

#include "profiler/base/text.h"
#include "profiler/cli/line.h"
#include "profiler/cli/path_text.h"
#include "profiler/profile/short_name.h"

#define ARROW " > "
#define GAP   ".."
/* A longer name takes its neighbours' room. */
#define NAME_COLUMNS  44
#define LEAST_COLUMNS 16

struct chain {
	const struct heavy_path *h;
	const struct heavy_line *line;
	size_t columns, name_columns;
};

static const char *name_of(const struct chain *c, uint32_t i)
{
	return strtab_get(c->h->strings, c->h->names.data[c->line->first + i]);
}

static size_t width_of(const struct chain *c, uint32_t i)
{
	return MIN(text_columns(name_of(c, i)), c->name_columns) + strlen(ARROW);
}

static void add_name(struct buf *out, const struct chain *c, uint32_t i)
{
	short_name(out, name_of(c, i), c->name_columns);
}

/*
 * How many of the calls [from, n) fit, from both ends: where a path begins and where it ends says most. The last one is
 * always there.
 */
static void choose(const struct chain *c, uint32_t from, uint32_t *front, uint32_t *back)
{
	uint32_t n = c->line->len;
	size_t used = width_of(c, n - 1);

	*front = from;
	*back = n - 1;
	for (bool at_front = true; *front < *back; at_front = !at_front) {
		uint32_t next = at_front ? *front : *back - 1;
		size_t gap = *back - *front > 1 ? strlen(GAP ARROW) : 0;

		if (used + width_of(c, next) + gap > c->columns + strlen(ARROW))
			break;
		used += width_of(c, next);
		if (at_front)
			(*front)++;
		else
			(*back)--;
	}
}

static void add_chain(struct buf *out, struct chain *c, bool has_command)
{
	uint32_t from = has_command ? 1 : 0, front, back;
	size_t width;

	if (has_command) {
		width = MIN(text_columns(name_of(c, 0)), c->columns);
		if (text_columns(name_of(c, 0)) > width)
			term_fit(out, name_of(c, 0), width);
		else
			buf_str(out, name_of(c, 0));
		c->columns -= MIN(c->columns, width + 2);
		if (c->line->len == 1 || c->columns < LEAST_COLUMNS)
			return;
		buf_str(out, ": ");
	}
	c->name_columns = MIN(NAME_COLUMNS, c->columns);
	choose(c, from, &front, &back);
	for (uint32_t i = from; i < front; i++) {
		add_name(out, c, i);
		buf_str(out, ARROW);
	}
	if (front < back && (front > from || width_of(c, back) + strlen(GAP) <= c->columns))
		buf_str(out, GAP ARROW);
	for (uint32_t i = back; i < c->line->len; i++) {
		add_name(out, c, i);
		buf_str(out, i + 1 < c->line->len ? ARROW : "");
	}
}

void path_text(struct buf *out, const struct heavy_path *h, const struct share_scale *scale,
	       bool has_commands, const struct term *t)
{
	size_t columns = line_columns(t), left = line_left(t) + SHARE_CELL + 2;

	for (size_t i = 0; i < h->lines.len; i++) {
		const struct heavy_line *line = &h->lines.data[i];
		size_t room = columns > left ? columns - left : 1;
		size_t indent = MIN(2 * (size_t)line->level,
				    room > LEAST_COLUMNS ? room - LEAST_COLUMNS : 0);
		struct chain c = {.h = h, .line = line, .columns = room - indent};

		line_title(out, i ? "" : "Path", t);
		share_cell(out, scale, line->total);
		buf_printf(out, "  %*s", (int)indent, "");
		add_chain(out, &c, has_commands && !line->level);
		buf_char(out, '\n');
	}
}
