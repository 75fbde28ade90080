// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/growth.h"

#include <math.h>
#include <stdlib.h>

#include "profiler/fleet/deviation.h"

void growth_release(struct growth *g)
{
	vec_release(&g->grown);
	vec_release(&g->shrunk);
}

static struct change change_of(const struct growth_input *in, const struct cost *c)
{
	double before = (double)in->whole.total_before_ns * in->scale;
	int64_t whole_ns = in->whole.total_ns;

	if (before > (double)whole_ns)
		whole_ns = before < (double)INT64_MAX ? (int64_t)before : INT64_MAX;
	return (struct change){
		.after_ns = in->by == COSTS_BY_SELF ? c->v.self_ns : c->v.total_ns,
		.before_ns = in->by == COSTS_BY_SELF ? c->v.self_before_ns : c->v.total_before_ns,
		.scale = in->scale,
		.period_ns = in->period_ns,
		.whole_ns = whole_ns,
	};
}

static int by_difference(const void *x, const void *y)
{
	const struct growth_row *a = x, *b = y;
	double da = fabs((double)a->after_ns - a->before_ns),
	       db = fabs((double)b->after_ns - b->before_ns);

	if (da != db)
		return da < db ? 1 : -1;
	return (a->cost > b->cost) - (a->cost < b->cost);
}

int growth_find(struct growth *out, const struct growth_input *in)
{
	int err = 0;

	for (size_t i = 0; i < in->costs->v.len && !err; i++) {
		const struct change c = change_of(in, &in->costs->v.data[i]);
		const struct growth_row row = {i, c.after_ns, (double)c.before_ns * c.scale,
					       change_deviations(&c)};
		int sign = change_sign(&c);

		if (sign > 0)
			err = vec_push(&out->grown, row);
		else if (sign < 0)
			err = vec_push(&out->shrunk, row);
	}
	if (out->grown.len)
		qsort(out->grown.data, out->grown.len, sizeof(*out->grown.data), by_difference);
	if (out->shrunk.len)
		qsort(out->shrunk.data, out->shrunk.len, sizeof(*out->shrunk.data), by_difference);
	return err;
}
