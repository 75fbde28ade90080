/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log as the configuration wants it. */
#ifndef KILN_AGENT_LOG_SETUP_H
#define KILN_AGENT_LOG_SETUP_H

struct config;

void log_setup(const struct config *c);

#endif
