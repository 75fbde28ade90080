/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile store has, asked by its own protocol (profiler/remote/fleet.h): for --from. */
#ifndef KILN_CLI_LOAD_FLEET_H
#define KILN_CLI_LOAD_FLEET_H

#include "profiler/cli/load_store.h"
#include "profiler/remote/fleet.h"

/* Whether --from is a profile store: its URL, or a destination's name. */
bool load_is_fleet(const struct load_range *r);

/* Without --since the last hour. Each EXIT_OK, or an exit code after an error on stderr. */
int load_fleet(const struct command *cmd, const struct load_range *r, struct profile **out);
int list_fleet(const struct command *cmd, const struct load_range *r, const struct fleet_rows *rows,
	       struct overview *out);

#endif
