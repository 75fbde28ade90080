/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kiln list --from: what another host's agent has stored. */
#ifndef KILN_CLI_LIST_REMOTE_H
#define KILN_CLI_LIST_REMOTE_H

#include "profiler/cli/load_store.h"
#include "profiler/store/overview.h"

struct list_remote_opts {
	enum overview_by by;
	const char *label;    /* of OVERVIEW_LABEL */
	const char *step;     /* of rows of time, or NULL */
	int64_t utc_offset_s; /* rows of time begin at full hours there */
};

/* EXIT_OK, or an exit code after an error on stderr. */
int list_remote(const struct command *cmd, const struct load_range *r,
		const struct list_remote_opts *opts, struct overview *out);

#endif
