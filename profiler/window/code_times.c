// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/window/code_times.h"

struct needle {
	const struct code_times *t;
	uint32_t tgid, image;
};

static bool is_generation(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	const struct code_time *c = &n->t->all.data[id];

	return c->tgid == n->tgid && c->image == n->image;
}

static uint64_t hash_of(const struct needle *n)
{
	return hash_mix(hash_u64(n->tgid), n->image);
}

static uint32_t find(const struct needle *n)
{
	return htab_find(&n->t->index, hash_of(n), is_generation, n);
}

void code_times_add(struct code_times *t, const struct kiln_count_key *key, uint64_t first_ns)
{
	struct needle n = {t, key->tgid, key->image};
	struct code_time new = {key->tgid, key->image, first_ns};
	uint32_t id = find(&n);

	if (id != HTAB_NONE) {
		if (first_ns > t->all.data[id].latest_ns)
			t->all.data[id].latest_ns = first_ns;
		return;
	}
	id = (uint32_t)t->all.len;
	if (vec_reserve(&t->all, id + 1ul) || htab_insert(&t->index, hash_of(&n), id))
		return;
	t->all.data[t->all.len++] = new;
}

uint64_t code_times_of(const struct code_times *t, const struct kiln_count_key *key)
{
	const struct needle n = {t, key->tgid, key->image};
	uint32_t id = find(&n);

	return id == HTAB_NONE ? 0 : t->all.data[id].latest_ns;
}

void code_times_release(struct code_times *t)
{
	vec_release(&t->all);
	htab_release(&t->index);
}
