/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `kiln report` prints as text; as JSON: profiler/formats/report_json.h. */
#ifndef KILN_CLI_REPORT_H
#define KILN_CLI_REPORT_H

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/formats/report_json.h"

int report_table(struct buf *out, const struct report *r, const struct term *t);
int report_summary(struct buf *out, const struct report *r, const struct term *t);
int report_tree(struct buf *out, const struct report *r, const struct term *t);

#endif
