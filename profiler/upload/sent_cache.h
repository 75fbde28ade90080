/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which keys a server has acknowledged: within a cap, and of the least recently asked for it forgets half at once.
 * What is forgotten is sent again. Keys are well mixed (hashes).
 */
#ifndef KILN_UPLOAD_SENT_CACHE_H
#define KILN_UPLOAD_SENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENT_CACHE_MAX (1u << 17) /* keys: 2 MiB */

struct sent_set {
	uint64_t *slots; /* 0: free */
	size_t cap, len; /* cap: 0 or a power of two */
};

/* All-zero: empty. */
struct sent_cache {
	struct sent_set young, old;
	uint64_t forgotten; /* keys that the cap cost */
};

bool sent_cache_has(struct sent_cache *c, uint64_t key);
/* Only what was acknowledged. Out of memory: it is not remembered. */
void sent_cache_add(struct sent_cache *c, uint64_t key);
/* Nothing is believed any more. */
void sent_cache_clear(struct sent_cache *c);

#endif
