// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/where_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/suggest.h"
#include "profiler/profile/label_keys.h"
#include "profiler/store/reader.h"
#include "profiler/store/series.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/visit.h"
#include "profiler/store/where.h"

DEFINE_CLEANUP(where, where_free)

#define MAX_KEYS 256 /* with more, nothing is said */

struct keys {
	VEC(char *) v;
	bool full;
};

static void keys_release(struct keys *k)
{
	for (size_t i = 0; i < k->v.len; i++)
		free(k->v.data[i]);
	vec_release(&k->v);
}

static int restart(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool has_key(const struct keys *k, const char *key, size_t len)
{
	for (size_t i = 0; i < k->v.len; i++)
		if (!strncmp(k->v.data[i], key, len) && !k->v.data[i][len])
			return true;
	return false;
}

static int add_key(struct keys *k, const char *key, size_t len)
{
	char *copy;

	if (has_key(k, key, len))
		return 0;
	k->full |= k->v.len == MAX_KEYS;
	copy = k->full ? NULL : strndup(key, len);
	if (copy && !vec_push(&k->v, copy))
		return 0;
	free(copy);
	return k->full ? 0 : -ENOMEM;
}

static int add_segment(void *ctx, struct reader *r)
{
	struct keys *k = ctx;
	struct series_label label;
	int err = 0;

	for (uint32_t i = 0; i < reader_count_series(r) && !k->full && !err; i++)
		for (const char *at = reader_series(r, i); at && !err && series_next(&at, &label);)
			err = add_key(k, label.key, label.key_len);
	return err;
}

static int ignore_window(void *ctx, const struct window_row *w)
{
	(void)ctx;
	(void)w;
	return 0;
}

static void note_missing(struct buf *note, const struct where *w, const struct keys *k)
{
	const char *key;

	for (size_t i = 0; (key = where_key(w, i)); i++) {
		struct suggest near = {.typed = key};

		if (has_key(k, key, strlen(key)))
			continue;
		for (size_t j = 0; j < k->v.len; j++)
			suggest_consider(&near, k->v.data[j]);
		label_key_missing_near(note, &near);
		return;
	}
}

int store_where_note(struct store *s, const struct store_query *q, struct buf *note)
{
	static const struct visitor visitor = {restart, add_segment, ignore_window};
	_cleanup_(where_freep) struct where *w = NULL;
	struct visited visited = {0};
	struct keys keys = {0};
	struct why why = {""};
	int err = where_parse_any(&w, q->where, &why);

	if (!err && w)
		err = visit(&s->dir, q->since_ns, q->until_ns, &visitor, &keys, &visited);
	if (!err && w && keys.v.len && !keys.full)
		note_missing(note, w, &keys);
	keys_release(&keys);
	return err ?: note->err;
}
