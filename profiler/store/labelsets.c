// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/labelsets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "profiler/store/dict.h"
#include "profiler/store/grow.h"
#include "profiler/store/reader.h"
#include "profiler/store/where.h"

#define DIGITS 24 /* of a number, and what ends it */

/* What a label set is in the dictionary, + KNOWN; 0 while nobody has asked. */
#define KNOWN 2u /* DICT_NONE, which is not wanted, becomes 1 */

struct series_part {
	const char *key, *value; /* in the series' text; value NULL: a number */
	bool is_left_out;
};

struct series {
	enum { SERIES_UNASKED, SERIES_DAMAGED, SERIES_KNOWN } state;
	char *text; /* keys and values end with NUL */
	VEC(struct series_part) parts;
	uint32_t n_numbers;
	enum where_answer wanted;
	uint32_t kept; /* its number in the dictionary, without what is left out */
	bool is_same;  /* all of its label sets are one in the dictionary, or none is wanted: */
	uint32_t same;
};

struct labelsets {
	struct reader *from;
	struct dict *to;
	const struct labelsets_opts *opts;
	uint32_t *known, n_known;
	struct series *series;
	uint32_t n_series;
	struct buf text, digits;       /* scratch */
	VEC(struct where_label) texts; /* scratch */
	VEC(const char *) open;	       /* scratch: keys of numbers */
	VEC(int64_t) numbers;	       /* scratch */
};

DEFINE_CLEANUP(labelsets, labelsets_free)

void labelsets_free(struct labelsets *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; l->series && i < l->n_series; i++) {
		free(l->series[i].text);
		vec_release(&l->series[i].parts);
	}
	free(l->series);
	free(l->known);
	buf_release(&l->text);
	buf_release(&l->digits);
	vec_release(&l->texts);
	vec_release(&l->open);
	vec_release(&l->numbers);
	free(l);
}

int labelsets_new(struct labelsets **out, struct reader *from, struct dict *to,
		  const struct labelsets_opts *opts)
{
	_cleanup_(labelsets_freep) struct labelsets *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = (struct labelsets){.from = from, .to = to, .opts = opts};
	if (labelsets_grow(l))
		return -ENOMEM;
	*out = steal_ptr(l);
	return 0;
}

int labelsets_grow(struct labelsets *l)
{
	uint32_t n_series = reader_count_series(l->from) ?: 1; /* 0 is always there */
	int err = grow_zeroed((void **)&l->known, &l->n_known,
			      reader_count(l->from, SECTION_LABELSETS), sizeof(*l->known));

	return err ?: grow_zeroed((void **)&l->series, &l->n_series, n_series, sizeof(*l->series));
}

/* --- a series ------------------------------------------------------------------------------------- */

static bool is_left_out(const struct labelsets *l, const char *key)
{
	for (const char *const *k = l->opts->without; k && *k; k++)
		if (!strcmp(*k, key))
			return true;
	return false;
}

static int split_series(struct labelsets *l, struct series *s, const char *text)
{
	struct series_label label;
	const char *at;
	int err = 0;

	s->text = strdup(text);
	at = s->text;
	while (!err && at && series_next(&at, &label)) {
		struct series_part part = {label.key, label.is_number ? NULL : label.value};

		/* What ends them has been read. */
		((char *)label.key)[label.key_len] = '\0';
		((char *)label.value)[label.value_len] = '\0';
		part.is_left_out = is_left_out(l, part.key);
		s->n_numbers += label.is_number;
		err = vec_push(&s->parts, part);
	}
	return s->text ? err : -ENOMEM;
}

/* The series without what is left out. */
static int keep_series(struct labelsets *l, const char *text, bool numbers, uint32_t *out)
{
	struct series_label label;
	const char *start = text;
	size_t i = 0;

	buf_clear(&l->text);
	for (; series_next(&text, &label); start = text, i++) {
		char key[128];
		bool left_out = label.is_number && !numbers;

		if (label.key_len < sizeof(key)) { /* ours are short */
			memcpy(key, label.key, label.key_len);
			key[label.key_len] = '\0';
			left_out |= is_left_out(l, key);
		}
		if (!left_out)
			buf_add(&l->text, start, (size_t)(text - start));
	}
	return dict_series(l->to, buf_cstr(&l->text), out) ?: l->text.err;
}

/* Losses have no labels: nobody removes them. */
static int ask_where(struct labelsets *l, struct series *s)
{
	const struct labelsets_opts *o = l->opts;
	enum where_answer answer;

	s->wanted = WHERE_YES;
	if (!o->where || (o->drops && !s->parts.len))
		return 0;
	l->texts.len = l->open.len = 0;
	for (size_t i = 0; i < s->parts.len; i++) {
		const struct series_part *p = &s->parts.data[i];
		int err = p->value ? vec_push(&l->texts, ((struct where_label){p->key, p->value}))
				   : vec_push(&l->open, p->key);

		if (err)
			return err;
	}
	answer = where_may_match(o->where, l->texts.data, l->texts.len, l->open.data, l->open.len);
	s->wanted = answer == WHERE_DEPENDS		? WHERE_DEPENDS
		    : (answer == WHERE_YES) != o->drops ? WHERE_YES
							: WHERE_NO;
	return 0;
}

static bool keeps_numbers(const struct series *s)
{
	for (size_t i = 0; i < s->parts.len; i++)
		if (!s->parts.data[i].value && !s->parts.data[i].is_left_out)
			return true;
	return false;
}

static int know_series(struct labelsets *l, struct series *s, const char *text)
{
	int err = split_series(l, s, text) ?: ask_where(l, s);

	if (!err && s->wanted != WHERE_NO)
		err = keep_series(l, text, true, &s->kept);
	s->same = DICT_NONE;
	if (!err && s->wanted == WHERE_YES && !keeps_numbers(s)) {
		err = dict_labelset(l->to, s->kept, NULL, 0, &s->same);
		s->is_same = true;
	}
	s->is_same |= s->wanted == WHERE_NO;
	return err;
}

/* -EBADMSG: it cannot be read. */
static int get_series(struct labelsets *l, uint32_t id, struct series **out)
{
	struct series *s = id < l->n_series ? &l->series[id] : NULL;
	const char *text;
	int err = 0;

	if (s && s->state == SERIES_UNASKED) {
		text = reader_series(l->from, id);
		s->state = text ? SERIES_KNOWN : SERIES_DAMAGED;
		err = text ? know_series(l, s, text) : 0;
	}
	*out = s;
	return err ?: s && s->state == SERIES_KNOWN ? 0 : -EBADMSG;
}

/* --- a label set ---------------------------------------------------------------------------------- */

/* Into DIGITS bytes. */
static const char *format_number(char *out, int64_t v)
{
	uint64_t n = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char *at = out + DIGITS;

	*--at = '\0';
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	if (v < 0)
		*--at = '-';
	return at;
}

/* Whether labels match when their numbers are these. 1, 0 or -ENOMEM. */
static int is_wanted(struct labelsets *l, const struct series *s, const int64_t *values)
{
	char *digits;

	l->texts.len = 0;
	buf_clear(&l->digits);
	digits = buf_room(&l->digits, (s->n_numbers + 1ul) * DIGITS);
	if (!digits || vec_reserve(&l->texts, s->parts.len))
		return -ENOMEM;
	for (size_t i = 0; i < s->parts.len; i++) {
		struct where_label label = {s->parts.data[i].key, s->parts.data[i].value};

		if (!label.value) {
			label.value = format_number(digits, *values++);
			digits += DIGITS;
		}
		l->texts.data[l->texts.len++] = label;
	}
	return where_matches(l->opts->where, l->texts.data, l->texts.len) != l->opts->drops;
}

static int add_labelset(struct labelsets *l, const struct series *s, const int64_t *values,
			uint32_t *out)
{
	int err = 0;

	l->numbers.len = 0;
	for (size_t i = 0; i < s->parts.len && !err; i++) {
		const struct series_part *p = &s->parts.data[i];

		if (!p->value && !p->is_left_out)
			err = vec_push(&l->numbers, *values);
		values += !p->value;
	}
	return err ?: dict_labelset(l->to, s->kept, l->numbers.data, (uint32_t)l->numbers.len, out);
}

int labelsets_damaged(struct labelsets *l, uint32_t *out)
{
	uint32_t series;
	int err;

	buf_clear(&l->text);
	series_add(&l->text, LABEL_DAMAGED, LABEL_DAMAGED_VALUE, false);
	err = dict_series(l->to, buf_cstr(&l->text), &series);
	return l->text.err ?: err ?: dict_labelset(l->to, series, NULL, 0, out);
}

static int find(struct labelsets *l, uint32_t id, uint32_t *out)
{
	const struct dict_labelset *d = reader_record(l->from, SECTION_LABELSETS, id);
	const int64_t *values = d ? reader_values(l->from, id) : NULL;
	struct series *s = NULL;
	int r = d ? get_series(l, d->series, &s) : -EBADMSG;

	*out = DICT_NONE;
	if (!r && (s->n_numbers != d->n_values || (s->n_numbers && !values)))
		r = -EBADMSG;
	if (r == -EBADMSG) /* it meets no condition */
		return l->opts->where && !l->opts->drops ? 0 : labelsets_damaged(l, out);
	if (r)
		return r;
	if (s->is_same) {
		*out = s->same;
		return 0;
	}
	r = s->wanted == WHERE_DEPENDS ? is_wanted(l, s, values) : 1;
	return r > 0 ? add_labelset(l, s, values, out) : r;
}

int labelsets_get(struct labelsets *l, uint32_t id, uint32_t *out)
{
	int err;

	if (id < l->n_known && l->known[id]) {
		*out = l->known[id] - KNOWN;
		return 0;
	}
	err = find(l, id, out);
	if (!err && id < l->n_known)
		l->known[id] = *out + KNOWN;
	return err;
}

int labelsets_get_series(struct labelsets *l, uint32_t series, uint32_t *out)
{
	struct series *s;
	uint32_t id;
	int err = get_series(l, series, &s);

	*out = DICT_NONE;
	if (err || s->wanted != WHERE_YES)
		return err;
	err = keep_series(l, reader_series(l->from, series), false, &id);
	return err ?: dict_labelset(l->to, id, NULL, 0, out);
}
