// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/perf_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/files/files.h"
#include "profiler/files/stall_guard.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/files/jit_files.h"
#include "symbolizer/opener/opener.h"

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

/* Times of files have the granularity of a tick, and the clock may be set back a little. */
#define SLACK_NS (1 * NS_PER_S)

struct search {
	struct opener *opener; /* NULL: it is opened here */
	struct stall_guard *guard;
	const struct agg_image *img;
	const struct file_view *exe;
	int64_t begun_ns; /* CLOCK_REALTIME */
};

/* Whose root directory the path is below. */
enum map_root { ROOT_OF_PROGRAM, ROOT_OF_EXE, ROOT_OF_HOST };

static int open_there(const struct search *s, enum map_root root, pid_t number,
		      struct held_file *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", number);
	return opener_map(s->opener, root == ROOT_OF_EXE ? s->exe->held.root : 0,
			  root == ROOT_OF_PROGRAM ? s->img->tgid : 0, path, agg_image_owner(s->img),
			  out);
}

static int open_here(const struct search *s, enum map_root root, pid_t number)
{
	char path[64] = "";

	if (root == ROOT_OF_PROGRAM)
		snprintf(path, sizeof(path), "/proc/%d/root", s->img->tgid);
	else if (root == ROOT_OF_EXE)
		snprintf(path, sizeof(path), "/proc/self/fd/%d", s->exe->root_fd);
	return open_guarded(s->guard, agg_image_owner(s->img), path, number);
}

/* An earlier program of the same number may have left one. */
static bool is_left(const struct search *s, const struct perf_map *map)
{
	struct sym_file file = {.fd = map->fd, .held = map->held.opener ? &map->held : NULL};
	struct sym_file_key key;

	return sym_file_facts(&file, &key) &&
	       (int64_t)(key.mtime.tv_sec * (int64_t)NS_PER_S + key.mtime.tv_nsec) + SLACK_NS <
		       s->begun_ns;
}

static bool is_there(int err)
{
	return err == -EPERM || err == -EINVAL || err == -EEXIST;
}

static bool try(const struct search *s, enum map_root root, pid_t number, struct perf_map *out)
{
	struct perf_map map = {.fd = -1};

	if (s->opener) {
		map.err = open_there(s, root, number, &map.held);
	} else {
		map.fd = open_here(s, root, number);
		map.err = map.fd < 0 ? map.fd : 0;
	}
	if (!map.err && is_left(s, &map))
		map.err = -EEXIST;
	if (!map.err) {
		*out = map;
		return true;
	}
	perf_map_close(&map);
	if (!is_there(out->err) && is_there(map.err))
		out->err = map.err;
	return false;
}

/* The program's number is that in its own pid namespace, but for who writes a map from outside. What has ended has no
 * root: its executable's is known if it is not the host's. */
static void look(const struct search *s, struct perf_map *out)
{
	pid_t outside = s->img->tgid, inside = s->img->ns_tgid ? s->img->ns_tgid : outside;
	bool has_root = s->exe->held.root || s->exe->root_fd >= 0;

	if (try(s, ROOT_OF_PROGRAM, inside, out) ||
	    (has_root && try(s, ROOT_OF_EXE, inside, out)) || try(s, ROOT_OF_HOST, outside, out))
		return;
	if (!has_root && inside != outside)
		try(s, ROOT_OF_HOST, inside, out);
}

struct perf_map perf_map_open(struct files *files, struct stall_guard *guard,
			      const struct agg_image *img)
{
	struct perf_map map = {.fd = -1, .err = -ENOENT};
	struct file_view v = {.root_fd = -1};
	const struct search s = {
		.opener = files_opener(files),
		.guard = guard,
		.img = img,
		.exe = &v,
		.begun_ns = unix_ns() - (int64_t)(boottime_ns() - img->begin_ns),
	};

	if (img->exe != FILE_NONE)
		files_get(files, img->exe, &v);
	look(&s, &map);
	if (img->exe != FILE_NONE)
		files_release_fd(files, img->exe);
	return map;
}

bool perf_map_is_open(const struct perf_map *m)
{
	return m->fd >= 0 || m->held.opener;
}

void perf_map_close(struct perf_map *m)
{
	cleanup_close_fd(&m->fd);
	if (m->held.opener)
		opener_close(m->held.opener, m->held.number);
}
