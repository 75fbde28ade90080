/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows of a segment as profiles, one by one. */
#ifndef KILN_STORE_ONE_WINDOW_H
#define KILN_STORE_ONE_WINDOW_H

#include "profiler/store/reader.h"

struct profile;
struct quality;

/* What the windows had in common so far: the next one finds most of its stacks there. */
struct one_window;

/* The reader stays the caller's, and may be paused between two calls. 0 or -ENOMEM. */
int one_window_new(struct one_window **out, struct reader *from);
void one_window_free(struct one_window *o);
/* The window that reader_next() has just given: its profile, with its time and duration, which the caller frees;
 * its quality is added to *q. What is damaged keeps its sums. 0 or -errno. */
int one_window_get(struct one_window *o, const struct window_row *w, struct profile **out,
		   struct quality *q);

#endif
