/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The perf map of a program: where it is, and opened. */
#ifndef KILN_NAMING_PERF_MAP_H
#define KILN_NAMING_PERF_MAP_H

#include <stdbool.h>

#include "symbolizer/query/answer.h"

struct agg_image;
struct files;
struct stall_guard;

/* Open here, or held by the opener. */
struct perf_map {
	int fd;
	struct held_file held;
	/* Why none is open: -ENOENT, or what is wrong with one that is there: -EPERM, it is another user's; -EINVAL, no
	 * regular file; -EEXIST, an earlier program of its number left it. */
	int err;
};

/* Looks in the program's own root while it lives, else in its executable's root, else in the host's /tmp. Opens
 * it if the program is believed it (jit_files.h) and it was written since the program began: by the opener, else
 * here, in the guard. */
struct perf_map perf_map_open(struct files *files, struct stall_guard *guard,
			      const struct agg_image *img);
bool perf_map_is_open(const struct perf_map *m);
void perf_map_close(struct perf_map *m);

#endif
