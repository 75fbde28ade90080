/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AWS Signature Version 4 for the service s3
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). libcurl signs, too, but up to 7.85
 * without the headers that S3 wants signed, and before 7.75 not at all.
 */
#ifndef KILN_NET_NET_SIGV4_H
#define KILN_NET_NET_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/net/net_lines.h"
#include "profiler/net/net_types.h"

struct net_sigv4 {
	const char *method;
	const char *path; /* "/bucket/key?a=b", escaped as it goes out; "" is "/" */
	const void *body;
	size_t len;
	int64_t time_s; /* Unix time */
	const struct net_auth *auth;
};

/* Adds the headers that sign the request to those it has, of which it signs Host, Date, Content-Type, Range
 * and x-amz-*. 0 or -ENOMEM. */
int net_sigv4_sign(struct net_lines *headers, const struct net_sigv4 *s);

#endif
