/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gzip (RFC 1952) and zstd (RFC 8878) of whole buffers. */
#ifndef KILN_FORMATS_COMPRESS_H
#define KILN_FORMATS_COMPRESS_H

#include <stddef.h>

#include "profiler/base/buf.h"

/* Append the compressed data. Equal input gives equal output: there is no time and no name in
 * it. 0 or -errno. */
int compress_gzip(struct buf *out, const void *data, size_t len);
/* For what is sent once, and read once. */
int compress_gzip_fast(struct buf *out, const void *data, size_t len);
int compress_zstd(struct buf *out, const void *data, size_t len);

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };
enum compression compression_of(const void *data, size_t len);

/*
 * Appends what foreign data inflates to: all its gzip members or zstd frames, at most cap bytes. On
 * failure *why says what is wrong. 0, -EBADMSG, -EFBIG or -ENOMEM.
 */
int decompress(struct buf *out, const void *data, size_t len, size_t cap, const char **why);

#endif
