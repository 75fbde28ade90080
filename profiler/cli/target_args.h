/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that say how a profile store is asked: for kiln push, and for --from. */
#ifndef KILN_CLI_TARGET_ARGS_H
#define KILN_CLI_TARGET_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/why.h"
#include "profiler/upload/target.h"

/* X(member): those with one value each. */
#define TARGET_ARGS(X)                                                                             \
	X(token_file)                                                                              \
	X(username) X(password_file) X(tenant) X(ca_file) X(cert_file) X(key_file) X(proxy)

enum target_arg {
#define X(member) TARGET_ARG_##member,
	TARGET_ARGS(X)
#undef X
		TARGET_ARG_header,
	TARGET_N_ARGS
};

#define TARGET_MAX_HEADERS 16

struct target_args { /* all-zero: none is set; texts are borrowed */
#define X(member) const char *member;
	TARGET_ARGS(X)
#undef X
	const char *headers[TARGET_MAX_HEADERS]; /* "NAME: VALUE" */
	size_t n_headers;			 /* may be more than there is room for */
};

/* For the table of options: their ids are id + TARGET_ARG_*. */
#define TARGET_OPTION(id, name, arg, text, which)                                                  \
	{                                                                                          \
		name, 0, arg, text, (id) + TARGET_ARG_##which                                      \
	}
#define TARGET_OPTIONS(id, token_help)                                                             \
	TARGET_OPTION(id, "token-file", "FILE", token_help, token_file),                           \
		TARGET_OPTION(id, "username", "TEXT", "user name, or S3's access key", username),  \
		TARGET_OPTION(id, "password-file", "FILE",                                         \
			      "file with the password, or S3's secret key", password_file),        \
		TARGET_OPTION(id, "tenant", "TEXT", "tenant, for the header X-Scope-OrgID",        \
			      tenant),                                                             \
		TARGET_OPTION(id, "ca-file", "FILE", "certificates to trust, PEM (the system's)",  \
			      ca_file),                                                            \
		TARGET_OPTION(id, "cert-file", "FILE", "client certificate, PEM", cert_file),      \
		TARGET_OPTION(id, "key-file", "FILE", "its private key, PEM", key_file),           \
		TARGET_OPTION(id, "proxy", "URL", "HTTP proxy", proxy),                            \
		TARGET_OPTION(id, "header", "'NAME: VALUE'",                                       \
			      "one more header of requests; may be repeated", header)

/* which: enum target_arg */
void target_args_set(struct target_args *a, int which, const char *value);
/* Whether one is set that only a profile store knows: not token_file. */
bool target_args_is_set(const struct target_args *a);

/*
 * A target with what is set over what o has; headers follow those of o. As upload_target_new(), and -EINVAL for a
 * header that is none.
 */
int target_args_open(struct upload_target **out, const struct target_args *a,
		     const struct upload_target_opts *o, struct why *why);

#endif
