// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/sent_cache.h"

#include <errno.h>
#include <stdlib.h>

#define LEAST_SLOTS 64

static uint64_t real_key(uint64_t key)
{
	return key ? key : 1;
}

/* The slot that has the key, or the free one where it belongs. There is a free one. */
static size_t find(const struct sent_set *s, uint64_t key)
{
	size_t i = key & (s->cap - 1);

	while (s->slots[i] && s->slots[i] != key)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static bool has(const struct sent_set *s, uint64_t key)
{
	return s->cap && s->slots[find(s, key)];
}

static int grow(struct sent_set *s)
{
	struct sent_set n = {.cap = s->cap ? 2 * s->cap : LEAST_SLOTS};

	n.slots = calloc(n.cap, sizeof(*n.slots));
	if (!n.slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i])
			n.slots[find(&n, s->slots[i])] = s->slots[i];
	n.len = s->len;
	free(s->slots);
	*s = n;
	return 0;
}

static void clear(struct sent_set *s)
{
	free(s->slots);
	*s = (struct sent_set){0};
}

void sent_cache_clear(struct sent_cache *c)
{
	clear(&c->young);
	clear(&c->old);
}

void sent_cache_add(struct sent_cache *c, uint64_t key)
{
	key = real_key(key);
	if (has(&c->young, key))
		return;
	if (c->young.len >= SENT_CACHE_MAX / 2) {
		c->forgotten += c->old.len;
		clear(&c->old);
		c->old = c->young;
		c->young = (struct sent_set){0};
	}
	if (2 * (c->young.len + 1) > c->young.cap && grow(&c->young))
		return;
	c->young.slots[find(&c->young, key)] = key;
	c->young.len++;
}

bool sent_cache_has(struct sent_cache *c, uint64_t key)
{
	key = real_key(key);
	if (has(&c->young, key))
		return true;
	if (!has(&c->old, key))
		return false;
	sent_cache_add(c, key);
	return true;
}
