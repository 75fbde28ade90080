// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/plan.h"

#include <errno.h>

#include "profiler/base/clock.h"

void plan_release(struct plan *p)
{
	vec_release(&p->samples);
	vec_release(&p->rollup);
	vec_release(&p->missing);
}

/* Spans that touch become one. */
static int add_span(struct plan *p, int64_t since_s, int64_t until_s)
{
	if (since_s >= until_s)
		return 0;
	if (p->samples.len && vec_last(&p->samples).until_s == since_s) {
		vec_last(&p->samples).until_s = until_s;
		return 0;
	}
	if (p->samples.len == PLAN_MAX_SPANS)
		return -E2BIG;
	return vec_push(&p->samples, (struct times){since_s, until_s});
}

int plan_samples(struct plan *p, const struct times *range)
{
	return add_span(p, range->since_s, range->until_s);
}

/* The version that was made of what is there. */
static const struct hour_mark *valid_mark(const struct hour_mark *marks, size_t n, size_t *at,
					  const struct hour_print *w)
{
	while (*at < n && marks[*at].of.hour_s < w->hour_s)
		(*at)++;
	for (size_t i = *at; i < n && marks[i].of.hour_s == w->hour_s; i++)
		if (marks[i].of.windows == w->windows && marks[i].of.print == w->print)
			return &marks[i];
	return NULL;
}

int plan_make(struct plan *p, const struct times *range, const struct hour_print *windows,
	      size_t n_windows, const struct hour_mark *marks, size_t n_marks, int64_t now_s)
{
	int64_t done_s = range->since_s;
	size_t at = 0;
	int err = 0;

	for (size_t i = 0; i < n_windows && !err; i++) {
		const struct hour_print *w = &windows[i];
		int64_t end_s = w->hour_s + HOUR_S;
		const struct hour_mark *m = valid_mark(marks, n_marks, &at, w);

		if (w->hour_s < done_s || end_s > range->until_s)
			continue;
		if (m && p->rollup.len < PLAN_MAX_HOURS) {
			err = add_span(p, done_s, w->hour_s);
			err = err ?: vec_push(&p->rollup, *m);
			done_s = end_s;
		} else if (!m && end_s + PLAN_SETTLE_S <= now_s) {
			err = vec_push(&p->missing, *w);
		}
	}
	return err ?: add_span(p, done_s, range->until_s);
}

/* Rounded down; of the years that the server's times can tell, 1970 to 2106. */
static int64_t floor_s(int64_t ns)
{
	int64_t s = ns < 0 ? 0 : ns / (int64_t)NS_PER_S;

	return s < UINT32_MAX ? s : UINT32_MAX;
}

struct times times_of_ns(int64_t since_ns, int64_t until_ns)
{
	struct times t = {floor_s(since_ns), floor_s(until_ns)};

	t.until_s += t.until_s < UINT32_MAX && t.until_s * (int64_t)NS_PER_S < until_ns;
	return t;
}
