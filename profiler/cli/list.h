/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts of kiln list and kiln rm. */
#ifndef KILN_CLI_LIST_H
#define KILN_CLI_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"

struct overview;

/* The first n_rows (0: all) as a table, under a line about all. `name`: of the store. 0 or -ENOMEM. */
int list_text(struct buf *out, const char *name, const struct overview *o, size_t n_rows,
	      const struct term *t);
/* The same as JSON. */
int list_json(struct buf *out, struct overview *o, size_t n_rows);

/* Appends "1,234 samples in 56 windows, 12.3 s of CPU time, from 2026-11-22 03:10:00 to
 * 2026-11-22 03:20:00 +0100". */
void list_summary(struct buf *out, const struct overview *o);
/* Appends local time. */
void list_time(struct buf *out, int64_t unix_ns);

#endif
