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
#include "profiler/naming/naming_internal.h"
#include "symbolizer/files/jit_files.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/symbolizer.h"

struct search {
	struct naming *n;
	const struct agg_image *image;
	const struct jit_place *places;
	bool *named;
	/* The current question: places[index[0..n_asked)]. */
	size_t *index, n_asked;
	uint64_t *va, *t_ns;
	jit_name_fn fn;
	void *ctx;
	int err;
};

static uint32_t owner_of(const struct agg_image *img)
{
	return img->uid == UINT32_MAX ? getuid() : img->uid;
}

static void take(void *ctx, size_t i, const struct sym_result *r)
{
	struct search *s = ctx;
	size_t place = s->index[i];

	if (r->reason != SYM_OK || s->named[place] || s->err)
		return;
	s->named[place] = true;
	s->err = s->fn(s->ctx, place, &r->frames[0]);
}

/* Asks a file about all places without a name. Times matter for a jitdump only. */
static int ask(struct search *s, const struct sym_file *file, size_t n, bool dump)
{
	uint64_t mono_ns = monotonic_ns();
	uint64_t asleep_ns = boottime_ns() - mono_ns;
	int err;

	s->n_asked = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t t_ns = s->places[i].t_ns;

		if (s->named[i])
			continue;
		s->va[s->n_asked] = s->places[i].va;
		s->t_ns[s->n_asked] = t_ns > asleep_ns ? t_ns - asleep_ns : UINT64_MAX;
		s->index[s->n_asked++] = i;
	}
	err = symbolizer_resolve_jit(s->n->opts.symbolizer, file, s->va, dump ? s->t_ns : NULL,
				     s->n_asked, take, s);
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
	if (!v.err && is_believed(&v, owner_of(s->image)))
		err = ask(s, &file, n, true);
	files_release_fd(s->n->opts.files, s->image->jitdump);
	return err;
}

struct open_job {
	struct guarded_job job;
	char root[64], path[64]; /* root "": kiln's own */
	uint32_t owner;
	int fd;
};

static int run_open(struct guarded_job *job)
{
	struct open_job *o = (struct open_job *)job;

	o->fd = jit_map_open(o->root[0] ? o->root : NULL, o->path, o->owner);
	return o->fd < 0 ? o->fd : 0;
}

static void free_open(struct guarded_job *job)
{
	struct open_job *o = (struct open_job *)job;

	if (o->fd >= 0)
		close(o->fd);
	free(o);
}

/* Opens a file in the stall guard, so that a hung server delays kiln for a bounded time. A
 * descriptor or -errno. */
static int open_guarded(struct stall_guard *p, uint32_t owner, const char *root, pid_t tgid)
{
	struct open_job *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	o->job = (struct guarded_job){run_open, free_open};
	o->owner = owner;
	o->fd = -1;
	snprintf(o->root, sizeof(o->root), "%s", root);
	snprintf(o->path, sizeof(o->path), "/tmp/perf-%d.map", tgid);
	if (!stall_guard_run(p, &o->job, &err))
		return -ETIMEDOUT;
	err = err ?: steal_fd(&o->fd);
	free_open(&o->job);
	return err;
}

/* A perf map: open here, or held by the opener. */
struct jit_map {
	int fd;
	struct held_file held;
};

static bool is_open(const struct jit_map *m)
{
	return m->fd >= 0 || m->held.opener;
}

static void close_map(struct jit_map *m)
{
	cleanup_close_fd(&m->fd);
	if (m->held.opener)
		opener_close(m->held.opener, m->held.number);
}

/* Where a perf map may be. */
struct map_place {
	pid_t tgid, ns_tgid;
	uint32_t owner;
	const struct file_view *exe; /* or NULL */
};

static int open_map_there(struct opener *o, const struct map_place *p, struct held_file *out)
{
	uint64_t root = p->exe ? p->exe->held.root : 0;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", p->ns_tgid);
	err = opener_map(o, 0, p->tgid, path, p->owner, out);
	if (err && root)
		err = opener_map(o, root, 0, path, p->owner, out);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", p->tgid);
	return err ? opener_map(o, 0, 0, path, p->owner, out) : 0;
}

static int open_map_here(struct stall_guard *guard, const struct map_place *p)
{
	char root[64];
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", p->tgid);
	fd = open_guarded(guard, p->owner, root, p->ns_tgid);
	if (fd < 0 && p->exe && p->exe->root_fd >= 0) {
		snprintf(root, sizeof(root), "/proc/self/fd/%d", p->exe->root_fd);
		fd = open_guarded(guard, p->owner, root, p->ns_tgid);
	}
	return fd >= 0 ? fd : open_guarded(guard, p->owner, "", p->tgid);
}

/* Looks in the program's own root while it lives, else in its executable's root, else in the
 * host's /tmp. */
static struct jit_map open_map(struct naming *n, const struct agg_image *img)
{
	struct opener *o = files_opener(n->opts.files);
	struct jit_map map = {.fd = -1};
	struct file_view v = {.root_fd = -1};
	const struct map_place place = {
		.tgid = img->tgid,
		.ns_tgid = img->ns_tgid ? img->ns_tgid : img->tgid,
		.owner = owner_of(img),
		.exe = img->exe == FILE_NONE ? NULL : &v,
	};

	if (place.exe)
		files_get(n->opts.files, img->exe, &v);
	if (o)
		open_map_there(o, &place, &map.held);
	else
		map.fd = open_map_here(&n->guard, &place);
	if (place.exe)
		files_release_fd(n->opts.files, img->exe);
	return map;
}

bool naming_knows_jit(struct naming *n, const struct agg_image *image)
{
	struct jit_map map;
	bool knows;

	if (image->jitdump != FILE_NONE)
		return true;
	map = open_map(n, image);
	knows = is_open(&map);
	close_map(&map);
	return knows;
}

static int ask_map(struct search *s, size_t n)
{
	_cleanup_(close_map) struct jit_map map = open_map(s->n, s->image);
	struct sym_file file = {.fd = map.fd, .root_fd = -1};
	char path[48];

	snprintf(path, sizeof(path), "the perf map of pid %d", s->image->tgid);
	file.path = path;
	file.held = map.held.opener ? &map.held : NULL;
	file.uid = map.held.uid;
	return is_open(&map) ? ask(s, &file, n, false) : 0;
}

static bool all_named(const struct search *s, size_t n)
{
	size_t i = 0;

	while (i < n && s->named[i])
		i++;
	return i == n;
}

int jit_names(struct naming *n, const struct agg_image *image, const struct jit_place *places,
	      size_t n_places, jit_name_fn fn, void *ctx)
{
	_cleanup_free_ bool *named = calloc(n_places + 1, sizeof(*named));
	_cleanup_free_ size_t *index = calloc(n_places + 1, sizeof(*index));
	_cleanup_free_ uint64_t *va = calloc(n_places + 1, sizeof(*va));
	_cleanup_free_ uint64_t *t_ns = calloc(n_places + 1, sizeof(*t_ns));
	struct search s = {n, image, places, named, index, 0, va, t_ns, fn, ctx, 0};
	int err;

	if (!named || !index || !va || !t_ns)
		return -ENOMEM;
	err = ask_dump(&s, n_places);
	if (!err && !all_named(&s, n_places))
		err = ask_map(&s, n_places);
	for (size_t i = 0; i < n_places && !err; i++)
		err = named[i] ? 0 : fn(ctx, i, NULL);
	return err;
}
