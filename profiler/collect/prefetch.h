/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks for the debug files of programs that have samples, while the recording still runs. */
#ifndef KILN_COLLECT_PREFETCH_H
#define KILN_COLLECT_PREFETCH_H

#include <stdbool.h>

struct aggregate;
struct debuginfod;
struct files;

struct prefetch;

/* Both are borrowed. 0 or -ENOMEM. */
int prefetch_new(struct prefetch **out, struct debuginfod *d, struct files *files);
void prefetch_free(struct prefetch *p);

/*
 * Looks at the frames of an aggregate that came since the last call; `fresh`: it is a new one. Build ids of files leave the machine only where
 * the file has no debug information itself and there is none in /usr/lib/debug.
 */
void prefetch_run(struct prefetch *p, const struct aggregate *a, bool fresh);

#endif
