/* SPDX-License-Identifier: GPL-2.0-or-later */
/* S3's ListObjectsV2: the question, and a page of the answer. */
#ifndef KILN_REMOTE_S3_LIST_H
#define KILN_REMOTE_S3_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"

#define S3_MAX_TOKEN 2048
#define S3_MAX_KEYS  10000 /* of a page; the protocol has 1000 */

struct s3_list_query {	    /* NULL: not set */
	const char *bucket; /* "/BUCKET" */
	const char *prefix, *delimiter, *start_after, *token;
};

struct s3_page {
	VEC(char *)
	keys, prefixes; /* only unreserved characters and slashes: others are not kiln's */
	char token[S3_MAX_TOKEN]; /* for the next page; "": there is none */
};

/* Appends the path with its query, in the order in which it is signed. */
void s3_list_path(struct buf *out, const struct s3_list_query *q);
/* Of any bytes. 0, -EBADMSG, or -ENOMEM; release it either way. */
int s3_page_read(struct s3_page *page, const char *data, size_t len);
void s3_page_release(struct s3_page *page);

/* "YYYY/MM/DD/HHMMSS.mmmZ-ID.pb.gz": the time in it. 0 or -EINVAL. */
int s3_key_time(const char *name, int64_t *ns);

#endif
