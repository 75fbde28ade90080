/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": the known word nearest to a mistyped one. */
#ifndef KILN_CLI_SUGGEST_H
#define KILN_CLI_SUGGEST_H

#include <stddef.h>

/* Longer words are not compared: they are no typing slips of our names. */
#define SUGGEST_MAX_LEN 40

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
 * alignment); SIZE_MAX if one is longer than SUGGEST_MAX_LEN. */
size_t suggest_distance(const char *a, const char *b);

/* Feed candidates one by one; best is the nearest, or NULL while none is near enough. */
struct suggest {
	const char *typed;
	const char *best;
	size_t distance;
};

void suggest_consider(struct suggest *s, const char *candidate);

#endif
