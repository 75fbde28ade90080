// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/cli/share.h"
#include "profiler/profile/table.h"

#define FEW_SAMPLES  100
#define MANY_SAMPLES 1000
/* Of the normal distribution, 95 % of which is within so many standard deviations. */
#define DEVIATIONS 1.96

struct share_scale share_scale_of(const struct profile *p, size_t value)
{
	return (struct share_scale){profile_gross(p, value), profile_samples(p),
				    profile_is_difference(p, value)};
}

struct share_scale share_scale_of_table(const struct table *t)
{
	return (struct share_scale){t->gross, t->n_samples, t->is_difference};
}

void share_interval(double share, uint64_t n, double *low, double *high)
{
	double p = share / 100, z = DEVIATIONS, of = (double)n;
	double scale = 1 / (1 + z * z / of), centre = (p + z * z / (2 * of)) * scale;
	double half = z * scale * sqrt(p * (1 - p) / of + z * z / (4 * of * of));

	*low = 100 * fmax(centre - half, 0);
	*high = 100 * fmin(centre + half, 1);
}

/* "38", "37.9", "<1", ">99.9"; a negative one has its sign, and there is no room for both that and '>'. */
static void format_point(char *text, size_t size, double share, bool is_all, bool decimals)
{
	double least = decimals ? 0.1 : 1, size_of = fabs(share);
	const char *sign = share < 0 ? "-" : "", *than = "";

	if (size_of < least / 2 && size_of > 0) {
		than = "<";
		size_of = least;
	} else if (size_of > 100 - least / 2 && !is_all) {
		than = share < 0 ? "" : ">";
		size_of = 100 - least;
	}
	snprintf(text, size, "%s%s%.*f", sign, than, decimals && share > -99.95 ? 1 : 0, size_of);
}

/* "+38", "-37.9", "+<1", "+>999"; as wide as the others, whatever has come beside the base. */
static void format_change(char *text, size_t size, double share, bool decimals)
{
	double least = decimals ? 0.1 : 1, size_of = fabs(share);
	const char *than = "";

	if (size_of < least / 2) {
		than = "<";
		size_of = least;
	} else if (size_of >= 999.5) {
		than = ">";
		size_of = 999;
	}
	snprintf(text, size, "%s%s%.*f", share < 0 ? "-" : "+", than,
		 decimals && size_of < 99.95 ? 1 : 0, size_of);
}

/* A difference of profiles has shares below 0, for which there is no interval. */
static bool is_range(const struct share_scale *scale, int64_t part)
{
	return !scale->is_change && scale->n_samples && scale->n_samples < FEW_SAMPLES &&
	       part >= 0 && part <= scale->whole;
}

static double per_cent(const struct share_scale *scale, int64_t part)
{
	return 100 * ((double)part / (double)scale->whole);
}

/* The widest whole numbers that the interval touches. */
static void range_of(const struct share_scale *scale, int64_t part, int *low, int *high)
{
	double l, h;

	share_interval(per_cent(scale, part), scale->n_samples, &l, &h);
	*low = (int)floor(l + 1e-9);
	*high = (int)ceil(h - 1e-9);
}

static void point_of(const struct share_scale *scale, int64_t part, char *text, size_t size)
{
	bool decimals = !scale->n_samples || scale->n_samples >= MANY_SAMPLES;

	if (scale->is_change)
		format_change(text, size, per_cent(scale, part), decimals);
	else
		format_point(text, size, per_cent(scale, part),
			     part == scale->whole || part == -scale->whole, decimals);
}

void share_text(struct buf *out, const struct share_scale *scale, int64_t part)
{
	int low, high;
	char text[32];

	if (!scale->whole) {
		buf_char(out, '-');
	} else if (is_range(scale, part)) {
		range_of(scale, part, &low, &high);
		buf_printf(out, "%d to %d %%", low, high);
	} else {
		point_of(scale, part, text, sizeof(text));
		buf_printf(out, "%s %%", part ? text : "0");
	}
}

void share_cell(struct buf *out, const struct share_scale *scale, int64_t part)
{
	char text[40] = "-", point[32];
	int low, high;

	if (scale->whole && part && is_range(scale, part)) {
		range_of(scale, part, &low, &high);
		if (high >= 100)
			snprintf(text, sizeof(text), ">%d%%", low);
		else
			snprintf(text, sizeof(text), "%d-%d%%", low, high);
	} else if (scale->whole && part) {
		point_of(scale, part, point, sizeof(point));
		snprintf(text, sizeof(text), "%s%%", point);
	}
	buf_printf(out, "%*s", SHARE_CELL, text);
}
