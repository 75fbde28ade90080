/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From documents, variables and flags into a configuration, by the schema. */
#ifndef KILN_AGENT_CONFIG_READ_H
#define KILN_AGENT_CONFIG_READ_H

#include "profiler/agent/config_errors.h"
#include "profiler/agent/config_schema.h"

struct doc_node;

/* Sets what the document has. 0; -EBADMSG when errs has grown; or -ENOMEM. */
int config_read_doc(struct config *c, const struct doc_node *root, struct config_errors *errs);

/* Sets one key from a single text: of a list, its items separated by commas. As above. */
int config_read_text(struct config *c, enum config_key_id key, const char *text,
		     const struct config_place *at, struct config_errors *errs);

/* What no key tells by itself. As above. */
int config_check(const struct config *c, struct config_errors *errs);

#endif
