// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/text.h"
#include "profiler/cli/line.h"
#include "profiler/cli/path_text.h"
#include "profiler/profile/short_name.h"

#define ARROW " > "
#define GAP   ".."
/* A longer name takes its neighbours' room; it loses some of its own for them, in steps: more for the program's own. */
#define NAME_COLUMNS	   44
#define FAIR_NAME_COLUMNS  36
#define LEAST_NAME_COLUMNS 28
#define NAME_STEP	   4
#define LEAST_COLUMNS	   16

struct chain {
	const struct heavy_path *h;
	const struct heavy_line *line;
	const struct short_name *names; /* by call */
	uint32_t from;			/* calls before it are no part of the chain */
	size_t columns, name_columns;
	bool has_gaps;	/* there is room for ".." */
	bool has_first; /* the first call is shown in any case */
	size_t widths[HEAVY_CALLS];
	bool is_shown[HEAVY_CALLS];
};

static const struct heavy_call *call_at(const struct chain *c, uint32_t i)
{
	return &c->h->calls.data[c->line->first + i];
}

static const char *name_of(const struct chain *c, uint32_t i)
{
	return c->names[i].name;
}

static void measure(struct chain *c)
{
	struct buf b = {0};

	for (uint32_t i = c->from; i < c->line->len; i++) {
		buf_clear(&b);
		short_name_keeping(&b, &c->names[i], c->name_columns);
		c->widths[i] = text_columns(buf_cstr(&b));
	}
	buf_release(&b);
}

static size_t width(const struct chain *c)
{
	size_t sum = 0;

	for (uint32_t i = c->from; i < c->line->len; i++) {
		if (c->is_shown[i])
			sum += c->widths[i] + strlen(ARROW);
		else if (i == c->from || c->is_shown[i - 1])
			sum += strlen(GAP ARROW);
	}
	return sum - strlen(ARROW);
}

static void show_if_it_fits(struct chain *c, uint32_t i)
{
	if (c->is_shown[i])
		return;
	c->is_shown[i] = true;
	c->is_shown[i] = width(c) <= c->columns;
}

/* The last call with a name; one of a standard library's says no more than where it is called from. */
static uint32_t last_named(const struct chain *c)
{
	uint32_t last = c->line->len - 1;

	for (uint32_t i = last; call_at(c, last)->rank == HEAVY_NAMELESS && i > c->from; i--)
		if (call_at(c, i - 1)->rank <= HEAVY_OTHERS)
			return i - 1;
	return last;
}

/*
 * Shows the last call with a name, the last, and of the others what tells most, from both ends: who called that, and
 * where the path begins. Returns how good that is.
 */
static uint32_t choose(struct chain *c, size_t name_columns)
{
	uint32_t last = c->line->len - 1, n_own = 0, n = 0;

	c->name_columns = MIN(name_columns, c->columns);
	measure(c);
	memset(c->is_shown, 0, sizeof(c->is_shown));
	c->is_shown[c->has_first ? c->from : last_named(c)] = true;
	show_if_it_fits(c, last_named(c));
	show_if_it_fits(c, last);
	for (int rank = 0; rank < HEAVY_RANKS; rank++) {
		bool at_front = false;

		for (uint32_t front = c->from, back = last; front < back;) {
			uint32_t i = at_front ? front++ : --back;

			if ((int)call_at(c, i)->rank != rank)
				continue;
			show_if_it_fits(c, i);
			at_front = !at_front;
		}
	}
	for (uint32_t i = c->from; i <= last; i++) {
		n += c->is_shown[i];
		n_own += c->is_shown[i] && call_at(c, i)->rank == HEAVY_OWN;
	}
	return n_own * HEAVY_CALLS + (name_columns >= FAIR_NAME_COLUMNS ? n : 0);
}

/* Names get shorter as long as more calls fit so. */
static void choose_best(struct chain *c)
{
	size_t best_columns = NAME_COLUMNS;
	uint32_t best = choose(c, best_columns);

	for (size_t w = NAME_COLUMNS; w > LEAST_NAME_COLUMNS;) {
		uint32_t found = choose(c, w -= NAME_STEP);

		if (found > best) {
			best = found;
			best_columns = w;
		}
	}
	choose(c, best_columns);
}

static void add_command(struct buf *out, struct chain *c)
{
	size_t columns = MIN(text_columns(name_of(c, 0)), c->columns);

	if (text_columns(name_of(c, 0)) > columns)
		term_fit(out, name_of(c, 0), columns);
	else
		buf_str(out, name_of(c, 0));
	c->columns -= MIN(c->columns, columns + 2);
	c->from = 1;
}

static void add_chain(struct buf *out, struct chain *c, bool has_command)
{
	const char *before = "";

	if (has_command) {
		add_command(out, c);
		if (c->line->len == 1 || c->columns < LEAST_COLUMNS)
			return;
		buf_str(out, ": ");
	}
	choose_best(c);
	c->has_gaps = width(c) <= c->columns;
	for (uint32_t i = c->from; i < c->line->len; i++) {
		bool is_gap = !c->is_shown[i];

		if (is_gap && (!c->has_gaps || (i > c->from && !c->is_shown[i - 1])))
			continue;
		buf_str(out, before);
		if (is_gap)
			buf_str(out, GAP);
		else
			short_name_keeping(out, &c->names[i], c->name_columns);
		before = ARROW;
	}
}

/* Of the first call, or of the first that is seen, where there is no room to tell that others are before it. */
static int64_t total_of(const struct chain *c)
{
	for (uint32_t i = c->from; !c->has_gaps && i < c->line->len; i++)
		if (c->is_shown[i])
			return call_at(c, i)->total;
	return c->line->total;
}

static void add_line(struct buf *out, const struct chain *c, const char *text,
		     const struct share_scale *scale, bool has_command, size_t indent)
{
	share_cell(out, scale, has_command ? c->line->total : total_of(c));
	buf_printf(out, "  %*s%s\n", (int)indent, "", text);
}

struct path_lines {
	const struct heavy_path *h;
	const struct share_scale *scale;
	const struct short_name *names; /* of all calls */
	bool has_commands;
	size_t columns; /* for shares and calls */
};

static size_t indent_of(const struct path_lines *p, const struct heavy_line *line)
{
	return MIN(2 * (size_t)line->level,
		   p->columns > LEAST_COLUMNS ? p->columns - LEAST_COLUMNS : 0);
}

/* Chooses what a line shows, and writes it to `text`. */
static void make_chain(struct buf *text, struct chain *c, const struct path_lines *p, size_t i,
		       bool has_first)
{
	const struct heavy_line *line = &p->h->lines.data[i];

	*c = (struct chain){.h = p->h,
			    .line = line,
			    .names = p->names + line->first,
			    .columns = p->columns - indent_of(p, line),
			    .has_first = has_first};
	buf_clear(text);
	add_chain(text, c, p->has_commands && !line->level);
}

/* Branches of one line begin with different calls; what they show may be the same. */
static bool is_alike(const struct path_lines *p, size_t i, const char *text, size_t other)
{
	const struct heavy_line *lines = p->h->lines.data;
	struct buf its = {0};
	struct chain c;
	bool same;

	for (size_t k = MIN(i, other); k < MAX(i, other); k++)
		if (lines[k].level < lines[i].level)
			return false;
	if (lines[other].level != lines[i].level)
		return false;
	make_chain(&its, &c, p, other, false);
	same = !strcmp(buf_cstr(&its), text);
	buf_release(&its);
	return same;
}

/* Different functions look different, in all lines. NULL: no memory. */
static struct short_name *name_calls(const struct heavy_path *h)
{
	struct short_name *names = calloc(h->calls.len + 1, sizeof(*names));

	for (size_t i = 0; names && i < h->calls.len; i++) {
		names[i].name = strtab_get(h->strings, h->calls.data[i].name);
		names[i].suffix = "";
	}
	if (!names || !short_names(names, h->calls.len, NAME_COLUMNS))
		return names;
	short_names_release(names, h->calls.len);
	free(names);
	return NULL;
}

void path_text(struct buf *out, const struct heavy_path *h, const struct share_scale *scale,
	       bool has_commands, const struct term *t)
{
	size_t columns = line_columns(t), left = line_left(t) + SHARE_CELL + 2;
	struct short_name *names = name_calls(h);
	struct path_lines p = {h, scale, names, has_commands, columns > left ? columns - left : 1};
	struct buf text = {0};
	struct chain c;

	if (!names)
		out->err = -ENOMEM;
	for (size_t i = 0; names && i < h->lines.len; i++) {
		make_chain(&text, &c, &p, i, false);
		for (size_t k = 0; k < h->lines.len; k++) {
			if (k == i || !is_alike(&p, i, buf_cstr(&text), k))
				continue;
			make_chain(&text, &c, &p, i, true);
			break;
		}
		line_title(out, i ? "" : "Path", t);
		add_line(out, &c, buf_cstr(&text), scale, has_commands && !h->lines.data[i].level,
			 indent_of(&p, &h->lines.data[i]));
	}
	if (text.err)
		out->err = text.err;
	buf_release(&text);
	if (names)
		short_names_release(names, h->calls.len);
	free(names);
}
