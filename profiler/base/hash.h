/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Non-cryptographic hashes, and the index table for all interning in kiln. */
#ifndef KILN_BASE_HASH_H
#define KILN_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finalizer of splitmix64: every input bit affects every output bit. */
static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static inline uint64_t hash_mix(uint64_t h, uint64_t x)
{
	return hash_u64(h ^ (x + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2)));
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t hash_str(const char *s);

/* Checksum against damage. Reads four words at a time and is several times as fast as
 * hash_bytes(). It is stored on disk, so it must never change. */
uint32_t hash_check(const void *data, size_t len);

/* A seed that outsiders cannot know, for tables with foreign keys. */
uint64_t hash_random_seed(void);

/*
 * Open-addressing table from a hash to a 32-bit id. The table stores ids only. Keys are in the
 * caller's own array, which ids index. All-zero is an empty table.
 */
struct htab {
	struct htab_slot {
		uint32_t hash, id; /* id + 1; 0 is a free slot */
	} * slots;
	uint32_t cap, len; /* cap is 0 or a power of two */
};

#define HTAB_NONE UINT32_MAX

typedef bool (*htab_eq_fn)(const void *ctx, uint32_t id);

/* The id under `hash` for which eq(ctx, id) is true, or HTAB_NONE. */
uint32_t htab_find(const struct htab *t, uint64_t hash, htab_eq_fn eq, const void *ctx);

/* Adds a new id (< UINT32_MAX - 1). 0 or -ENOMEM. */
int htab_insert(struct htab *t, uint64_t hash, uint32_t id);

/* Removes this id under this hash. False if it is not there. */
bool htab_remove(struct htab *t, uint64_t hash, uint32_t id);

void htab_clear(struct htab *t);
void htab_release(struct htab *t);

#endif
