/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines that a summary begins with, and every report. */
#ifndef KILN_CLI_SUMMARY_HEAD_H
#define KILN_CLI_SUMMARY_HEAD_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/profile/commands.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

struct summary {
	const struct profile *p;       /* what is shown */
	const struct quality *quality; /* of what was recorded; NULL: none */
	size_t value;		       /* sample type index */
};

/* Appends the lines Load, Commands or Threads, and By kind, those of which something is known. 0 or -ENOMEM. */
int summary_head(struct buf *out, const struct summary *s, const struct term *t);

/* The same for a caller that has the profile's commands. */
int summary_head_of(struct buf *out, const struct summary *s, const struct commands *commands,
		    const struct term *t);

#endif
