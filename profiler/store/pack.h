/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blobs in the store: one zstd frame each, with its size and a checksum. */
#ifndef KILN_STORE_PACK_H
#define KILN_STORE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/bytes.h"

#define PACK_LEVEL_NOW	 6  /* a window that somebody waits for */
#define PACK_LEVEL_LATER 12 /* a segment that is written once more */
/* A blob inflates to no more than this. */
#define PACK_MAX_BYTES (64u << 20)

/* zstd's working memory and a buffer, kept from one blob to the next. All-zero is empty and valid. */
struct packer {
	struct ZSTD_CCtx_s *compressor;
	struct ZSTD_DCtx_s *decompressor;
	struct buf raw;
};
void packer_release(struct packer *p);

/* Appends what p->raw holds. 0, -EFBIG or -ENOMEM. */
int pack(struct packer *p, struct buf *out, int level);
/* What foreign data inflates to, into p->raw. 0, -EBADMSG or -ENOMEM. */
int unpack(struct packer *p, const void *data, size_t len);

void put_uleb(struct buf *b, uint64_t v);
/* Numbers of either sign: 0, -1, 1, -2, ... as 0, 1, 2, 3. Differences wrap. */
void put_zigzag(struct buf *b, int64_t v);
static inline int64_t get_zigzag(struct bytes *b)
{
	uint64_t v = bytes_uleb(b);

	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

#endif
