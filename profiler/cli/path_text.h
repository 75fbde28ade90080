/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The heaviest path of a profile as text. */
#ifndef KILN_CLI_PATH_TEXT_H
#define KILN_CLI_PATH_TEXT_H

#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/cli/share.h"
#include "profiler/cli/term.h"
#include "profiler/profile/heavy_path.h"

/*
 * Appends a line for each of the path's, branches to the right of what they are of:
 *   Path      95%  aeMain > aeProcessEvents
 *             49%    writeToClient > write > .. > tcp_sendmsg
 * In as many columns as the terminal has, ".." in place of calls that do not fit. has_commands: the first name of
 * lines at the left is a command's. Nothing for an empty path.
 */
void path_text(struct buf *out, const struct heavy_path *h, const struct share_scale *scale,
	       bool has_commands, const struct term *t);

#endif
