/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first answer to "where did the time go?", in some 25 lines: how busy the machine was, by command, by kind of
 * code, the heaviest path, the top functions. `record` ends with it, `report --summary` prints it of a file, and its
 * head begins every report.
 */
#ifndef KILN_CLI_SUMMARY_H
#define KILN_CLI_SUMMARY_H

#include "profiler/base/buf.h"
#include "profiler/cli/summary_head.h"
#include "profiler/cli/term.h"

/* Appends all of it, with quality, losses and hints: nothing for a profile without any. *top gets the name of the
 * function with most time of its own, malloc'd, or NULL; top may be NULL. 0 or -ENOMEM. */
int summary_text(struct buf *out, const struct summary *s, const struct term *t, char **top);

/* Appends what to do next with a profile in a file: commands to copy, for a shell. top may be NULL. */
void summary_next(struct buf *out, const struct profile *p, const char *file, const char *top);

#endif
