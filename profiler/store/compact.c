// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/compact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/profile/spans.h"
#include "profiler/store/builder.h"
#include "profiler/store/reader.h"
#include "profiler/store/restore.h"
#include "profiler/store/stage.h"
#include "profiler/store/sums.h"

struct compaction {
	const struct dir *dir;
	const struct compact_opts *opts;
	struct restore_opts keep_all, keep_some;
	struct builder *builder;
	uint64_t removed;
	bool removes; /* something of what was asked for was there */
};

/* The segment that is being read. */
struct input {
	struct compaction *c;
	struct reader *reader;
	struct restorer *all, *some;
	/* Windows that become one: those that follow each other, of the same time and kind. */
	bool is_begun;
	int64_t bucket, kind;
	struct sums sums;
	struct quality quality;
	struct spans covered;
};

static void input_release(struct input *in)
{
	restorer_free(in->all);
	restorer_free(in->some);
	sums_release(&in->sums);
	quality_release(&in->quality);
	spans_release(&in->covered);
}

static int end_window(struct input *in)
{
	int err = sums_join(&in->sums);

	if (!err && in->is_begun)
		err = builder_add(in->c->builder, in->kind, &in->sums, &in->quality,
				  in->covered.v.len ? in->covered.v.data[0].begin_ns : in->bucket,
				  spans_total(&in->covered));
	in->is_begun = false;
	sums_clear(&in->sums);
	quality_release(&in->quality);
	spans_release(&in->covered);
	in->covered = (struct spans){0};
	return err;
}

/* The kind's id in the new segment; where its header is damaged, that of kiln's own profiles. */
static int find_kind(struct input *in, int64_t old, int64_t *id)
{
	struct stage *stage = builder_stage(in->c->builder);
	size_t len;
	const void *data = reader_kind(in->reader, old, &len);
	int err = data ? stage_kind(stage, data, len, id) : -EBADMSG;

	return err == -EBADMSG ? stage_cpu_kind(stage, id) : err;
}

static bool is_in_range(const struct compact_opts *o, int64_t ns)
{
	return ns >= o->remove_since_ns && ns < o->remove_until_ns;
}

static int add_window(struct input *in, const struct window_row *w)
{
	const struct compact_opts *o = in->c->opts;
	bool in_range = is_in_range(o, w->begin_unix_ns);
	int64_t width = o->window_ns ?: 1, bucket = w->begin_unix_ns - w->begin_unix_ns % width,
		kind = 0;
	int err = find_kind(in, w->kind, &kind);

	if (!err && in_range && !o->remove_where) {
		in->c->removed += (uint64_t)w->samples;
		in->c->removes = true;
		return 0;
	}
	if (!err && in->is_begun && (!o->window_ns || bucket != in->bucket || kind != in->kind))
		err = end_window(in);
	in->is_begun = true;
	in->bucket = bucket;
	in->kind = kind;
	err = err ?: restorer_add(in_range ? in->some : in->all, w, &in->sums, &in->quality);
	return err ?: spans_add(&in->covered, w->begin_unix_ns, w->duration_ns);
}

static int add_windows(struct compaction *c, struct reader *r)
{
	struct input in = {.c = c, .reader = r};
	struct dict *dict = builder_stage(c->builder)->dict;
	struct window_row w;
	int err = restorer_new(&in.all, r, dict, &c->keep_all), got;

	err = err ?: restorer_new(&in.some, r, dict, &c->keep_some);
	while (!err && (got = reader_next(r, &w)))
		err = got < 0 ? got : add_window(&in, &w);
	err = err ?: end_window(&in);
	if (in.some) {
		c->removed += restorer_removed(in.some);
		c->removes |= restorer_removed(in.some) != 0;
	}
	input_release(&in);
	return err;
}

static bool is_damaged(const struct reader_damage *d)
{
	return d->rows || d->windows || d->chunks;
}

/* 1: it is in, and damaged; 0: it is in; -EFBIG: there is no room for it beside those before. */
static int add_segment(struct compaction *c, const struct snapshot_segment *s, bool is_first)
{
	_cleanup_(reader_freep) struct reader *r = NULL;
	_cleanup_free_ char *path = NULL;
	size_t before = builder_windows(c->builder);
	uint64_t removed = c->removed;
	int err = dir_path(c->dir, s->file.name, &path) ?: reader_open(&r, path);

	err = err ?: add_windows(c, r);
	if (!err && !is_first && builder_bytes(c->builder) > c->opts->max_bytes)
		err = -EFBIG;
	if (!err)
		return is_damaged(reader_damage(r));
	builder_cut(c->builder, before);
	c->removed = removed;
	return err;
}

/* What has gone into the new segment. */
struct inputs {
	const struct snapshot_segment *v;
	size_t n;
	bool *damaged;
};

static int add_segments(struct compaction *c, struct inputs *in, size_t n)
{
	for (in->n = 0; in->n < n; in->n++) {
		int got = add_segment(c, &in->v[in->n], !in->n);

		if (got == -EFBIG && in->n)
			return 0;
		if (got < 0)
			return got;
		in->damaged[in->n] = got;
	}
	return 0;
}

static struct segment_head new_head(const struct compaction *c, const struct inputs *in,
				    bool is_full)
{
	const struct segment_head *first = &in->v[0].head;
	struct segment_head head = {
		.id = (int64_t)(hash_random_seed() >> 1) | 1,
		.begin_unix_ns = first->begin_unix_ns,
		.window_ns = c->opts->window_ns ?: first->window_ns,
		.state = SEGMENT_COMPACTED,
		.is_full = is_full || (in->n == 1 && first->is_full),
	};

	for (size_t i = 0; i < in->n; i++) {
		int64_t end = in->v[i].head.begin_unix_ns + in->v[i].head.span_ns;

		if (end - head.begin_unix_ns > head.span_ns)
			head.span_ns = end - head.begin_unix_ns;
		if (in->v[i].head.sequence > head.sequence)
			head.sequence = in->v[i].head.sequence;
	}
	return head;
}

static int write_segment(struct compaction *c, const struct inputs *in, bool is_full)
{
	_cleanup_free_ int64_t *ids = calloc(in->n, sizeof(*ids));
	struct segment_head head = new_head(c, in, is_full);
	char name[DIR_NAME_BYTES], tmp[DIR_NAME_BYTES];
	_cleanup_free_ char *path = NULL;
	int err = ids ? dir_create(c->dir, head.begin_unix_ns, DIR_TMP_SUFFIX, tmp) : -ENOMEM;

	if (err)
		return err;
	for (size_t i = 0; i < in->n; i++)
		ids[i] = in->v[i].head.id;
	strcpy(name, tmp);
	name[strlen(name) - strlen(DIR_TMP_SUFFIX)] = '\0';
	err = dir_path(c->dir, tmp, &path);
	err = err ?: builder_finish(c->builder, path, &head, ids, in->n);
	err = err ?: dir_rename(c->dir, tmp, name);
	if (err)
		dir_remove(c->dir, tmp);
	return err;
}

/* From here on they do not count any more: what fails now is done the next time. */
static void remove_inputs(struct compaction *c, const struct inputs *in,
			  struct compact_result *result)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->damaged[i])
			dir_put_aside(c->dir, in->v[i].file.name);
		else
			dir_remove(c->dir, in->v[i].file.name);
		result->damaged += in->damaged[i];
	}
	result->segments = in->n;
	result->removed = c->removed;
}

/* Where no window is left there is no new segment. */
static int replace_inputs(struct compaction *c, const struct inputs *in, bool is_full,
			  struct compact_result *result)
{
	int err = builder_windows(c->builder) ? write_segment(c, in, is_full) : 0;

	if (!err)
		remove_inputs(c, in, result);
	return err;
}

int compact(const struct dir *d, const struct snapshot_segment *segments, size_t n,
	    const struct compact_opts *opts, struct compact_result *out)
{
	_cleanup_free_ bool *damaged = calloc(n + 1, sizeof(*damaged));
	struct compaction c = {
		.dir = d,
		.opts = opts,
		.keep_some = {.labels = {.where = opts->remove_where, .drops = true}}};
	struct inputs in = {segments, 0, damaged};
	int err = damaged ? builder_new(&c.builder) : -ENOMEM;

	*out = (struct compact_result){0};
	err = err ?: add_segments(&c, &in, n);
	if (!err && (c.removes || opts->remove_since_ns >= opts->remove_until_ns))
		err = replace_inputs(&c, &in, in.n < n, out);
	builder_free(c.builder);
	return err;
}
