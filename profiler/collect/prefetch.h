/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks debuginfod for the debug files of programs that have samples, while the recording runs. */
#ifndef KILN_COLLECT_PREFETCH_H
#define KILN_COLLECT_PREFETCH_H

#include <stdbool.h>

struct aggregate;
struct debuginfod;
struct files;
struct symbolizer;

struct prefetch;

/* Borrows all. 0 or -ENOMEM. */
int prefetch_new(struct prefetch **out, struct debuginfod *d, struct files *files,
		 struct symbolizer *symbolizer);
void prefetch_free(struct prefetch *p);

/*
 * Looks at the aggregate's frames that came since the last call. `fresh`: it is a new aggregate.
 * Sends a build id to a server only if the file has no debug information itself and /usr/lib/debug
 * has none.
 */
void prefetch_run(struct prefetch *p, const struct aggregate *a, bool fresh);

#endif
