/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kinds have in common that take a window as one file, .pb.gz. */
#ifndef KILN_UPLOAD_ARCHIVE_H
#define KILN_UPLOAD_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/upload/kind.h"

/* "20261128T082000.123Z" with ARCHIVE_TIME, and 32 hex digits. */
#define ARCHIVE_TIME "%Y%m%dT%H%M%S"
#define ARCHIVE_SIZE 48

/* format is strftime()'s; milliseconds follow, and Z. */
void archive_time(int64_t time_ns, const char *format, char out[ARCHIVE_SIZE]);
void archive_id(const struct upload_item *item, char out[ARCHIVE_SIZE]);
/* Adds the request with the item's profile. Takes the url; NULL is -ENOMEM. */
int archive_request(struct upload_requests *out, const struct upload_item *item, const char *method,
		    char *url, struct why *why);

#endif
