// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/difference.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/table.h"
#include "profiler/profile/totals.h"

DEFINE_CLEANUP(profile, profile_free)

/* 2^63 is the first number that does not fit. */
static int64_t scaled(int64_t v, double factor)
{
	double d = round((double)v * factor);

	return d >= 0x1p63 ? INT64_MAX : d < -0x1p63 ? INT64_MIN : (int64_t)d;
}

static void turn(struct profile *p, size_t value, double factor)
{
	for (size_t i = 0; i < p->samples.len; i++) {
		int64_t *v = &p->values.data[p->samples.data[i].first_value + value];

		*v = saturating_difference(0, factor == 1 ? *v : scaled(*v, factor));
	}
}

/* Of what base has nothing of there is nothing to scale. */
static double factor_of(const struct profile *p, const struct profile *base, size_t value)
{
	int64_t of = profile_total(base, value);

	return of ? (double)profile_total(p, value) / (double)of : 1;
}

int profile_subtract(struct profile *p, const struct profile *base, bool normalize,
		     const char **why)
{
	_cleanup_(profile_freep) struct profile *marked = NULL;
	int64_t time_ns = p->time_ns, duration_ns = p->duration_ns;
	struct spans covered = p->covered;
	int err = profile_with_label(&marked, base, LABEL_DIFF_BASE, "true");

	*why = "out of memory";
	if (err)
		return err;
	for (size_t i = 0; i < marked->sample_types.len; i++)
		turn(marked, i, normalize && i < p->sample_types.len ? factor_of(p, base, i) : 1);
	p->covered = (struct spans){0};
	err = profile_merge(p, marked, why);
	spans_release(&p->covered);
	p->covered = covered;
	p->time_ns = time_ns;
	p->duration_ns = duration_ns;
	return err;
}

/* Of a normal distribution 95 % are within so many standard deviations. */
#define SURE 1.96

/* What a sample stands for on average. 0: unknown. */
static double value_of_sample(const struct difference *d, const struct profile *p)
{
	uint64_t n = profile_samples(p);

	return d->has_base && n ? (double)d->base / (double)n : 0;
}

/* The variance of a difference of two counts is their sum. */
static bool is_chance(const struct table_row *r, double unit)
{
	double change = (double)r->self;

	return change * change <= SURE * SURE * unit * (double)r->both_self;
}

int difference_of(struct difference *out, const struct profile *p, size_t value)
{
	_cleanup_(table_freep) struct table *t = NULL;
	struct table_opts o = {.value = value, .with_lost = true, .with_both = true};
	int err = table_build(&t, p, &o);
	double unit;

	*out = (struct difference){.net = profile_total(p, value)};
	out->has_base = profile_base_total(p, value, &out->base);
	unit = value_of_sample(out, p);
	for (size_t i = 0; !err && i < t->rows.len; i++) {
		int64_t self = t->rows.data[i].self;

		if (self > 0) {
			out->grew = saturating_sum(out->grew, self);
			out->n_grew++;
		} else if (self < 0) {
			out->less = saturating_sum(out->less, self);
			out->n_less++;
		}
		out->n_chance += self && is_chance(&t->rows.data[i], unit);
	}
	return err;
}
