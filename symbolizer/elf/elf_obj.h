/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one ELF layer: descriptor, program headers, identity and capped section bytes, shared by
 * symbols, DWARF and unwind tables. Files are foreign and hostile: they are read with pread only
 * (a truncated file must not be a SIGBUS), every size is checked against the file and against the
 * limits before it is used, and sizes of compressed sections are checked before inflating.
 *
 * ELF64 little endian only (EM_X86_64, EM_AARCH64; ELF32 is refused with -ENOEXEC).
 * Not thread-safe: one object is used by one thread at a time.
 */
#ifndef KILN_SYMBOLIZER_ELF_ELF_OBJ_H
#define KILN_SYMBOLIZER_ELF_ELF_OBJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/build_id.h"

struct elf_obj;

struct elf_limits {
	size_t section_bytes; /* one section, inflated */
	size_t total_bytes;   /* all section bytes held at once by one object */
};

/* 2 GiB a section and in all: enough for a browser's debug file. */
extern const struct elf_limits elf_limits_default;

struct elf_segment { /* a PT_LOAD, ascending by va, in file order as the ABI demands */
	uint64_t va, mem_len;
	uint64_t file_off, file_len;
	bool exec;
};

struct elf_section {
	const char *name;     /* borrowed from the object */
	uint32_t index, type; /* SHT_* */
	/* ET_REL files have no addresses: there the va of an SHF_ALLOC section is its file_off, or,
	 * where the file does not hold it (SHT_NOBITS, all code of a debug file), one of its own
	 * behind the file's end. */
	uint64_t flags, va, file_off, size /* as stored */, entsize;
	uint32_t link, info;
};

/*
 * Opens from a descriptor of a regular file, which the object takes (also on failure it is closed).
 * limits may be NULL for the defaults. 0, -ENOEXEC (not an ELF file we read), -EBADMSG (malformed),
 * -EINVAL (not a regular file), -ENOMEM or another -errno of the reads.
 */
int elf_obj_open(struct elf_obj **out, int fd, const struct elf_limits *limits);
/* The same over bytes that stay valid and unchanged for the object's life; they are not copied. */
int elf_obj_open_bytes(struct elf_obj **out, const void *data, size_t len,
		       const struct elf_limits *limits);
void elf_obj_free(struct elf_obj *obj);

/* NT_GNU_BUILD_ID from PT_NOTE (or .note.gnu.build-id where there are no program headers). */
const struct build_id *elf_obj_build_id(const struct elf_obj *obj);
uint16_t elf_obj_machine(const struct elf_obj *obj); /* EM_* */
uint16_t elf_obj_type(const struct elf_obj *obj);    /* ET_* */

/* True when there is a section table but it cannot be read (file cut short or damaged): such a file
 * runs all the same, and opens with no sections. */
bool elf_obj_truncated(const struct elf_obj *obj);

const struct elf_segment *elf_obj_segments(const struct elf_obj *obj, size_t *n);
/* Segment that holds this file offset / this address, or NULL. For an offset in several segments
 * the executable one wins (that is where samples are). */
const struct elf_segment *elf_obj_segment_at_off(const struct elf_obj *obj, uint64_t file_off);
const struct elf_segment *elf_obj_segment_at_va(const struct elf_obj *obj, uint64_t va);
/* PT_GNU_EH_FRAME, where .eh_frame_hdr is with or without a section table; NULL if none. */
const struct elf_segment *elf_obj_eh_frame_hdr(const struct elf_obj *obj);
/* PT_DYNAMIC; NULL if none. elf_dynamic.h reads it. */
const struct elf_segment *elf_obj_dynamic(const struct elf_obj *obj);

size_t elf_obj_section_count(const struct elf_obj *obj);
const struct elf_section *elf_obj_section_by_index(const struct elf_obj *obj, size_t index);
/* First section of that name, or NULL. ".debug_x" also finds ".zdebug_x". */
const struct elf_section *elf_obj_section(const struct elf_obj *obj, const char *name);

/*
 * Contents of a section, inflated if SHF_COMPRESSED (ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD) or named
 * .zdebug_*. The bytes are loaded once and borrowed until elf_obj_drop() or elf_obj_free(); one NUL
 * byte follows them. SHT_NOBITS gives -ENODATA. -EFBIG: over a limit. -EBADMSG: malformed.
 * ET_REL files (kernel modules): relocations R_X86_64_{64,32,32S,PC32} and R_AARCH64_{ABS64,ABS32}
 * are applied to .debug_* sections as if every section were loaded at its own elf_section.va.
 */
int elf_obj_data(struct elf_obj *obj, const struct elf_section *sec, const uint8_t **data,
		 size_t *len);
/* Frees the loaded bytes of one section; pointers into it die. */
void elf_obj_drop(struct elf_obj *obj, const struct elf_section *sec);
/* Bytes of section contents now held. */
size_t elf_obj_bytes(const struct elf_obj *obj);

/*
 * Pieces of a compressed section that is too large to hold: inflated as far as is asked for, with
 * places to start again from now and then, so that reading on is cheap, and going back costs some
 * MiB inflated anew (zstd: all before it). The object outlives the stream.
 */
struct elf_stream;

/* Errors as of elf_obj_data(); -EINVAL if the section is not compressed. */
int elf_stream_open(struct elf_stream **out, struct elf_obj *obj, const struct elf_section *sec);
void elf_stream_free(struct elf_stream *s);
uint64_t elf_stream_size(const struct elf_stream *s); /* of the contents, as the header says */
/* Exactly len bytes at off. -EBADMSG: past the end, or corrupt before that. 0 or -errno. */
int elf_stream_read(struct elf_stream *s, void *buf, size_t len, uint64_t off);
size_t elf_stream_bytes(const struct elf_stream *s);	  /* of memory held */
uint64_t elf_stream_inflated(const struct elf_stream *s); /* in all, for who limits work */

/* Reads raw bytes of the file. Bytes read, short at its end, or -errno. */
long elf_obj_pread(struct elf_obj *obj, void *buf, size_t len, uint64_t file_off);
uint64_t elf_obj_file_size(const struct elf_obj *obj);

#endif
