/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": finds the known word nearest to a mistyped one. */
#ifndef KILN_BASE_SUGGEST_H
#define KILN_BASE_SUGGEST_H

#include <stddef.h>

/* Longer words are not compared. */
#define SUGGEST_MAX_LEN 40

/* Number of insertions, deletions, replacements and swaps of neighbours that turn a into b
 * (optimal string alignment). SIZE_MAX if one is longer than SUGGEST_MAX_LEN. */
size_t suggest_distance(const char *a, const char *b);

/* Give it all candidates. `best` is the nearest one, or NULL if none is near enough. */
struct suggest {
	const char *typed;
	const char *best;
	size_t distance;
};

void suggest_consider(struct suggest *s, const char *candidate);

#endif
