/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `kiln report` prints, and its three forms. */
#ifndef KILN_CLI_REPORT_H
#define KILN_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"

struct report {
	const struct profile *p;       /* without what --focus and --ignore left out */
	const struct profile *whole;   /* with it */
	const struct quality *quality; /* NULL: none in the profile */
	struct table_opts table;
	size_t n_rows; /* 0: all */
};

int report_table(struct buf *out, const struct report *r, const struct term *t);
int report_tree(struct buf *out, const struct report *r, const struct term *t);
int report_json(struct buf *out, const struct report *r);

#endif
