// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/sheet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"

#define GAP	  2 /* columns */
#define LEAST_END 20

void sheet_release(struct sheet *s)
{
	for (size_t i = 0; i < s->cells.len; i++)
		free(s->cells.data[i]);
	vec_release(&s->cells);
}

void sheet_cell(struct sheet *s, const char *fmt, ...)
{
	struct buf raw = {0};
	char *text;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text = raw.err ? NULL : text_clean_dup(buf_cstr(&raw), raw.len);
	buf_release(&raw);
	if (!text || vec_push(&s->cells, text)) {
		free(text);
		s->err = -ENOMEM;
	}
}

/* --- for a terminal ------------------------------------------------------------------------------- */

static size_t width_of(const struct sheet *s, size_t column)
{
	size_t most = text_columns(s->columns[column].head);

	for (size_t i = column; i < s->cells.len; i += s->n_columns) {
		size_t n = text_columns(s->cells.data[i]);

		most = n > most ? n : most;
	}
	return most;
}

static void add_spaces(struct buf *out, size_t n)
{
	while (n--)
		buf_char(out, ' ');
}

struct layout {
	size_t *widths;
	size_t end; /* columns for the last one; 0: as many as it takes */
};

static void add_line(struct buf *out, const struct sheet *s, const struct layout *l,
		     char *const *cells)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		const char *text = cells ? cells[i] : s->columns[i].head;
		bool is_last = i + 1 == s->n_columns;
		size_t n = text_columns(text);

		if (!s->columns[i].is_text)
			add_spaces(out, l->widths[i] - n);
		if (is_last && l->end && n > l->end)
			term_fit(out, text, l->end);
		else
			buf_str(out, text);
		if (!is_last)
			add_spaces(out, GAP + (s->columns[i].is_text ? l->widths[i] - n : 0));
	}
}

static size_t room_at_end(const struct sheet *s, const size_t *widths, const struct term *t)
{
	size_t used = 0;

	if (!t->columns || !s->columns[s->n_columns - 1].is_text)
		return 0;
	for (size_t i = 0; i + 1 < s->n_columns; i++)
		used += widths[i] + GAP;
	return t->columns > used + LEAST_END ? t->columns - used : LEAST_END;
}

int sheet_text(struct buf *out, const struct sheet *s, const struct term *t)
{
	_cleanup_free_ size_t *widths = calloc(s->n_columns, sizeof(*widths));
	struct layout l = {widths, 0};

	if (!widths || s->err)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_columns; i++)
		widths[i] = width_of(s, i);
	l.end = room_at_end(s, widths, t);
	term_style(t, out, STYLE_HEAD);
	add_line(out, s, &l, NULL);
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
	for (size_t i = 0; i + s->n_columns <= s->cells.len; i += s->n_columns) {
		add_line(out, s, &l, s->cells.data + i);
		buf_char(out, '\n');
	}
	return out->err;
}

/* --- as Markdown ---------------------------------------------------------------------------------- */

void sheet_add_markdown(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_{}[]<>|#~&!", *text))
			buf_char(out, '\\');
		buf_char(out, *text);
	}
}

int sheet_markdown(struct buf *out, const struct sheet *s)
{
	for (size_t i = 0; i < s->n_columns; i++)
		buf_printf(out, "| %s ", s->columns[i].head);
	buf_str(out, "|\n");
	for (size_t i = 0; i < s->n_columns; i++)
		buf_str(out, s->columns[i].is_text ? "| :-- " : "| --: ");
	buf_str(out, "|\n");
	for (size_t i = 0; i < s->cells.len; i++) {
		buf_str(out, "| ");
		sheet_add_markdown(out, s->cells.data[i]);
		buf_str(out, (i + 1) % s->n_columns ? " " : " |\n");
	}
	return s->err ?: out->err;
}
