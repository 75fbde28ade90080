// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/remote/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/remote/fleet_priv.h"
#include "profiler/upload/kinds.h"

#define MAX_ROWS_OF_TIME 60

bool fleet_is_url(const char *url)
{
	for (const struct upload_scheme *s = upload_schemes; s->name; s++) {
		size_t len = strlen(s->name);

		if (!strncmp(url, s->name, len) && !strncmp(url + len, "://", 3))
			return true;
	}
	return false;
}

static const struct fleet_kind *kind_of(const struct upload_target *t)
{
	static const struct {
		const struct upload_kind *upload;
		const struct fleet_kind *fleet;
	} kinds[] = {{&upload_pyroscope, &fleet_pyroscope},
		     {&upload_parca, &fleet_parca},
		     {&upload_s3, &fleet_s3},
		     {&upload_pprof_http, &fleet_pprof},
		     {&upload_clickhouse, &fleet_clickhouse}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].upload == t->kind)
			return kinds[i].fleet;
	return NULL;
}

bool fleet_returns_labels(const struct upload_target *t)
{
	return t->kind != &upload_pyroscope && t->kind != &upload_parca;
}

static int open_fleet(struct fleet *f, const struct fleet_query *q, const struct fleet_kind **kind,
		      struct why *why)
{
	int err;

	*f = (struct fleet){.q = q, .t = q->target};
	f->end_ns = monotonic_ns() + (q->total_ms ?: FLEET_MAX_MINUTES * 60000ull) * 1000000;
	*kind = kind_of(q->target);
	if (!*kind)
		return why_say(why, -EINVAL,
			       "%s: a receiver of OTLP takes profiles, and gives none back: ask "
			       "the store behind it",
			       q->target->shown);
	err = where_parse_any(&f->where, q->where, why);
	return err ?: net_new(&f->net, NULL, why);
}

static void close_fleet(struct fleet *f)
{
	where_free(f->where);
	net_free(f->net);
}

/* Times that Pyroscope and Parca tell of what they have merged are not those of the data. */
static int set_time(struct profile *p, const struct fleet_query *q)
{
	int64_t duration_ns;

	spans_release(&p->covered);
	p->time_ns = q->since_ns;
	if (__builtin_sub_overflow(q->until_ns, q->since_ns, &duration_ns))
		return 0;
	p->duration_ns = duration_ns;
	return spans_add(&p->covered, p->time_ns, p->duration_ns);
}

int fleet_profile(struct profile **out, const struct fleet_query *q, struct why *why)
{
	const struct fleet_kind *kind;
	struct profile *p = NULL;
	struct fleet f;
	int err = open_fleet(&f, q, &kind, why);

	err = err ?: kind->profile(&f, &p, why);
	if (!err && (!p || !p->samples.len))
		err = why_say(why, -ENODATA, "%s holds nothing of that", q->target->shown);
	if (!err && (kind == &fleet_pyroscope || kind == &fleet_parca))
		err = set_time(p, q);
	close_fleet(&f);
	if (err)
		profile_free(p);
	else
		*out = p;
	return err;
}

/* --- rows ----------------------------------------------------------------------------------------- */

static int64_t usual_width_ns(const struct fleet_query *q)
{
	static const int seconds[] = {1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400};
	int64_t range_ns = q->until_ns - q->since_ns;
	size_t n = sizeof(seconds) / sizeof(*seconds), i = 0;

	while (i + 1 < n && range_ns / ((int64_t)NS_PER_S * seconds[i]) > MAX_ROWS_OF_TIME)
		i++;
	return (int64_t)NS_PER_S * seconds[i];
}

static int compare_rows(const void *x, const void *y)
{
	const struct overview_row *a = x, *b = y;

	if (a->begin_ns != b->begin_ns)
		return a->begin_ns < b->begin_ns ? -1 : 1;
	if (a->cpu_ns != b->cpu_ns)
		return a->cpu_ns > b->cpu_ns ? -1 : 1;
	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	return a->name && b->name ? strcmp(a->name, b->name) : 0;
}

static void sum_up(struct overview *o, const struct fleet_query *q)
{
	o->samples = o->cpu_ns = 0;
	for (size_t i = 0; i < o->rows.len; i++) {
		o->samples = o->rows.data[i].samples < 0
				     ? -1
				     : saturating_sum(o->samples, o->rows.data[i].samples);
		o->cpu_ns = saturating_sum(o->cpu_ns, o->rows.data[i].cpu_ns);
	}
	if (o->rows.len)
		qsort(o->rows.data, o->rows.len, sizeof(*o->rows.data), compare_rows);
	if (!o->since_ns && o->rows.len) {
		o->since_ns = q->since_ns;
		o->until_ns = q->until_ns;
	}
}

int fleet_overview(struct overview *out, const struct fleet_query *q, const struct fleet_rows *rows,
		   struct why *why)
{
	const struct fleet_kind *kind;
	struct fleet_rows r = *rows;
	struct fleet f;
	int err = open_fleet(&f, q, &kind, why);

	*out = (struct overview){.by = r.by};
	if (r.by == OVERVIEW_LABEL && !(out->label = strdup(r.label ?: "")))
		err = err ?: -ENOMEM;
	if (r.by == OVERVIEW_TIME) {
		r.width_ns = r.width_ns ?: usual_width_ns(q);
		out->width_ns = r.width_ns;
	}
	err = err ?: kind->overview(&f, &r, out, why);
	close_fleet(&f);
	if (err)
		overview_release(out);
	else
		sum_up(out, q);
	return err;
}
