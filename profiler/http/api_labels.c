// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys and values of labels, as autocompletion wants them. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/json.h"
#include "profiler/http/range.h"
#include "profiler/profile/profile.h"

#define MAX_NAMES 10000

struct names {
	const struct profile *p;
	VEC(uint32_t) ids; /* strings of p */
};

static int by_text(const void *va, const void *vb, void *ctx)
{
	const uint32_t *a = va, *b = vb;

	return strcmp(profile_text(ctx, *a), profile_text(ctx, *b));
}

static void print(struct names *n, struct answer *a)
{
	struct json j = {.out = &a->body};
	uint32_t last = PROFILE_NONE;
	size_t count = 0;

	if (n->ids.len)
		qsort_r(n->ids.data, n->ids.len, sizeof(uint32_t), by_text, (void *)n->p);
	json_open(&j, '{');
	json_key_open(&j, "names", '[');
	for (size_t i = 0; i < n->ids.len; i++) {
		if (n->ids.data[i] == last)
			continue;
		last = n->ids.data[i];
		if (count++ < MAX_NAMES)
			json_text(&j, profile_text(n->p, last));
	}
	json_close(&j, ']');
	if (count > MAX_NAMES)
		json_key_uint(&j, "left_out", count - MAX_NAMES);
	json_close(&j, '}');
	buf_char(&a->body, '\n');
}

/* With a key its values, else the keys. */
static int collect(struct names *n, const char *key)
{
	const struct profile *p = n->p;
	int err = 0;

	for (size_t i = 0; i < p->labels.len && !err; i++) {
		const struct profile_label *l = &p->labels.data[i];

		if (!key)
			err = vec_push(&n->ids, l->key);
		else if (!strcmp(profile_text(p, l->key), key) && l->str != PROFILE_NONE)
			err = vec_push(&n->ids, l->str);
	}
	return err;
}

static void answer_names(struct server *s, const struct request *r, const char *key,
			 struct answer *a)
{
	struct store_query sums = {.without_stacks = true};
	struct store_result result;
	struct names n = {0};

	if (!range_of(r, &sums, a) || !range_query(s, &sums, &result, a))
		return;
	n.p = result.profile;
	if (collect(&n, key))
		answer_error(a, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	else
		print(&n, a);
	vec_release(&n.ids);
	store_result_release(&result);
}

void answer_labels(struct server *s, const struct request *r, struct answer *a)
{
	answer_names(s, r, NULL, a);
}

void answer_label_values(struct server *s, const struct request *r, struct answer *a)
{
	answer_names(s, r, r->rest, a);
}
