/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON of a table or a call tree: what `kiln report --json` prints and the HTTP API answers. */
#ifndef KILN_FORMATS_REPORT_JSON_H
#define KILN_FORMATS_REPORT_JSON_H

#include "profiler/base/buf.h"
#include "profiler/formats/report_shown.h"

/* Appends one object with stable keys; values are in the profile's units. p must have sample types.
 * 0 or -errno. */
int report_json(struct buf *out, const struct report *r);

#endif
