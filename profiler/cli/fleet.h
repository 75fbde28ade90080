/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kiln fleet SUBCOMMAND: what many hosts have sent to one ClickHouse. Each is a command of its own, one file each
 * (fleet_X.c), whose name is "fleet X"; argv[0] of its run() is "X".
 */
#ifndef KILN_CLI_FLEET_H
#define KILN_CLI_FLEET_H

#include "profiler/cli/command.h"

/* For completion, as in option_spec.arg. */
#define FLEET_WORDS "init|status|top|grew|outliers|series|callers|rollup"

extern const struct command command_fleet_init, command_fleet_status, command_fleet_top,
	command_fleet_grew, command_fleet_outliers, command_fleet_series, command_fleet_callers,
	command_fleet_rollup;

/* All of them, NULL-terminated. */
extern const struct command *const fleet_commands[];

#endif
