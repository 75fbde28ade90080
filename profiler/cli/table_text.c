// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A row is: shares, name, module, caller. Where there is little room the least of them goes first:
 * the caller, then the module, then the share that the table is not sorted by. The name never does.
 */
#include "profiler/cli/table_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/cli/line.h"
#include "profiler/cli/share.h"
#include "profiler/profile/short_name.h"

enum { NAME, MODULE, CALLER, COLUMNS };

#define ARROW	    "<- "
#define SHARE_WIDTH 8 /* " 37.9%  " */
#define GAP	    2 /* between columns */
/* A name with fewer leaves no room for a second share. */
#define LEAST_NAME 20

/* What makes a column worth its room; a name that has it leaves room for others. */
static const size_t least[COLUMNS] = {32, 8, 16};
/* Without a terminal. */
static const size_t most_in_file[COLUMNS] = {60, 40, 60};
/* One long name must not move the columns of all rows. */
#define PADDED_MOST 60

struct cells {
	const struct table *tab;
	enum table_by by;
	const char *title;
	size_t n;			    /* rows */
	struct short_name *column[COLUMNS]; /* n each */
	size_t width[COLUMNS];		    /* 0: the column is not there */
	bool has_self, has_total;
	VEC(char *) owned; /* parts of names */
};

void answer_share(struct buf *out, int64_t part, int64_t whole)
{
	struct share_scale scale = {.whole = whole};

	share_cell(out, &scale, part);
}

void table_add_name(struct buf *out, const char *name, const struct term *t, size_t before)
{
	size_t columns = t->columns ? t->columns : 2 * SHARE_WIDTH + most_in_file[NAME];

	short_name(out, name, columns > before ? columns - before : 1);
}

/* --- cells ------------------------------------------------------------------------------------- */

static void release(struct cells *c)
{
	for (int k = 0; k < COLUMNS; k++) {
		if (c->column[k])
			short_names_release(c->column[k], c->n);
		free(c->column[k]);
	}
	for (size_t i = 0; i < c->owned.len; i++)
		free(c->owned.data[i]);
	vec_release(&c->owned);
}

/* Keeps a text; NULL is out of memory. */
static int own(struct cells *c, char *text, const char **out)
{
	if (!text || vec_push(&c->owned, text)) {
		free(text);
		return -ENOMEM;
	}
	*out = text;
	return 0;
}

/* A line stays: "name (file.c:12)". */
static int split_line(struct cells *c, struct short_name *s)
{
	const char *line = NULL;

	for (const char *at = strstr(s->name, " ("); at; at = strstr(at + 1, " ("))
		line = at;
	if (!line || !text_has_suffix(line, ")"))
		return 0;
	s->suffix = line;
	return own(c, strndup(s->name, (size_t)(line - s->name)), &s->name);
}

static int load(struct cells *c)
{
	int err = 0;

	for (int k = 0; k < COLUMNS; k++) {
		c->column[k] = calloc(c->n + 1, sizeof(*c->column[k]));
		if (!c->column[k])
			return -ENOMEM;
	}
	for (size_t i = 0; !err && i < c->n; i++) {
		const struct table_row *row = &c->tab->rows.data[i];
		const uint32_t ids[COLUMNS] = {row->name, row->module, row->caller};

		for (int k = 0; k < COLUMNS; k++)
			c->column[k][i] = (struct short_name){
				.name = table_text(c->tab, ids[k]),
				.suffix = "",
				.is_plain = k == MODULE || !table_by_function(c->by),
			};
		if (c->by == TABLE_LINE)
			err = split_line(c, &c->column[NAME][i]);
	}
	return err;
}

/* Without their column modules tell functions of one name apart. */
static int add_module(struct cells *c, struct short_name *s, const char *module)
{
	struct buf text = {0};

	buf_printf(&text, *module == '[' ? "%s %s" : "%s [%s]", s->suffix, module);
	return own(c, buf_take(&text), &s->suffix);
}

static int add_modules(struct cells *c)
{
	const struct table_row *rows = c->tab->rows.data;
	const uint32_t many = UINT32_MAX;
	/* One and the module of each name. */
	_cleanup_free_ uint32_t *of = calloc(strtab_count(c->tab->strings) + 1, sizeof(*of));
	int err = of ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < c->n; i++) {
		uint32_t *module = &of[rows[i].name];

		*module = !*module || *module == 1 + rows[i].module ? 1 + rows[i].module : many;
	}
	for (size_t i = 0; !err && i < c->n; i++)
		if (of[rows[i].name] == many)
			err = add_module(c, &c->column[NAME][i],
					 table_text(c->tab, rows[i].module));
	return err;
}

/* --- widths ------------------------------------------------------------------------------------ */

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* What a column takes of a line, with what is before it. */
static size_t cost(const struct cells *c, int k)
{
	if (!c->width[k])
		return 0;
	return c->width[k] + (k == NAME ? 0 : GAP) + (k == CALLER ? strlen(ARROW) : 0);
}

static size_t costs(const struct cells *c)
{
	return cost(c, NAME) + cost(c, MODULE) + cost(c, CALLER);
}

static void find_wanted(const struct cells *c, size_t want[COLUMNS])
{
	want[NAME] = text_columns(c->title);
	want[MODULE] = want[CALLER] = 0;
	for (int k = 0; k < COLUMNS; k++) {
		for (size_t i = 0; i < c->n; i++) {
			const struct short_name *s = &c->column[k][i];
			size_t width = text_columns(s->name) + text_columns(s->suffix);

			want[k] = max(want[k], width);
		}
	}
	if (want[MODULE] && want[MODULE] < strlen("module"))
		want[MODULE] = strlen("module");
}

/* The module gets up to a quarter; then the name grows twice as fast as the caller. Or COLUMNS. */
static int next_to_grow(const struct cells *c, const size_t want[COLUMNS], size_t room)
{
	const size_t *w = c->width;
	bool name = w[NAME] < want[NAME], module = w[MODULE] && w[MODULE] < want[MODULE];
	bool caller = w[CALLER] && w[CALLER] < want[CALLER];

	if (module && w[MODULE] < room / 4)
		return MODULE;
	if (name && (!caller || w[NAME] < 2 * w[CALLER]))
		return NAME;
	return caller ? CALLER : module ? MODULE : COLUMNS;
}

/* A column is there if there is room for what makes it worth it. */
static void share_room(struct cells *c, const size_t want[COLUMNS], size_t room)
{
	int k;

	for (k = 0; k < COLUMNS; k++) {
		c->width[k] = min(want[k], k == NAME ? min(least[k], room) : least[k]);
		if (costs(c) > room)
			c->width[k] = 0;
		if (want[k] && !c->width[k])
			break;
	}
	for (; costs(c) < room; c->width[k]++) {
		k = next_to_grow(c, want, room);
		if (k == COLUMNS)
			return;
	}
}

/* Self and total are of rows that are sorted by either. */
static bool is_by_self(const struct table *tab)
{
	for (size_t i = 1; i < tab->rows.len; i++)
		if (tab->rows.data[i].self > tab->rows.data[i - 1].self)
			return false;
	return true;
}

static void lay_out(struct cells *c, size_t columns)
{
	size_t want[COLUMNS];

	find_wanted(c, want);
	c->has_total = !table_by_label(c->by);
	c->has_self = true;
	if (!columns) {
		for (int k = 0; k < COLUMNS; k++)
			c->width[k] = min(want[k], most_in_file[k]);
		return;
	}
	if (c->has_total && columns < 2 * SHARE_WIDTH + LEAST_NAME) {
		c->has_self = is_by_self(c->tab);
		c->has_total = !c->has_self;
	}
	columns -= min(columns, SHARE_WIDTH * ((size_t)c->has_self + c->has_total));
	share_room(c, want, columns);
}

/* --- lines ------------------------------------------------------------------------------------- */

/* The last text of a line gets no padding. */
static void add_text(struct buf *out, const char *text, size_t width, bool is_last)
{
	size_t have = text_columns(text);

	buf_printf(out, "%s%*s", text, is_last || have >= width ? 0 : (int)(width - have), "");
}

static void add_row(struct buf *out, const struct cells *c, size_t i, const struct term *t)
{
	const struct table_row *row = &c->tab->rows.data[i];
	const char *module = c->width[MODULE] ? c->column[MODULE][i].text : "";
	const char *caller = c->width[CALLER] ? c->column[CALLER][i].text : "";
	const struct share_scale scale = share_scale_of_table(c->tab);

	if (c->has_self) {
		share_cell(out, &scale, row->self);
		buf_str(out, "  ");
	}
	if (c->has_total) {
		share_cell(out, &scale, row->total);
		buf_str(out, "  ");
	}
	add_text(out, c->column[NAME][i].text, c->width[NAME], !*module && !*caller);
	if (*module) {
		term_style(t, out, STYLE_DIM);
		buf_str(out, "  ");
		add_text(out, module, c->width[MODULE], !*caller);
		term_style(t, out, STYLE_END);
	}
	if (*caller)
		buf_printf(out, "  " ARROW "%s", caller);
	buf_char(out, '\n');
}

static void add_head(struct buf *out, const struct cells *c, const struct term *t)
{
	term_style(t, out, STYLE_HEAD);
	if (table_by_label(c->by))
		buf_str(out, " share  ");
	else
		buf_printf(out, "%s%s", c->has_self ? "  self  " : "",
			   c->has_total ? " total  " : "");
	if (c->width[MODULE]) {
		term_fit(out, c->title, c->width[NAME]);
		buf_str(out, "  module");
	} else {
		text_add_cut(out, c->title, c->width[NAME]);
	}
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
}

static int shorten(struct cells *c, const struct term *t)
{
	int err = c->width[MODULE] ? 0 : add_modules(c);

	for (int k = 0; !err && k < COLUMNS; k++) {
		size_t widest = 0;

		if (!c->width[k])
			continue;
		err = short_names(c->column[k], c->n, c->width[k]);
		for (size_t i = 0; !err && i < c->n; i++)
			widest = max(widest, text_columns(c->column[k][i].text));
		if (t->columns == TERM_ENDLESS)
			widest = min(widest, PADDED_MOST);
		c->width[k] = min(c->width[k], max(widest, k == NAME ? text_columns(c->title) : 1));
	}
	return err;
}

/* What has no row, and how much that is: their own time, since a sample is in the total of many. */
static void add_left_out(struct buf *out, const struct cells *c, bool disjoint,
			 const struct term *t)
{
	const struct share_scale scale = share_scale_of_table(c->tab);
	size_t n = c->tab->rows.len - c->n;
	struct buf line = {0};
	char number[32];
	int64_t left = 0;

	for (size_t i = c->n; i < c->tab->rows.len; i++)
		left = saturating_sum(left, c->tab->rows.data[i].self);
	buf_printf(&line, "(%s more", text_format_count(n, number, sizeof(number)));
	if (disjoint && left > 0) {
		buf_str(&line, ", ");
		share_text(&line, &scale, left);
		buf_str(&line, table_by_label(c->by) ? " in all" : " of their own");
	}
	buf_char(&line, ')');
	line_wrap(out, buf_cstr(&line), 1, t);
	buf_char(out, '\n');
	buf_release(&line);
}

void answer_table(struct buf *out, const struct table *tab, const struct table_opts *o,
		  const struct term *t, size_t n_rows)
{
	struct cells c = {.tab = tab, .by = o->by, .title = table_title(o)};
	int err;

	c.n = n_rows && n_rows < tab->rows.len ? n_rows : tab->rows.len;
	if (!c.n)
		return;
	err = load(&c);
	if (!err) {
		lay_out(&c, t->columns);
		err = shorten(&c, t);
	}
	if (!err) {
		add_head(out, &c, t);
		for (size_t i = 0; i < c.n; i++)
			add_row(out, &c, i, t);
		if (c.n < tab->rows.len)
			add_left_out(out, &c, o->relation == TABLE_ALL, t);
	}
	if (err)
		out->err = err;
	release(&c);
}
