/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets from files and the environment. No sentence holds any. */
#ifndef KILN_UPLOAD_SECRETS_H
#define KILN_UPLOAD_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/why.h"

#define SECRET_MAX	8192	  /* a session token of AWS has some hundred bytes */
#define CREDENTIALS_MAX (1 << 20) /* of a file with profiles */
#define PEM_MAX		(4 << 20) /* all that a distribution trusts has some 300 KB */

/* The first line of a file that others can neither read nor write: malloc'd. option names it in sentences. 0;
 * -EACCES, -EINVAL, -ENOENT, ...; or -ENOMEM. */
int secret_read(char **out, const char *option, const char *path, struct why *why);

/*
 * A file of certificates or of a key, as a path that stays readable when this process has given up its rights:
 * *out is in /proc/self/fd, its descriptor *fd. is_secret: others can neither read nor write it. The caller frees
 * and closes. Errors as above.
 */
int pem_hold(char **out, int *fd, const char *option, const char *path, bool is_secret,
	     struct why *why);

struct aws_keys {
	char *key, *secret, *session_token, *region; /* NULL: not there */
};
void aws_keys_release(struct aws_keys *k);

/* From AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; without those from the file
 * AWS_SHARED_CREDENTIALS_FILE, its profile AWS_PROFILE or "default". The region is that of AWS_REGION,
 * AWS_DEFAULT_REGION or the file. env ends with NULL. */
int aws_keys_find(struct aws_keys *out, char *const *env, struct why *why);
/* As aws_keys_find() parses the file. -ENOENT: it has no such profile; -EINVAL. */
int aws_keys_parse(struct aws_keys *out, const char *text, size_t len, const char *profile,
		   struct why *why);

#endif
