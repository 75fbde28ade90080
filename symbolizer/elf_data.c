// SPDX-License-Identifier: GPL-2.0-or-later
/* Contents of sections: read within limits, inflated, relocated. */
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf_priv.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2 /* gABI; glibc's elf.h has it from 2.36 on */
#endif

/* Compressed bytes are streamed through a buffer of this size. */
#define CHUNK_BYTES (256u << 10)
/*
 * Debug sections shrink 2 to 20 times; deflate can do 1032, zstd 40,000. What claims to grow more
 * than this, and is not small, is a bomb.
 */
#define INFLATE_RATIO_MAX  128
#define INFLATE_SMALL	   (16u << 20)
#define ZDEBUG_HEADER_SIZE 12 /* "ZLIB" and the inflated size as 8 bytes big endian */

enum codec { CODEC_NONE, CODEC_ZLIB, CODEC_ZSTD };

struct stored { /* how a section's contents lie in the file */
	enum codec codec;
	uint64_t file_off, size; /* of the stored bytes, behind any compression header */
	uint64_t inflated;
};

static int chdr_of(struct elf_obj *obj, struct stored *st)
{
	Elf64_Chdr ch;
	int err;

	if (st->size < sizeof(ch))
		return -EBADMSG;
	err = elf_read_exact(obj, &ch, sizeof(ch), st->file_off);
	if (err)
		return err;
	if (ch.ch_type != ELFCOMPRESS_ZLIB && ch.ch_type != ELFCOMPRESS_ZSTD)
		return -EBADMSG;
	st->codec = ch.ch_type == ELFCOMPRESS_ZLIB ? CODEC_ZLIB : CODEC_ZSTD;
	st->inflated = ch.ch_size;
	st->file_off += sizeof(ch);
	st->size -= sizeof(ch);
	return 0;
}

/* The GNU way before SHF_COMPRESSED. Without the magic the section is just called so. */
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

static int stored_of(struct elf_obj *obj, const struct elf_section *sec, struct stored *st)
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
	if (st->inflated > obj->limits.section_bytes || st->inflated >= SIZE_MAX ||
	    st->inflated > obj->limits.total_bytes - obj->held)
		return -EFBIG;
	if (st->codec != CODEC_NONE && st->inflated > INFLATE_SMALL &&
	    st->inflated / INFLATE_RATIO_MAX > st->size)
		return -EFBIG;
	return 0;
}

/* The next chunk of stored bytes into buf; *n is 0 at the end. */
static int next_chunk(struct elf_obj *obj, struct stored *st, uint8_t *buf, size_t *n)
{
	int err;

	*n = st->size < CHUNK_BYTES ? st->size : CHUNK_BYTES;
	err = elf_read_exact(obj, buf, *n, st->file_off);
	st->file_off += *n;
	st->size -= *n;
	return err;
}

static void end_inflate(z_stream *z)
{
	inflateEnd(z);
}

/* zlib counts available bytes in an unsigned int, so a large destination is given in steps. */
static int inflate_zlib(struct elf_obj *obj, struct stored *st, uint8_t *out)
{
	_cleanup_free_ uint8_t *chunk = malloc(CHUNK_BYTES);
	_cleanup_(end_inflate) z_stream z = {0};
	uint64_t done = 0;
	int ret = Z_OK;

	if (!chunk || inflateInit(&z) != Z_OK)
		return -ENOMEM;
	while (ret != Z_STREAM_END) {
		uint64_t room = st->inflated - done;
		size_t n;
		int err;

		if (!z.avail_in) {
			err = next_chunk(obj, st, chunk, &n);
			if (err)
				return err;
			z.next_in = chunk;
			z.avail_in = (uInt)n;
		}
		z.next_out = out + done;
		z.avail_out = room < (1u << 30) ? (uInt)room : 1u << 30;
		n = z.avail_out;
		ret = inflate(&z, Z_NO_FLUSH);
		done += n - z.avail_out;
		if (ret == Z_MEM_ERROR)
			return -ENOMEM;
		if (ret != Z_OK && ret != Z_STREAM_END)
			return -EBADMSG; /* corrupt, cut short, or more than it claimed */
	}
	return done == st->inflated ? 0 : -EBADMSG;
}

static void free_zstd(ZSTD_DStream **z)
{
	ZSTD_freeDStream(*z);
}

/* A section may be several frames, one after the other. */
static int inflate_zstd(struct elf_obj *obj, struct stored *st, uint8_t *out)
{
	_cleanup_free_ uint8_t *chunk = malloc(CHUNK_BYTES);
	_cleanup_(free_zstd) ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_outBuffer dst = {out, st->inflated, 0};
	ZSTD_inBuffer src = {chunk, 0, 0};
	size_t hint = 1;

	if (!chunk || !z)
		return -ENOMEM;
	while (src.pos < src.size || st->size) {
		size_t before = dst.pos;
		int err = 0;

		if (src.pos == src.size) {
			src.pos = 0;
			err = next_chunk(obj, st, chunk, &src.size);
		}
		if (err)
			return err;
		hint = ZSTD_decompressStream(z, &dst, &src);
		if (ZSTD_isError(hint))
			return ZSTD_getErrorCode(hint) == ZSTD_error_memory_allocation ? -ENOMEM
										       : -EBADMSG;
		if (hint && dst.pos == dst.size && dst.pos == before && src.pos < src.size)
			return -EBADMSG; /* no room and no progress: more than it claimed */
	}
	return hint == 0 && dst.pos == st->inflated ? 0 : -EBADMSG;
}

static int load(struct elf_obj *obj, struct stored *st, uint8_t *out)
{
	switch (st->codec) {
	case CODEC_ZLIB:
		return inflate_zlib(obj, st, out);
	case CODEC_ZSTD:
		return inflate_zstd(obj, st, out);
	default:
		return elf_read_exact(obj, out, st->size, st->file_off);
	}
}

int elf_obj_data(struct elf_obj *obj, const struct elf_section *sec, const uint8_t **data,
		 size_t *len)
{
	struct elf_loaded *l = &obj->loaded[sec->index];
	_cleanup_free_ uint8_t *buf = NULL;
	struct stored st;
	size_t size;
	int err;

	if (!l->data) {
		err = stored_of(obj, sec, &st);
		if (err)
			return err;
		size = st.inflated;
		buf = malloc(size + 1);
		if (!buf)
			return -ENOMEM;
		err = load(obj, &st, buf);
		if (!err && obj->type == ET_REL)
			err = elf_relocate(obj, sec, buf, size);
		if (err)
			return err;
		buf[size] = 0;
		*l = (struct elf_loaded){steal_ptr(buf), size};
		obj->held += size;
	}
	*data = l->data;
	*len = l->len;
	return 0;
}

void elf_obj_drop(struct elf_obj *obj, const struct elf_section *sec)
{
	struct elf_loaded *l = &obj->loaded[sec->index];

	obj->held -= l->len;
	free(l->data);
	*l = (struct elf_loaded){0};
}

size_t elf_obj_bytes(const struct elf_obj *obj)
{
	return obj->held;
}
