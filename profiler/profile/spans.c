// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/spans.h"

#include <stdbool.h>
#include <string.h>

#include "profiler/base/saturate.h"

/* Index of the first interval that ends at or after a time. */
static size_t first_from(const struct spans *s, int64_t begin_ns)
{
	size_t lo = 0, hi = s->v.len;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v.data[mid].end_ns < begin_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void remove_spans(struct spans *s, size_t at, size_t n)
{
	memmove(s->v.data + at, s->v.data + at + n, (s->v.len - at - n) * sizeof(*s->v.data));
	s->v.len -= n;
}

/* Times of a file may be any number. */
static int64_t len_of(const struct span *s)
{
	return saturating_difference(s->end_ns, s->begin_ns);
}

static int64_t gap(const struct span *a, const struct span *b)
{
	return saturating_difference(b->begin_ns, a->end_ns);
}

/* Joins the interval at an index to its nearer neighbour. */
static void close_gap(struct spans *s, size_t at)
{
	struct span *v = s->v.data;
	bool right =
		!at || (at + 1 < s->v.len && gap(&v[at], &v[at + 1]) < gap(&v[at - 1], &v[at]));
	size_t left = right ? at : at - 1;

	v[left].end_ns = v[left + 1].end_ns;
	remove_spans(s, left + 1, 1);
	s->gaps_closed++;
}

int spans_add(struct spans *s, int64_t begin_ns, int64_t len_ns)
{
	struct span fresh = {begin_ns, saturating_sum(begin_ns, len_ns)};
	size_t at, n = 0;
	int err;

	if (len_ns <= 0)
		return 0;
	if (!begin_ns) {
		s->unplaced_ns = saturating_sum(s->unplaced_ns, len_ns);
		return 0;
	}
	err = vec_reserve(&s->v, s->v.len + 1);
	if (err)
		return err;
	at = first_from(s, begin_ns);
	for (; at + n < s->v.len && s->v.data[at + n].begin_ns <= fresh.end_ns; n++) {
		const struct span *old = &s->v.data[at + n];

		fresh.begin_ns = old->begin_ns < fresh.begin_ns ? old->begin_ns : fresh.begin_ns;
		fresh.end_ns = old->end_ns > fresh.end_ns ? old->end_ns : fresh.end_ns;
	}
	if (n) {
		s->v.data[at] = fresh;
		remove_spans(s, at + 1, n - 1);
		return 0;
	}
	memmove(s->v.data + at + 1, s->v.data + at, (s->v.len - at) * sizeof(*s->v.data));
	s->v.data[at] = fresh;
	if (++s->v.len > SPANS_MAX)
		close_gap(s, at);
	return 0;
}

int spans_add_all(struct spans *s, const struct spans *more)
{
	int err = 0;

	s->unplaced_ns = saturating_sum(s->unplaced_ns, more->unplaced_ns);
	s->gaps_closed += more->gaps_closed;
	for (size_t i = 0; i < more->v.len && !err; i++)
		err = spans_add(s, more->v.data[i].begin_ns, len_of(&more->v.data[i]));
	return err;
}

int64_t spans_total(const struct spans *s)
{
	int64_t total = s->unplaced_ns;

	for (size_t i = 0; i < s->v.len; i++)
		total = saturating_sum(total, len_of(&s->v.data[i]));
	return total;
}

void spans_release(struct spans *s)
{
	vec_release(&s->v);
	*s = (struct spans){0};
}
