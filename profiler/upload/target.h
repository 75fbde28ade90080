/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One destination: its URL, its secrets, and how a request to it is made. */
#ifndef KILN_UPLOAD_TARGET_H
#define KILN_UPLOAD_TARGET_H

#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "profiler/upload/kind.h"

struct upload_header {
	const char *name, *value;
};

struct upload_target_opts { /* borrowed; NULL: not set */
	const char *name;   /* for people; NULL: the URL */
	const char *url;    /* SCHEME://HOST[:PORT][/PATH][?QUERY] */
	const char *token_file, *username, *password_file, *tenant;
	const char *ca_file, *cert_file, *key_file, *proxy;
	const struct upload_header *headers;
	size_t n_headers;
	/* Labels of samples that tell series apart, in place of the usual ones (series.h); n 0: those. */
	const char *const *labels;
	size_t n_labels;
	bool without_names; /* functions are not sent: OTLP, and Parca, whose server can name them */
	char *const *env;   /* for AWS_*; NULL: none */
};

struct upload_target {
	const struct upload_kind *kind;
	char *name;
	char *base; /* "http://HOST:PORT", without a slash at the end; of several the first */
	VEC(char *) shards; /* the bases of all; kinds with takes_shards only */
	void *state;	    /* the kind's own: see its open() */
	char *path;	    /* "/PATH", or "" */
	char *query;	    /* "key=value&...", or "" */
	char *shown;	    /* the URL as people may see it */
	char *bearer, *username, *password, *tenant, *proxy;
	char *basic; /* name and password as they go out (RFC 7617), for servers that say them again */
	char *ca_file, *cert_file, *key_file; /* copies, in /proc/self/fd */
	int ca_fd, cert_fd, key_fd;	      /* -1: none */
	char *aws_region, *aws_key, *aws_secret, *aws_session_token;
	char **headers; /* "Name: value", NULL-terminated */
	char **labels;	/* NULL-terminated; NULL: the usual ones */
	bool without_names;
};

/* Reads the files of secrets. Of S3's keys, username is the access key and password_file has its secret; they come also from AWS_ACCESS_KEY_ID and so on, or from
 * AWS_SHARED_CREDENTIALS_FILE. 0; -EINVAL, -ENOENT, -EACCES, ... with a sentence that names the option and
 * shows no secret; or -ENOMEM. From then on no file is opened for this destination, but those of the system's
 * certificates. */
int upload_target_new(struct upload_target **out, const struct upload_target_opts *o,
		      struct why *why);
void upload_target_free(struct upload_target *t);
DEFINE_CLEANUP(upload_target, upload_target_free)

/* Whether it is a URL of one of the schemes: 0, or -EINVAL with a sentence that names the nearest. */
int upload_url_check(const char *url, struct why *why);

/* r as a request of HTTP, with the target's headers and secrets. *headers holds its list: free() it when the
 * request has ended. 0 or -ENOMEM. */
int upload_target_request(const struct upload_target *t, const struct upload_request *r,
			  struct net_request *out, const char ***headers);
/* Judges any answer: no connection, a timeout, and what the kind says. */
void upload_target_judge(const struct upload_target *t, const struct net_answer *answer,
			 struct upload_judgement *out);
/* The same of the answer to a request that the kind packed: it learns what became of it. */
void upload_target_settle(const struct upload_target *t, const struct upload_request *r,
			  const struct net_answer *answer, struct upload_judgement *out);
/* Secrets of the target become <redacted>: a server may send back what it was sent. Judgements have none. */
void upload_target_hide_secrets(const struct upload_target *t, struct why *why);

#endif
