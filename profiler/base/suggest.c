// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>

#include "profiler/base/suggest.h"

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
	size_t d[SUGGEST_MAX_LEN + 1][SUGGEST_MAX_LEN + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > SUGGEST_MAX_LEN || m > SUGGEST_MAX_LEN)
		return SIZE_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			size_t edit = min2(d[i - 1][j], d[i][j - 1]) + 1;

			d[i][j] = min2(edit, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min2(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

void suggest_consider(struct suggest *s, const char *candidate)
{
	size_t typed_len = strlen(s->typed), distance;

	/* A prefix of at least two letters is a good guess, however much is missing. */
	if (typed_len >= 2 && !strncmp(s->typed, candidate, typed_len))
		distance = 1;
	else
		distance = suggest_distance(s->typed, candidate);
	/* Allows one typing error in three letters. Nothing is no guess. */
	if (!*candidate || distance > (typed_len + 2) / 3)
		return;
	if (!s->best || distance < s->distance) {
		s->best = candidate;
		s->distance = distance;
	}
}
