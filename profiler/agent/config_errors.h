/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with a configuration, and where: one line a mistake. */
#ifndef KILN_AGENT_CONFIG_ERRORS_H
#define KILN_AGENT_CONFIG_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

#define CONFIG_MAX_ERRORS 20 /* more would scroll the first ones away */

struct config_place {
	const char *source; /* borrowed: a file, "KILN_WINDOW" or "--window"; NULL: the default */
	uint32_t line, column; /* from 1; line 0: there is none */
};

struct config_errors {	 /* all-zero is empty and valid */
	struct buf text; /* "FILE:LINE:COLUMN: message\n" each */
	size_t n;
};

/* Adds one, unless there are enough. What strangers wrote may be in it: it is cleaned. */
void config_error(struct config_errors *e, const struct config_place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline bool config_errors_full(const struct config_errors *e)
{
	return e->n >= CONFIG_MAX_ERRORS;
}

#endif
