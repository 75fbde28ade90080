// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/share_list.h"

/* Columns that ", others 12.3 %" needs. */
#define OTHERS 16
#define LINES  2

void share_list_begin(struct share_list *l, struct buf *out, const struct share_scale *scale,
		      const struct term *t, const char *title)
{
	size_t columns = line_columns(t), left = line_left(t);

	*l = (struct share_list){.out = out, .scale = *scale, .term = t, .lines = LINES};
	l->columns = columns > left ? columns - left : 1;
	l->left = l->columns;
	line_title(out, title, t);
}

/* Begins the next line if the item does not fit into this one. The last line keeps room for the others. */
static bool make_room(struct share_list *l, size_t width)
{
	size_t reserve = l->lines > 1 ? 1 : OTHERS; /* 1: the comma */

	if (width + 2 + reserve <= l->left)
		return true;
	if (l->lines == 1 || width + OTHERS > l->columns)
		return false;
	buf_str(l->out, ",\n");
	line_title(l->out, "", l->term);
	l->lines--;
	l->left = l->columns;
	l->begun = false;
	return true;
}

static void add_item(struct share_list *l, const char *item, size_t width)
{
	if (l->begun)
		buf_str(l->out, ", ");
	if (width > l->left)
		term_fit(l->out, item, l->left);
	else
		buf_str(l->out, item);
	width += l->begun ? 2 : 0;
	l->left -= MIN(width, l->left);
	l->begun = true;
}

/* Drops the last part of " (a, b, c)". False: there is only one. */
static bool shorten_note(char *note)
{
	char *last = NULL;

	for (char *at = note; (at = strstr(at, ", ")); at++)
		last = at;
	if (last)
		memcpy(last, ")", 2);
	return last;
}

static bool has_room(struct share_list *l, size_t width)
{
	return l->begun ? make_room(l, width) : width + OTHERS <= l->left;
}

void share_list_add(struct share_list *l, const char *name, int64_t value, const char *what)
{
	_cleanup_free_ char *note = strdup(what);
	struct buf item = {0};
	size_t width;
	bool fits;

	if (!note)
		l->out->err = -ENOMEM;
	if (!note || !value)
		return;
	buf_printf(&item, "%s ", name);
	share_text(&item, &l->scale, value);
	width = text_columns(buf_cstr(&item));
	do
		fits = !l->full && has_room(l, width + text_columns(note));
	while (!fits && shorten_note(note));
	if (l->full || (l->begun && !fits && !make_room(l, width))) {
		l->full = true;
		l->others = saturating_sum(l->others, value);
	} else {
		if (fits)
			buf_str(&item, note);
		add_item(l, buf_cstr(&item), text_columns(buf_cstr(&item)));
	}
	buf_release(&item);
}

void share_list_end(struct share_list *l)
{
	if (l->others && l->left >= OTHERS) {
		buf_str(l->out, ", others ");
		share_text(l->out, &l->scale, l->others);
	}
	buf_char(l->out, '\n');
}
