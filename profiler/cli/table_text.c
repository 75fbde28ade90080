// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/cli/share.h"
#include "profiler/cli/table_text.h"

void answer_share(struct buf *out, int64_t part, int64_t whole)
{
	struct share_scale scale = {.whole = whole};

	share_cell(out, &scale, part);
}

/* Widths of the text columns: name, module, caller. */
struct layout {
	bool cuts; /* the widest column that may be cut */
	size_t width[3];
};

/* Smallest width of a column. Narrower names are useless. */
#define LEAST_WIDTH 8
/* In a file nothing is cut. But one long C++ name must not move the columns of all rows. */
#define FILE_WIDTH 60
#define ARROW	   "<- "

static const char *column_text(const struct table *tab, const struct table_row *row, int column)
{
	return table_text(tab, column == 0 ? row->name : column == 1 ? row->module : row->caller);
}

static struct layout lay_out(const struct table *tab, const char *name_title, size_t n_rows,
			     size_t columns)
{
	struct layout l = {columns > 0, {strlen(name_title), strlen("module"), 0}};
	size_t fixed = strlen(" 37.9%   51.0%  ") + 4 + strlen(ARROW), sum = 0;

	for (size_t i = 0; i < n_rows; i++) {
		for (int c = 0; c < 3; c++) {
			size_t w = text_columns(column_text(tab, &tab->rows.data[i], c));

			if (!columns && w > FILE_WIDTH)
				w = FILE_WIDTH;
			l.width[c] = w > l.width[c] ? w : l.width[c];
		}
	}
	for (int c = 0; c < 3; c++)
		sum += l.width[c];
	/* Makes the widest column narrower, one character at a time. */
	while (columns && sum + fixed > columns) {
		int widest = 0;

		for (int c = 1; c < 3; c++)
			widest = l.width[c] > l.width[widest] ? c : widest;
		if (l.width[widest] <= LEAST_WIDTH)
			break;
		l.width[widest]--;
		sum--;
	}
	return l;
}

/* The last column of a line gets no padding. */
static void add_column(struct buf *out, const char *text, const struct layout *l, int column,
		       bool is_last)
{
	size_t width = l->width[column], have = text_columns(text);

	if (have > width ? !l->cuts : is_last)
		buf_str(out, text);
	else
		term_fit(out, text, width);
}

static void add_row(struct buf *out, const struct table *tab, const struct table_row *row,
		    enum table_by by, const struct layout *l, const struct term *t)
{
	const char *caller = table_text(tab, row->caller), *module = table_text(tab, row->module);
	const struct share_scale scale = {tab->gross, tab->n_samples};

	share_cell(out, &scale, row->self);
	buf_str(out, "  ");
	if (!table_by_label(by)) {
		share_cell(out, &scale, row->total);
		buf_str(out, "  ");
	}
	add_column(out, table_text(tab, row->name), l, 0, !*module && !*caller);
	if (*module) {
		term_style(t, out, STYLE_DIM);
		buf_str(out, "  ");
		add_column(out, module, l, 1, !*caller);
		term_style(t, out, STYLE_END);
	}
	if (*caller) {
		buf_str(out, "  " ARROW);
		add_column(out, caller, l, 2, true);
	}
	buf_char(out, '\n');
}

void answer_table(struct buf *out, const struct table *tab, enum table_by by, const struct term *t,
		  size_t n_rows)
{
	size_t shown = n_rows && n_rows < tab->rows.len ? n_rows : tab->rows.len;
	struct layout l = lay_out(tab, table_by_title(by), shown, t->columns);

	if (!tab->rows.len)
		return;
	term_style(t, out, STYLE_HEAD);
	buf_str(out, table_by_label(by) ? " share  " : "  self   total  ");
	if (table_by_function(by))
		term_fit(out, table_by_title(by), l.width[0]);
	if (table_by_function(by))
		buf_str(out, "  module");
	else
		buf_str(out, table_by_title(by));
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
	for (size_t i = 0; i < shown; i++)
		add_row(out, tab, &tab->rows.data[i], by, &l, t);
	if (shown < tab->rows.len)
		buf_printf(out, "(%zu more)\n", tab->rows.len - shown);
}
