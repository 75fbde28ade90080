/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one ELF layer: headers, identity and bounded section contents, for symbols, DWARF and unwind
 * tables. Files are foreign and may be hostile. They are read with pread() only, because truncating
 * a mapped file would raise SIGBUS. Every size is checked against the file and the limits before it
 * is used. The inflated size of a compressed section is checked before inflating.
 *
 * Reads little endian ELF64 of EM_X86_64 and EM_AARCH64, and ELF32 of EM_386 and EM_X86_64 (x32), but no
 * ELF32 object files (ET_REL): others are refused with -ENOEXEC. Not thread-safe: one thread uses an object
 * at a time.
 */
#ifndef KILN_SYMBOLIZER_ELF_ELF_OBJ_H
#define KILN_SYMBOLIZER_ELF_ELF_OBJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/build_id.h"
#include "symbolizer/query/elf_facts.h"

struct elf_obj;

struct elf_limits {
	size_t section_bytes; /* one section, inflated */
	size_t total_bytes;   /* all section bytes held at once by one object */
};

/* 2 GiB for one section and for all: enough for a browser's debug file. */
extern const struct elf_limits elf_limits_default;

struct elf_section {
	const char *name;     /* borrowed from the object */
	uint32_t index, type; /* SHT_* */
	/*
	 * ET_REL files have no addresses. There the va of an SHF_ALLOC section is its file offset.
	 * A section without bytes in the file (SHT_NOBITS; all code of a debug file) gets a va past
	 * the end of the file.
	 */
	uint64_t flags, va, file_off, size /* as stored */, entsize;
	uint32_t link, info;
};

/*
 * Opens a file from a descriptor, which the object takes, also on failure. limits may be NULL for
 * the defaults. 0, -ENOEXEC (not a supported ELF file), -EBADMSG (malformed), -EINVAL (not a
 * regular file), -ENOMEM or another -errno of the reads.
 */
int elf_obj_open(struct elf_obj **out, int fd, const struct elf_limits *limits);
/* Does the same over bytes in memory. They are not copied and must stay unchanged while the
 * object lives. */
int elf_obj_open_bytes(struct elf_obj **out, const void *data, size_t len,
		       const struct elf_limits *limits);
void elf_obj_free(struct elf_obj *obj);

/* As elf_head.h reads it. */
const struct build_id *elf_obj_build_id(const struct elf_obj *obj);
uint16_t elf_obj_machine(const struct elf_obj *obj); /* EM_* */
uint16_t elf_obj_type(const struct elf_obj *obj);    /* ET_* */
bool elf_obj_is_32(const struct elf_obj *obj);	     /* ELFCLASS32: see elf_class.h */
uint64_t elf_obj_entry(const struct elf_obj *obj);   /* ELF address of the entry point, or 0 */

/* True if there is a section table that cannot be read, because the file is truncated or
 * damaged. Such a file still runs, so it opens, without sections. */
bool elf_obj_truncated(const struct elf_obj *obj);

const struct elf_segment *elf_obj_segments(const struct elf_obj *obj, size_t *n);
/* The segment that holds this file offset or address, or NULL. If several segments hold an
 * offset, an executable one is preferred: samples are there. */
const struct elf_segment *elf_obj_segment_at_off(const struct elf_obj *obj, uint64_t file_off);
const struct elf_segment *elf_obj_segment_at_va(const struct elf_obj *obj, uint64_t va);
/* PT_GNU_EH_FRAME, or NULL. Gives .eh_frame_hdr also without a section table. */
const struct elf_segment *elf_obj_eh_frame_hdr(const struct elf_obj *obj);
/* PT_DYNAMIC, or NULL. elf_dynamic.h reads it. */
const struct elf_segment *elf_obj_dynamic(const struct elf_obj *obj);

size_t elf_obj_section_count(const struct elf_obj *obj);
const struct elf_section *elf_obj_section_by_index(const struct elf_obj *obj, size_t index);
/* The first section of that name, or NULL. ".debug_x" also finds ".zdebug_x". */
const struct elf_section *elf_obj_section(const struct elf_obj *obj, const char *name);

/*
 * Gives the contents of a section. Inflates it if it has SHF_COMPRESSED (ELFCOMPRESS_ZLIB,
 * ELFCOMPRESS_ZSTD) or is named .zdebug_*. The bytes are loaded once and borrowed until
 * elf_obj_drop() or elf_obj_free(). A NUL byte follows them. -ENODATA: SHT_NOBITS. -EFBIG: over a
 * limit. -EBADMSG: malformed.
 *
 * In ET_REL files (kernel modules), .debug_* sections are relocated as if every section were loaded
 * at its elf_section.va: R_X86_64_{64,32,32S,PC32} and R_AARCH64_{ABS64,ABS32}.
 */
int elf_obj_data(struct elf_obj *obj, const struct elf_section *sec, const uint8_t **data,
		 size_t *len);
/* Frees the loaded bytes of one section. Pointers into them become invalid. */
void elf_obj_drop(struct elf_obj *obj, const struct elf_section *sec);
/* Bytes of section contents held now. */
size_t elf_obj_bytes(const struct elf_obj *obj);

/*
 * Pieces of a compressed section that is too large to hold. The stream inflates as far as it is
 * asked and keeps restart points. Reading on is cheap. Going back inflates some MiB again; with
 * zstd it inflates from the start. The object must outlive the stream.
 */
struct elf_stream;

/* Errors as from elf_obj_data(); -EINVAL if the section is not compressed. */
int elf_stream_open(struct elf_stream **out, struct elf_obj *obj, const struct elf_section *sec);
void elf_stream_free(struct elf_stream *s);
uint64_t elf_stream_size(const struct elf_stream *s); /* size of the contents, from the header */
/* Reads exactly len bytes at off. -EBADMSG: past the end, or corrupt before it. 0 or -errno. */
int elf_stream_read(struct elf_stream *s, void *buf, size_t len, uint64_t off);
size_t elf_stream_bytes(const struct elf_stream *s);	  /* memory held */
uint64_t elf_stream_inflated(const struct elf_stream *s); /* bytes inflated so far, to limit work */

/* Reads raw bytes of the file. Returns the number of bytes, fewer at the end of the file, or
 * -errno. */
long elf_obj_pread(struct elf_obj *obj, void *buf, size_t len, uint64_t file_off);
uint64_t elf_obj_file_size(const struct elf_obj *obj);

#endif
