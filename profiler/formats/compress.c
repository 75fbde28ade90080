// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

#include "profiler/formats/compress.h"

/* windowBits of the largest window, and "with a gzip header" (zlib.h, deflateInit2) */
#define GZIP_WINDOW (15 + 16)
/* libdeflate's levels. 1: a third of the instructions of zlib's 1, and fewer bytes. */
#define GZIP_LEVEL	4
#define GZIP_FAST_LEVEL 1
#define ZSTD_LEVEL	3 /* zstd's default: a tenth of gzip's time */
/* Smallest growth of the output; above it, output doubles. */
#define CHUNK_BYTES 65536

static uInt clamp_uint(size_t n)
{
	return n > INT_MAX ? INT_MAX : (uInt)n;
}

static int gzip(struct buf *out, const void *data, size_t len, int level)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t bound = c ? libdeflate_gzip_compress_bound(c, len) : 0, n = 0;
	void *room = c ? buf_room(out, bound) : NULL;

	if (room)
		n = libdeflate_gzip_compress(c, data, len, room, bound);
	libdeflate_free_compressor(c);
	out->len += n;
	return n ? 0 : -ENOMEM; /* the only possible failure, since the room is large enough */
}

int compress_gzip(struct buf *out, const void *data, size_t len)
{
	return gzip(out, data, len, GZIP_LEVEL);
}

int compress_gzip_fast(struct buf *out, const void *data, size_t len)
{
	return gzip(out, data, len, GZIP_FAST_LEVEL);
}

int compress_zstd(struct buf *out, const void *data, size_t len)
{
	size_t bound = ZSTD_compressBound(len), n;
	void *room = buf_room(out, bound);
	ZSTD_CCtx *ctx;

	if (!room)
		return -ENOMEM;
	ctx = ZSTD_createCCtx();
	if (!ctx)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(ctx, room, bound, data, len);
	ZSTD_freeCCtx(ctx);
	if (ZSTD_isError(n))
		return -ENOMEM; /* the only possible failure, since the room is large enough */
	out->len += n;
	return 0;
}

enum compression compression_of(const void *data, size_t len)
{
	if (len >= 2 && !memcmp(data, "\x1f\x8b", 2))
		return COMPRESSION_GZIP;
	if (len >= 4 && !memcmp(data, "\x28\xb5\x2f\xfd", 4))
		return COMPRESSION_ZSTD;
	return COMPRESSION_NONE;
}

static int fail(const char **why, int err, const char *sentence)
{
	*why = sentence;
	return err;
}

static int too_big(const char **why)
{
	return fail(why, -EFBIG, "it inflates to more than the limit");
}

/* Room for one step: the rest of the cap, or one more byte to notice that the cap is hit. */
static size_t next_chunk(const struct buf *out, size_t start, size_t cap)
{
	size_t left = cap - (out->len - start) + 1;

	return left < CHUNK_BYTES ? left : CHUNK_BYTES;
}

static int inflate_all(z_stream *z, struct buf *out, const uint8_t *data, size_t len, size_t cap,
		       const char **why)
{
	const size_t start = out->len;

	z->next_in = (Bytef *)data;
	for (;;) {
		size_t left = len - (size_t)(z->next_in - data),
		       chunk = next_chunk(out, start, cap);
		void *room = buf_room(out, chunk);
		int r;

		if (!room)
			return fail(why, -ENOMEM, "out of memory");
		z->avail_in = clamp_uint(left);
		z->next_out = room;
		z->avail_out = (uInt)chunk;
		r = inflate(z, Z_NO_FLUSH);
		out->len += chunk - z->avail_out;
		left = len - (size_t)(z->next_in - data);
		if (out->len - start > cap)
			return too_big(why);
		if (r == Z_MEM_ERROR)
			return fail(why, -ENOMEM, "out of memory");
		if (r == Z_BUF_ERROR || (r == Z_OK && !left && z->avail_out))
			return fail(why, -EBADMSG, "truncated gzip stream");
		if (r != Z_OK && r != Z_STREAM_END)
			return fail(why, -EBADMSG, "corrupt gzip stream");
		if (r == Z_STREAM_END && !left)
			return 0;
		if (r == Z_STREAM_END && compression_of(z->next_in, left) != COMPRESSION_GZIP)
			return fail(why, -EBADMSG, "garbage after the gzip stream");
		if (r == Z_STREAM_END)
			inflateReset(z);
	}
}

static int decompress_gzip(struct buf *out, const void *data, size_t len, size_t cap,
			   const char **why)
{
	z_stream z = {0};
	int err;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return fail(why, -ENOMEM, "out of memory");
	err = inflate_all(&z, out, data, len, cap, why);
	inflateEnd(&z);
	return err;
}

static int zstd_all(ZSTD_DCtx *ctx, struct buf *out, const void *data, size_t len, size_t cap,
		    const char **why)
{
	const size_t start = out->len;
	ZSTD_inBuffer in = {data, len, 0};

	for (;;) {
		size_t chunk = next_chunk(out, start, cap), r;
		ZSTD_outBuffer piece = {buf_room(out, chunk), chunk, 0};

		if (!piece.dst)
			return fail(why, -ENOMEM, "out of memory");
		r = ZSTD_decompressStream(ctx, &piece, &in);
		if (ZSTD_isError(r))
			return fail(why, -EBADMSG, "corrupt zstd stream");
		out->len += piece.pos;
		if (out->len - start > cap)
			return too_big(why);
		if (!r && in.pos == len)
			return 0;
		if (in.pos == len && piece.pos < chunk)
			return fail(why, -EBADMSG, "truncated zstd stream");
	}
}

static int decompress_zstd(struct buf *out, const void *data, size_t len, size_t cap,
			   const char **why)
{
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	int err;

	if (!ctx)
		return fail(why, -ENOMEM, "out of memory");
	err = zstd_all(ctx, out, data, len, cap, why);
	ZSTD_freeDCtx(ctx);
	return err;
}

int decompress(struct buf *out, const void *data, size_t len, size_t cap, const char **why)
{
	switch (compression_of(data, len)) {
	case COMPRESSION_GZIP:
		return decompress_gzip(out, data, len, cap, why);
	case COMPRESSION_ZSTD:
		return decompress_zstd(out, data, len, cap, why);
	default:
		return fail(why, -EBADMSG, "it is neither gzip nor zstd data");
	}
}
