// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/totals.h"

#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/base/strtab.h"
#include "profiler/profile/profile.h"

static int64_t value_of(const struct profile *p, size_t sample, size_t value)
{
	return p->values.data[p->samples.data[sample].first_value + value];
}

int64_t profile_total(const struct profile *p, size_t value)
{
	int64_t total = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		total = saturating_sum(total, value_of(p, i, value));
	return total;
}

static bool is_of_base(const struct profile *p, size_t sample)
{
	return !strcmp(profile_text_label(p, p->samples.data[sample].labelset, LABEL_DIFF_BASE),
		       "true");
}

/* INT64_MIN has no other sign: so sums without signs are made below 0. */
static int64_t less(int64_t v)
{
	return v < 0 ? v : -v;
}

static int64_t other_sign(int64_t v)
{
	return v == INT64_MIN ? INT64_MAX : -v;
}

/* Nobody else pays for looking at labels: few profiles have the word. */
static bool has_marks(const struct profile *p)
{
	return strtab_lookup(p->strings, LABEL_DIFF_BASE) != PROFILE_NONE;
}

bool profile_base_total(const struct profile *p, size_t value, int64_t *total)
{
	bool found = false;
	int64_t sum = 0;

	for (size_t i = 0; has_marks(p) && i < p->samples.len; i++) {
		if (!is_of_base(p, i))
			continue;
		sum = saturating_sum(sum, less(value_of(p, i, value)));
		found = true;
	}
	*total = other_sign(sum);
	return found;
}

int64_t profile_gross(const struct profile *p, size_t value)
{
	int64_t sum = 0, base;

	if (profile_base_total(p, value, &base) && base)
		return base;
	for (size_t i = 0; i < p->samples.len; i++)
		sum = saturating_sum(sum, less(value_of(p, i, value)));
	return other_sign(sum);
}

uint64_t profile_samples(const struct profile *p)
{
	int count = profile_count_type(p);

	return count < 0 ? 0 : (uint64_t)profile_gross(p, (size_t)count);
}

bool profile_is_difference(const struct profile *p, size_t value)
{
	for (size_t i = 0; i < p->samples.len; i++)
		if (value_of(p, i, value) < 0)
			return true;
	return false;
}
