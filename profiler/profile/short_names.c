// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Distinct names stay distinct. Names that are shortened to one text are sorted; each gets back the word at which it
 * parts from the neighbour that is most alike, and shows arguments rather than namespaces. Where that is not enough,
 * because names part at several places, those that are left do it again. In the end numbers tell them apart.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/strtab.h"
#include "profiler/base/text.h"
#include "profiler/profile/name_parts.h"
#include "profiler/profile/short_name.h"

/* Bytes of a word that are given back. */
#define KEEP_MAX 32

struct set {
	struct short_name **v;
	size_t n, columns;
};

void short_names_release(struct short_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(names[i].text);
		names[i].text = NULL;
	}
}

/* --- what tells two names apart ---------------------------------------------------------------- */

static size_t common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static bool starts_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* Within parameters, or a return type. */
static bool is_in_type(const struct short_name *s, size_t at)
{
	int depth = 0;

	for (size_t i = s->type; i < at; i++)
		depth += s->name[i] == '(' ? 1 : s->name[i] == ')' && depth ? -1 : 0;
	return at < s->type || depth;
}

/* From a word of "java.util.List" to its last, which says most. */
static void take_last_word(const char *name, size_t *from, size_t *to)
{
	while (name[*to] == '.' && name_is_word(name[*to + 1]) &&
	       !isdigit((unsigned char)name[*to + 1])) {
		*from = ++*to;
		while (name_is_word(name[*to]) && *to - *from < KEEP_MAX)
			++*to;
	}
}

/* The word at `at`, else the next one with what is before it (", long"), else the one before. */
static struct short_name_keep word_at(const struct short_name *s, size_t at)
{
	const char *name = s->name;
	size_t from = at, to = at;

	if (name_is_word(name[at])) {
		while (from && name_is_word(name[from - 1]) && at - from < KEEP_MAX / 2)
			from--;
	} else {
		while (name[to] && !name_is_word(name[to]) && !strchr("(<[{)>]}", name[to]))
			to++;
		if (!name_is_word(name[to])) {
			to = at;
			while (from && !name_is_word(name[from - 1]))
				from--;
			to = from;
			while (from && name_is_word(name[from - 1]) && to - from < KEEP_MAX / 2)
				from--;
		}
	}
	while (name_is_word(name[to]) && to - from < KEEP_MAX)
		to++;
	if (!s->n_keep && name[to] == '.' && is_in_type(s, from)) /* else it has not been enough */
		take_last_word(name, &from, &to);
	at = at < from ? from : at;
	while (from && !starts_char(name[from]))
		from--;
	while (name[to] && !starts_char(name[to]))
		to--;
	/* "<..., true>" */
	if (from >= 2 && name[from - 1] == ' ' && name[from - 2] == ',')
		from -= 2;
	return (struct short_name_keep){(uint32_t)from, (uint32_t)(to < from ? from : to),
					(uint32_t)at};
}

/* Bytes from the beginning of a that are as in b, return types aside if that is not all. */
static size_t alike(const struct short_name *a, const struct short_name *b)
{
	size_t n = common_prefix(a->name + a->type, b->name + b->type) + a->type;

	return a->name[n] || b->name[n - a->type + b->type] ? n : common_prefix(a->name, b->name);
}

/* The names are sorted: a neighbour is most alike. */
static void add_keep(struct short_name *const *run, size_t n, size_t i)
{
	size_t before = i ? alike(run[i], run[i - 1]) : 0;
	size_t after = i + 1 < n ? alike(run[i], run[i + 1]) : 0;

	if (run[i]->n_keep == SHORT_NAME_KEEPS)
		return; /* some are of an earlier call of short_names() */
	run[i]->keep[run[i]->n_keep] = word_at(run[i], before > after ? before : after);
	run[i]->n_keep++;
}

/* --- texts ------------------------------------------------------------------------------------- */

static int set_text(struct short_name *s, size_t columns, const char *number)
{
	size_t room = columns > strlen(number) ? columns - strlen(number) : 0, used = 0;
	size_t name = text_columns(s->name);
	struct buf text = {0}, suffix = {0};

	if (*s->suffix)
		used = text_add_cut(&suffix, s->suffix, name < room / 2 ? room - name : room / 2);
	short_name_keeping(&text, s, room - used);
	buf_str(&text, buf_cstr(&suffix));
	buf_str(&text, number);
	if (suffix.err)
		text.err = suffix.err;
	buf_release(&suffix);
	free(s->text);
	s->text = buf_take(&text);
	return s->text ? 0 : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	const struct short_name *const *x = a, *const *y = b;

	return strcmp((*x)->name + (*x)->type, (*y)->name + (*y)->type)
		       ?: strcmp((*x)->name, (*y)->name) ?: strcmp((*x)->suffix, (*y)->suffix);
}

static int by_text(const void *a, const void *b)
{
	const struct short_name *const *x = a, *const *y = b;

	return strcmp((*x)->text, (*y)->text) ?: by_name(a, b);
}

/* Names from v[0] on with one text. */
static size_t run_len(struct short_name *const *v, size_t n)
{
	size_t len = 1;

	while (len < n && !strcmp(v[len]->text, v[0]->text))
		len++;
	return len;
}

/* Leaves in the set those whose text is not theirs alone. */
static void leave_alike(struct set *s)
{
	size_t left = 0, len;

	if (!s->n)
		return;
	qsort(s->v, s->n, sizeof(*s->v), by_text);
	for (size_t i = 0; i < s->n; i += len) {
		len = run_len(s->v + i, s->n - i);
		for (size_t j = 0; len > 1 && j < len; j++)
			s->v[left++] = s->v[i + j];
	}
	s->n = left;
}

static int give_back(struct set *s)
{
	size_t len;
	int err = 0;

	for (size_t i = 0; i < s->n; i += len) {
		len = run_len(s->v + i, s->n - i);
		for (size_t j = 0; j < len; j++)
			add_keep(s->v + i, len, j);
	}
	for (size_t i = 0; !err && i < s->n; i++)
		err = set_text(s->v[i], s->columns, "");
	return err;
}

/* Numbers go on over all of them: so few are tried in vain. */
static int number(struct set *s, const struct set *all)
{
	struct strtab *taken = strtab_new();
	int err = taken ? 0 : -ENOMEM;
	unsigned next = 1;
	char text[16];
	uint32_t id;

	for (size_t i = 0; !err && i < all->n; i++)
		err = strtab_add(taken, all->v[i]->text, &id);
	for (size_t i = 0; !err && i < s->n; i++) {
		do {
			snprintf(text, sizeof(text), " #%u", next++);
			err = set_text(s->v[i], s->columns, text);
		} while (!err && strtab_lookup(taken, s->v[i]->text) != UINT32_MAX);
		err = err ?: strtab_add(taken, s->v[i]->text, &id);
	}
	strtab_free(taken);
	return err;
}

/* The names are different. Each round looks at all: a new text may be that of another name. */
static int tell_apart(const struct set *all)
{
	_cleanup_free_ struct short_name **left = malloc((all->n + 1) * sizeof(*left));
	struct set s = {left, 0, all->columns};
	int err = 0;

	if (!left)
		return -ENOMEM;
	for (int i = 0; !err; i++) {
		memcpy(left, all->v, all->n * sizeof(*left));
		s.n = all->n;
		leave_alike(&s);
		if (!s.n)
			return 0;
		if (i == SHORT_NAME_KEEPS)
			return number(&s, all);
		err = give_back(&s);
	}
	return err;
}

static int set_same(struct short_name *s, const struct short_name *same)
{
	free(s->text);
	s->text = strdup(same->text);
	memcpy(s->keep, same->keep, sizeof(s->keep));
	s->n_keep = same->n_keep;
	return s->text ? 0 : -ENOMEM;
}

int short_names(struct short_name *names, size_t n, size_t columns)
{
	_cleanup_free_ struct short_name **sorted = malloc((n + 1) * sizeof(*sorted)),
					 **different = malloc((n + 1) * sizeof(*different));
	struct set unique = {different, 0, columns};
	int err = sorted && different ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < n; i++) {
		names[i].type = (uint32_t)short_name_type(names[i].name);
		sorted[i] = &names[i];
	}
	if (!err && n)
		qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; !err && i < n; i++) {
		if (i && !by_name(&sorted[i - 1], &sorted[i]))
			continue;
		different[unique.n++] = sorted[i];
		err = set_text(sorted[i], columns, "");
	}
	err = err ?: tell_apart(&unique);
	for (size_t i = 1; !err && i < n; i++) {
		if (by_name(&sorted[i - 1], &sorted[i]))
			continue;
		err = set_same(sorted[i], sorted[i - 1]);
	}
	return err;
}
