// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"

/* Strings are in blocks that never move. So strtab_get() stays valid while the table grows. */
#define BLOCK_BYTES 65536

struct block {
	struct block *next;
	size_t len, cap;
	char data[];
};

struct strtab {
	struct htab index;
	VEC(const char *) strs;
	struct block *blocks;
	size_t bytes;
	uint64_t seed; /* foreign names must not be able to choose hash collisions */
};

struct needle {
	const struct strtab *t;
	const char *s;
	size_t len;
};

static bool needle_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	const char *have = n->t->strs.data[id];

	return !strncmp(have, n->s, n->len) && !have[n->len];
}

static char *block_alloc(struct strtab *t, size_t len)
{
	struct block *b = t->blocks;

	if (!b || b->cap - b->len < len) {
		size_t cap = len > BLOCK_BYTES ? len : BLOCK_BYTES;

		b = malloc(sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->len = 0;
		b->cap = cap;
		b->next = t->blocks;
		t->blocks = b;
		t->bytes += sizeof(*b) + cap;
	}
	b->len += len;
	return b->data + b->len - len;
}

struct strtab *strtab_new(void)
{
	struct strtab *t = calloc(1, sizeof(*t));
	uint32_t id;

	if (!t)
		return NULL;
	t->seed = hash_random_seed();
	if (strtab_add(t, "", &id)) {
		strtab_free(t);
		return NULL;
	}
	return t;
}

void strtab_free(struct strtab *t)
{
	if (!t)
		return;
	for (struct block *b = t->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	htab_release(&t->index);
	vec_release(&t->strs);
	free(t);
}

int strtab_add_n(struct strtab *t, const char *s, size_t len, uint32_t *id)
{
	struct needle n = {t, s, strnlen(s, len)};
	uint64_t hash = hash_bytes(s, n.len, t->seed);
	uint32_t found = htab_find(&t->index, hash, needle_eq, &n);
	char *copy;

	if (found != HTAB_NONE) {
		*id = found;
		return 0;
	}
	if (vec_reserve(&t->strs, t->strs.len + 1))
		return -ENOMEM;
	copy = block_alloc(t, n.len + 1);
	if (!copy || htab_insert(&t->index, hash, t->strs.len))
		return -ENOMEM;
	memcpy(copy, s, n.len);
	copy[n.len] = '\0';
	*id = t->strs.len;
	t->strs.data[t->strs.len++] = copy;
	return 0;
}

int strtab_add(struct strtab *t, const char *s, uint32_t *id)
{
	return strtab_add_n(t, s, strlen(s), id);
}

const char *strtab_keep(struct strtab *t, const char *s, size_t len)
{
	char *copy = block_alloc(t, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

uint32_t strtab_lookup(const struct strtab *t, const char *s)
{
	struct needle n = {t, s, strlen(s)};

	return htab_find(&t->index, hash_bytes(s, n.len, t->seed), needle_eq, &n);
}

const char *strtab_get(const struct strtab *t, uint32_t id)
{
	return id < t->strs.len ? t->strs.data[id] : "";
}

uint32_t strtab_count(const struct strtab *t)
{
	return t->strs.len;
}

size_t strtab_bytes(const struct strtab *t)
{
	return t->bytes + t->strs.cap * sizeof(char *) + t->index.cap * sizeof(struct htab_slot);
}
