/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kiln fleet SUBCOMMAND: what many hosts have sent to one ClickHouse. Each is a command of its own, one file each
 * (fleet_X.c), whose name is "fleet X"; argv[0] of its run() is "X".
 */
#ifndef KILN_CLI_FLEET_H
#define KILN_CLI_FLEET_H

#include "profiler/cli/command.h"

/* For completion, as in option_spec.arg. */
#define FLEET_WORDS "init|status"

extern const struct command command_fleet_init, command_fleet_status;

/* All of them, NULL-terminated. */
extern const struct command *const fleet_commands[];

#endif
