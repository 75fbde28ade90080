/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments of which what was read is kept, so that later only what is new is read. */
#ifndef KILN_STORE_TAILS_H
#define KILN_STORE_TAILS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/store/dir.h"

/* The one that is being written, and one that somebody catches up with. */
#define TAILS 2

struct one_window;
struct reader;
struct snapshot_segment;

struct tail {
	char name[DIR_NAME_BYTES];
	struct reader *reader;	    /* NULL: free */
	struct one_window *windows; /* NULL: none was asked for */
	bool is_open;		    /* has a connection: reader_pause() was not called */
	uint64_t used;
};

struct tails {
	struct tail v[TAILS];
	uint64_t uses;
	bool is_held;
};

void tails_release(struct tails *t);
/* Of a segment, with a connection and before its first window. -ENOENT: it is gone, or another one has its name; or
 * another -errno. */
int tails_open(struct tails *t, const struct dir *dir, const struct snapshot_segment *g,
	       struct tail **out);
/* Without a connection from now on, unless they are held; not kept: without anything. */
void tails_close(struct tails *t, struct tail *tail, bool is_kept);
/* Drops those that are not there any more. */
void tails_forget(struct tails *t, bool (*is_there)(void *ctx, const char *name), void *ctx);
/* Connections stay, each of one moment, until tails_rest(). */
void tails_hold(struct tails *t);
void tails_rest(struct tails *t);

#endif
