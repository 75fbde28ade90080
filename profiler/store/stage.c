// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/stage.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/counts.h"

DEFINE_CLEANUP(profile, profile_free)

int stage_init(struct stage *s)
{
	*s = (struct stage){.dict = dict_new()};
	return s->dict ? 0 : -ENOMEM;
}

static void kind_release(struct stage_kind *k)
{
	buf_release(&k->header);
	buf_release(&k->types);
}

void stage_release(struct stage *s)
{
	dict_free(s->dict);
	for (size_t i = 0; i < s->kinds.len; i++)
		kind_release(&s->kinds.data[i]);
	vec_release(&s->kinds);
	s->dict = NULL;
}

size_t stage_bytes(const struct stage *s)
{
	return dict_bytes(s->dict);
}

/* --- kinds ---------------------------------------------------------------------------------------- */

/* Finds k's header, or takes k; k is released otherwise. */
static int find_kind(struct stage *s, struct stage_kind *k, int64_t *id)
{
	int err = k->header.err ?: k->types.err;

	for (size_t i = 0; i < s->kinds.len && !err; i++) {
		const struct buf *have = &s->kinds.data[i].header;

		if (have->len == k->header.len && !memcmp(have->data, k->header.data, have->len)) {
			kind_release(k);
			*id = (int64_t)i;
			return 0;
		}
	}
	err = err ?: vec_push(&s->kinds, *k);
	if (err)
		kind_release(k);
	else
		*id = (int64_t)s->kinds.len - 1;
	return err;
}

static int kind_of(struct stage *s, const struct profile *p, int64_t *id)
{
	struct stage_kind k = {0};

	kind_encode(&k.header, p);
	kind_types_text(&k.types, p);
	kind_info_of(&k.info, p);
	return find_kind(s, &k, id);
}

int stage_kind(struct stage *s, const void *header, size_t len, int64_t *id)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int err = kind_decode(&p, header, len);

	return err ?: kind_of(s, p, id);
}

int stage_cpu_kind(struct stage *s, int64_t *id)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	int err = p ? profile_init_cpu(p, 0) : -ENOMEM;

	return err ?: kind_of(s, p, id);
}

int stage_store_kinds(struct stage *s, struct rows *rows, size_t first)
{
	int err = 0;

	for (size_t i = first; i < s->kinds.len && !err; i++) {
		struct stage_kind *k = &s->kinds.data[i];

		err = rows_add_kind(rows, (int64_t)i, buf_cstr(&k->types), k->info.period,
				    k->header.data, k->header.len);
	}
	return err;
}

/* --- windows -------------------------------------------------------------------------------------- */

void staged_release(struct staged *s)
{
	dict_window_release(&s->window);
	vec_release(&s->usage.v);
}

int stage_sum(struct stage *s, struct staged *w)
{
	int err = usage_sum(&w->usage, s->dict, &w->window, &s->kinds.data[w->row.kind].info);

	w->row.samples = w->usage.samples;
	w->row.cpu_ns = w->usage.cpu_ns;
	return err;
}

int stage_window(struct stage *s, const struct profile *p, const struct quality *q,
		 int64_t begin_unix_ns, uint64_t duration_ns, struct staged *out)
{
	struct staged w = {.row = {.begin_unix_ns = begin_unix_ns,
				   .duration_ns = (int64_t)duration_ns,
				   .quality = *q}};
	int err = kind_of(s, p, &w.row.kind) ?: dict_add_window(s->dict, p, q, &w.window);

	if (err)
		return err;
	memset(&w.row.quality.blame, 0, sizeof(w.row.quality.blame));
	counts_sort(&w.window);
	err = stage_sum(s, &w);
	if (err)
		staged_release(&w);
	else
		*out = w;
	return err;
}
