/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stored bytes of a section, inflated from the start on. What elf_data.c (sections held whole) and
 * elf_stream.c (pieces of large ones) have in common; nobody else includes it. */
#ifndef KILN_SYMBOLIZER_ELF_ELF_INFLATE_H
#define KILN_SYMBOLIZER_ELF_ELF_INFLATE_H

#include "symbolizer/elf/elf_priv.h"

enum codec { CODEC_NONE, CODEC_ZLIB, CODEC_ZSTD };

struct stored { /* how a section's contents lie in the file */
	enum codec codec;
	uint64_t file_off, size; /* of the stored bytes, behind any compression header */
	uint64_t inflated;
};

/* -ENODATA: SHT_NOBITS. -EFBIG: larger than a section may be, or a bomb. 0 or -errno. */
int elf_stored(struct elf_obj *obj, const struct elf_section *sec, struct stored *st);

struct inflater;

/*
 * For CODEC_ZLIB and CODEC_ZSTD. obj is borrowed. whole: inflater_end() will be asked; without, zlib's
 * checksum is not computed: it is over the whole section, and would come after all of it was used.
 * 0 or -ENOMEM.
 */
int inflater_new(struct inflater **out, struct elf_obj *obj, const struct stored *st, bool whole);
/* A second one, which goes on where this one is. -ENOTSUP with zstd. 0 or -errno. */
int inflater_copy(struct inflater **out, const struct inflater *from);
void inflater_free(struct inflater *in);

/* The next len bytes. -EBADMSG: corrupt, or fewer are left. -EFBIG: needs too much memory. After an
 * error nothing more can be read. */
int inflater_read(struct inflater *in, void *buf, size_t len);
/* After all has been read: 0 if the stream ends there as well, or -errno. */
int inflater_end(struct inflater *in);

/* Bytes it holds, about. */
size_t inflater_bytes(const struct inflater *in);

#endif
