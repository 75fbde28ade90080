/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever reads foreign files for a recording: each in a process of its own without privileges, or
 * in this one where that is asked for. */
#ifndef KILN_COLLECT_READERS_H
#define KILN_COLLECT_READERS_H

#include <stdbool.h>

struct debuginfod;
struct symbolizer;
struct table_worker;
struct walk_worker;

struct readers { /* all-zero can be closed */
	struct symbolizer *symbolizer;
	struct table_worker *compiler; /* of unwind tables; NULL without them */
	struct walk_worker *walker;    /* of what the kernel could not walk; likewise */
};

struct readers_opts {
	bool sandbox;
	bool names_only;
	bool tables;		       /* user stacks are walked by unwind tables */
	struct debuginfod *debuginfod; /* borrowed, or NULL */
};

/*
 * For the beginning: their processes are copies of this one, which has seen nothing yet, and lock
 * themselves up while it goes on. 0 or -errno: not even the least of a sandbox is possible.
 */
int readers_open(struct readers *r, const struct readers_opts *opts);
void readers_close(struct readers *r);

#endif
