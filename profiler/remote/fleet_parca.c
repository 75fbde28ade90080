// SPDX-License-Identifier: GPL-2.0-or-later
/* Parca's HTTP API, as JSON: GET /api/profiles/{types,query,query_range}. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/base64.h"
#include "profiler/base/clock.h"
#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/base/when.h"
#include "profiler/remote/fleet_priv.h"

/* It answers at most 4 MiB: then it is asked for each half of the time. */
#define MOST_HALVES 12
#define MAX_POINTS  (1u << 22)

static void add_time(struct buf *b, const char *key, int64_t ns)
{
	time_t seconds = (time_t)(ns / (int64_t)NS_PER_S);
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s=%s.%09dZ", key, text, (int)(ns % (int64_t)NS_PER_S));
}

static int get(struct fleet *f, struct buf *path, size_t max_bytes, struct buf *out,
	       struct why *why)
{
	struct fleet_call c = {.method = "GET", .path = buf_cstr(path), .max_bytes = max_bytes};

	return path->err ? why_say(why, path->err, "out of memory") : fleet_ask(f, &c, out, why);
}

/* --- types ---------------------------------------------------------------------------------------- */

enum { NAME, SAMPLE_TYPE, SAMPLE_UNIT, PERIOD_TYPE, PERIOD_UNIT, N_PARTS };

struct reading_types {
	struct fleet_types *t;
	size_t index; /* of the type that is being read */
	char parts[N_PARTS][64];
	bool is_delta;
	bool only_counts; /* else: all but those */
};

/* "samples:count" of a profile over some time is answered with what the samples stand for: values of the
 * period's type. So it is of use only if the profile has no other type. */
static int add_type(struct reading_types *r, const char *id)
{
	bool is_count = !strcmp(r->parts[SAMPLE_TYPE], "samples") &&
			!strcmp(r->parts[SAMPLE_UNIT], "count");
	size_t n = r->t->v.len;
	int err;

	if (is_count != r->only_counts || (is_count && fleet_types_have(r->t, r->parts[NAME])))
		return 0;
	err = fleet_types_add(r->t, id, strlen(id));
	if (err || r->t->v.len == n || !is_count || !r->is_delta)
		return err;
	return fleet_type_answers(&vec_last(&r->t->v), r->parts[PERIOD_TYPE],
				  r->parts[PERIOD_UNIT]);
}

static int end_type(struct reading_types *r)
{
	char id[400];
	int err;

	if (!*r->parts[NAME])
		return 0;
	snprintf(id, sizeof(id), "%s:%s:%s:%s:%s%s", r->parts[NAME], r->parts[SAMPLE_TYPE],
		 r->parts[SAMPLE_UNIT], r->parts[PERIOD_TYPE], r->parts[PERIOD_UNIT],
		 r->is_delta ? ":delta" : "");
	err = add_type(r, id);
	memset(r->parts, 0, sizeof(r->parts));
	r->is_delta = false;
	return err;
}

static int on_type(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	static const char *const keys[N_PARTS] = {"name", "sampleType", "sampleUnit", "periodType",
						  "periodUnit"};
	struct reading_types *r = ctx;
	int err = 0;

	if (n != 3 || !steps[0].key || strcmp(steps[0].key, "types") != 0 || !steps[2].key)
		return 0;
	if (steps[1].index != r->index)
		err = end_type(r);
	r->index = steps[1].index;
	for (size_t i = 0; i < N_PARTS; i++)
		if (!strcmp(steps[2].key, keys[i]))
			snprintf(r->parts[i], sizeof(r->parts[i]), "%s", text);
	if (!strcmp(steps[2].key, "delta"))
		r->is_delta = !strcmp(text, "true");
	return err;
}

static int read_types(struct fleet_types *t, const struct buf *answer, bool only_counts)
{
	struct reading_types r = {.t = t, .only_counts = only_counts};
	int err = json_read_all(answer->data, answer->len, on_type, on_type, &r);

	return err ?: end_type(&r);
}

static int get_types(struct fleet *f, struct fleet_types *t, struct why *why)
{
	struct buf path = {0}, answer = {0};
	int err;

	buf_str(&path, "/api/profiles/types?");
	add_time(&path, "start", f->q->since_ns);
	add_time(&path, "&end", f->q->until_ns);
	err = get(f, &path, FLEET_MAX_LIST, &answer, why);
	if (!err && (read_types(t, &answer, false) || read_types(t, &answer, true)))
		err = fleet_fail(f, -EBADMSG, why,
				 "the answer is no JSON of Parca's: check the URL");
	buf_release(&path);
	buf_release(&answer);
	err = err ?: fleet_types_choose(t);
	if (err == -ENODATA)
		return fleet_fail(f, err, why, "it holds nothing of that time");
	return err;
}

/* --- a profile ------------------------------------------------------------------------------------ */

struct merging {
	struct fleet *f;
	struct fleet_types *types;
	const char *selector;
	struct profile **all;
};

static int on_pprof(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct buf *raw = ctx;

	if (n != 1 || !steps[0].key || strcmp(steps[0].key, "pprof") != 0)
		return 0;
	buf_clear(raw);
	return base64_decode(raw, text, strlen(text));
}

static int read_profile(const struct merging *m, const struct fleet_type *type,
			const struct buf *answer, struct why *why)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct buf raw = {0};
	int err = json_read(answer->data, answer->len, on_pprof, &raw);

	if (err || !raw.len)
		err = fleet_fail(m->f, -EBADMSG, why, "the answer holds no profile");
	err = err ?: fleet_import(m->f, raw.data, raw.len, &p, why);
	buf_release(&raw);
	if (err || !p)
		return err;
	return fleet_merge_value(m->f, m->all, p, m->types, fleet_types_index(m->types, type), why);
}

static int merge_range(const struct merging *m, const struct fleet_type *type, int64_t since_ns,
		       int64_t until_ns, int halves, struct why *why)
{
	struct buf path = {0}, query = {0}, answer = {0};
	int64_t middle_ns = since_ns + (until_ns - since_ns) / 2;
	int err;

	buf_printf(&query, "%s%s", type->id, m->selector);
	buf_str(&path,
		"/api/profiles/query?mode=MODE_MERGE&report_type=REPORT_TYPE_PPROF&merge.query=");
	text_add_url(&path, buf_cstr(&query));
	add_time(&path, "&merge.start", since_ns);
	add_time(&path, "&merge.end", until_ns - 1);
	err = query.err ?: get(m->f, &path, 0, &answer, why);
	if (!err)
		err = read_profile(m, type, &answer, why);
	buf_release(&path);
	buf_release(&query);
	buf_release(&answer);
	if (err == -ENOENT)
		return 0; /* nothing of that */
	if (err != -EBUSY || !strstr(why->text, "larger than max") || halves == MOST_HALVES ||
	    middle_ns == since_ns)
		return err;
	*why = (struct why){""};
	err = merge_range(m, type, since_ns, middle_ns, halves + 1, why);
	return err ?: merge_range(m, type, middle_ns, until_ns, halves + 1, why);
}

/* With and without ":delta" a type is one value. */
static bool is_wanted(const struct fleet_types *t, const struct fleet_type *type)
{
	return !strcmp(type->name, t->values.data[0]->name) &&
	       fleet_types_index(t, type) < t->values.len;
}

static int merge_part(struct merging *m, unsigned part, struct why *why)
{
	struct buf selector = {0};
	int err = fleet_selector_part(m->f, part, &selector, why);

	m->selector = buf_cstr(&selector);
	for (size_t i = 0; i < m->types->v.len && !err; i++)
		if (is_wanted(m->types, &m->types->v.data[i]))
			err = merge_range(m, &m->types->v.data[i], m->f->q->since_ns,
					  m->f->q->until_ns, 0, why);
	buf_release(&selector);
	return err;
}

static int get_profile(struct fleet *f, struct profile **out, struct why *why)
{
	struct fleet_types types = {0};
	struct merging m = {f, &types, NULL, out};
	unsigned n = 0;
	int err = fleet_selector_parts(f, &n, why);

	err = err ?: get_types(f, &types, why);
	for (unsigned i = 0; i < n && !err; i++)
		err = merge_part(&m, i, why);
	fleet_types_release(&types);
	return err;
}

/* --- rows ----------------------------------------------------------------------------------------- */

/* series[i].labelset.labels[j].{name,value}, series[i].samples[k].{timestamp,value} */
struct reading_series {
	const struct fleet_rows *rows;
	struct overview *o;
	const char *label;
	bool is_cpu;
	size_t series, sample, points;
	char name[256], found[256]; /* of a label; the value of the one that is asked for */
	bool has_name;
	int64_t at_ns, value;
	bool has_time, has_value;
};

static int end_point(struct reading_series *r)
{
	if (!r->has_time || !r->has_value)
		return 0;
	r->has_time = r->has_value = false;
	if (++r->points > MAX_POINTS)
		return -EFBIG;
	return fleet_add_row(r->o, r->label ? r->found : NULL, fleet_row_begin(r->rows, r->at_ns),
			     r->is_cpu ? 0 : r->value, r->is_cpu ? r->value : 0, -1);
}

static int on_label(struct reading_series *r, const char *key, const char *text)
{
	if (!strcmp(key, "name"))
		r->has_name = r->label && !strcmp(text, r->label);
	else if (!strcmp(key, "value") && r->has_name)
		snprintf(r->found, sizeof(r->found), "%s", text);
	return 0;
}

/* RFC 3339 with a fraction of a second, which is left out. */
static bool parse_time(const char *text, int64_t *ns)
{
	size_t point = strcspn(text, "."), digits;
	char plain[40];

	digits = text[point] ? strspn(text + point + 1, "0123456789") + 1 : 0;
	if (strlen(text) - digits >= sizeof(plain))
		return false;
	snprintf(plain, sizeof(plain), "%.*s%s", (int)point, text, text + point + digits);
	return !when_parse(plain, 0, ns);
}

static int on_sample(struct reading_series *r, const char *key, const char *text)
{
	uint64_t v;

	if (!strcmp(key, "timestamp"))
		r->has_time = parse_time(text, &r->at_ns);
	else if (!strcmp(key, "value") && !text_parse_u64(text, INT64_MAX, &v)) {
		r->value = (int64_t)v;
		r->has_value = true;
	}
	return r->has_time && r->has_value ? end_point(r) : 0;
}

static int on_series(void *ctx, const struct json_step *s, size_t n, const char *text)
{
	struct reading_series *r = ctx;

	if (n < 5 || !s[0].key || strcmp(s[0].key, "series") != 0 || !s[2].key || !s[n - 1].key)
		return 0;
	if (s[1].index != r->series) {
		r->series = s[1].index;
		*r->found = '\0';
	}
	if (n == 6 && !strcmp(s[2].key, "labelset"))
		return on_label(r, s[5].key, text);
	if (strcmp(s[2].key, "samples") != 0)
		return 0;
	if (s[3].index != r->sample)
		r->has_time = r->has_value = false;
	r->sample = s[3].index;
	return on_sample(r, s[4].key, text);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

/* It sums steps of time that are counted from 1970 on; those of a row lie within it. */
static int64_t step_ns(const struct fleet *f, const struct fleet_rows *rows)
{
	if (rows->by == OVERVIEW_TIME && rows->width_ns > 0)
		return common_divisor(rows->width_ns, rows->phase_ns);
	return f->q->until_ns - f->q->since_ns;
}

/* label: NULL: by time. */
static int add_series(struct fleet *f, const struct fleet_type *type, const char *selector,
		      const struct fleet_rows *rows, const char *label, struct overview *out,
		      struct why *why)
{
	struct reading_series r = {.rows = rows, .o = out, .label = label};
	struct buf path = {0}, query = {0}, answer = {0};
	int err;

	r.is_cpu = !strcmp(type->type, "cpu");
	buf_printf(&query, "%s%s", type->id, selector);
	buf_str(&path, "/api/profiles/query_range?query=");
	text_add_url(&path, buf_cstr(&query));
	add_time(&path, "&start", f->q->since_ns);
	add_time(&path, "&end", f->q->until_ns - 1);
	buf_printf(&path, "&step=%" PRId64 ".%09ds", step_ns(f, rows) / (int64_t)NS_PER_S,
		   (int)(step_ns(f, rows) % (int64_t)NS_PER_S));
	if (label) {
		buf_str(&path, "&sum_by=");
		text_add_url(&path, label);
	}
	err = query.err ?: get(f, &path, 0, &answer, why);
	if (!err && json_read_all(answer.data, answer.len, on_series, on_series, &r))
		err = fleet_fail(f, -EBADMSG, why, "the answer is no list of series");
	buf_release(&path);
	buf_release(&query);
	buf_release(&answer);
	return err == -ENOENT ? 0 : err;
}

static bool counts_samples(const struct fleet_types *t)
{
	for (size_t i = 0; i < t->values.len; i++)
		if (!strcmp(t->values.data[i]->type, "samples"))
			return true;
	return false;
}

static int add_part(struct fleet *f, const struct fleet_types *types, unsigned part,
		    const struct fleet_rows *rows, const char *label, struct overview *out,
		    struct why *why)
{
	struct buf selector = {0};
	int err = fleet_selector_part(f, part, &selector, why);

	for (size_t i = 0; i < types->v.len && !err; i++) {
		const struct fleet_type *t = &types->v.data[i];

		if (is_wanted(types, t) && (!strcmp(t->type, "cpu") || !strcmp(t->type, "samples")))
			err = add_series(f, t, buf_cstr(&selector), rows, label, out, why);
	}
	buf_release(&selector);
	return err;
}

static int get_overview(struct fleet *f, const struct fleet_rows *rows, struct overview *out,
			struct why *why)
{
	struct fleet_types types = {0};
	struct buf label = {0};
	unsigned n = 0;
	int err = fleet_selector_parts(f, &n, why);

	out->windows = -1;
	err = err ?: fleet_series_label(f, rows, &label, why);
	err = err ?: get_types(f, &types, why);
	for (unsigned i = 0; i < n && !err; i++)
		err = add_part(f, &types, i, rows, label.len ? buf_cstr(&label) : NULL, out, why);
	for (size_t i = 0; i < out->rows.len && !counts_samples(&types); i++)
		out->rows.data[i].samples = -1;
	fleet_types_release(&types);
	buf_release(&label);
	return err;
}

const struct fleet_kind fleet_parca = {get_profile, get_overview};
