// SPDX-License-Identifier: GPL-2.0-or-later
/* Pyroscope's querier.v1.QuerierService, by Connect: unary calls of proto messages. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/remote/fleet_priv.h"
#include "proto/querier.pb-c.h"
#include "proto/wire.h"

#define SERVICE	    "/querier.v1.QuerierService/"
#define NS_PER_MS   1000000
#define MAX_SERIES  (1u << 20)
#define ARENA_BYTES (64u << 20)

/* Its times are ms, and both ends belong to the range. */
static int64_t start_ms(const struct fleet *f)
{
	int64_t ns = f->q->since_ns;

	return ns / NS_PER_MS + (ns % NS_PER_MS > 0);
}

static int64_t end_ms(const struct fleet *f)
{
	return (f->q->until_ns - 1) / NS_PER_MS;
}

static int call(struct fleet *f, const char *path, const ProtobufCMessage *m, size_t max_bytes,
		struct buf *out, struct why *why)
{
	static const char *const headers[] = {"Content-Type: application/proto",
					      "Connect-Protocol-Version: 1", NULL};
	struct buf body = {0};
	struct fleet_call c = {
		.method = "POST",
		.path = path,
		.headers = headers,
		.max_bytes = max_bytes,
		.is_of_kind = true,
	};
	int err;

	wire_put_fields(&body, m);
	c.body = body.data;
	c.len = body.len;
	err = body.err ? why_say(why, body.err, "out of memory") : fleet_ask(f, &c, out, why);
	buf_release(&body);
	return err;
}

/* --- types ---------------------------------------------------------------------------------------- */

static int add_type(struct fleet_types *t, struct bytes type)
{
	struct wire_field f;

	while (wire_next(&type, &f))
		if (f.number == 1 && f.type == WIRE_LEN)
			return fleet_types_add(t, (const char *)f.bytes.p,
					       (size_t)(f.bytes.end - f.bytes.p));
	return 0;
}

static int get_types(struct fleet *f, struct fleet_types *t, struct why *why)
{
	Querier__ProfileTypesRequest q = QUERIER__PROFILE_TYPES_REQUEST__INIT;
	struct buf answer = {0};
	struct wire_field field;
	struct bytes in;
	int err;

	q.start = start_ms(f);
	q.end = end_ms(f);
	err = call(f, SERVICE "ProfileTypes", &q.base, FLEET_MAX_LIST, &answer, why);
	in = bytes_of(answer.data, answer.len);
	while (!err && wire_next(&in, &field))
		if (field.number == 1 && field.type == WIRE_LEN)
			err = add_type(t, field.bytes);
	buf_release(&answer);
	err = err ?: fleet_types_choose(t);
	if (err == -ENODATA)
		return fleet_fail(f, err, why, "it holds nothing of that time");
	return err;
}

/* --- a profile ------------------------------------------------------------------------------------ */

static int merge_type(struct fleet *f, struct fleet_types *t, const struct fleet_type *type,
		      char *selector, struct profile **all, struct why *why)
{
	Querier__SelectMergeProfileRequest q = QUERIER__SELECT_MERGE_PROFILE_REQUEST__INIT;
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct buf answer = {0};
	int err;

	q.profile_typeid = type->id;
	q.label_selector = selector;
	q.start = start_ms(f);
	q.end = end_ms(f);
	err = call(f, SERVICE "SelectMergeProfile", &q.base, 0, &answer, why);
	err = err ?: fleet_import(f, answer.data, answer.len, &p, why);
	buf_release(&answer);
	if (err || !p)
		return err;
	p->period = 0; /* it says a second, whatever the periods were */
	return fleet_merge_value(f, all, p, t, fleet_types_index(t, type), why);
}

static int get_profile(struct fleet *f, struct profile **out, struct why *why)
{
	struct fleet_types types = {0};
	struct buf selector = {0};
	int err = fleet_selector(f, &selector, why);

	err = err ?: get_types(f, &types, why);
	for (size_t i = 0; i < types.values.len && !err; i++)
		err = merge_type(f, &types, types.values.data[i], (char *)buf_cstr(&selector), out,
				 why);
	fleet_types_release(&types);
	buf_release(&selector);
	return err;
}

/* --- rows ----------------------------------------------------------------------------------------- */

struct rows {
	struct overview *o;
	const struct fleet_rows *rows;
	char *label; /* NULL: by time */
	bool is_cpu;
	int64_t begin_ms; /* of the part that is asked for, see ask_part() */
};

static int64_t whole(double v)
{
	return v >= 0 && v < 9e18 ? (int64_t)llround(v) : 0;
}

/* A point is at the last millisecond of its step. The first one is of the step before the part. */
static int add_points(const struct rows *r, const Querier__Series *s)
{
	const char *name = s->n_labels ? s->labels[0]->value : "";
	int err = 0;

	for (size_t i = 0; i < s->n_points && !err; i++) {
		int64_t value = whole(s->points[i]->value), ns;

		if (s->points[i]->timestamp < r->begin_ms ||
		    __builtin_mul_overflow(s->points[i]->timestamp, NS_PER_MS, &ns))
			continue;
		err = fleet_add_row(r->o, r->rows->by == OVERVIEW_TIME ? NULL : name,
				    fleet_row_begin(r->rows, ns), r->is_cpu ? 0 : value,
				    r->is_cpu ? value : 0, -1);
	}
	return err;
}

static int add_series(const struct fleet *f, const struct rows *r, const struct buf *answer,
		      struct why *why)
{
	struct bytes in = bytes_of(answer->data, answer->len);
	struct wire_arena arena;
	struct wire_field field;
	int err = 0;

	wire_arena_init(&arena, ARENA_BYTES);
	while (!err && wire_next(&in, &field)) {
		Querier__Series *s;

		if (field.number != 1 || field.type != WIRE_LEN)
			continue;
		s = querier__series__unpack(
			&arena.allocator, (size_t)(field.bytes.end - field.bytes.p), field.bytes.p);
		err = s ? add_points(r, s)
			: fleet_fail(f, -EBADMSG, why, "the answer is no list of series");
		wire_arena_reset(&arena);
	}
	wire_arena_release(&arena);
	if (!err && in.bad)
		err = fleet_fail(f, -EBADMSG, why, "the answer is no list of series");
	return err;
}

/* The first millisecond that is not before this time. */
static int64_t from_ms(int64_t ns)
{
	return ns / NS_PER_MS + (ns % NS_PER_MS > 0);
}

/* Whole steps from from_ns on. A point is the sum of (its time - step, its time], and times are in ms. */
static int ask_part(struct fleet *f, const struct fleet_type *type, char *selector, struct rows *r,
		    int64_t from_ns, int64_t until_ns, int64_t step_ns, struct why *why)
{
	Querier__SelectSeriesRequest q = QUERIER__SELECT_SERIES_REQUEST__INIT;
	char *label = r->label;
	struct buf answer = {0};
	int err;

	q.profile_typeid = type->id;
	q.label_selector = selector;
	r->begin_ms = from_ms(from_ns);
	q.start = r->begin_ms - 1;
	q.end = from_ms(until_ns) - 1;
	if (q.end <= q.start)
		return 0;
	q.n_group_by = label != NULL;
	q.group_by = &label;
	q.step = until_ns - from_ns == step_ns ? (double)(q.end - q.start) / 1e3
					       : (double)step_ns / 1e9;
	err = call(f, SERVICE "SelectSeries", &q.base, 0, &answer, why);
	err = err ?: add_series(f, r, &answer, why);
	buf_release(&answer);
	return err;
}

/* By time: the rest of a row, whole rows, the begin of a row. */
static int ask_series(struct fleet *f, const struct fleet_type *type, char *selector,
		      struct rows *r, struct why *why)
{
	int64_t since = f->q->since_ns, until = f->q->until_ns, width = r->rows->width_ns, first,
		last;
	int err;

	if (r->rows->by != OVERVIEW_TIME || width <= 0)
		return ask_part(f, type, selector, r, since, until, until - since, why);
	last = fleet_row_begin(r->rows, until);
	first = fleet_row_begin(r->rows, since - 1) + width;
	if (first > last)
		return ask_part(f, type, selector, r, since, until, until - since, why);
	err = ask_part(f, type, selector, r, since, first, first - since, why);
	err = err ?: ask_part(f, type, selector, r, first, last, width, why);
	return err ?: ask_part(f, type, selector, r, last, until, until - last, why);
}

static int get_overview(struct fleet *f, const struct fleet_rows *rows, struct overview *out,
			struct why *why)
{
	struct fleet_types types = {0};
	struct buf selector = {0}, label = {0};
	int err = fleet_selector(f, &selector, why);

	out->windows = -1;
	err = err ?: fleet_series_label(f, rows, &label, why);
	err = err ?: get_types(f, &types, why);
	for (size_t i = 0; i < types.values.len && !err; i++) {
		const struct fleet_type *type = types.values.data[i];
		struct rows r = {out, rows, label.len ? (char *)buf_cstr(&label) : NULL,
				 !strcmp(type->type, "cpu")};

		if (r.is_cpu || !strcmp(type->type, "samples"))
			err = ask_series(f, type, (char *)buf_cstr(&selector), &r, why);
	}
	fleet_types_release(&types);
	buf_release(&selector);
	buf_release(&label);
	return err;
}

const struct fleet_kind fleet_pyroscope = {get_profile, get_overview};
