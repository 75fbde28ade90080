// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/log_setup.h"

#include "profiler/agent/config_schema.h"
#include "profiler/base/log.h"

void log_setup(const struct config *c)
{
	static const enum log_level levels[] = {LOG_QUIET, LOG_WARNINGS, LOG_NORMAL, LOG_VERBOSE};

	log_set_level(levels[c->log_level]);
	log_set_format(c->log_format == CONFIG_JSON ? LOG_JSON : LOG_LOGFMT);
}
