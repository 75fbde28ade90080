// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/procs/files.h"
#include "profiler/procs/procs.h"
#include "profiler/record/aggregate.h"
#include "profiler/record/name_jit.h"
#include "profiler/record/naming.h"
#include "symbolizer/perfmap.h"

struct jit_names {
	struct files *files;
	const struct agg_image *image;
	struct jitdump *dump; /* NULL: none */
	uint64_t asleep_ns;   /* what CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC */
	bool map_tried;
	struct perfmap *map; /* NULL: none */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint32_t owner_of(const struct agg_image *img)
{
	return img->uid == UINT32_MAX ? getuid() : img->uid;
}

/* The dump is a file that the program has mapped, so it was opened and checked as all of them. */
static int open_dump(struct jit_names *j)
{
	struct file_view v;
	int err;

	if (j->image->jitdump == FILE_NONE)
		return 0;
	files_get(j->files, j->image->jitdump, &v);
	err = v.fd < 0 ? v.err : jitdump_open(&j->dump, v.fd, owner_of(j->image));
	return err == -ENOMEM ? err : 0;
}

int jit_names_open(struct jit_names **out, const struct naming *n, const struct agg_image *image)
{
	struct jit_names *j = calloc(1, sizeof(*j));
	uint64_t mono_ns = clock_ns(CLOCK_MONOTONIC);
	int err;

	if (!j)
		return -ENOMEM;
	j->files = n->files;
	j->image = image;
	j->asleep_ns = clock_ns(CLOCK_BOOTTIME) - mono_ns;
	err = open_dump(j);
	if (err) {
		jit_names_close(j);
		return err;
	}
	*out = j;
	return 0;
}

void jit_names_close(struct jit_names *j)
{
	if (!j)
		return;
	jitdump_free(j->dump);
	if (j->image->jitdump != FILE_NONE)
		files_release_fd(j->files, j->image->jitdump);
	perfmap_free(j->map);
	free(j);
}

/* In the program's own root while it lives, else in that of its executable, else in the host's
 * /tmp. */
static struct perfmap *open_map(struct files *files, const struct agg_image *img)
{
	pid_t ns_tgid = img->ns_tgid ? img->ns_tgid : img->tgid;
	struct perfmap *m = NULL;
	struct file_view v = {.root_fd = -1};
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/root/tmp/perf-%d.map", img->tgid, ns_tgid);
	if (!perfmap_load(&m, path, owner_of(img)))
		return m;
	if (img->exe != FILE_NONE) {
		files_get(files, img->exe, &v);
		snprintf(path, sizeof(path), "/proc/self/fd/%d/tmp/perf-%d.map", v.root_fd,
			 ns_tgid);
		if (v.root_fd >= 0 && perfmap_load(&m, path, owner_of(img)))
			m = NULL;
		files_release_fd(files, img->exe);
	}
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", img->tgid);
	if (!m && perfmap_load(&m, path, owner_of(img)))
		m = NULL;
	return m;
}

int jit_names_find(struct jit_names *j, uint64_t t_ns, uint64_t va, struct jit_frame *out)
{
	uint64_t mono_ns = t_ns > j->asleep_ns ? t_ns - j->asleep_ns : UINT64_MAX;
	int err = j->dump ? jitdump_find(j->dump, mono_ns, va, out) : -ENOENT;
	struct jit_frame f = {0};

	if (err != -ENOENT)
		return err;
	if (!j->map_tried) {
		j->map = open_map(j->files, j->image);
		j->map_tried = true;
	}
	err = j->map ? perfmap_find(j->map, va, &f.name) : -ENOENT;
	if (!err)
		*out = f;
	return err;
}
