// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/begins.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/store/store_internal.h"
#include "profiler/store/visit.h"

static int restart(void *ctx)
{
	((struct store_begins *)ctx)->v.len = 0;
	return 0;
}

static int segment(void *ctx, struct reader *r)
{
	(void)ctx;
	(void)r;
	return 0;
}

static int window(void *ctx, const struct window_row *w)
{
	struct store_begins *b = ctx;

	if (b->v.len >= STORE_MAX_BEGINS)
		return -E2BIG;
	return vec_push(&b->v, w->begin_unix_ns);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void make_unique(struct store_begins *b)
{
	size_t n = 0;

	if (b->v.len)
		qsort(b->v.data, b->v.len, sizeof(*b->v.data), compare);
	for (size_t i = 0; i < b->v.len; i++)
		if (!n || b->v.data[n - 1] != b->v.data[i])
			b->v.data[n++] = b->v.data[i];
	b->v.len = n;
}

void store_begins_release(struct store_begins *b)
{
	vec_release(&b->v);
}

int store_begins(struct store *s, int64_t since_ns, int64_t until_ns, struct store_begins *out)
{
	static const struct visitor visitor = {restart, segment, window};
	struct visited visited = {0};
	int err;

	*out = (struct store_begins){0};
	err = visit(&s->dir, since_ns, until_ns, &visitor, out, &visited);
	if (err)
		store_begins_release(out);
	else
		make_unique(out);
	return err;
}
