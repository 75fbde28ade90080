/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The opener and the three workers: all that opens and reads foreign files for a recording. Without
 * a sandbox kiln does so itself. */
#ifndef KILN_COLLECT_READERS_H
#define KILN_COLLECT_READERS_H

#include <stdbool.h>
#include <stddef.h>

struct debuginfod;
struct opener;
struct symbolizer;
struct table_worker;
struct walk_set;

struct readers {	       /* an all-zero one can be closed */
	struct opener *opener; /* the symbolizer's; NULL without a sandbox */
	struct symbolizer *symbolizer;
	struct table_worker *table_worker; /* NULL without unwind tables */
	struct walk_set *walk_set;	   /* NULL without unwind tables */
};

struct readers_opts {
	bool sandbox;
	bool names_only;
	bool tables;		       /* user stacks are walked by unwind tables */
	struct debuginfod *debuginfod; /* borrowed, or NULL */
	size_t symbol_bytes;	       /* as in collector_opts */
};

/*
 * Starts the readers. Call it first: readers are copies of this process, which holds nothing yet.
 * They enter the sandbox while the caller goes on. 0, or -errno if even the least sandbox is
 * impossible.
 */
int readers_open(struct readers *r, const struct readers_opts *opts);
void readers_close(struct readers *r);

#endif
