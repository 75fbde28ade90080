/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration. Reading, checking, printing, variables (KILN_HTTP_LISTEN), flags and the
 * manual follow from these tables.
 */
#ifndef KILN_AGENT_CONFIG_SCHEMA_H
#define KILN_AGENT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/agent/config_errors.h"
#include "profiler/base/vec.h"

enum config_type {
	TYPE_COUNT,    /* uint64_t */
	TYPE_TIME,     /* uint64_t, ns */
	TYPE_SIZE,     /* uint64_t, bytes */
	TYPE_PERCENT,  /* uint64_t, millionths */
	TYPE_SWITCH,   /* bool: true or false */
	TYPE_WORD,     /* int: index among `words` */
	TYPE_TEXT,     /* char *, at most `max` bytes */
	TYPE_FILE,     /* char *, an absolute path */
	TYPE_LISTEN,   /* char *, ADDRESS:PORT or off */
	TYPE_LABEL,    /* char *, a label's name */
	TYPE_REGEX,    /* char *, extended, for a whole value */
	TYPE_URL,      /* char *, one of those of a destination */
	TYPE_NAMES,    /* struct config_names, of at most `max` host names */
	TYPE_LABELS,   /* the same, of labels' names */
	TYPE_PAIRS,    /* struct config_pairs: labels */
	TYPE_HEADERS,  /* struct config_pairs: headers of HTTP */
	TYPE_RELABELS, /* VEC(struct config_relabel) */
	TYPE_UPLOADS,  /* VEC(struct config_upload) */
};

#define MIB (1ull << 20)
#define SEC 1000000000ull
#define DAY (86400 * SEC)

#define CONFIG_MAX_TEXT		 1024
#define CONFIG_MAX_PAIRS	 64
#define CONFIG_MAX_NAMES	 64
#define CONFIG_MAX_SERIES_LABELS 16
#define CONFIG_MAX_ITEMS	 256 /* relabel rules */
/* Each keeps a window in memory, and has lines of its own among the metrics. */
#define CONFIG_MAX_UPLOADS 16

/* X(name, type, member, least, most, default, words, secret, help) */
#define CONFIG_KEYS(X)                                                                             \
	X("sampling.frequency", COUNT, frequency_hz, 1, 999, "19", NULL, false,                    \
	  "samples a second on each CPU")                                                          \
	X("sampling.exclude_self", SWITCH, exclude_self, 0, 0, "false", NULL, false,               \
	  "leave out the agent's own processes")                                                   \
	X("sampling.hosts", PERCENT, share_ppm, 0, 1000000, "100%", NULL, false,                   \
	  "share of the hosts that sample; a host's names say whether it is one")                  \
	X("window", TIME, window_ns, SEC, 3600 * SEC, "10s", NULL, false,                          \
	  "time that one stored profile covers")                                                   \
	X("store.path", FILE, store_path, 0, 0, "/var/lib/kiln", NULL, false,                      \
	  "directory of the profiles")                                                             \
	X("store.max_size", SIZE, store_max_bytes, 16 * MIB, INT64_MAX, "2GiB", NULL, false,       \
	  "the oldest profiles go when it holds more")                                             \
	X("store.max_age", TIME, store_max_age_ns, 60 * SEC, 36500 * DAY, "30d", NULL, false,      \
	  "profiles go when they are older")                                                       \
	X("store.min_free", SIZE, store_min_free_bytes, MIB, INT64_MAX, "1GiB", NULL, false,       \
	  "the oldest profiles go when the file system has less room")                             \
	X("http.listen", LISTEN, http_listen, 0, 0, "127.0.0.1:7676", NULL, false,                 \
	  "where to answer HTTP; off: nowhere")                                                    \
	X("http.socket", FILE, http_socket, 0, 0, NULL, NULL, false,                               \
	  "unix socket to answer HTTP on")                                                         \
	X("http.token_file", FILE, http_token_file, 0, 0, NULL, NULL, false,                       \
	  "file with the token that requests must bear")                                           \
	X("http.hosts", NAMES, http_hosts, 0, CONFIG_MAX_NAMES, NULL, NULL, false,                 \
	  "names that a request may call this host by, beside localhost")                          \
	X("http.tls.cert", FILE, tls_cert, 0, 0, NULL, NULL, false, "certificate chain, PEM")      \
	X("http.tls.key", FILE, tls_key, 0, 0, NULL, NULL, false, "its private key, PEM")          \
	X("http.tls.proxy", SWITCH, tls_proxy, 0, 0, "false", NULL, false,                         \
	  "a proxy in front of the agent does TLS")                                                \
	X("limits.cpu", PERCENT, cpu_ppm, 100, 1000000, "1%", NULL, false,                         \
	  "CPU that the agent may use, of one CPU for every two CPUs of the host")                 \
	X("limits.memory", SIZE, memory_bytes, 32 * MIB, INT64_MAX, "128MiB", NULL, false,         \
	  "memory that the agent may use")                                                         \
	X("labels", PAIRS, labels, 0, CONFIG_MAX_PAIRS, NULL, NULL, false,                         \
	  "labels for all samples")                                                                \
	X("relabel", RELABELS, relabel, 0, CONFIG_MAX_ITEMS, NULL, NULL, false,                    \
	  "rules that keep, drop and relabel samples")                                             \
	X("log.level", WORD, log_level, 0, 0, "info", CONFIG_LEVEL_WORDS, false,                   \
	  "the least of what is said")                                                             \
	X("log.format", WORD, log_format, 0, 0, "logfmt", CONFIG_FORMAT_WORDS, false,              \
	  "how it is written")                                                                     \
	X("upload", UPLOADS, upload, 0, CONFIG_MAX_UPLOADS, NULL, NULL, false,                     \
	  "servers that get the profiles, too")

#define CONFIG_RELABEL_KEYS(X)                                                                     \
	X("action", WORD, action, 0, 0, NULL, CONFIG_RELABEL_WORDS, false,                         \
	  "what to do with samples that match")                                                    \
	X("source", LABEL, source, 0, 0, NULL, NULL, false, "label whose value is looked at")      \
	X("regex", REGEX, regex, 0, 0, NULL, NULL, false, "what the whole value must match")       \
	X("target", LABEL, target, 0, 0, NULL, NULL, false, "label to set")                        \
	X("replacement", TEXT, replacement, 0, CONFIG_MAX_TEXT, NULL, NULL, false,                 \
	  "its new value; $1 is the first group")

#define CONFIG_UPLOAD_KEYS(X)                                                                      \
	X("name", TEXT, name, 1, 64, NULL, NULL, false, "what the destination is called")          \
	X("url", URL, url, 0, 0, NULL, NULL, false, "where it is")                                 \
	X("token_file", FILE, token_file, 0, 0, NULL, NULL, false, "file with a bearer token")     \
	X("username", TEXT, username, 1, CONFIG_MAX_TEXT, NULL, NULL, false, "for basic")          \
	X("password_file", FILE, password_file, 0, 0, NULL, NULL, false, "file with the password") \
	X("tenant", TEXT, tenant, 1, CONFIG_MAX_TEXT, NULL, NULL, false, "X-Scope-OrgID")          \
	X("ca_file", FILE, ca_file, 0, 0, NULL, NULL, false, "certificates to trust, PEM")         \
	X("cert_file", FILE, cert_file, 0, 0, NULL, NULL, false, "client certificate, PEM")        \
	X("key_file", FILE, key_file, 0, 0, NULL, NULL, false, "its private key, PEM")             \
	X("proxy", TEXT, proxy, 1, CONFIG_MAX_TEXT, NULL, NULL, false, "HTTP proxy")               \
	X("headers", HEADERS, headers, 0, CONFIG_MAX_PAIRS, NULL, NULL, true,                      \
	  "more headers of requests")                                                              \
	X("names", SWITCH, names, 0, 0, "true", NULL, false,                                       \
	  "send names of functions; false: the server finds them by build id")                     \
	X("labels", LABELS, labels, 0, CONFIG_MAX_SERIES_LABELS, NULL, NULL, false,                \
	  "labels of samples that tell series apart")                                              \
	X("debuginfo", WORD, debuginfo, 0, 0, "false", CONFIG_DEBUGINFO_WORDS, false,              \
	  "give it files with debug information; true: root's, all: others' too")                  \
	X("max_age", TIME, max_age_ns, 60 * SEC, 36500 * DAY, "1d", NULL, false,                   \
	  "what waits is dropped when it is older")                                                \
	X("max_size", SIZE, max_bytes, MIB, INT64_MAX, "1GiB", NULL, false,                        \
	  "the oldest that waits is dropped when there is more of it in the store")                \
	X("batch", TIME, batch_ns, 0, 600 * SEC, NULL, NULL, false,                                \
	  "windows of so much time are merged into one")

enum config_key_id {
#define X(name, type, member, ...) CONFIG_KEY_##member,
	CONFIG_KEYS(X)
#undef X
		CONFIG_KEY_COUNT
};

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

#define CONFIG_DEBUGINFO_WORDS "false|true|all"
enum config_debuginfo { DEBUGINFO_NONE, DEBUGINFO_ROOTS, DEBUGINFO_ALL };

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
	bool names;
	struct config_names labels; /* empty: the usual ones */
	int debuginfo;
	uint64_t max_age_ns, max_bytes, batch_ns; /* batch_ns 0: as the kind has it */
	struct config_place at;
};

#define CONFIG_LEVEL_WORDS  "error|warning|info|debug"
#define CONFIG_FORMAT_WORDS "logfmt|json"
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_log_format { CONFIG_LOGFMT, CONFIG_JSON };

struct config { /* strings are NULL where nothing is set and there is no default */
	uint64_t frequency_hz;
	bool exclude_self;
	uint64_t share_ppm; /* of hosts that sample */
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
	int held_fd; /* values of headers, which are hashes here (held_secrets.h); -1: they are here */
};

struct config_key {
	const char *name; /* "store.max_size"; of an item of a list: without what is before */
	enum config_type type;
	size_t offset; /* of the member */
	uint64_t least, most;
	const char *fallback; /* or NULL */
	const char *words;
	bool secret;
	const char *help;
};

struct config_schema {
	const struct config_key *keys;
	size_t n;
};

/* Of struct config (indexed by enum config_key_id), struct config_relabel and struct config_upload. */
extern const struct config_schema config_schema, config_relabel_schema, config_upload_schema;

/* Whether a key has one value: those can be set by a variable or a flag, as lists of names and pairs can
 * ("a=1,b=2"). */
bool config_is_scalar(enum config_type type);

#endif
