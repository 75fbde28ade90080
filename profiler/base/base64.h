/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base64 (RFC 4648, 4), as JSON carries bytes. */
#ifndef KILN_BASE_BASE64_H
#define KILN_BASE_BASE64_H

#include <stddef.h>

#include "profiler/base/buf.h"

/* Appends what a text stands for. Padding may be left out. 0, -EBADMSG, or -ENOMEM. */
int base64_decode(struct buf *out, const char *text, size_t len);

/* Appends bytes as text, with padding. */
void base64_encode(struct buf *out, const void *data, size_t len);

#endif
