/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration's memory. */
#ifndef KILN_AGENT_CONFIG_DATA_H
#define KILN_AGENT_CONFIG_DATA_H

struct config;

/* One of defaults. 0 or -ENOMEM. */
int config_new(struct config **out);
void config_free(struct config *c);

#endif
