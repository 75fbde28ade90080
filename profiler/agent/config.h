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

#include "profiler/agent/config_errors.h"
#include "profiler/agent/config_schema.h"
#include "profiler/base/vec.h"

struct buf;

#define CONFIG_DEFAULT_PATH "/etc/kiln/kiln.yaml"

struct config_names {
	VEC(char *) list;
};

struct config_pair {
	char *name, *value;
	struct config_place at;
};

struct config_pairs {
	VEC(struct config_pair) list;
};

#define CONFIG_RELABEL_WORDS "keep|drop|replace"
enum config_relabel_action { RELABEL_KEEP, RELABEL_DROP, RELABEL_REPLACE };

struct config_relabel {
	int action;
	char *source, *regex, *target, *replacement; /* NULL: not set */
	struct config_place at;
};

struct config_upload {
	char *name, *url;
	char *token_file, *username, *password_file, *tenant;
	char *ca_file, *cert_file, *key_file, *proxy;
	struct config_pairs headers;
	struct config_place at;
};

#define CONFIG_LEVEL_WORDS  "error|warning|info|debug"
#define CONFIG_FORMAT_WORDS "logfmt|json"
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_log_format { CONFIG_LOGFMT, CONFIG_JSON };

struct config { /* strings are NULL where nothing is set and there is no default */
	uint64_t frequency_hz;
	bool exclude_self;
	uint64_t window_ns;
	char *store_path;
	uint64_t store_max_bytes, store_max_age_ns, store_min_free_bytes;
	char *http_listen, *http_socket, *http_token_file;
	struct config_names http_hosts;
	char *tls_cert, *tls_key;
	bool tls_proxy;
	uint64_t cpu_ppm; /* of one CPU, for every two CPUs of the host */
	uint64_t memory_bytes;
	struct config_pairs labels;
	VEC(struct config_relabel) relabel;
	int log_level, log_format;
	VEC(struct config_upload) upload;

	struct config_place places[CONFIG_KEY_COUNT]; /* where each key was set last */
	struct config_names sources;		      /* what the places point to */
	size_t n_files;				      /* read */
};

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
void config_free(struct config *c);

/* The same for one text, without variables and flags. For tests. */
int config_parse(struct config **out, const char *source, const void *data, size_t len,
		 struct config_errors *errs);

/* Appends a configuration file of all that is set: it parses to the same values. Comments say where each is
 * from; secrets are "<redacted>". `plain`: without comments. */
void config_print(struct buf *out, const struct config *c, bool plain);

/* Appends a sentence about each variable that looks like a misspelt one of ours. */
void config_stray_variables(struct buf *out, char *const *env);

#endif
