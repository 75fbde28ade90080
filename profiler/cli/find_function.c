// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/find_function.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/suggest.h"
#include "profiler/base/text.h"
#include "profiler/cli/share.h"
#include "profiler/profile/name_parts.h"
#include "profiler/profile/short_name.h"
#include "profiler/profile/table.h"

/* Candidates that are listed, and columns of each. */
#define LISTED	    8
#define LISTED_WIDE 200
#define CUT	    "..." /* of short_name() */
/* A function of a like name with so many times the time of the one that is shown is worth a word. */
#define HEAVIER 5

/* Best first. */
enum fit { FIT_SAME, FIT_SHOWN, FIT_BARE, FIT_OWN, FIT_END, FIT_PART, FIT_NONE };

struct search {
	const char *typed;
	char *word; /* the last of typed: every name that fits has it */
	struct buf text;
};

static char *last_word(const char *typed)
{
	const char *end = typed + strlen(typed), *from;

	while (end > typed && !name_is_word(end[-1]))
		end--;
	for (from = end; from > typed && name_is_word(from[-1]);)
		from--;
	return end > from ? strndup(from, (size_t)(end - from)) : strdup(typed);
}

static const char *bare(struct search *s, const char *name, bool is_own)
{
	buf_clear(&s->text);
	short_name_bare(&s->text, name, is_own);
	return buf_cstr(&s->text);
}

static bool ends_with_component(const char *name, const char *typed)
{
	size_t n = strlen(name), m = strlen(typed);

	return n > m && text_has_suffix(name, typed) && !name_is_word(name[n - m - 1]);
}

/* As a table of some width shows it: with brackets, blanks or cut, since what has none of these is a part of the name. */
static bool is_shortened(struct search *s, const char *name)
{
	if (!strpbrk(s->typed, "(<[{ ") && !strstr(s->typed, ".."))
		return false;
	buf_clear(&s->text);
	short_name(&s->text, name, text_columns(s->typed));
	return !strcmp(buf_cstr(&s->text), s->typed);
}

/* A name as it is shown: "..." stands for anything, and a return type may be missing. */
static bool is_shown(const char *name, const char *typed)
{
	const char *gap = strstr(typed, CUT),
		   *at = gap ? memmem(name, strlen(name), typed, (size_t)(gap - typed)) : NULL;

	if (!at || (at > name && at[-1] != ' '))
		return false;
	at += gap - typed;
	for (typed = gap + strlen(CUT); (gap = strstr(typed, CUT)); typed = gap + strlen(CUT)) {
		at = memmem(at, strlen(at), typed, (size_t)(gap - typed));
		if (!at)
			return false;
		at += gap - typed;
	}
	return text_has_suffix(at, typed);
}

static enum fit fit_of(struct search *s, const char *name)
{
	const char *text;

	if (!strcmp(name, s->typed))
		return FIT_SAME;
	if (is_shown(name, s->typed))
		return FIT_SHOWN;
	if (!*s->typed || !strcasestr(name, s->word))
		return FIT_NONE;
	if (!strcmp(bare(s, name, false), s->typed))
		return FIT_BARE;
	if (!strcmp(bare(s, name, true), s->typed))
		return FIT_OWN;
	text = bare(s, name, false);
	if (ends_with_component(text, s->typed) || ends_with_component(name, s->typed))
		return FIT_END;
	if (is_shortened(s, name))
		return FIT_END;
	text = bare(s, name, false);
	return strcasestr(text, s->typed) || strcasestr(name, s->typed) ? FIT_PART : FIT_NONE;
}

/* Names that fit best, each once. */
struct found {
	VEC(const char *) names;
	enum fit fit;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int look(struct found *f, struct search *s, const struct profile *p)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; !err && i < p->functions.len; i++) {
		const char *name = profile_text(p, p->functions.data[i].name);
		enum fit fit = fit_of(s, name);

		if (fit > f->fit || fit == FIT_NONE)
			continue;
		if (fit < f->fit)
			f->names.len = 0;
		f->fit = fit;
		err = vec_push(&f->names, name);
	}
	if (f->names.len)
		qsort(f->names.data, f->names.len, sizeof(*f->names.data), by_text);
	for (size_t i = 0; i < f->names.len; i++)
		if (!n || strcmp(f->names.data[n - 1], f->names.data[i]) != 0)
			f->names.data[n++] = f->names.data[i];
	f->names.len = n;
	return err ?: s->text.err;
}

/* The name, or the last component of one, that is most like what was typed: of the profile, or of s->text. NULL: none. */
static const char *guess(struct search *s, const struct profile *p)
{
	struct suggest whole = {.typed = s->typed}, own = {.typed = s->typed};
	const char *best = NULL;

	for (size_t i = 0; i < p->functions.len; i++) {
		const char *name = profile_text(p, p->functions.data[i].name);
		size_t before = own.best ? own.distance : SIZE_MAX;

		suggest_consider(&whole, name);
		suggest_consider(&own, bare(s, name, true));
		if (own.best && own.distance < before)
			best = name;
	}
	if (whole.best && (!best || whole.distance <= own.distance))
		return whole.best;
	return best ? bare(s, best, true) : NULL;
}

static bool is_found(const struct found *f, const char *name)
{
	return bsearch(&name, f->names.data, f->names.len, sizeof(name), by_text);
}

/* The heaviest first, each once though it may be of several modules. */
static int list(const struct found *f, const struct profile *p, size_t value)
{
	struct table_opts o = {.value = value, .sort = TABLE_SORT_TOTAL};
	_cleanup_(table_freep) struct table *t = NULL;
	struct short_name names[LISTED] = {0};
	int64_t totals[LISTED];
	struct buf text = {0};
	size_t n = 0;
	int err = table_build(&t, p, &o);

	for (size_t i = 0; !err && i < t->rows.len && n < LISTED; i++) {
		const char *name = table_text(t, t->rows.data[i].name);
		bool is_new = is_found(f, name);

		for (size_t j = 0; j < n; j++)
			is_new &= strcmp(names[j].name, name) != 0;
		if (!is_new)
			continue;
		totals[n] = t->rows.data[i].total;
		names[n++] = (struct short_name){.name = name, .suffix = ""};
	}
	err = err ?: short_names(names, n, LISTED_WIDE);
	for (size_t i = 0; !err && i < n; i++) {
		const struct share_scale scale = share_scale_of_table(t);

		share_cell(&text, &scale, totals[i]);
		buf_printf(&text, "  %s\n", names[i].text);
	}
	fputs(buf_cstr(&text), stderr);
	buf_release(&text);
	if (!err && n < f->names.len)
		fprintf(stderr, "  and %zu more\n", f->names.len - n);
	short_names_release(names, n);
	return err;
}

/* Whoever asks for memcpy means libc's __memcpy_avx_unaligned, too: says which function of such a name has far more
 * time than the one that is shown. */
static int warn_heavier(struct search *s, const char *name, const struct profile *p, size_t value)
{
	struct table_opts o = {.value = value, .sort = TABLE_SORT_TOTAL};
	_cleanup_(table_freep) struct table *t = NULL;
	const struct table_row *heavier = NULL;
	int err = table_build(&t, p, &o);
	size_t i = 0;

	for (; !err && i < t->rows.len; i++) {
		const char *other = table_text(t, t->rows.data[i].name);

		if (!strcmp(other, name))
			break;
		if (!heavier && strcasestr(other, s->word) &&
		    strcasestr(bare(s, other, true), s->typed))
			heavier = &t->rows.data[i];
	}
	if (!err && heavier && i < t->rows.len && heavier->total / HEAVIER >= t->rows.data[i].total)
		log_info("shown is \"%.200s\"; \"%.200s\" has far more time", name,
			 table_text(t, heavier->name));
	return err ?: s->text.err;
}

static int answer(const struct command *cmd, const struct found *f, struct search *s,
		  const struct profile *p, size_t value, const char **name)
{
	const char *near;

	if (f->names.len == 1) {
		*name = f->names.data[0];
		return warn_heavier(s, *name, p, value) ? EXIT_ERROR : EXIT_OK;
	}
	if (f->names.len) {
		usage_error(cmd, "%zu functions are like \"%.200s\": give more of the name",
			    f->names.len, *name);
		return list(f, p, value) ? EXIT_ERROR : EXIT_USAGE;
	}
	near = guess(s, p);
	log_error("no function \"%.200s\" in the profile%s%.200s%s", *name,
		  near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	return EXIT_ERROR;
}

static int search_open(struct search *s, struct found *f, const struct profile *p,
		       const char *typed)
{
	*s = (struct search){.typed = typed, .word = last_word(typed)};
	*f = (struct found){.fit = FIT_NONE};
	return s->word ? look(f, s, p) : -ENOMEM;
}

static void search_close(struct search *s, struct found *f)
{
	vec_release(&f->names);
	buf_release(&s->text);
	free(s->word);
}

int find_function(const struct command *cmd, const struct profile *p, size_t value,
		  const char **name)
{
	struct search s;
	struct found f;
	int err = search_open(&s, &f, p, *name), code = EXIT_ERROR;

	if (err)
		log_error("%s: %s", cmd->name, strerror(-err));
	else
		code = answer(cmd, &f, &s, p, value, name);
	search_close(&s, &f);
	return code;
}

bool finds_function(const struct profile *p, const char *typed, const char *name)
{
	struct search s;
	struct found f;
	int err = search_open(&s, &f, p, typed);
	bool is_it = !err && f.names.len == 1 && !strcmp(f.names.data[0], name);

	search_close(&s, &f);
	return is_it;
}
