// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/unwind/table_entries.h"

struct needle {
	const struct table_entries *t;
	uint32_t file;
};

static bool entry_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return n->t->all.data[id].file == n->file;
}

struct table_entry *table_entries_find(const struct table_entries *t, uint32_t file)
{
	struct needle n = {t, file};
	uint32_t id = htab_find(&t->index, hash_u64(file), entry_eq, &n);

	return id == HTAB_NONE ? NULL : &t->all.data[id];
}

struct table_entry *table_entries_add(struct table_entries *t, uint32_t file)
{
	struct table_entry fresh = {.file = file};

	if (vec_push(&t->all, fresh))
		return NULL;
	if (htab_insert(&t->index, hash_u64(file), (uint32_t)t->all.len - 1)) {
		t->all.len--;
		return NULL;
	}
	return &vec_last(&t->all);
}

static bool is_in_use(const struct table_entry *e)
{
	return e->state == TABLE_QUEUED || e->state == TABLE_LOADED || e->is_renewed;
}

void table_entries_keep(struct table_entries *t,
			bool (*keep)(void *ctx, const struct table_entry *e), void *ctx)
{
	size_t kept = 0;

	htab_clear(&t->index);
	for (size_t i = 0; i < t->all.len; i++) {
		struct table_entry e = t->all.data[i];

		if (!is_in_use(&e) && !keep(ctx, &e))
			continue;
		t->all.data[kept] = e;
		/* Capacity is there already. */
		htab_insert(&t->index, hash_u64(e.file), (uint32_t)kept++);
	}
	t->all.len = kept;
}

void table_entries_release(struct table_entries *t)
{
	vec_release(&t->all);
	htab_release(&t->index);
}
