/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What spoils a profile, and the cure, as text: a part of its answer (answer.h). */
#ifndef KILN_CLI_HINTS_TEXT_H
#define KILN_CLI_HINTS_TEXT_H

#include "profiler/base/buf.h"
#include "profiler/profile/quality.h"

/* Appends a line for each binary that makes stacks or names worse, worst first. */
void answer_blame(struct buf *out, const struct quality *q);

#endif
