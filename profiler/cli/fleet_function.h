/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function that a question of kiln fleet is about. */
#ifndef KILN_CLI_FLEET_FUNCTION_H
#define KILN_CLI_FLEET_FUNCTION_H

#include "profiler/cli/fleet_args.h"
#include "profiler/fleet/function_sql.h"

/* All functions of this name; else those of the only name with this in it. EXIT_OK, or an exit code after an error on
 * stderr. Release it either way. With --sql nobody is asked: the
 * statement then asks for the name. */
int fleet_function_find(struct fleet_session *s, const char *name, struct function_list *out);

#endif
