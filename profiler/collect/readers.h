/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever reads foreign files for a recording: each in a process of its own without privileges, or
 * with --no-sandbox in this one. */
#ifndef KILN_COLLECT_READERS_H
#define KILN_COLLECT_READERS_H

struct session_opts;
struct symbolizer;
struct table_worker;
struct walk_worker;

struct readers { /* all-zero can be closed */
	struct symbolizer *symbolizer;
	struct table_worker *compiler; /* of unwind tables; NULL without them */
	struct walk_worker *walker;    /* of what the kernel could not walk; likewise */
};

/*
 * For the beginning: their processes are copies of this one, which has seen nothing yet, and lock
 * themselves up while it goes on. 0 or -errno: not even the least of a sandbox is possible.
 */
int readers_open(struct readers *r, const struct session_opts *opts);
void readers_close(struct readers *r);

#endif
