/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of a profile, and its JSON: what `kiln report --json` prints and the HTTP API answers. */
#ifndef KILN_FORMATS_REPORT_JSON_H
#define KILN_FORMATS_REPORT_JSON_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"

struct report {
	const struct profile *p;       /* without what was filtered out */
	const struct profile *whole;   /* with it */
	const struct quality *quality; /* NULL: none in the profile */
	struct table_opts table;
	size_t n_rows; /* 0: all */
};

/* Appends one object with stable keys; values are in the profile's units. p must have sample types.
 * 0 or -errno. */
int report_json(struct buf *out, const struct report *r);

#endif
