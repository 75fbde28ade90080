/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's configuration: what is there, with defaults for what nobody set. Precedence, the strongest
 * first: flags, KILN_* variables, files (a later one over an earlier one), defaults. config_schema.h is
 * the table of keys.
 */
#ifndef KILN_AGENT_CONFIG_H
#define KILN_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/config_errors.h"
#include "profiler/agent/config_schema.h"

struct buf;

#define CONFIG_DEFAULT_PATH "/etc/kiln/kiln.yaml"

struct config_override {  /* by a flag */
	const char *flag; /* "--window" */
	enum config_key_id key;
	const char *value;
};

struct config_inputs {
	const char *path; /* NULL: CONFIG_DEFAULT_PATH, if it is there */
	char *const *env; /* "KILN_WINDOW=10s", NULL-terminated; or NULL */
	const struct config_override *overrides;
	size_t n_overrides;
};

/*
 * Reads the file and then conf.d/ *.yaml beside it, in the order of their names: scalars replace, lists and
 * maps grow. 0; -EBADMSG with what is wrong added to errs; or -ENOMEM.
 */
int config_load(struct config **out, const struct config_inputs *in, struct config_errors *errs);

/* The same for one text, without variables and flags. For tests. */
int config_parse(struct config **out, const char *source, const void *data, size_t len,
		 struct config_errors *errs);

/* Appends a configuration file of all that is set: it parses to the same values. Comments say where each is
 * from; secrets are "<redacted>". `plain`: without comments. */
void config_print(struct buf *out, const struct config *c, bool plain);

/* Whether one of n keys has another value. */
bool config_differs(const struct config *a, const struct config *b, const enum config_key_id *keys,
		    size_t n);
#define CONFIG_DIFFERS(a, b, ...)                                                                  \
	config_differs(a, b, (const enum config_key_id[]){__VA_ARGS__},                            \
		       sizeof((const enum config_key_id[]){__VA_ARGS__}) /                         \
			       sizeof(enum config_key_id))
/* Appends the keys whose values differ, "window, store.max_size". */
void config_changes(struct buf *out, const struct config *before, const struct config *after);
/* Appends a sentence about what is valid, but will hardly do what it is for. */
void config_warn(struct buf *out, const struct config *c);

/* Appends a sentence about each variable that looks like a misspelt one of ours. */
void config_stray_variables(struct buf *out, char *const *env);

#endif
