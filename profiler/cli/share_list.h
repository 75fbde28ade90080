/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of shares, or two: "By kind  kernel 68 %, redis-server 24 %, others 8 %". What does not fit is added up. */
#ifndef KILN_CLI_SHARE_LIST_H
#define KILN_CLI_SHARE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/cli/line.h"
#include "profiler/cli/share.h"
#include "profiler/cli/term.h"

struct share_list {
	struct buf *out;
	struct share_scale scale;
	const struct term *term;
	size_t columns, left; /* of a line, and of this one */
	unsigned lines;	      /* that may be begun, with this one */
	int64_t others;
	bool begun, full;
};

/* Appends the title. */
void share_list_begin(struct share_list *l, struct buf *out, const struct share_scale *scale,
		      const struct term *t, const char *title);
/* Appends "name 38 %note", heaviest first, as long as there is room; if need be with fewer parts of the
 * note " (a, b, c)", or without it. Nothing for 0. */
void share_list_add(struct share_list *l, const char *name, int64_t value, const char *note);
/* Ends the line. */
void share_list_end(struct share_list *l);

#endif
