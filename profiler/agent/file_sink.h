/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows as files of a directory, kiln-20261122T021400Z.pb.gz. */
#ifndef KILN_AGENT_FILE_SINK_H
#define KILN_AGENT_FILE_SINK_H

#include "profiler/agent/window_sink.h"

/* Makes the directory if it is not there. One agent at a time uses it. On failure *why is a sentence that
 * says what to do (the caller's, malloc'd), or NULL. 0 or -errno (-EBUSY: another agent has it). */
int file_sink_open(struct window_sink **out, const char *dir, char **why);

#endif
