// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/hash_memo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"

#define LEAST_SLOTS 1024

struct hash_memo_key hash_memo_key(struct hash_memo *m, const void *a, size_t a_len, const void *b,
				   size_t b_len)
{
	struct hash_memo_key key;

	for (int i = 0; i < 2; i++) {
		if (!m->seed[i])
			m->seed[i] = hash_random_seed() | 1;
		key.v[i] = hash_mix(hash_bytes(a, a_len, m->seed[i]),
				    hash_bytes(b, b_len, m->seed[i]));
	}
	key.v[0] |= 1; /* a free slot has 0 */
	return key;
}

static bool same(const struct hash_memo_key *a, const struct hash_memo_key *b)
{
	return a->v[0] == b->v[0] && a->v[1] == b->v[1];
}

/* Its slot, or the free one where it belongs. There is a free one. */
static struct hash_memo_slot *slot_of(const struct hash_memo *m, const struct hash_memo_key *key)
{
	size_t i = key->v[1] & (m->cap - 1);

	while (m->slots[i].key.v[0] && !same(&m->slots[i].key, key))
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

bool hash_memo_find(const struct hash_memo *m, const struct hash_memo_key *key, uint64_t *value)
{
	const struct hash_memo_slot *s = m->cap ? slot_of(m, key) : NULL;

	if (!s || !s->key.v[0])
		return false;
	*value = s->value;
	return true;
}

static int grow(struct hash_memo *m)
{
	struct hash_memo n = {.cap = m->cap ? 2 * m->cap : LEAST_SLOTS};

	n.slots = calloc(n.cap, sizeof(*n.slots));
	if (!n.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key.v[0])
			*slot_of(&n, &m->slots[i].key) = m->slots[i];
	free(m->slots);
	m->slots = n.slots;
	m->cap = n.cap;
	return 0;
}

void hash_memo_add(struct hash_memo *m, const struct hash_memo_key *key, uint64_t value)
{
	struct hash_memo_slot *s;

	if (m->len >= HASH_MEMO_MAX) {
		m->forgotten += m->len;
		memset(m->slots, 0, m->cap * sizeof(*m->slots));
		m->len = 0;
	}
	if (2 * (m->len + 1) > m->cap && grow(m))
		return;
	s = slot_of(m, key);
	m->len += !s->key.v[0];
	*s = (struct hash_memo_slot){*key, value};
}

void hash_memo_release(struct hash_memo *m)
{
	free(m->slots);
	*m = (struct hash_memo){0};
}
