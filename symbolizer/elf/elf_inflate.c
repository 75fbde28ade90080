// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/elf/elf_inflate.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "profiler/base/cleanup.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2 /* gABI; glibc's elf.h has it from 2.36 on */
#endif

/* Compressed bytes are streamed through a buffer of this size. */
#define CHUNK_BYTES (64u << 10)
/* zlib.h: "about 7 KB" and the window, which is 32 KiB at most. */
#define ZLIB_BYTES (40u << 10)
/* The window of the highest level of ordinary use, 19, is 8 MiB; only "ultra" levels have more. */
#define ZSTD_WINDOW_LOG_MAX 24
/*
 * Debug sections shrink 2 to 20 times. deflate can reach 1032, zstd 40,000. A section that claims
 * more than this ratio, and is not small, is refused.
 */
#define INFLATE_RATIO_MAX  128
#define INFLATE_SMALL	   (16u << 20)
#define ZDEBUG_HEADER_SIZE 12 /* "ZLIB" and the inflated size as 8 bytes big endian */

/* --- how a section is stored ------------------------------------------------------------------ */

static int chdr_of(struct elf_obj *obj, struct stored *st)
{
	uint8_t bytes[sizeof(Elf64_Chdr)];
	size_t len = elf_chdr_size(obj->is_32);
	Elf64_Chdr ch;
	int err;

	if (st->size < len)
		return -EBADMSG;
	err = elf_read_exact(obj, bytes, len, st->file_off);
	if (err)
		return err;
	ch = elf_chdr_at(bytes, obj->is_32);
	if (ch.ch_type != ELFCOMPRESS_ZLIB && ch.ch_type != ELFCOMPRESS_ZSTD)
		return -EBADMSG;
	st->codec = ch.ch_type == ELFCOMPRESS_ZLIB ? CODEC_ZLIB : CODEC_ZSTD;
	st->inflated = ch.ch_size;
	st->file_off += len;
	st->size -= len;
	return 0;
}

/* The GNU format before SHF_COMPRESSED. Without its magic the section is not compressed. */
static int zdebug_of(struct elf_obj *obj, struct stored *st)
{
	uint8_t head[ZDEBUG_HEADER_SIZE];
	uint64_t size;
	int err;

	if (st->size < sizeof(head))
		return 0;
	err = elf_read_exact(obj, head, sizeof(head), st->file_off);
	if (err || memcmp(head, "ZLIB", 4) != 0)
		return err;
	memcpy(&size, head + 4, sizeof(size));
	st->codec = CODEC_ZLIB;
	st->inflated = __builtin_bswap64(size);
	st->file_off += sizeof(head);
	st->size -= sizeof(head);
	return 0;
}

int elf_stored(struct elf_obj *obj, const struct elf_section *sec, struct stored *st)
{
	int err = 0;

	*st = (struct stored){CODEC_NONE, sec->file_off, sec->size, sec->size};
	if (sec->type == SHT_NOBITS || sec->type == SHT_NULL)
		return -ENODATA;
	if (sec->file_off > obj->file_size || sec->size > obj->file_size - sec->file_off)
		return -EBADMSG;
	if (sec->flags & SHF_COMPRESSED)
		err = chdr_of(obj, st);
	else if (!strncmp(sec->name, ".zdebug_", 8))
		err = zdebug_of(obj, st);
	if (err)
		return err;
	if (st->inflated > obj->limits.section_bytes || st->inflated >= SIZE_MAX)
		return -EFBIG;
	if (st->codec != CODEC_NONE && st->inflated > INFLATE_SMALL &&
	    st->inflated / INFLATE_RATIO_MAX > st->size)
		return -EFBIG;
	return 0;
}

/* --- inflating -------------------------------------------------------------------------------- */

struct inflater {
	struct elf_obj *obj;
	enum codec codec;
	uint64_t file_off, left; /* next stored bytes to read into the buffer; how many are left */
	uint8_t *chunk;		 /* input buffer, allocated at the first read */
	size_t pos, len;	 /* position in the buffer; bytes in the buffer */
	z_stream zlib;
	bool zlib_ready, ended; /* ended: the stream is complete; no more input is expected */
	ZSTD_DStream *zstd;
};

DEFINE_CLEANUP(inflater, inflater_free)

static int start_codec(struct inflater *in, bool whole)
{
	if (in->codec == CODEC_ZLIB) {
		in->zlib_ready = inflateInit(&in->zlib) == Z_OK;
		if (in->zlib_ready)
			inflateValidate(&in->zlib, whole);
		return in->zlib_ready ? 0 : -ENOMEM;
	}
	in->zstd = ZSTD_createDStream();
	if (!in->zstd)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	return 0;
}

int inflater_new(struct inflater **out, struct elf_obj *obj, const struct stored *st, bool whole)
{
	_cleanup_(inflater_freep) struct inflater *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	*in = (struct inflater){
		.obj = obj, .codec = st->codec, .file_off = st->file_off, .left = st->size};
	err = start_codec(in, whole);
	if (err)
		return err;
	*out = steal_ptr(in);
	return 0;
}

int inflater_copy(struct inflater **out, const struct inflater *from)
{
	_cleanup_(inflater_freep) struct inflater *in = calloc(1, sizeof(*in));
	size_t buffered = from->len - from->pos;

	if (from->codec != CODEC_ZLIB)
		return -ENOTSUP;
	if (!in)
		return -ENOMEM;
	*in = (struct inflater){.obj = from->obj,
				.codec = from->codec,
				.file_off = from->file_off - buffered,
				.left = from->left + buffered,
				.ended = from->ended};
	/* inflateCopy() takes a pointer without const but only reads. */
	in->zlib_ready = inflateCopy(&in->zlib, (z_stream *)&from->zlib) == Z_OK;
	if (!in->zlib_ready)
		return -ENOMEM;
	*out = steal_ptr(in);
	return 0;
}

void inflater_free(struct inflater *in)
{
	if (!in)
		return;
	if (in->zlib_ready)
		inflateEnd(&in->zlib);
	ZSTD_freeDStream(in->zstd);
	free(in->chunk);
	free(in);
}

static int refill(struct inflater *in)
{
	int err;

	if (in->pos < in->len)
		return 0;
	if (!in->chunk)
		in->chunk = malloc(CHUNK_BYTES);
	if (!in->chunk)
		return -ENOMEM;
	in->pos = 0;
	in->len = in->left < CHUNK_BYTES ? in->left : CHUNK_BYTES;
	err = elf_read_exact(in->obj, in->chunk, in->len, in->file_off);
	in->file_off += in->len;
	in->left -= in->len;
	return err;
}

/* zlib counts in unsigned int, so a large destination is filled in steps. */
static int step_zlib(struct inflater *in, uint8_t *out, size_t len, size_t *made)
{
	z_stream *z = &in->zlib;
	uInt room = len < (1u << 30) ? (uInt)len : 1u << 30;
	int ret;

	z->next_in = in->chunk + in->pos;
	z->avail_in = (uInt)(in->len - in->pos);
	z->next_out = out;
	z->avail_out = room;
	ret = inflate(z, Z_NO_FLUSH);
	in->pos = in->len - z->avail_in;
	*made = room - z->avail_out;
	in->ended = ret == Z_STREAM_END;
	if (ret == Z_MEM_ERROR)
		return -ENOMEM;
	return ret == Z_OK || ret == Z_STREAM_END ? 0 : -EBADMSG;
}

/* A section may consist of several frames. */
static int step_zstd(struct inflater *in, uint8_t *out, size_t len, size_t *made)
{
	ZSTD_inBuffer src = {in->chunk, in->len, in->pos};
	ZSTD_outBuffer dst = {out, len, 0};
	size_t hint = ZSTD_decompressStream(in->zstd, &dst, &src);

	in->pos = src.pos;
	*made = dst.pos;
	if (!ZSTD_isError(hint)) {
		in->ended = hint == 0;
		return 0;
	}
	switch (ZSTD_getErrorCode(hint)) {
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

/* Inflates up to len bytes. -EBADMSG if there is no input left and no output was made. */
static int step(struct inflater *in, uint8_t *out, size_t len, size_t *made)
{
	size_t before;
	int err;

	*made = 0;
	if (in->codec == CODEC_ZLIB && in->ended)
		return -EBADMSG;
	err = refill(in);
	if (err)
		return err;
	before = in->pos;
	err = in->codec == CODEC_ZLIB ? step_zlib(in, out, len, made)
				      : step_zstd(in, out, len, made);
	if (err)
		return err;
	return *made || in->pos > before || in->ended ? 0 : -EBADMSG;
}

int inflater_read(struct inflater *in, void *buf, size_t len)
{
	uint8_t *out = buf;

	while (len) {
		size_t made;
		int err = step(in, out, len, &made);

		if (err)
			return err;
		out += made;
		len -= made;
	}
	return 0;
}

/* The end of the stream may be unread still when all bytes were inflated. */
int inflater_end(struct inflater *in)
{
	uint8_t more;
	size_t made;

	while (!in->ended || (in->codec == CODEC_ZSTD && (in->pos < in->len || in->left))) {
		int err = step(in, &more, in->codec == CODEC_ZLIB, &made);

		if (err)
			return err;
		if (made)
			return -EBADMSG; /* more than the header claimed */
	}
	return 0;
}

size_t inflater_bytes(const struct inflater *in)
{
	size_t codec = in->zstd ? ZSTD_sizeof_DStream(in->zstd) : ZLIB_BYTES;

	return sizeof(*in) + codec + (in->chunk ? CHUNK_BYTES : 0);
}
