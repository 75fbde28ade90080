// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/store/dict.h"
#include "profiler/store/resolve.h"
#include "profiler/store/sums.h"
#include "profiler/store/where.h"

#define DIGITS 24 /* of a number, and what ends it */

/* What a label set is in the dictionary, + KNOWN; 0 while nobody has asked. */
#define KNOWN 2u /* DICT_NONE, which is not wanted, becomes 1 */

struct restorer {
	struct resolver resolver;
	struct reader *from;
	struct dict *to;
	const struct restore_opts *opts;
	uint32_t *labelsets;
	uint32_t n_labelsets;
	struct kind_info *kinds;   /* period -1: nobody has asked */
	uint64_t removed;	   /* samples */
	struct dict_window window; /* the last one */
	/* A label set in pieces. */
	struct buf text, digits, series;
	VEC(struct where_label) texts; /* those that are known, in text and digits */
	VEC(const char *) open;	       /* keys of numbers that are not */
	VEC(int64_t) numbers;
};

void restorer_free(struct restorer *r)
{
	if (!r)
		return;
	resolver_release(&r->resolver);
	free(r->labelsets);
	free(r->kinds);
	dict_window_release(&r->window);
	buf_release(&r->text);
	buf_release(&r->digits);
	buf_release(&r->series);
	vec_release(&r->texts);
	vec_release(&r->open);
	vec_release(&r->numbers);
	free(r);
}

int restorer_new(struct restorer **out, struct reader *from, struct dict *to,
		 const struct restore_opts *opts)
{
	_cleanup_(restorer_freep) struct restorer *r = calloc(1, sizeof(*r));
	uint32_t n_kinds = reader_count_kinds(from);

	if (!r)
		return -ENOMEM;
	*r = (struct restorer){.from = from, .to = to, .opts = opts};
	r->n_labelsets = reader_count(from, SECTION_LABELSETS);
	r->labelsets = calloc(r->n_labelsets + 1ul, sizeof(*r->labelsets));
	r->kinds = calloc(n_kinds + 1ul, sizeof(*r->kinds));
	if (!r->labelsets || !r->kinds || resolver_init(&r->resolver, from, to))
		return -ENOMEM;
	for (uint32_t i = 0; i < n_kinds; i++)
		r->kinds[i].period = -1;
	*out = steal_ptr(r);
	return 0;
}

uint64_t restorer_removed(const struct restorer *r)
{
	return r->removed;
}

/* --- label sets ----------------------------------------------------------------------------------- */

/* The labels of a series as texts. -EBADMSG: there are other numbers than the series has keys for. */
static int split_series(struct restorer *r, const char *series, const int64_t *values, size_t n)
{
	struct series_label l;
	const char *at;
	char *digits;

	r->texts.len = r->open.len = 0;
	buf_clear(&r->text);
	buf_str(&r->text, series);
	at = buf_cstr(&r->text);
	digits = buf_room(&r->digits, (n + 1) * DIGITS);
	if (r->text.err || !digits)
		return -ENOMEM;
	while (series_next(&at, &l)) {
		struct where_label text = {l.key, l.value};

		/* What ends them has been read. */
		((char *)l.key)[l.key_len] = ((char *)l.value)[l.value_len] = '\0';
		if (l.is_number && !values) {
			if (vec_push(&r->open, l.key))
				return -ENOMEM;
			continue;
		}
		if (l.is_number && !n--)
			return -EBADMSG;
		if (l.is_number) {
			text.value = digits;
			digits += snprintf(digits, DIGITS, "%" PRId64, *values++) + 1;
		}
		if (vec_push(&r->texts, text))
			return -ENOMEM;
	}
	return values && n ? -EBADMSG : 0;
}

static bool is_left_out(const struct restorer *r, const struct series_label *l)
{
	for (const char *const *k = r->opts->without; k && *k; k++)
		if (strlen(*k) == l->key_len && !memcmp(*k, l->key, l->key_len))
			return true;
	return false;
}

/* A label set of the dictionary; values NULL: without the labels that are numbers. */
static int add_labels(struct restorer *r, const char *series, const int64_t *values, uint32_t *out)
{
	struct series_label l;
	const char *label = series;
	uint32_t id;
	int err = 0;

	buf_clear(&r->series);
	r->numbers.len = 0;
	for (; !err && series_next(&series, &l); label = series) {
		bool wanted = !is_left_out(r, &l) && (values || !l.is_number);

		if (wanted)
			buf_add(&r->series, label, (size_t)(series - label));
		if (wanted && l.is_number)
			err = vec_push(&r->numbers, *values);
		values += values && l.is_number;
	}
	err = err ?: dict_series(r->to, buf_cstr(&r->series), &id);
	return r->series.err ?: err ?: dict_labelset(r->to, id, r->numbers.data,
						     (uint32_t)r->numbers.len, out);
}

static int damaged_labels(struct restorer *r, uint32_t *out)
{
	uint32_t series;
	int err;

	buf_clear(&r->series);
	series_add(&r->series, LABEL_DAMAGED, LABEL_DAMAGED_VALUE, false);
	err = dict_series(r->to, buf_cstr(&r->series), &series);
	return r->series.err ?: err ?: dict_labelset(r->to, series, NULL, 0, out);
}

/* Losses have no labels: nobody removes them. */
static bool is_wanted(const struct restorer *r)
{
	if (!r->opts->where || (r->opts->drops && !r->texts.len))
		return true;
	return where_matches(r->opts->where, r->texts.data, r->texts.len) != r->opts->drops;
}

static int find_labelset(struct restorer *r, uint32_t id, uint32_t *out)
{
	const struct dict_labelset *d = reader_record(r->from, SECTION_LABELSETS, id);
	const int64_t *values = d ? reader_values(r->from, id) : NULL;
	const char *series = d ? reader_series(r->from, d->series) : NULL;
	int64_t none = 0;
	int err = series ? split_series(r, series, values ? values : &none, d->n_values) : -EBADMSG;

	*out = DICT_NONE;
	if (err == -EBADMSG) /* it meets no condition */
		return r->opts->where && !r->opts->drops ? 0 : damaged_labels(r, out);
	if (err || !is_wanted(r))
		return err;
	return add_labels(r, series, values ? values : &none, out);
}

/* DICT_NONE: it is not wanted. */
static int get_labelset(struct restorer *r, uint32_t id, uint32_t *out)
{
	int err;

	if (id < r->n_labelsets && r->labelsets[id]) {
		*out = r->labelsets[id] - KNOWN;
		return 0;
	}
	err = find_labelset(r, id, out);
	if (!err && id < r->n_labelsets)
		r->labelsets[id] = *out + KNOWN;
	return err;
}

int restorer_wants(struct restorer *r, uint32_t labelset)
{
	uint32_t id;
	int err = get_labelset(r, labelset, &id);

	return err ?: id != DICT_NONE;
}

/* --- windows -------------------------------------------------------------------------------------- */

int restorer_kind(struct restorer *r, int64_t id, struct kind_info *out)
{
	static const struct kind_info cpu = KIND_INFO_CPU;
	size_t len;
	const void *data = reader_kind(r->from, id, &len);
	int err = 0;

	*out = cpu;
	if (!data)
		return 0;
	if (r->kinds[id].period == -1)
		err = kind_parse(&r->kinds[id], data, len);
	if (err == -EBADMSG)
		r->kinds[id] = cpu;
	*out = r->kinds[id];
	return err == -EBADMSG ? 0 : err;
}

static int add_samples(struct restorer *r, const struct kind_info *kind, struct sums *sums,
		       int64_t *dropped)
{
	const struct dict_window *w = &r->window;
	int err = 0;

	for (size_t i = 0; i < w->samples.len && !err; i++) {
		const struct dict_sample *s = &w->samples.data[i];
		const int64_t *values = w->values.data + s->first_value;
		uint32_t labelset, stack = DICT_NONE;

		err = get_labelset(r, s->labelset, &labelset);
		if (!err && labelset == DICT_NONE) {
			if (kind->samples_type >= 0)
				*dropped = saturating_sum(*dropped, values[kind->samples_type]);
			continue;
		}
		if (!err && !r->opts->without_stacks)
			err = resolve_stack(&r->resolver, s->stack, &stack);
		err = err ?: sums_add(sums, stack, labelset, values, w->n_types);
	}
	return err;
}

/* A module's name or a hint that is damaged is left out: this is advice. */
static int add_blame(struct restorer *r, struct quality *q)
{
	int err = 0;

	for (size_t i = 0; i < r->window.blame.len && !err; i++) {
		const struct dict_blame *d = &r->window.blame.data[i];
		const char *module = reader_string(r->from, d->module);
		struct quality_blame b = {
			.module = (char *)module,
			.hint = (char *)reader_string(r->from, d->hint),
			.frames = d->frames,
			.unnamed = d->unnamed,
			.broken = d->broken,
		};
		struct quality one = {.blame = {.data = &b, .len = 1, .cap = 1}};

		if (module)
			err = quality_merge(q, &one);
	}
	return err;
}

/* --- windows whose samples are damaged: their sums are known ---------------------------------------- */

struct rest {
	struct restorer *r;
	const struct kind_info *kind;
	struct sums *sums;
	uint32_t stack;
	int64_t samples, cpu_ns; /* that nothing has named so far */
	int64_t dropped;
};

static int add_sum(struct rest *rest, uint32_t labelset, int64_t samples, int64_t cpu_ns)
{
	const struct kind_info *k = rest->kind;
	_cleanup_free_ int64_t *values = calloc(k->n_types + 1ul, sizeof(*values));

	if (!values)
		return -ENOMEM;
	if (k->samples_type >= 0)
		values[k->samples_type] = samples;
	if (k->cpu_type >= 0)
		values[k->cpu_type] = cpu_ns;
	return sums_add(rest->sums, rest->stack, labelset, values, k->n_types);
}

/* Which process it was nobody knows any more: a condition on that is not met, or may be. */
static bool is_series_wanted(const struct restorer *r)
{
	enum where_answer answer;

	if (!r->opts->where || (r->opts->drops && !r->texts.len && !r->open.len))
		return true;
	answer = where_may_match(r->opts->where, r->texts.data, r->texts.len, r->open.data,
				 r->open.len);
	return answer == (r->opts->drops ? WHERE_NO : WHERE_YES);
}

static int add_series_sum(void *ctx, uint32_t series, int64_t samples, int64_t cpu_ns)
{
	struct rest *rest = ctx;
	struct restorer *r = rest->r;
	const char *text = reader_series(r->from, series);
	uint32_t labelset;
	int err = text ? split_series(r, text, NULL, 0) : 0;

	if (err || !text)
		return err;
	rest->samples -= samples;
	rest->cpu_ns -= cpu_ns;
	if (!is_series_wanted(r)) {
		rest->dropped += samples;
		return 0;
	}
	err = add_labels(r, text, NULL, &labelset);
	return err ?: add_sum(rest, labelset, samples, cpu_ns);
}

static int add_rest(struct restorer *r, const struct window_row *w, const struct kind_info *kind,
		    struct sums *sums, int64_t *dropped)
{
	struct rest rest = {r, kind, sums, 0, w->samples, w->cpu_ns, 0};
	uint32_t labelset;
	int err = resolve_damaged_stack(&r->resolver, &rest.stack);

	err = err ?: reader_usage(r->from, w, add_series_sum, &rest);
	*dropped = rest.dropped;
	if (err == -EBADMSG || err == -EIO)
		err = 0;
	if (err || (r->opts->where && !r->opts->drops) || (!rest.samples && !rest.cpu_ns))
		return err;
	err = damaged_labels(r, &labelset);
	return err ?: add_sum(&rest, labelset, rest.samples, rest.cpu_ns);
}

/* What was removed counts as if nobody had asked for it. */
static void add_quality(struct restorer *r, const struct window_row *w, int64_t dropped,
			struct quality *q)
{
	struct quality more = w->quality;
	uint64_t n = dropped > 0 ? (uint64_t)dropped : 0;

	if (r->opts->drops) {
		n = n > more.recorded ? more.recorded : n;
		more.recorded -= n;
		more.filtered += n;
		r->removed += n;
	}
	quality_add(q, &more);
}

int restorer_add(struct restorer *r, const struct window_row *w, struct sums *sums,
		 struct quality *q)
{
	struct kind_info kind;
	int64_t dropped = 0;
	int err = restorer_kind(r, w->kind, &kind);

	if (err)
		return err;
	err = reader_samples(r->from, &r->window);
	if (!err && r->window.n_types != kind.n_types)
		err = -EBADMSG;
	if (err == -EBADMSG)
		err = add_rest(r, w, &kind, sums, &dropped);
	else
		err = err ?: add_samples(r, &kind, sums, &dropped) ?: add_blame(r, q);
	add_quality(r, w, dropped, q);
	return err;
}
