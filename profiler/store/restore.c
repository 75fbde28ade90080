// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/kind.h"
#include "profiler/store/where.h"

#define MAX_FRAMES  65536 /* in one stack, as profiles from files have at most */
#define MAX_INLINED 1024
#define DIGITS	    24 /* of a number, and what ends it */

struct restorer {
	struct reader *from;
	struct profile *to;
	const struct restore_opts *opts;
	/* The profile's number + 1 for each of the segment's, 0 while nobody has asked: where little of a
	 * segment is wanted, these are pages that nobody touches. PROFILE_NONE: not wanted. */
	uint32_t *memo[SECTION_COUNT];
	uint32_t n_memo[SECTION_COUNT];
	bool *kinds;			  /* merged into the profile's header */
	VEC(uint32_t) frames;		  /* scratch */
	VEC(struct profile_line) lines;	  /* scratch */
	VEC(struct profile_label) labels; /* scratch */
	VEC(struct where_label) texts;	  /* scratch */
	VEC(const char *) open;		  /* scratch */
	struct buf text, digits;	  /* scratch */
};

void restorer_free(struct restorer *r)
{
	if (!r)
		return;
	for (int s = 0; s < SECTION_COUNT; s++)
		free(r->memo[s]);
	free(r->kinds);
	vec_release(&r->frames);
	vec_release(&r->lines);
	vec_release(&r->labels);
	vec_release(&r->texts);
	vec_release(&r->open);
	buf_release(&r->text);
	buf_release(&r->digits);
	free(r);
}

static int is_kept(const struct restorer *r, const char *key, size_t len)
{
	for (const char *const *k = r->opts->without; k && *k; k++)
		if (strlen(*k) == len && !memcmp(*k, key, len))
			return false;
	return true;
}

static bool is_known(const struct restorer *r, enum section s, uint32_t id, uint32_t *out)
{
	if (id >= r->n_memo[s] || !r->memo[s][id])
		return false;
	*out = r->memo[s][id] - 1;
	return true;
}

static void remember(struct restorer *r, enum section s, uint32_t id, uint32_t value)
{
	if (id < r->n_memo[s])
		r->memo[s][id] = value + 1;
}

int restorer_new(struct restorer **out, struct reader *from, struct profile *to,
		 const struct restore_opts *opts)
{
	_cleanup_(restorer_freep) struct restorer *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct restorer){.from = from, .to = to, .opts = opts};
	r->kinds = calloc(reader_count_kinds(from) + 1ul, sizeof(*r->kinds));
	if (!r->kinds)
		return -ENOMEM;
	for (enum section s = 0; s < SECTION_COUNT; s++) {
		r->n_memo[s] = reader_count(from, s);
		r->memo[s] = calloc(r->n_memo[s] + 1ul, sizeof(**r->memo));
		if (!r->memo[s])
			return -ENOMEM;
	}
	*out = steal_ptr(r);
	return 0;
}

/* --- what samples refer to ------------------------------------------------------------------------- */

static int get_string(struct restorer *r, uint32_t id, const char *if_damaged, uint32_t *out)
{
	const char *s;
	int err;

	if (is_known(r, SECTION_STRINGS, id, out))
		return 0;
	s = reader_string(r->from, id);
	if (!s)
		return profile_string(r->to, if_damaged, out);
	err = profile_string(r->to, s, out);
	if (!err)
		remember(r, SECTION_STRINGS, id, *out);
	return err;
}

static int get_mapping(struct restorer *r, uint32_t id, uint32_t *out)
{
	const struct dict_mapping *d;
	struct profile_mapping m;
	int err;

	if (id == DICT_NONE || is_known(r, SECTION_MAPPINGS, id, out)) {
		*out = id == DICT_NONE ? PROFILE_NONE : *out;
		return 0;
	}
	*out = PROFILE_NONE;
	d = reader_record(r->from, SECTION_MAPPINGS, id);
	if (!d)
		return 0;
	m = (struct profile_mapping){
		.start = d->start,
		.limit = d->limit,
		.offset = d->offset,
		.has_functions = d->flags & DICT_HAS_FUNCTIONS,
		.has_filenames = d->flags & DICT_HAS_FILENAMES,
		.has_line_numbers = d->flags & DICT_HAS_LINE_NUMBERS,
		.has_inline_frames = d->flags & DICT_HAS_INLINE_FRAMES,
	};
	err = get_string(r, d->file, "", &m.file) ?: get_string(r, d->build_id, "", &m.build_id);
	err = err ?: profile_mapping_joined(r->to, &m, out);
	if (!err)
		remember(r, SECTION_MAPPINGS, id, *out);
	return err;
}

static int get_function(struct restorer *r, uint32_t id, uint32_t *out)
{
	const struct dict_function *d;
	struct profile_function f;
	int err;

	if (is_known(r, SECTION_FUNCTIONS, id, out))
		return 0;
	d = reader_record(r->from, SECTION_FUNCTIONS, id);
	if (!d)
		return profile_named_function(r->to, FRAME_DAMAGED_NAME, NULL, NULL, 0, out);
	f = (struct profile_function){.start_line = d->start_line};
	err = get_string(r, d->name, FRAME_DAMAGED_NAME, &f.name);
	err = err ?: get_string(r, d->system_name, FRAME_DAMAGED_NAME, &f.system_name);
	err = err ?: get_string(r, d->file, "", &f.file) ?: profile_function(r->to, &f, out);
	if (!err)
		remember(r, SECTION_FUNCTIONS, id, *out);
	return err;
}

/* From the innermost outwards, as a profile has them. */
static int get_lines(struct restorer *r, uint32_t id)
{
	int err = 0;

	r->lines.len = 0;
	while (id != DICT_NONE && !err && r->lines.len < MAX_INLINED) {
		const struct dict_line *d = reader_record(r->from, SECTION_LINES, id);
		struct profile_line line = {.line = d ? d->line : 0};

		err = get_function(r, d ? d->function : DICT_NONE, &line.function);
		err = err ?: vec_push(&r->lines, line);
		id = d ? d->parent : DICT_NONE;
	}
	return err;
}

static int get_location(struct restorer *r, uint32_t id, uint32_t *out)
{
	const struct dict_location *d;
	uint32_t mapping;
	int err;

	if (is_known(r, SECTION_LOCATIONS, id, out))
		return 0;
	d = reader_record(r->from, SECTION_LOCATIONS, id);
	if (!d)
		return profile_plain_location(r->to, MAPPING_KILN, FRAME_DAMAGED_FRAME, out);
	err = get_mapping(r, d->mapping, &mapping) ?: get_lines(r, d->line);
	err = err ?: profile_location(r->to, mapping, d->address, r->lines.data, r->lines.len, out);
	if (err)
		return err;
	r->to->locations.data[*out].is_folded |= d->folded != 0;
	remember(r, SECTION_LOCATIONS, id, *out);
	return 0;
}

static int get_stack(struct restorer *r, uint32_t id, uint32_t *out)
{
	uint32_t node = id, location;
	int err = 0;

	if (id != DICT_NONE && is_known(r, SECTION_STACKS, id, out))
		return 0;
	r->frames.len = 0;
	while (node != DICT_NONE && !err && r->frames.len < MAX_FRAMES) {
		const struct dict_stack *d = reader_record(r->from, SECTION_STACKS, node);

		if (d)
			err = get_location(r, d->location, &location);
		else
			err = profile_plain_location(r->to, MAPPING_KILN, FRAME_DAMAGED_STACK,
						     &location);
		err = err ?: vec_push(&r->frames, location);
		node = d ? d->parent : DICT_NONE;
	}
	err = err ?: profile_stack(r->to, r->frames.data, r->frames.len, out);
	if (!err && id != DICT_NONE)
		remember(r, SECTION_STACKS, id, *out);
	return err;
}

/* --- labels --------------------------------------------------------------------------------------- */

/*
 * The labels of a series as texts: in `texts` those that are known, in `open` the keys of numbers if
 * there are no values. -EBADMSG: there are other numbers than the series has keys for.
 */
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

static int add_label(struct restorer *r, const struct series_label *s, int64_t number)
{
	struct profile_label l = {.str = PROFILE_NONE, .num = number};
	int err = profile_string_n(r->to, s->key, s->key_len, &l.key);

	err = err
		      ?: profile_string_n(r->to, s->value, s->value_len,
					  s->is_number ? &l.num_unit : &l.str);
	return err ?: vec_push(&r->labels, l);
}

/* A label set of the profile; values NULL: without the labels that are numbers. */
static int add_labels(struct restorer *r, const char *series, const int64_t *values, uint32_t *out)
{
	struct series_label l;
	int err = 0;

	r->labels.len = 0;
	while (!err && series_next(&series, &l)) {
		bool wanted = is_kept(r, l.key, l.key_len) && (values || !l.is_number);

		if (wanted)
			err = add_label(r, &l, l.is_number ? *values : 0);
		values += values && l.is_number;
	}
	return err ?: profile_labelset(r->to, r->labels.data, r->labels.len, out);
}

static int damaged_labels(struct restorer *r, uint32_t *out)
{
	struct profile_label l = {0};
	int err = profile_string(r->to, LABEL_DAMAGED, &l.key);

	err = err ?: profile_string(r->to, LABEL_DAMAGED_VALUE, &l.str);
	return err ?: profile_labelset(r->to, &l, 1, out);
}

/* PROFILE_NONE: the condition does not hold, or nobody knows whether it does. */
static int get_labelset(struct restorer *r, uint32_t id, uint32_t *out)
{
	const struct dict_labelset *d;
	const int64_t *values;
	const char *series;
	int err;

	if (is_known(r, SECTION_LABELSETS, id, out))
		return 0;
	d = reader_record(r->from, SECTION_LABELSETS, id);
	values = d ? reader_values(r->from, id) : NULL;
	series = d ? reader_series(r->from, d->series) : NULL;
	err = series ? split_series(r, series, values, d->n_values) : -EBADMSG;
	*out = PROFILE_NONE;
	if (err == -EBADMSG)
		err = r->opts->where ? 0 : damaged_labels(r, out);
	else if (!err &&
		 (!r->opts->where || where_matches(r->opts->where, r->texts.data, r->texts.len)))
		err = add_labels(r, series, values, out);
	if (!err)
		remember(r, SECTION_LABELSETS, id, *out);
	return err;
}

/* --- windows -------------------------------------------------------------------------------------- */

static int get_kind(struct restorer *r, const struct window_row *w, const char **why)
{
	size_t len;
	const void *data = reader_kind(r->from, w->kind, &len);
	int err;

	if (data && r->kinds[w->kind])
		return 0;
	*why = "out of memory";
	err = data ? kind_apply(r->to, data, len, why) : -EBADMSG;
	if (err == -EBADMSG && !r->to->sample_types.len)
		return profile_init_cpu(r->to, 0);
	if (!err)
		r->kinds[w->kind] = true;
	return err == -EBADMSG ? 0 : err;
}

static int add_samples(struct restorer *r, const struct dict_window *w)
{
	int err = 0;

	for (size_t i = 0; i < w->samples.len && !err; i++) {
		const struct dict_sample *s = &w->samples.data[i];
		uint32_t labelset, stack;

		err = get_labelset(r, s->labelset, &labelset);
		if (err || labelset == PROFILE_NONE)
			continue;
		err = get_stack(r, s->stack, &stack);
		err = err ?: profile_add(r->to, stack, labelset, w->values.data + s->first_value);
	}
	return err;
}

/* A module's name or a hint that is damaged is left out: this is advice. */
static int add_blame(struct restorer *r, const struct dict_window *w, struct quality *q)
{
	int err = 0;

	for (size_t i = 0; i < w->blame.len && !err; i++) {
		const struct dict_blame *d = &w->blame.data[i];
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

struct sums {
	struct restorer *r;
	uint32_t stack;
	int64_t samples, cpu_ns; /* that nothing has named so far */
};

static int add_sum(struct restorer *r, uint32_t stack, uint32_t labelset, int64_t samples,
		   int64_t cpu_ns)
{
	int samples_type = kind_samples_type(r->to), cpu_type = kind_cpu_type(r->to);
	_cleanup_free_ int64_t *values = calloc(r->to->sample_types.len + 1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	if (samples_type >= 0)
		values[samples_type] = samples;
	if (cpu_type >= 0)
		values[cpu_type] = cpu_ns;
	return profile_add(r->to, stack, labelset, values);
}

static int add_series_sum(void *ctx, uint32_t series, int64_t samples, int64_t cpu_ns)
{
	struct sums *s = ctx;
	struct restorer *r = s->r;
	const char *text = reader_series(r->from, series);
	uint32_t labelset;
	int err = text ? split_series(r, text, NULL, 0) : 0;

	if (err || !text)
		return err;
	s->samples -= samples;
	s->cpu_ns -= cpu_ns;
	if (r->opts->where && where_may_match(r->opts->where, r->texts.data, r->texts.len,
					      r->open.data, r->open.len) != WHERE_YES)
		return 0;
	err = add_labels(r, text, NULL, &labelset);
	return err ?: add_sum(r, s->stack, labelset, samples, cpu_ns);
}

static int add_sums(struct restorer *r, const struct window_row *w)
{
	struct sums s = {r, 0, w->samples, w->cpu_ns};
	uint32_t frame, labelset;
	int err = profile_plain_location(r->to, MAPPING_KILN, FRAME_DAMAGED_STACK, &frame);

	err = err ?: profile_stack(r->to, &frame, 1, &s.stack);
	err = err ?: reader_usage(r->from, w, add_series_sum, &s);
	if (err == -EBADMSG || err == -EIO)
		err = 0;
	if (err || r->opts->where || (!s.samples && !s.cpu_ns))
		return err;
	err = damaged_labels(r, &labelset);
	return err ?: add_sum(r, s.stack, labelset, s.samples, s.cpu_ns);
}

int restorer_add(struct restorer *r, const struct window_row *w, struct quality *q,
		 const char **why)
{
	struct dict_window window = {0};
	int err = get_kind(r, w, why);

	if (err)
		return err;
	*why = "out of memory";
	err = reader_samples(r->from, &window);
	if (!err && window.n_types != r->to->sample_types.len)
		err = -EBADMSG;
	if (err == -EBADMSG)
		err = add_sums(r, w);
	else
		err = err ?: add_samples(r, &window) ?: add_blame(r, &window, q);
	dict_window_release(&window);
	quality_add(q, &w->quality);
	return err;
}
