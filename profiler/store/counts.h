/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A window as bytes: references into the segment's dictionary, and values. */
#ifndef KILN_STORE_COUNTS_H
#define KILN_STORE_COUNTS_H

#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/store/dict.h"

struct packer;

/* Into the order that counts_encode() wants: by label set, then stack. */
void counts_sort(struct dict_window *w);

/* Appends them, compressed at a level of zstd's. 0, -ENOMEM, or -EFBIG beyond what a window
 * may hold. */
int counts_encode(struct packer *p, struct buf *out, const struct dict_window *w, int level);
/* Fills *out anew, which may be empty or of an earlier call. Data is foreign; references may be to what
 * does not exist. 0, -EBADMSG or -ENOMEM. */
int counts_decode(struct packer *p, struct dict_window *out, const void *data, size_t len);

#endif
