// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/name_jit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/files/files.h"
#include "profiler/files/stall_guard.h"
#include "profiler/procs/procs.h"
#include "profiler/window/aggregate.h"
#include "profiler/naming/kept_maps.h"
#include "profiler/naming/naming_internal.h"
#include "profiler/naming/perf_map.h"
#include "symbolizer/files/jit_files.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/symbolizer.h"

struct search {
	struct naming *n;
	const struct agg_image *image;
	const struct agg_image
		*maker; /* who wrote the file that is asked: this program, or a forebear */
	const struct jit_place *places;
	bool *named;
	/* The current question: places[index[0..n)]. */
	size_t *index;
	uint64_t *va, *as_of;
	jit_name_fn fn;
	void *ctx;
	bool is_cut; /* a file was not read whole */
	int err;
};

static void take(void *ctx, size_t i, const struct sym_result *r)
{
	struct search *s = ctx;
	size_t place = s->index[i];

	s->is_cut |= r->reason == SYM_LIMIT;
	if (r->reason != SYM_OK || s->named[place] || s->err)
		return;
	s->named[place] = true;
	s->err = s->fn(s->ctx, place, &r->frames[0]);
}

/* CLOCK_MONOTONIC of a place where its program runs, as jitdumps have it. */
static uint64_t time_of(const struct jit_place *p, int64_t behind_ns)
{
	int64_t t_ns = (int64_t)p->t_ns - behind_ns;

	return p->t_ns && t_ns > 0 ? (uint64_t)t_ns : UINT64_MAX;
}

/* Asks a file about all places without a name. */
static int ask(struct search *s, const struct sym_file *file, size_t n, bool in_dump)
{
	struct jit_places at = {.in_dump = in_dump, .va = s->va, .as_of = s->as_of};
	uint64_t mono_ns = monotonic_ns();
	int64_t behind_ns = (int64_t)(boottime_ns() - mono_ns) - s->image->monotonic_ns;
	int err;

	for (size_t i = 0; i < n; i++) {
		const struct jit_place *p = &s->places[i];

		if (s->named[i])
			continue;
		s->va[at.n] = p->va;
		s->as_of[at.n] = in_dump		? time_of(p, behind_ns)
				 : s->maker == s->image ? p->written
							: 0;
		s->index[at.n++] = i;
	}
	err = symbolizer_resolve_jit(s->n->opts.symbolizer, file, &at, take, s);
	return err ?: s->err;
}

static bool is_believed(const struct file_view *v, uint32_t owner)
{
	if (v->held.opener)
		return jit_file_is_believed(v->held.uid, v->held.others_read, owner);
	return !jit_file_check(v->fd, owner);
}

/* The program has mapped its jitdump, so the opener has opened and checked it. */
static int ask_dump(struct search *s, size_t n)
{
	struct sym_file file;
	struct file_view v;
	int err = 0;

	if (s->image->jitdump == FILE_NONE)
		return 0;
	files_get(s->n->opts.files, s->image->jitdump, &v);
	file = file_view_sym(&v);
	file.build_id = NULL;
	file.root_fd = -1;
	if (!v.err && is_believed(&v, agg_image_owner(s->image)))
		err = ask(s, &file, n, true);
	files_release_fd(s->n->opts.files, s->image->jitdump);
	return err;
}

static struct sym_file map_file(const struct perf_map *map)
{
	return (struct sym_file){
		.fd = map->fd,
		.root_fd = -1,
		.held = map->held.opener ? &map->held : NULL,
		.uid = map->held.uid,
	};
}

static const struct perf_map *kept_map(const struct naming *n, const struct agg_image *image)
{
	return n->opts.kept_maps ? kept_maps_get(n->opts.kept_maps, image->image_id) : NULL;
}

static bool is_cut(const struct naming *n, const struct agg_image *image)
{
	for (size_t i = 0; i < n->cut_maps.len; i++)
		if (n->cut_maps.data[i] == image->image_id)
			return true;
	return false;
}

/* A forebear of the program that has an image, as the maker of its code. False: it has no more of them. */
static bool forebear_of(const struct agg_image *image, int i, struct agg_image *out)
{
	const struct proc_forebear *f = &image->forebears[i];

	if (i == PROC_FOREBEARS_MAX || !f->tgid)
		return false;
	*out = (struct agg_image){
		.image_id = f->image,
		.tgid = f->tgid,
		.ns_tgid = f->ns_tgid,
		.uid = f->uid == UINT32_MAX ? image->uid : f->uid,
		.exe = image->exe,
		.jitdump = FILE_NONE,
		.begin_ns = f->begin_ns,
	};
	return true;
}

static int map_error(struct naming *n, const struct agg_image *maker)
{
	struct perf_map map;

	if (kept_map(n, maker))
		return 0;
	map = perf_map_open(n->opts.files, &n->guard, maker);
	perf_map_close(&map);
	return map.err;
}

int naming_jit_error(struct naming *n, const struct agg_image *image)
{
	struct agg_image maker;
	int err;

	if (image->jitdump != FILE_NONE)
		return 0;
	if (is_cut(n, image))
		return -EFBIG;
	err = map_error(n, image);
	for (int i = 0; err && forebear_of(image, i, &maker); i++)
		if (!map_error(n, &maker))
			err = 0;
	return err;
}

static bool has_text(const struct perf_map *map)
{
	struct sym_file file = map_file(map);
	struct sym_file_key facts;

	return sym_file_facts(&file, &facts) && facts.size;
}

static bool has_written(struct naming *n, const struct agg_image *maker)
{
	const struct perf_map *kept = kept_map(n, maker);
	struct perf_map map = perf_map_open(n->opts.files, &n->guard, maker);
	bool has = has_text(&map) || (kept && has_text(kept));

	perf_map_close(&map);
	return has;
}

bool naming_knows_jit(struct naming *n, const struct agg_image *image)
{
	struct agg_image maker;
	bool has = image->jitdump != FILE_NONE || has_written(n, image);

	for (int i = 0; !has && forebear_of(image, i, &maker); i++)
		has = has_written(n, &maker);
	return has;
}

static int ask_map(struct search *s, const struct perf_map *map, size_t n)
{
	struct sym_file file = map_file(map);
	char path[48];

	snprintf(path, sizeof(path), "the perf map of pid %d", s->maker->tgid);
	file.path = path;
	return perf_map_is_open(map) ? ask(s, &file, n, false) : 0;
}

static bool is_same(const struct perf_map *a, const struct perf_map *b)
{
	struct sym_file x = map_file(a), y = map_file(b);
	struct sym_file_key p, q;

	return sym_file_facts(&x, &p) && sym_file_facts(&y, &q) && p.dev == q.dev && p.ino == q.ino;
}

static bool all_named(const struct search *s, size_t n)
{
	size_t i = 0;

	while (i < n && s->named[i])
		i++;
	return i == n;
}

/* What is at its path now may be another program's, or what it has written anew. */
static int ask_maps_of(struct search *s, const struct agg_image *maker, size_t n)
{
	const struct perf_map *kept = kept_map(s->n, maker);
	_cleanup_(perf_map_close) struct perf_map map = {.fd = -1};
	int err;

	s->maker = maker;
	err = kept ? ask_map(s, kept, n) : 0;
	if (err || all_named(s, n))
		return err;
	map = perf_map_open(s->n->opts.files, &s->n->guard, maker);
	return kept && is_same(kept, &map) ? 0 : ask_map(s, &map, n);
}

/* What the program has made itself may lie where a forebear's code was. */
static int ask_maps(struct search *s, size_t n)
{
	struct agg_image maker;
	int err = ask_maps_of(s, s->image, n);

	for (int i = 0; !err && !all_named(s, n) && forebear_of(s->image, i, &maker); i++)
		err = ask_maps_of(s, &maker, n);
	return err;
}

int jit_names(struct naming *n, const struct agg_image *image, const struct jit_place *places,
	      size_t n_places, jit_name_fn fn, void *ctx)
{
	_cleanup_free_ bool *named = calloc(n_places + 1, sizeof(*named));
	_cleanup_free_ size_t *index = calloc(n_places + 1, sizeof(*index));
	_cleanup_free_ uint64_t *va = calloc(n_places + 1, sizeof(*va));
	_cleanup_free_ uint64_t *as_of = calloc(n_places + 1, sizeof(*as_of));
	struct search s = {n, image, image, places, named, index, va, as_of, fn, ctx, false, 0};
	int err;

	if (!named || !index || !va || !as_of)
		return -ENOMEM;
	err = ask_dump(&s, n_places);
	if (!err && !all_named(&s, n_places))
		err = ask_maps(&s, n_places);
	if (s.is_cut && !all_named(&s, n_places) && vec_push(&n->cut_maps, image->image_id))
		err = err ?: -ENOMEM;
	for (size_t i = 0; i < n_places && !err; i++)
		err = named[i] ? 0 : fn(ctx, i, NULL);
	return err;
}
