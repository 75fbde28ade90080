// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/find_function.h"
#include "profiler/cli/hints_text.h"
#include "profiler/cli/path_text.h"
#include "profiler/cli/share_list.h"
#include "profiler/cli/summary.h"
#include "profiler/cli/table_text.h"
#include "profiler/profile/commands.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/heavy_path.h"
#include "profiler/profile/nearest_named.h"
#include "profiler/profile/overlap.h"
#include "profiler/profile/short_name.h"
#include "profiler/profile/table.h"

#define TOP_ROWS   6
#define PATH_LINES 8
/* Below this share of the top function a profile is flat. */
#define FLAT_SHARE 0.1
/* A command with this share is as good as alone. */
#define ALONE 0.9
/* With fewer samples shares are ranges (share.h), and that is said. */
#define FEW 100
/* A function with this share of all says nothing. */
#define SAME 0.95
/* Who has less is not worth a command to copy. */
#define NEXT_SHARE 0.05
/* Of a function's name in such a command. */
#define NEXT_COLUMNS 60
/* What a line of the path or a row has so much of needs no row, if their samples are in common so far. */
#define SEEN   0.8
#define COMMON 0.75
/* Rows that are looked at for those that tell something: each is a walk over the profile. */
#define LOOKED 48
_Static_assert(PATH_LINES + TOP_ROWS < OVERLAP_MAX, "what is told of is bits of a word");
/* Branches of a path have this share of the profile, and so many samples. */
#define LEAST_SHARE   0.05
#define LEAST_SAMPLES 6.0

/* --- the path and the top ------------------------------------------------------------------------ */

static int add_path(struct buf *out, const struct summary *s, const struct commands *commands,
		    const struct share_scale *scale, const struct term *t, struct heavy_path *path)
{
	bool several = commands_named(commands) > 1 &&
		       (double)commands->rows.data[0].value < ALONE * (double)scale->whole;
	double least = scale->n_samples ? LEAST_SAMPLES / (double)scale->n_samples : 0;
	struct heavy_opts o = {
		.value = s->value,
		.commands = several ? commands : NULL,
		.max_lines = PATH_LINES,
		.min_share = MAX(LEAST_SHARE, least),
	};
	int err = heavy_path_build(path, s->p, &o);

	if (!err)
		path_text(out, path, scale, several, t);
	return err;
}

/* True for rows that a person can look for. */
static bool has_name(const struct table *tab, const struct table_row *row)
{
	return is_named_function(table_text(tab, row->name), row->kind);
}

static bool is_same(int64_t part, int64_t whole)
{
	return (double)part >= SAME * (double)whole;
}

static bool may_tell(const struct table *tab, const struct table_row *row)
{
	const char *name = table_text(tab, row->name);
	enum frame_role role = frame_role_of(name, table_text(tab, row->module), row->kind);

	return has_name(tab, row) && role != ROLE_CEREMONY && role != ROLE_MAIN &&
	       !is_same(row->total, tab->gross);
}

/* What the reader has been told of: the ends of the path's lines, and rows. */
struct told {
	struct overlap overlap;
	int64_t weights[OVERLAP_MAX];
};

/* 0, or a negative errno. */
static int tell(struct told *t, const char *name, int64_t weight)
{
	int id = overlap_add(&t->overlap, name);

	if (id >= 0)
		t->weights[id] = weight;
	return id < 0 ? id : 0;
}

static int told_open(struct told *t, const struct summary *s, const struct heavy_path *path)
{
	int err = overlap_open(&t->overlap, s->p, s->value);

	for (size_t i = 0; !err && i < path->lines.len; i++) {
		const struct heavy_line *line = &path->lines.data[i];
		uint32_t last = path->calls.data[line->first + line->len - 1].name;

		err = tell(t, strtab_get(path->strings, last), line->total);
	}
	return err;
}

/* True if little of what was told of last is new. */
static bool is_known(const struct told *t)
{
	int last = (int)t->overlap.n - 1;

	for (int i = 0; i < last; i++)
		if ((double)t->weights[i] >= SEEN * (double)t->weights[last] &&
		    overlap_share(&t->overlap, i, last) >= COMMON)
			return true;
	return false;
}

/* True if a function stands in a line that has most of its time. */
static bool is_in_path(const struct heavy_path *path, const char *name, int64_t total)
{
	for (size_t i = 0; i < path->lines.len; i++) {
		const struct heavy_line *line = &path->lines.data[i];
		const struct heavy_call *calls = &path->calls.data[line->first];

		if ((double)line->total < SEEN * (double)total)
			continue;
		for (uint32_t k = 0; k < line->len; k++)
			if (!strcmp(strtab_get(path->strings, calls[k].name), name))
				return true;
	}
	return false;
}

/* Marks rows that say something of a flat profile: with more than the most that a function has of its own, no
 * ceremony, and none whose time the path or a row before has told of already. Returns how many, or a negative errno. */
static int mark_telling(bool *is_kept, const struct table *tab, const struct summary *s,
			const struct heavy_path *path, int64_t most)
{
	struct told t = {0};
	int err = told_open(&t, s, path), kept = 0;

	for (size_t i = 0, looked = 0; !err && i < tab->rows.len && kept < TOP_ROWS; i++) {
		const struct table_row *row = &tab->rows.data[i];

		if (row->total <= most || !may_tell(tab, row) ||
		    is_in_path(path, table_text(tab, row->name), row->total))
			continue;
		if (looked++ == LOOKED)
			break;
		err = tell(&t, table_text(tab, row->name), row->total);
		is_kept[i] = !err && !is_known(&t);
		kept += is_kept[i];
		if (!err && !is_kept[i])
			overlap_drop(&t.overlap);
	}
	overlap_release(&t.overlap);
	return err ?: kept;
}

/* Marks the one with most time of its own among the others, whether it has a name or not. */
static void mark_heaviest(bool *is_kept, const struct table *tab)
{
	size_t best = tab->rows.len;

	for (size_t i = 0; i < tab->rows.len; i++)
		if (!is_kept[i] && tab->rows.data[i].self > 0 &&
		    (best == tab->rows.len || tab->rows.data[i].self > tab->rows.data[best].self))
			best = i;
	if (best < tab->rows.len)
		is_kept[best] = true;
}

/* Keeps what tells something; rows that are left go to the functions of most time of their own. Keeps none if no total
 * says anything. */
static int keep_telling(struct table *tab, const struct summary *s, const struct heavy_path *path,
			int64_t most)
{
	_cleanup_free_ bool *is_kept = calloc(tab->rows.len + 1, sizeof(*is_kept));
	int n = is_kept ? mark_telling(is_kept, tab, s, path, most) : -ENOMEM;
	size_t kept = 0;

	for (int i = n; n > 0 && i < TOP_ROWS; i++)
		mark_heaviest(is_kept, tab);
	for (size_t i = 0; n >= 0 && i < tab->rows.len; i++)
		if (is_kept[i])
			tab->rows.data[kept++] = tab->rows.data[i];
	tab->rows.len = kept;
	return n < 0 ? n : 0;
}

static bool is_flat(const struct table *tab, const struct share_scale *scale)
{
	return tab->rows.len && !scale->is_change && tab->rows.data[0].self > 0 &&
	       (!scale->n_samples || scale->n_samples >= FEW) &&
	       (double)tab->rows.data[0].self < FLAT_SHARE * (double)tab->gross;
}

/* The first function that is shown and has a name to ask for; rather one of the program's or its libraries' than the
 * kernel's, whose callers the path has. */
static void take_top(char **top, const struct table *tab)
{
	const struct table_row *best = NULL;

	for (size_t i = 0; top && i < tab->rows.len && i < TOP_ROWS; i++) {
		const struct table_row *row = &tab->rows.data[i];

		if (has_name(tab, row) && (double)row->total >= NEXT_SHARE * (double)tab->gross &&
		    (!best || (best->kind == FRAME_KERNEL && row->kind != FRAME_KERNEL)))
			best = row;
	}
	if (best)
		*top = strdup(table_text(tab, best->name));
}

/* The function of most time that does something of its own. */
static int take_by_total(char **top, const struct summary *s)
{
	struct table_opts by_total = {.value = s->value, .sort = TABLE_SORT_TOTAL};
	_cleanup_(table_freep) struct table *tab = NULL;
	int err = table_build(&tab, s->p, &by_total);

	for (size_t i = 0; !err && i < tab->rows.len; i++) {
		const struct table_row *row = &tab->rows.data[i];

		if (!may_tell(tab, row) ||
		    frame_role_of(table_text(tab, row->name), table_text(tab, row->module),
				  row->kind) != ROLE_CODE)
			continue;
		if ((double)row->total >= FLAT_SHARE * (double)tab->gross)
			*top = strdup(table_text(tab, row->name));
		break;
	}
	return err;
}

/* As take_top(); where the first has no name, the function that called it or another with a good part of the time. */
static int take_top_of_leaves(char **top, const struct summary *s, const struct table *tab)
{
	_cleanup_free_ char *nearest = NULL;
	int64_t weight;
	int err = 0;

	if (top && tab->rows.len && !has_name(tab, &tab->rows.data[0])) {
		err = nearest_named(&nearest, &weight, s->p, s->value);
		if (!err && (double)weight >= FLAT_SHARE * (double)tab->gross)
			*top = steal_ptr(nearest);
		else
			err = err ?: take_by_total(top, s);
	}
	if (top && !*top)
		take_top(top, tab);
	return err;
}

static void add_flat_line(struct buf *out, const struct share_scale *scale, int64_t most,
			  bool by_total, const struct term *t)
{
	struct buf line = {0};

	buf_printf(&line, LINE_TITLE "no function has more than ", "Flat");
	share_text(&line, scale, most);
	buf_str(&line, by_total ? " of its own; with what they call:" : " of its own");
	line_wrap(out, buf_cstr(&line), LINE_COLUMNS, t);
	buf_char(out, '\n');
	buf_release(&line);
}

/* `own` has what is shown where no total says anything. */
static int add_flat(struct buf *out, const struct summary *s, const struct share_scale *scale,
		    const struct table *own, const struct heavy_path *path, const struct term *t,
		    char **top)
{
	struct table_opts by_total = {.value = s->value, .sort = TABLE_SORT_TOTAL};
	int64_t most = own->rows.data[0].self;
	const struct table *shown = own;
	struct table *tab;
	int err = table_build(&tab, s->p, &by_total);

	if (err)
		return err;
	err = keep_telling(tab, s, path, most);
	if (!err && tab->rows.len)
		shown = tab;
	add_flat_line(out, scale, most, shown == tab, t);
	take_top(top, shown);
	answer_table(out, shown, &by_total, t, 0);
	table_free(tab);
	return err;
}

static int add_top(struct buf *out, const struct summary *s, const struct share_scale *scale,
		   const struct heavy_path *path, const struct term *t, char **top)
{
	struct table_opts by_self = {.value = s->value};
	struct table *tab;
	size_t n = 0;
	int err = table_build(&tab, s->p, &by_self);

	if (err)
		return err;
	while (n < tab->rows.len && n < TOP_ROWS && tab->rows.data[n].self)
		n++;
	tab->rows.len = n;
	if (is_flat(tab, scale)) {
		err = add_flat(out, s, scale, tab, path, t, top);
	} else {
		err = take_top_of_leaves(top, s, tab);
		answer_table(out, tab, &by_self, t, 0);
	}
	table_free(tab);
	return err;
}

/* --- all of it ----------------------------------------------------------------------------------- */

static void add_few(struct buf *out, const struct share_scale *scale, const struct term *t)
{
	struct buf line = {0};

	if (!scale->n_samples || scale->n_samples >= FEW)
		return;
	buf_printf(&line, LINE_TITLE, "Few");
	if (scale->is_change)
		buf_printf(&line,
			   "%" PRIu64 " sample%s: much of it is chance; record both for longer",
			   scale->n_samples, text_s(scale->n_samples));
	else if (scale->n_samples == 1)
		buf_str(&line, "1 sample tells where time went once; record for longer, or with a "
			       "higher -F");
	else
		buf_printf(&line,
			   "%" PRIu64
			   " samples: shares are ranges (95 %%); record for longer, or with a "
			   "higher -F",
			   scale->n_samples);
	line_wrap(out, buf_cstr(&line), LINE_COLUMNS, t);
	buf_char(out, '\n');
	buf_release(&line);
}

static int add_body(struct buf *out, const struct summary *s, const struct term *t, char **top)
{
	struct share_scale scale = share_scale_of(s->p, s->value);
	struct heavy_path path = {0};
	struct commands commands;
	int err =
		commands_build(&commands, s->p, s->value) ?: summary_head_of(out, s, &commands, t);

	if (!err && scale.whole) {
		add_few(out, &scale, t);
		if (s->quality)
			answer_quality(out, s->quality, t);
		if (!scale.is_change) /* what was saved on a path is elsewhere */
			err = add_path(out, s, &commands, &scale, t, &path);
		err = err ?: add_top(out, s, &scale, &path, t, top);
	}
	heavy_path_release(&path);
	commands_release(&commands);
	return err;
}

int summary_text(struct buf *out, const struct summary *s, const struct term *t, char **top)
{
	int err = 0;

	if (top)
		*top = NULL;
	if (s->quality)
		answer_rootless(out, s->p, s->quality, t);
	if (s->p->sample_types.len)
		err = add_body(out, s, t, top);
	if (s->quality) {
		answer_losses(out, s->quality, t);
		answer_blame(out, s->p, s->quality, t);
	}
	return err ?: out->err;
}

/* A word of a shell: as it is, or in single quotes. */
static void add_word(struct buf *out, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=-";

	if (*word && *word != '-' && strspn(word, plain) == strlen(word)) {
		buf_str(out, word);
		return;
	}
	buf_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *word);
	}
	buf_char(out, '\'');
}

/* As it is shown, because a whole C++ name has a page; but for one that is shown as others are. */
static void add_function(struct buf *out, const struct profile *p, const char *name)
{
	struct buf shown = {0};

	short_name(&shown, name, NEXT_COLUMNS);
	add_word(out, finds_function(p, buf_cstr(&shown), name) ? buf_cstr(&shown) : name);
	buf_release(&shown);
}

void summary_next(struct buf *out, const struct profile *p, const char *file, const char *top)
{
	struct buf path = {0};

	if (*file == '-')
		buf_str(&path, "./");
	buf_str(&path, file);
	buf_printf(out, LINE_TITLE "kiln export ", "Next");
	add_word(out, buf_cstr(&path));
	buf_printf(out, " -o flame.html\n" LINE_TITLE "kiln report ", "");
	add_word(out, buf_cstr(&path));
	buf_str(out, " --tree\n");
	if (top) {
		buf_printf(out, LINE_TITLE "kiln report ", "");
		add_word(out, buf_cstr(&path));
		buf_str(out, " --tree --callers ");
		add_function(out, p, top);
		buf_char(out, '\n');
	}
	buf_release(&path);
}
