// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/pack.h"

#include <errno.h>

#include <zstd.h>

void packer_release(struct packer *p)
{
	ZSTD_freeCCtx(p->compressor);
	ZSTD_freeDCtx(p->decompressor);
	buf_release(&p->raw);
	*p = (struct packer){0};
}

int pack(struct packer *p, struct buf *out, int level)
{
	size_t bound = ZSTD_compressBound(p->raw.len), n;
	void *room;

	if (p->raw.err || p->raw.len > PACK_MAX_BYTES)
		return p->raw.err ?: -EFBIG;
	room = buf_room(out, bound);
	if (!p->compressor)
		p->compressor = ZSTD_createCCtx();
	if (!p->compressor || !room)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(p->compressor, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(p->compressor, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(p->compressor, room, bound, p->raw.data, p->raw.len);
	if (ZSTD_isError(n))
		return -ENOMEM; /* the only way to fail with room for the bound */
	out->len += n;
	return 0;
}

int unpack(struct packer *p, const void *data, size_t len)
{
	unsigned long long size =
		len ? ZSTD_getFrameContentSize(data, len) : ZSTD_CONTENTSIZE_ERROR;
	void *room;
	size_t n;

	buf_clear(&p->raw);
	if (size > PACK_MAX_BYTES) /* unknown and error are the largest numbers */
		return -EBADMSG;
	room = buf_room(&p->raw, size ? (size_t)size : 1);
	if (!p->decompressor)
		p->decompressor = ZSTD_createDCtx();
	if (!p->decompressor || !room)
		return -ENOMEM;
	n = ZSTD_decompressDCtx(p->decompressor, room, (size_t)size, data, len);
	if (ZSTD_isError(n) || n != size)
		return -EBADMSG;
	p->raw.len = n;
	return 0;
}

void put_uleb(struct buf *b, uint64_t v)
{
	uint8_t *room = buf_room(b, 10);
	size_t n = 0;

	if (!room)
		return;
	for (; v >= 0x80; v >>= 7)
		room[n++] = (uint8_t)(v | 0x80);
	room[n++] = (uint8_t)v;
	b->len += n;
}

void put_zigzag(struct buf *b, int64_t v)
{
	put_uleb(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}
