// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles, and their sums over time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/base/strtab.h"
#include "profiler/base/text.h"
#include "profiler/formats/export.h"
#include "profiler/http/flamegraph.h"
#include "profiler/http/proto_json.h"
#include "profiler/http/querier_methods.h"
#include "profiler/store/query.h"
#include "profiler/profile/profile.h"
#include "profiler/store/series.h"
#include "proto/pprof.pb-c.h"
#include "proto/querier.pb-c.h"
#include "proto/wire.h"

#define MAX_NODES    1000000
#define MAX_GROUP_BY 16
#define MAX_SERIES   10000
#define MAX_STEP_S   (366 * 86400)
#define MAX_POINTS   11000 /* of a series, as in Prometheus */

/* Merges what is asked for; an ask that matches no type is an empty profile. */
static bool merge(struct querier *q, const struct querier_ask *a, struct store_result *result)
{
	struct store_query query = {
		.since_ns = a->since_ns, .until_ns = a->until_ns, .where = a->where};

	*result = (struct store_result){0};
	if (querier_wants(a))
		return querier_query(q, &query, result);
	result->profile = profile_new();
	if (!result->profile)
		querier_fail(q, 500, "out of memory");
	return result->profile;
}

/* The sample type that is wanted; one that is not there for an empty profile. */
static size_t type_of(const struct querier_ask *a, const struct profile *p)
{
	const char *name = a->types[QUERIER_TYPE_samples] ? "samples" : "cpu";

	for (size_t i = 0; i < p->sample_types.len; i++)
		if (!strcmp(profile_text(p, p->sample_types.data[i].type), name))
			return i;
	return p->sample_types.len;
}

static void fail(struct querier *q, int err)
{
	querier_fail(q, 500, "the answer cannot be made: %s; ask for less time", strerror(-err));
}

static bool check_nodes(struct querier *q, int64_t nodes, const Querier__StackTraceSelector *stacks)
{
	if (stacks && stacks->n_call_site)
		querier_fail(q, 501, "stacks cannot be selected here: leave call_site out");
	else if (nodes > MAX_NODES)
		querier_fail(q, 400, "max_nodes is at most %d", MAX_NODES);
	return !q->status;
}

/* --- pprof ------------------------------------------------------------------------------------- */

/* Our own encoding, back into a message, and that as JSON. */
static int pprof_to_json(struct buf *out, const struct buf *wire)
{
	Pprof__Profile *p = pprof__profile__unpack(NULL, wire->len, (const void *)wire->data);
	int err = p ? proto_to_json(out, &p->base) : -ENOMEM;

	if (p)
		pprof__profile__free_unpacked(p, NULL);
	return err;
}

/* As the message itself, or as PprofProfile.profile in SelectMergeStacktracesResponse.pprof. */
static int add_pprof(struct querier *q, const struct buf *wire, bool is_nested)
{
	struct buf *out = q->out, inner = {0};
	int err = 0;

	if (q->json) {
		buf_str(out, is_nested ? "{\"pprof\":{\"profile\":" : "");
		err = pprof_to_json(out, wire);
		buf_str(out, is_nested ? "}}" : "");
	} else if (is_nested) {
		wire_put_bytes(&inner, 1, wire->data, wire->len);
		wire_put_bytes(out, 5, inner.data, inner.len);
		err = inner.err;
	} else {
		buf_add(out, wire->data, wire->len);
	}
	buf_release(&inner);
	return err ?: out->err;
}

static void answer_pprof(struct querier *q, const struct profile *p, bool is_nested)
{
	struct buf wire = {0};
	int err = p->sample_types.len ? export_pprof(&wire, p) : 0;

	err = err ?: wire.err ?: add_pprof(q, &wire, is_nested);
	buf_release(&wire);
	if (err)
		fail(q, err);
}

void querier_select_merge_profile(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__SelectMergeProfileRequest *r = (const void *)m;
	struct store_result result;
	struct querier_ask a;

	if (!check_nodes(q, r->max_nodes, r->stack_trace_selector) ||
	    !querier_ask(q, &a, r->profile_typeid, r->label_selector, r->start, r->end))
		return;
	if (r->n_profile_id_selector || r->n_trace_id_selector)
		querier_ask_nothing(&a);
	if (merge(q, &a, &result)) {
		answer_pprof(q, result.profile, false);
		store_result_release(&result);
	}
	querier_ask_release(&a);
}

/* --- flame graphs ------------------------------------------------------------------------------ */

static int answer_levels(struct querier *q, const struct flamegraph *f)
{
	Querier__SelectMergeStacktracesResponse reply =
		QUERIER__SELECT_MERGE_STACKTRACES_RESPONSE__INIT;
	Querier__FlameGraph graph = QUERIER__FLAME_GRAPH__INIT;
	_cleanup_free_ Querier__Level *levels = calloc(f->levels.len + 1, sizeof(*levels));
	_cleanup_free_ Querier__Level **pointers = calloc(f->levels.len + 1, sizeof(*pointers));

	if (!levels || !pointers)
		return -ENOMEM;
	for (size_t i = 0; i < f->levels.len; i++) {
		levels[i] = (Querier__Level)QUERIER__LEVEL__INIT;
		levels[i].values = f->levels.data[i].values.data;
		levels[i].n_values = f->levels.data[i].values.len;
		pointers[i] = &levels[i];
	}
	graph.names = f->names.data;
	graph.n_names = f->names.len;
	graph.levels = pointers;
	graph.n_levels = f->levels.len;
	graph.total = f->total;
	graph.max_self = f->max_self;
	reply.flamegraph = &graph;
	querier_reply(q, &reply.base);
	return 0;
}

static void answer_flamegraph(struct querier *q, const struct profile *p, size_t type,
			      int64_t nodes)
{
	struct flamegraph f;
	int err = flamegraph_of(&f, p, type, nodes > 0 ? (size_t)nodes : 0);

	if (!err) {
		err = answer_levels(q, &f);
		flamegraph_release(&f);
	}
	if (err)
		fail(q, err);
}

void querier_select_merge_stacktraces(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__SelectMergeStacktracesRequest *r = (const void *)m;
	bool pprof = r->format == QUERIER__PROFILE_FORMAT__PROFILE_FORMAT_PPROF;
	struct store_result result;
	struct querier_ask a;

	if (!pprof && r->format > QUERIER__PROFILE_FORMAT__PROFILE_FORMAT_FLAMEGRAPH) {
		querier_fail(q, 501, "of the formats there are flamegraph and pprof");
		return;
	}
	if (!check_nodes(q, r->max_nodes, r->stack_trace_selector) ||
	    !querier_ask(q, &a, r->profile_typeid, r->label_selector, r->start, r->end))
		return;
	if (r->n_profile_id_selector || r->n_trace_id_selector || r->n_span_selector)
		querier_ask_nothing(&a);
	if (merge(q, &a, &result)) {
		if (pprof)
			answer_pprof(q, result.profile, true);
		else
			answer_flamegraph(q, result.profile, type_of(&a, result.profile),
					  r->max_nodes);
		store_result_release(&result);
	}
	querier_ask_release(&a);
}

/* Samples know of no spans. The data source asks where somebody clicks on a trace, and shows an empty graph. */
void querier_select_merge_span_profile(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__SelectMergeSpanProfileRequest *r = (const void *)m;
	char *names[] = {(char *)"total"};
	const struct flamegraph empty = {.names = {.data = names, .len = 1}};
	struct querier_ask a;

	if (!querier_ask(q, &a, r->profile_typeid, r->label_selector, r->start, r->end))
		return;
	if (answer_levels(q, &empty))
		fail(q, -ENOMEM);
	querier_ask_release(&a);
}

/* --- sums over time ---------------------------------------------------------------------------- */

struct line { /* points of one group */
	const struct store_point *first;
	size_t n;
	int64_t total;
};

struct chart {
	const char *keys[MAX_GROUP_BY + 1];
	size_t n_keys;
	bool samples; /* not CPU time */
	struct store_series series;
	VEC(struct line) lines;
	/* What the reply points to. */
	Querier__Series *s, **s_pointers;
	Querier__Point *points, **point_pointers;
	Querier__LabelPair *pairs, **pair_pointers;
};

static void chart_release(struct chart *c)
{
	store_series_release(&c->series);
	vec_release(&c->lines);
	free(c->s);
	free(c->s_pointers);
	free(c->points);
	free(c->point_pointers);
	free(c->pairs);
	free(c->pair_pointers);
}

static int64_t value_of(const struct chart *c, const struct store_point *p)
{
	return c->samples ? p->samples : p->cpu_ns;
}

static int compare_lines(const void *va, const void *vb)
{
	const struct line *a = va, *b = vb;

	return (a->total < b->total) - (a->total > b->total);
}

static int find_lines(struct chart *c)
{
	for (size_t i = 0; i < c->series.v.len; i++) {
		const struct store_point *p = &c->series.v.data[i];
		struct line *l = c->lines.len ? &vec_last(&c->lines) : NULL;

		if (!l || l->first->group != p->group) {
			if (vec_push(&c->lines, (struct line){.first = p}))
				return -ENOMEM;
			l = &vec_last(&c->lines);
		}
		l->n++;
		l->total = saturating_sum(l->total, value_of(c, p));
	}
	return 0;
}

/* The largest ones, up to a limit that the request names. More than the caps is an error: nobody would see what is
 * missing. */
static bool limit_lines(struct querier *q, struct chart *c, int64_t limit)
{
	for (size_t i = 0; i < c->lines.len; i++)
		if (c->lines.data[i].n > MAX_POINTS) {
			querier_fail(q, 400, "more than %d points in a series: take a longer step",
				     MAX_POINTS);
			return false;
		}
	if (c->lines.len)
		qsort(c->lines.data, c->lines.len, sizeof(*c->lines.data), compare_lines);
	if (limit > 0 && (uint64_t)limit < c->lines.len)
		c->lines.len = (size_t)limit;
	if (c->lines.len > MAX_SERIES)
		querier_fail(q, 400, "more than %d series: set a limit, or group by other labels",
			     MAX_SERIES);
	return !q->status;
}

static int make_room(struct chart *c)
{
	size_t n = c->lines.len + 1, points = c->series.v.len + 1, pairs = n * (c->n_keys + 1);

	c->s = calloc(n, sizeof(*c->s));
	c->s_pointers = calloc(n, sizeof(*c->s_pointers));
	c->points = calloc(points, sizeof(*c->points));
	c->point_pointers = calloc(points, sizeof(*c->point_pointers));
	c->pairs = calloc(pairs, sizeof(*c->pairs));
	c->pair_pointers = calloc(pairs, sizeof(*c->pair_pointers));
	return c->s && c->s_pointers && c->points && c->point_pointers && c->pairs &&
			       c->pair_pointers
		       ? 0
		       : -ENOMEM;
}

/* The values of its labels are one text, each with its end. A label that is not there has none. */
static void label_line(struct chart *c, size_t i, char *text)
{
	for (size_t k = 0; k < c->n_keys; k++) {
		size_t at = i * c->n_keys + c->s[i].n_labels;
		char *end = strchr(text, STORE_SERIES_END);

		if (!end)
			break;
		*end = '\0';
		if (*text) {
			c->pairs[at] = (Querier__LabelPair)QUERIER__LABEL_PAIR__INIT;
			c->pairs[at].name = (char *)c->keys[k];
			c->pairs[at].value = text;
			c->pair_pointers[at] = &c->pairs[at];
			c->s[i].n_labels++;
		}
		text = end + 1;
	}
}

static void fill(struct chart *c)
{
	size_t at = 0;

	for (size_t i = 0; i < c->lines.len; i++) {
		const struct line *l = &c->lines.data[i];

		c->s[i] = (Querier__Series)QUERIER__SERIES__INIT;
		c->s_pointers[i] = &c->s[i];
		c->s[i].labels = &c->pair_pointers[i * c->n_keys];
		label_line(c, i, (char *)strtab_get(c->series.groups, l->first->group));
		c->s[i].points = &c->point_pointers[at];
		c->s[i].n_points = l->n;
		for (size_t k = 0; k < l->n; k++, at++) {
			c->points[at] = (Querier__Point)QUERIER__POINT__INIT;
			c->points[at].value = (double)value_of(c, &l->first[k]);
			c->points[at].timestamp = l->first[k].begin_ns / 1000000;
			c->point_pointers[at] = &c->points[at];
		}
	}
}

static bool read_chart(struct querier *q, struct chart *c, const struct querier_ask *a,
		       int64_t step_ns)
{
	struct store_query query = {
		.since_ns = a->since_ns, .until_ns = a->until_ns, .where = a->where};
	struct why why = {""};
	int err = store_series(q->store, &query, step_ns, c->keys, &c->series, &why);

	if (err)
		querier_fail(q, querier_status(err), "%s", why.text);
	return !err;
}

static void answer_chart(struct querier *q, struct chart *c, int64_t limit)
{
	Querier__SelectSeriesResponse reply = QUERIER__SELECT_SERIES_RESPONSE__INIT;

	if (find_lines(c)) {
		querier_fail(q, 500, "out of memory");
		return;
	}
	if (!limit_lines(q, c, limit))
		return;
	if (make_room(c)) {
		querier_fail(q, 500, "out of memory");
		return;
	}
	fill(c);
	reply.series = c->s_pointers;
	reply.n_series = c->lines.len;
	querier_reply(q, &reply.base);
}

/* Whole seconds, so many that no line has more than MAX_POINTS. */
static int64_t step_of(const Querier__SelectSeriesRequest *r)
{
	double least = (double)(r->end > r->start ? r->end - r->start : 0) / 1000 / MAX_POINTS;
	double step = r->step > least ? r->step : least;

	return (int64_t)(step < 1 ? 1 : step > MAX_STEP_S ? MAX_STEP_S : step) * 1000000000;
}

/* These names come back in the answer. */
static bool is_utf8(const char *text)
{
	size_t len = strlen(text);

	return text_utf8_run(text, len) == len;
}

static bool check_series(struct querier *q, const Querier__SelectSeriesRequest *r)
{
	if (r->n_group_by > MAX_GROUP_BY)
		querier_fail(q, 400, "group_by: at most %d labels", MAX_GROUP_BY);
	else if (!(r->step >= 0))
		querier_fail(q, 400, "step is a number of seconds");
	else if (r->aggregation)
		querier_fail(q, 501, "of the aggregations there is the sum");
	for (size_t i = 0; i < r->n_group_by && !q->status; i++)
		if (!is_utf8(r->group_by[i]))
			querier_fail(q, 400, "group_by: a label's name is not UTF-8");
	return !q->status && check_nodes(q, 0, r->stack_trace_selector);
}

void querier_select_series(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__SelectSeriesRequest *r = (const void *)m;
	struct chart c = {.n_keys = r->n_group_by};
	struct querier_ask a;

	if (!check_series(q, r) ||
	    !querier_ask(q, &a, r->profile_typeid, r->label_selector, r->start, r->end))
		return;
	for (size_t i = 0; i < r->n_group_by; i++)
		c.keys[i] = r->group_by[i];
	c.samples = !a.types[QUERIER_TYPE_cpu];
	if (!querier_wants(&a) || read_chart(q, &c, &a, step_of(r)))
		answer_chart(q, &c, r->limit);
	chart_release(&c);
	querier_ask_release(&a);
}
