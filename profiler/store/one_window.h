/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One stored window as a profile. */
#ifndef KILN_STORE_ONE_WINDOW_H
#define KILN_STORE_ONE_WINDOW_H

#include "profiler/store/reader.h"

struct profile;
struct quality;

/* The window that reader_next() has just given: its profile, with its time and duration, which the caller frees;
 * its quality is added to *q. What is damaged keeps its sums. 0 or -errno. */
int one_window(struct profile **out, struct reader *from, const struct window_row *w,
	       struct quality *q);

#endif
