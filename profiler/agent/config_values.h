/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single values of the configuration: from text, to text, and what is wrong with them. */
#ifndef KILN_AGENT_CONFIG_VALUES_H
#define KILN_AGENT_CONFIG_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/config_schema.h"

struct buf;

#define CONFIG_REDACTED "<redacted>"

/*
 * Sets the member of a scalar type in `base`, the struct that the key is of. On -EINVAL why has what the
 * key wants, and base is as it was. 0, -EINVAL or -ENOMEM.
 */
int config_value_set(const struct config_key *k, void *base, const char *text, struct buf *why);
/* Frees it: strings. Other types have nothing to free. */
void config_value_free(const struct config_key *k, void *base);
/* Whether anything is set: only strings can be without a value. */
bool config_value_is_set(const struct config_key *k, const void *base);
/* Appends it as a scalar of YAML. */
void config_value_print(struct buf *out, const struct config_key *k, const void *base);
void config_text_print(struct buf *out, const char *text);

/* Parts of lists. -EINVAL with why as above, or 0. */
int config_check_host(const char *text, struct buf *why);
int config_check_label(const char *name, struct buf *why);
int config_check_header(const char *name, const char *value, struct buf *why);
int config_check_text(const char *text, uint64_t least, uint64_t most, struct buf *why);

/* A valid value of TYPE_LISTEN. */
bool config_listen_is_off(const char *listen);
bool config_listen_is_loopback(const char *listen);

#endif
