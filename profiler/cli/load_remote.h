/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What another host's agent has stored (profiler/remote/remote.h). */
#ifndef KILN_CLI_LOAD_REMOTE_H
#define KILN_CLI_LOAD_REMOTE_H

#include "profiler/cli/load_store.h"
#include "profiler/store/overview.h"

/* Both ask r->from for the range. EXIT_OK, or an exit code after an error on stderr. */
int load_remote(const struct command *cmd, const struct load_range *r, struct profile **out);
/* step: of rows of time, or NULL. */
int load_remote_list(const struct command *cmd, const struct load_range *r, enum overview_by by,
		     const char *step, struct overview *out);

#endif
