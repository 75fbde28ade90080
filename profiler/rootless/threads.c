// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/threads.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/text.h"

int threads_each(pid_t tgid, threads_fn fn, void *ctx)
{
	char path[64];
	uint64_t tid;
	DIR *dir;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)tgid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	for (struct dirent *e; !err && (e = readdir(dir));)
		if (!text_parse_u64(e->d_name, INT_MAX, &tid) && tid)
			err = fn(ctx, tgid, (pid_t)tid);
	closedir(dir);
	return err;
}
