/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What spoils a profile, and the cure, as text: a part of its answer (answer.h). */
#ifndef KILN_CLI_HINTS_TEXT_H
#define KILN_CLI_HINTS_TEXT_H

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"

struct profile;
struct quality;

/* Appends a line for each binary that makes stacks or names worse in a share of samples that is worth it, worst
 * first. The profile may be a part of what the quality is of: shares of samples are of it. Nothing when quiet (log.h). */
void answer_blame(struct buf *out, const struct profile *p, const struct quality *q,
		  const struct term *t);

#endif
