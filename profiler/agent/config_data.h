/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration's memory. */
#ifndef KILN_AGENT_CONFIG_DATA_H
#define KILN_AGENT_CONFIG_DATA_H

struct config;
struct config_schema;
struct config_upload;

/* One of defaults. 0 or -ENOMEM. */
int config_new(struct config **out);
/* Sets the defaults of a schema in its struct. 0 or -ENOMEM. */
int config_set_defaults(const struct config_schema *s, void *base);
void config_free(struct config *c);
/* Overwrites values of headers, which may be secrets, and closes the file that has them: for processes that send
 * nothing. NULL is fine. */
void config_forget_secrets(struct config *c);
void config_upload_forget_secrets(struct config_upload *u);

#endif
