// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/pack.h"

#include <errno.h>

#include <zstd.h>

int pack(struct buf *out, const void *data, size_t len, int level)
{
	size_t bound = ZSTD_compressBound(len), n;
	void *room = buf_room(out, bound);
	ZSTD_CCtx *ctx = room ? ZSTD_createCCtx() : NULL;

	if (!ctx)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(ctx, room, bound, data, len);
	ZSTD_freeCCtx(ctx);
	if (ZSTD_isError(n))
		return -ENOMEM; /* the only way to fail with room for the bound */
	out->len += n;
	return 0;
}

int unpack(struct buf *out, const void *data, size_t len)
{
	unsigned long long size =
		len ? ZSTD_getFrameContentSize(data, len) : ZSTD_CONTENTSIZE_ERROR;
	void *room;
	size_t n;

	if (size > PACK_MAX_BYTES) /* unknown and error are the largest numbers */
		return -EBADMSG;
	room = buf_room(out, size ? (size_t)size : 1);
	if (!room)
		return -ENOMEM;
	n = ZSTD_decompress(room, (size_t)size, data, len);
	if (ZSTD_isError(n) || n != size)
		return -EBADMSG;
	out->len += n;
	return 0;
}

void put_uleb(struct buf *b, uint64_t v)
{
	char bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (char)(v | 0x80);
	bytes[n++] = (char)v;
	buf_add(b, bytes, n);
}

void put_zigzag(struct buf *b, int64_t v)
{
	put_uleb(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}
