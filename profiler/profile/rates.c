// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/rates.h"

#include <inttypes.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/profile/profile.h"

#define PERIOD_LEAST "kiln.period_least_ns="
#define THROTTLED    "kiln.throttled_ms="
#define MS_NS	     1000000

void rates_add(struct rates *r, int64_t period_ns, uint64_t duration_ns, bool throttled)
{
	if (period_ns > 0 && (!r->least_period_ns || period_ns < r->least_period_ns))
		r->least_period_ns = period_ns;
	if (period_ns > r->most_period_ns)
		r->most_period_ns = period_ns;
	if (throttled && __builtin_add_overflow(r->throttled_ns, duration_ns, &r->throttled_ns))
		r->throttled_ns = UINT64_MAX;
}

static void drop_least_period(struct profile *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->comments.len; i++)
		if (!text_has_prefix(profile_text(p, p->comments.data[i]), PERIOD_LEAST))
			p->comments.data[kept++] = p->comments.data[i];
	p->comments.len = kept;
}

int rates_store(struct profile *p, const struct rates *r)
{
	int err = 0;

	if (r->least_period_ns != r->most_period_ns) {
		drop_least_period(p);
		err = profile_commentf(p, PERIOD_LEAST "%" PRId64, r->least_period_ns);
	}
	if (!err && r->throttled_ns >= MS_NS)
		err = profile_commentf(p, THROTTLED "%" PRIu64, r->throttled_ns / MS_NS);
	return err;
}

/* Several profiles may have been merged: each says its own. */
void rates_load(struct rates *r, const struct profile *p)
{
	bool is_time = !strcmp(profile_text(p, p->period_type.unit), "nanoseconds");
	uint64_t v;

	*r = (struct rates){0};
	if (is_time)
		rates_add(r, p->period, 0, false);
	for (size_t i = 0; i < p->comments.len; i++) {
		const char *s = profile_text(p, p->comments.data[i]);

		if (is_time && text_has_prefix(s, PERIOD_LEAST) &&
		    !text_parse_u64(s + strlen(PERIOD_LEAST), INT64_MAX, &v))
			rates_add(r, (int64_t)v, 0, false);
		else if (text_has_prefix(s, THROTTLED) &&
			 !text_parse_u64(s + strlen(THROTTLED), INT64_MAX / MS_NS, &v))
			rates_add(r, 0, v * MS_NS, true);
	}
}
