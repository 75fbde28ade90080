// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Levels of shortening, each of which hides more. The first that fits is found by bisection, with a
 * mask of the name's bytes for each that is tried.
 */
#include "profiler/profile/short_name.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/name_cut.h"
#include "profiler/profile/name_parts.h"

/* Longer names are only cut: no compiler writes them. */
#define STRUCTURED_MAX 16384
/* Arguments within as many others are hidden together. */
#define DEPTHS 8
/* What is as short as the marks is not hidden. */
#define MARK_BYTES 3
/* Of a function that is named by where it starts; and what is left of the module before it, at least. */
#define VAGUE	   "+sub_"
#define VAGUE_ROOM 4

enum level {
	LEVEL_UNTYPED, /* no return type */
	LEVEL_BARE,    /* no qualifiers, no directories, no addresses of Java's hidden classes */
	LEVEL_SIMPLE,  /* "(List)" for "(java.util.List)", "<T>" for "<a::b::T>" */
	LEVEL_PARAMS,
	LEVEL_ARGS = LEVEL_PARAMS + DEPTHS,
	LEVEL_NO_INNER_ARGS =
		LEVEL_ARGS + DEPTHS - 2, /* the last with arguments that are in no others */
	LEVEL_PATHS =
		LEVEL_ARGS + DEPTHS, /* Rust's "<Vec as FromIterator>"; no place in a script */
	LEVEL_NO_PARAMS,	     /* nor "(...)" */
	LEVEL_NO_ARGS,
	LEVEL_SELF, /* "Vec::" of "<Vec as FromIterator>::", "FromIterator::" of "<T as FromIterator>::" */
	LEVEL_COMPONENTS, /* and above: without its first, its first two, ... */
};

enum shown { SHOWN, ELIDED /* and marked */, GONE };

struct view {
	const char *name;
	uint32_t len;
	struct name_parts parts;
	const struct short_name_keep *keep;
	size_t n_keep;
	unsigned char *mask; /* enum shown of each byte */
	size_t keep_at;	     /* where the last of keep is in what was rendered */
};

static void hide(struct view *v, size_t from, size_t to, enum shown how)
{
	if (from < to)
		memset(v->mask + from, how, to - from);
}

/* --- levels ------------------------------------------------------------------------------------ */

static unsigned level_of_group(const struct name_group *g)
{
	unsigned depth = g->depth < DEPTHS ? g->depth : DEPTHS;

	return (g->params ? LEVEL_PARAMS : LEVEL_ARGS) + DEPTHS - depth;
}

/* True if it has hidden what is in it. */
static bool hide_group(struct view *v, const struct name_group *g, unsigned level)
{
	bool is_gone = level >= (g->params ? LEVEL_NO_PARAMS : LEVEL_NO_ARGS) && g->depth == 1;
	size_t from = g->open;

	if (is_gone) {
		/* Rust's f::<T> */
		if (from >= 2 && !memcmp(v->name + from - 2, "::<", 3))
			from -= 2;
		else if (from && v->name[from - 1] == ' ') /* "operator< <int>" */
			from--;
		hide(v, from, g->close + 1, GONE);
	} else if (level >= level_of_group(g) && g->close - g->open - 1 > MARK_BYTES) {
		hide(v, g->open + 1, g->close, ELIDED);
	} else {
		return false;
	}
	return true;
}

static void hide_groups(struct view *v, unsigned level)
{
	uint32_t hidden_to = 0;

	for (size_t i = 0; i < v->parts.groups.len; i++) {
		const struct name_group *g = &v->parts.groups.data[i];

		if (!g->close || g->kind != GROUP_ARGS || g->open < hidden_to)
			continue;
		if (hide_group(v, g, level))
			hidden_to = g->close;
	}
}

/* The names' qualifiers in "<a::B as c::D>", or in "(a.B, c.D)". */
static void hide_paths(struct view *v, const struct name_group *g, const char *separator)
{
	size_t word = g->open + 1, n = strlen(separator);

	for (size_t i = word; i < g->close; i++) {
		if (name_is_word(v->name[i]))
			continue;
		if (i > word && !memcmp(v->name + i, separator, n) &&
		    name_is_word(v->name[i + n]) && !isdigit((unsigned char)v->name[i + n])) {
			hide(v, word, i + n, GONE);
			i += n - 1;
		}
		word = i + 1;
	}
}

static void simplify_types(struct view *v)
{
	for (size_t i = 0; i < v->parts.groups.len; i++) {
		const struct name_group *g = &v->parts.groups.data[i];

		if (!g->close || g->kind != GROUP_ARGS || g->depth != 1)
			continue;
		hide_paths(v, g, "::");
		if (g->params)
			hide_paths(v, g, ".");
	}
}

/* "Hot$$Lambda$14+0x0000000800c03000.run": another one in each run. "Lcom/acme/Hot;::run" as some agents write. */
static void hide_java(struct view *v)
{
	const char *end = *v->name == 'L' ? strstr(v->name, ";::") : NULL;

	for (const char *s = strstr(v->name, "0x"); s; s = strstr(s + 2, "0x")) {
		size_t digits = strspn(s + 2, "0123456789abcdef");

		if (s > v->name && strchr("+/", s[-1]) && digits >= 8 && s[2 + digits] == '.')
			hide(v, (size_t)(s - 1 - v->name), (size_t)(s - v->name) + 2 + digits,
			     GONE);
	}
	if (!end)
		return;
	hide(v, 0, 1, GONE);
	hide(v, (size_t)(end - v->name), (size_t)(end - v->name) + 1, GONE);
}

/* Where a word of a group begins that is in no other group within; 0: nowhere. */
static size_t find_in_group(const struct view *v, size_t group, const char *word)
{
	const struct name_group *g = &v->parts.groups.data[group];
	size_t n = strlen(word), next = group + 1;

	for (size_t i = g->open + 1; i + n < g->close; i++) {
		const struct name_group *within = v->parts.groups.data + next;

		while (next < v->parts.groups.len &&
		       (within->open < i || (within->open == i && !within->close)))
			within = v->parts.groups.data + ++next;
		if (next < v->parts.groups.len && within->open == i)
			i = within->close;
		else if (!memcmp(v->name + i, word, n))
			return i;
	}
	return 0;
}

/* "T", "&mut T": says nothing of the type. */
static bool is_type_parameter(const char *type, size_t len)
{
	size_t i = strspn(type, "&*");

	i += !strncmp(type + i, "mut ", 4) ? 4 : !strncmp(type + i, "const ", 6) ? 6 : 0;
	return i < len && isupper((unsigned char)type[i]) &&
	       i + 1 + strspn(type + i + 1, "0123456789") == len;
}

/* "[T]::eq" is no path: it is "<[T]>::eq". */
static bool needs_brackets(const struct view *v, size_t from, size_t to)
{
	while (from < to && v->mask[from] != SHOWN)
		from++;
	if (from < to && !name_is_word(v->name[from]) && !strchr("<{", v->name[from]))
		return true;
	for (; from < to; from++)
		if (v->mask[from] == SHOWN && v->name[from] == ' ')
			return true;
	return false;
}

#define IMPL "<impl "

/* Leaves the type, in the end of "<T as Trait>" and "<impl Trait for T>" too; the trait where any type may be T. */
static void leave_type(struct view *v, size_t group, unsigned level)
{
	const struct name_group *g = &v->parts.groups.data[group];
	bool is_impl = !strncmp(v->name + g->open, IMPL, strlen(IMPL)), bracketed;
	size_t begin = g->open + (is_impl ? strlen(IMPL) : 1);
	size_t split = find_in_group(v, group, is_impl ? " for " : " as ");
	size_t from = is_impl && split ? split + 5 : begin;
	size_t to = !is_impl && split ? split : g->close;

	if (level < LEVEL_SELF && (split || !is_impl))
		return;
	if (split && is_type_parameter(v->name + from, to - from)) {
		from = is_impl ? begin : split + 4;
		to = is_impl ? split : g->close;
	}
	bracketed = needs_brackets(v, from, to);
	hide(v, g->open + bracketed, from, GONE);
	hide(v, to, g->close + !bracketed, GONE);
}

/* In "core::fmt::num::<impl Display for u32>::fmt" it is none of the type's. */
static void hide_module(struct view *v, const struct name_group *g)
{
	if (!strncmp(v->name + g->open, IMPL, strlen(IMPL)) &&
	    !strncmp(v->name + g->close + 1, "::", 2))
		hide(v, v->parts.begin, g->open, GONE);
}

static void hide_selves(struct view *v, unsigned level)
{
	uint32_t end = 0; /* of the last group that is within no other */

	for (size_t i = 0; i < v->parts.groups.len; i++) {
		const struct name_group *g = &v->parts.groups.data[i];
		bool is_within = g->open < end;

		if (g->close && !is_within)
			end = g->close;
		if (!g->close || g->kind != GROUP_SELF || g->depth)
			continue;
		hide_paths(v, g, "::");
		if (!is_within)
			hide_module(v, g);
		leave_type(v, i, level);
	}
}

/* Where "java.util.List" begins of which `at` is the last word. */
static size_t type_begin(const struct view *v, size_t at)
{
	while (at && (v->name[at - 1] == '.' || name_is_word(v->name[at - 1])))
		at--;
	return at;
}

static void show_one(struct view *v, const struct short_name_keep *keep)
{
	bool is_type = keep->from < v->parts.begin;
	size_t from = keep->from;

	for (size_t i = 0; i < v->parts.groups.len; i++) {
		const struct name_group *g = &v->parts.groups.data[i];

		if (!g->close || g->kind != GROUP_ARGS || g->open >= keep->from ||
		    keep->to > g->close)
			continue;
		is_type |= g->params;
		if (g->depth == 1)
			v->mask[g->open] = v->mask[g->close] = SHOWN;
	}
	hide(v, keep->from, keep->to, SHOWN);
	if (is_type && from && v->name[from - 1] == '.' && v->mask[from - 1] != SHOWN) {
		from = type_begin(v, from);
		hide(v, from, keep->from, GONE);
		if (from >= 2 && !memcmp(v->name + from - 2, ", ", 2)) {
			from -= 2;
			hide(v, from, from + 2, SHOWN);
		}
	}
	if (from && v->mask[from - 1] == GONE && v->name[from - 1] != ':')
		v->mask[from - 1] = ELIDED;
	if (keep->to + 1 == v->parts.begin)
		v->mask[keep->to] = SHOWN;
	else if (keep->to < v->len && v->mask[keep->to] == GONE)
		v->mask[keep->to] = ELIDED;
}

/* What must be seen, and the brackets around it. */
static void show_kept(struct view *v)
{
	for (size_t k = 0; k < v->n_keep; k++)
		show_one(v, &v->keep[k]);
}

static void hide_each(struct view *v, const char *text, size_t from, size_t to)
{
	const char *at = v->name + vec_last(&v->parts.components);

	for (at = strstr(at, text); at; at = strstr(at + 1, text))
		hide(v, (size_t)(at - v->name) + from, (size_t)(at - v->name) + to, GONE);
}

/* The call of a lambda says nothing that "{lambda(int)#1}" does not. */
static void hide_calls(struct view *v)
{
	static const char call[] = "}::operator()", quality[] = " const::";

	hide_each(v, call, 1, strlen(call));
	hide_each(v, quality, 0, strlen(quality) - 2);
}

static void make_mask(struct view *v, unsigned level)
{
	const struct name_parts *p = &v->parts;

	hide(v, 0, v->len, SHOWN);
	if (level >= LEVEL_SIMPLE)
		simplify_types(v);
	hide_groups(v, level);
	hide(v, 0, p->begin, GONE);
	if (level >= LEVEL_BARE) {
		hide_java(v);
		hide(v, 0, p->path, GONE);
		hide(v, p->end, p->place, GONE);
		hide(v, p->place + 1, p->file, GONE);
	}
	if (level >= LEVEL_PATHS) {
		hide_selves(v, level);
		if (!p->nameless)
			hide(v, p->place, v->len, GONE);
	}
	if (level >= LEVEL_NO_PARAMS)
		hide_calls(v);
	if (level > LEVEL_COMPONENTS)
		hide(v, 0, p->components.data[level - LEVEL_COMPONENTS], GONE);
	show_kept(v);
}

static unsigned last_level(const struct view *v)
{
	return LEVEL_COMPONENTS + (unsigned)v->parts.components.len - 1;
}

/* --- text -------------------------------------------------------------------------------------- */

static const char *mark_of(const struct view *v, size_t from, size_t to, bool is_marked)
{
	if (!is_marked || !from || to == v->len)
		return "";
	return strchr("(<[{", v->name[from - 1]) || strchr(")>]}", v->name[to]) ? "..." : "..";
}

/* Appends what the mask shows. */
static void render(struct buf *out, struct view *v)
{
	uint32_t kept = v->n_keep ? v->keep[v->n_keep - 1].at : 0;
	size_t begin = out->len, to;
	bool is_marked;

	v->keep_at = 0;
	for (size_t from = 0; from < v->len; from = to) {
		bool is_shown = v->mask[from] == SHOWN;

		is_marked = false;
		for (to = from; to < v->len && (v->mask[to] == SHOWN) == is_shown; to++)
			is_marked |= v->mask[to] == ELIDED;
		if (from <= kept && kept < to)
			v->keep_at = out->len - begin + kept - from;
		if (is_shown)
			buf_add(out, v->name + from, to - from);
		else if (out->len > begin)
			buf_str(out, mark_of(v, from, to, is_marked));
	}
}

/* Replaces the text by that of a level. True if it fits. */
static bool try_level(struct buf *text, struct view *v, unsigned level, size_t columns)
{
	buf_clear(text);
	make_mask(v, level);
	render(text, v);
	return text_columns(buf_cstr(text)) <= columns;
}

/* The index of the component whose arguments are the first; 0: none has any, or the first has. */
static size_t first_with_arguments(const struct view *v)
{
	const struct name_parts *p = &v->parts;
	size_t at = 0;

	for (size_t i = 0; i < p->groups.len; i++) {
		const struct name_group *g = &p->groups.data[i];

		if (!g->close || g->kind != GROUP_ARGS || g->params || g->depth != 1)
			continue;
		while (at + 1 < p->components.len && p->components.data[at + 1] < g->open)
			at++;
		return at;
	}
	return 0;
}

static void hide_params(struct view *v)
{
	for (size_t i = 0; i < v->parts.groups.len; i++) {
		const struct name_group *g = &v->parts.groups.data[i];

		if (g->close && g->kind == GROUP_ARGS && g->params && g->depth == 1)
			hide(v, g->open, g->close + 1, GONE);
	}
}

/* Replaces the text by that with arguments, without `gone` of the n namespaces before them; n + 1: nor parameters. True if
 * it fits. */
static bool try_without(struct buf *text, struct view *v, size_t gone, size_t n, size_t columns)
{
	make_mask(v, LEVEL_NO_INNER_ARGS);
	hide(v, 0, v->parts.components.data[MIN(gone, n)], GONE);
	if (gone > n)
		hide_params(v);
	show_kept(v);
	buf_clear(text);
	render(text, v);
	return text_columns(buf_cstr(text)) <= columns;
}

/* Of a name that looks as others do: arguments, and as many of the namespaces before them as there is room for. False if
 * these do not fit. */
static bool try_arguments(struct buf *text, struct view *v, size_t columns)
{
	size_t n = first_with_arguments(v), low = 0, high = n + 1;

	while (n && low < high) {
		size_t mid = low + (high - low) / 2;

		if (try_without(text, v, mid, n, columns))
			high = mid;
		else
			low = mid + 1;
	}
	return n && try_without(text, v, low, n, columns);
}

static void shorten(struct buf *out, struct view *v, size_t columns)
{
	struct buf text = {0}, cut = {0};
	int err = 0;
	unsigned low = LEVEL_UNTYPED, high = last_level(v);

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (try_level(&text, v, mid, columns))
			high = mid;
		else
			low = mid + 1;
	}
	if ((v->n_keep && low > LEVEL_NO_INNER_ARGS && try_arguments(&text, v, columns)) ||
	    (try_level(&text, v, low, columns) && text.len)) {
		buf_str(out, buf_cstr(&text));
	} else if (!text.len) { /* it was nothing but arguments */
		name_cut(&cut, v->name, columns, 0);
		err = name_drop_halves(out, buf_cstr(&cut));
	} else {
		name_cut(&cut, buf_cstr(&text), columns, v->keep_at);
		err = name_drop_halves(out, buf_cstr(&cut));
	}
	if (err || text.err || cut.err)
		out->err = -ENOMEM;
	buf_release(&text);
	buf_release(&cut);
}

/* False if the name has no structure, or memory is out. */
static bool view_open(struct view *v, size_t len)
{
	v->len = (uint32_t)len;
	v->mask = len > STRUCTURED_MAX ? NULL : malloc(len + 1);
	return v->mask && !name_parts_find(&v->parts, v->name, len);
}

static void view_close(struct view *v)
{
	name_parts_release(&v->parts);
	free(v->mask);
}

/* "libssl.so.3+sub_1f520" is told by its end. */
static void add_vague(struct buf *out, const struct short_name *s, size_t columns)
{
	size_t tail = strlen(strstr(s->name, VAGUE)), module = strlen(s->name) - tail, used;
	size_t at = s->n_keep ? s->keep[s->n_keep - 1].at : 0, room = columns - tail;
	struct buf text = {0};

	if (room >= VAGUE_ROOM && at && at < module) {
		buf_add(&text, s->name, module);
		name_cut(out, buf_cstr(&text), room, at);
	} else if (room >= VAGUE_ROOM) {
		buf_add(out, s->name, text_prefix(s->name, room - 2, &used));
		buf_str(out, "..");
	}
	buf_str(out, s->name + module);
	if (text.err)
		out->err = text.err;
	buf_release(&text);
}

/* Where room is endless names are whole. */
static bool may_have_type(const struct short_name *s, size_t columns)
{
	return !s->is_plain && columns <= STRUCTURED_MAX && strchr(s->name, ' ') &&
	       !frame_name_is_vague(s->name);
}

void short_name_keeping(struct buf *out, const struct short_name *s, size_t columns)
{
	struct view v = {.name = s->name, .keep = s->keep, .n_keep = s->n_keep};
	size_t len = strlen(s->name);
	bool fits = len <= columns || text_columns(s->name) <= columns;

	if (fits && !may_have_type(s, columns)) {
		buf_str(out, s->name);
		return;
	}
	if (s->is_plain || len > STRUCTURED_MAX) {
		name_cut(out, s->name, columns, s->n_keep ? s->keep[s->n_keep - 1].at : 0);
		return;
	}
	if (frame_name_is_vague(s->name) && strlen(strstr(s->name, VAGUE)) <= columns)
		add_vague(out, s, columns);
	else if (view_open(&v, len))
		shorten(out, &v, columns);
	else
		out->err = -ENOMEM;
	view_close(&v);
}

size_t short_name_type(const char *name)
{
	struct name_parts parts = {0};
	size_t len = strlen(name), n = 0;

	if (len <= STRUCTURED_MAX && strchr(name, ' ') && !name_parts_find(&parts, name, len))
		n = parts.begin;
	name_parts_release(&parts);
	return n;
}

void short_name(struct buf *out, const char *name, size_t columns)
{
	short_name_keeping(out, &(struct short_name){.name = name}, columns);
}

void short_name_bare(struct buf *out, const char *name, bool is_own)
{
	struct view v = {.name = name};

	if (view_open(&v, strlen(name))) {
		make_mask(&v, is_own ? last_level(&v) : LEVEL_SELF);
		render(out, &v);
	}
	view_close(&v);
}
