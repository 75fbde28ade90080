/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URLs of destinations: SCHEME://HOST[:PORT][/PATH][?QUERY]. */
#ifndef KILN_UPLOAD_URL_H
#define KILN_UPLOAD_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/why.h"
#include "profiler/upload/kinds.h"

#define UPLOAD_MAX_URL 1024

struct upload_url { /* texts are borrowed from the URL, and end where the next begins */
	const struct upload_scheme *scheme;
	const char *user; /* NULL: none given */
	size_t user_len;
	const char *host; /* with brackets if it is an IPv6 address */
	size_t host_len;
	uint16_t port;	  /* 0: none given */
	const char *more; /* further ones, "HOST:PORT,HOST", or "" */
	size_t more_len;
	const char *path; /* with its slash */
	size_t path_len;
	const char *query; /* without its question mark */
	size_t query_len;
};

/* The next of `more`, which moves on; false: there is none. They were checked. */
bool upload_url_more(struct upload_url *u);
/* 0, or -EINVAL with a sentence. */
int upload_url_parse(struct upload_url *out, const char *url, struct why *why);

#endif
