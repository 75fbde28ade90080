// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "profiler/base/hash.h"

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const uint8_t *p = data;
	uint64_t h = hash_u64(seed ^ (len * 0x9e3779b97f4a7c15ull)), w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = hash_mix(h, w);
	}
	if (len) {
		w = 0;
		memcpy(&w, p, len);
		h = hash_mix(h, w);
	}
	return h;
}

uint64_t hash_str(const char *s)
{
	return hash_bytes(s, strlen(s), 0);
}

/* A bijection of the lane for any word. So different inputs stay different until the last fold. */
static inline uint64_t check_step(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * 0x9fb21c651e98df25ull;
	return lane ^ lane >> 29;
}

uint32_t hash_check(const void *data, size_t len)
{
	uint64_t lane[4] = {len, 0x9e3779b97f4a7c15ull, 0xc2b2ae3d27d4eb4full,
			    0x165667b19e3779f9ull};
	const uint8_t *p = data;
	uint64_t w[4], h = 0;

	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(w, p, sizeof(w));
		for (int i = 0; i < 4; i++)
			lane[i] = check_step(lane[i], w[i]);
	}
	memset(w, 0, sizeof(w));
	if (len)
		memcpy(w, p, len);
	for (int i = 0; i < 4; i++)
		h = hash_mix(h, check_step(lane[i], w[i]));
	return (uint32_t)h ^ (uint32_t)(h >> 32);
}

uint64_t hash_random_seed(void)
{
	uint64_t seed;

	/* Early at boot there may be no entropy. An address of the stack is better than waiting. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = hash_u64((uintptr_t)&seed);
	return seed;
}

uint32_t htab_find(const struct htab *t, uint64_t hash, htab_eq_fn eq, const void *ctx)
{
	uint32_t h = (uint32_t)hash, i;

	if (!t->cap)
		return HTAB_NONE;
	for (i = h & (t->cap - 1); t->slots[i].id; i = (i + 1) & (t->cap - 1))
		if (t->slots[i].hash == h && eq(ctx, t->slots[i].id - 1))
			return t->slots[i].id - 1;
	return HTAB_NONE;
}

static void put(struct htab *t, uint32_t hash, uint32_t stored_id)
{
	uint32_t i = hash & (t->cap - 1);

	while (t->slots[i].id)
		i = (i + 1) & (t->cap - 1);
	t->slots[i] = (struct htab_slot){hash, stored_id};
}

static int grow(struct htab *t)
{
	struct htab bigger = {.cap = t->cap ? t->cap * 2 : 16, .len = t->len};

	if (t->cap >= 1u << 31)
		return -ENOMEM;
	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->slots[i].id)
			put(&bigger, t->slots[i].hash, t->slots[i].id);
	free(t->slots);
	*t = bigger;
	return 0;
}

int htab_insert(struct htab *t, uint64_t hash, uint32_t id)
{
	if ((uint64_t)(t->len + 1) * 4 > (uint64_t)t->cap * 3) {
		int err = grow(t);

		if (err)
			return err;
	}
	put(t, (uint32_t)hash, id + 1);
	t->len++;
	return 0;
}

/* Closes the gap at slot i: moves back every later entry of the run that may go there. */
static void close_gap(struct htab *t, uint32_t i)
{
	uint32_t mask = t->cap - 1, j = i;

	for (;;) {
		t->slots[i].id = 0;
		for (;;) {
			uint32_t home;

			j = (j + 1) & mask;
			if (!t->slots[j].id)
				return;
			home = t->slots[j].hash & mask;
			if (((j - home) & mask) >= ((j - i) & mask))
				break;
		}
		t->slots[i] = t->slots[j];
		i = j;
	}
}

bool htab_remove(struct htab *t, uint64_t hash, uint32_t id)
{
	uint32_t h = (uint32_t)hash, i;

	if (!t->cap)
		return false;
	for (i = h & (t->cap - 1); t->slots[i].id; i = (i + 1) & (t->cap - 1)) {
		if (t->slots[i].hash == h && t->slots[i].id == id + 1) {
			close_gap(t, i);
			t->len--;
			return true;
		}
	}
	return false;
}

void htab_clear(struct htab *t)
{
	if (t->cap)
		memset(t->slots, 0, t->cap * sizeof(*t->slots));
	t->len = 0;
}

void htab_release(struct htab *t)
{
	free(t->slots);
	*t = (struct htab){0};
}
