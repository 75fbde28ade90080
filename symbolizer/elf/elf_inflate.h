/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stored bytes of a section, inflated from the start on. elf_data.c (whole sections) and
 * elf_stream.c (pieces of large ones) share this. No other file includes it. */
#ifndef KILN_SYMBOLIZER_ELF_ELF_INFLATE_H
#define KILN_SYMBOLIZER_ELF_ELF_INFLATE_H

#include "symbolizer/elf/elf_priv.h"

enum codec { CODEC_NONE, CODEC_ZLIB, CODEC_ZSTD };

struct stored { /* how a section's contents are stored in the file */
	enum codec codec;
	uint64_t file_off, size; /* of the stored bytes, after any compression header */
	uint64_t inflated;
};

/* Finds out how a section is stored. -ENODATA: SHT_NOBITS. -EFBIG: over the size limit, or an
 * implausible compression ratio. 0 or -errno. */
int elf_stored(struct elf_obj *obj, const struct elf_section *sec, struct stored *st);

struct inflater;

/*
 * Makes an inflater for CODEC_ZLIB or CODEC_ZSTD. obj is borrowed. Set `whole` if inflater_end()
 * will be called. Without it zlib computes no checksum: the checksum covers the whole section and
 * would come after all bytes were used. 0 or -ENOMEM.
 */
int inflater_new(struct inflater **out, struct elf_obj *obj, const struct stored *st, bool whole);
/* Makes a second inflater that continues at the same place. -ENOTSUP for zstd. 0 or -errno. */
int inflater_copy(struct inflater **out, const struct inflater *from);
void inflater_free(struct inflater *in);

/* Reads the next len bytes. -EBADMSG: corrupt, or fewer bytes are left. -EFBIG: needs too much
 * memory. After an error nothing more can be read. */
int inflater_read(struct inflater *in, void *buf, size_t len);
/* Call after all bytes were read. 0 if the stream ends there too, else -errno. */
int inflater_end(struct inflater *in);

/* Bytes held, approximately. */
size_t inflater_bytes(const struct inflater *in);

#endif
