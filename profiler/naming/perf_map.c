// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/perf_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
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

struct perf_map perf_map_open(struct files *files, struct stall_guard *guard,
			      const struct agg_image *img)
{
	struct opener *o = files_opener(files);
	struct perf_map map = {.fd = -1};
	struct file_view v = {.root_fd = -1};
	const struct map_place place = {
		.tgid = img->tgid,
		.ns_tgid = img->ns_tgid ? img->ns_tgid : img->tgid,
		.owner = agg_image_owner(img),
		.exe = img->exe == FILE_NONE ? NULL : &v,
	};

	if (place.exe)
		files_get(files, img->exe, &v);
	if (o)
		open_map_there(o, &place, &map.held);
	else
		map.fd = open_map_here(guard, &place);
	if (place.exe)
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
