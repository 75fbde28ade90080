/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines and inlined calls of one file, compiled: the answer of dwarf_resolve() for every address. A
 * table is written once, and later runs map it. A look-up is one binary search and the decoding of
 * one block.
 *
 * A table is kiln's own file in its own directory (line_cache.h). Yet its reader trusts nothing:
 * the table may be damaged, or a worker that a hostile ELF file took over may have written it.
 * Every offset is checked. No byte is used before its 4 KiB chunk has matched its checksum. A
 * chunk's checksum is compared when the chunk is first used. Checking a whole file of 60 MB at open
 * would cost more than a thousand look-ups.
 *
 * A table is mapped, unlike any foreign file. Once it has a header it is never written or
 * truncated, only unlinked. So only an I/O error of the disk can raise SIGBUS. A worker that had it
 * open for writing must have ended, or be the process that reads it.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_TABLE_H
#define KILN_SYMBOLIZER_LINES_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

struct line_table;

/* Sources of a table. */
struct line_source {
	struct build_id build_id;
	uint64_t bias; /* debug_file_bias(): add it to a table's address to get the file's */
	uint64_t size; /* of the file that had .debug_info */
	bool separate; /* .debug_info is in a separate debug file */
};

/*
 * Maps a table. fd is borrowed during the call only. 0; -ENOENT: missing or unfinished; -EPROTO:
 * another version; -EBADMSG: damaged, or of another build id; -ENODATA: a refusal
 * (line_table_refuse()); -ENOMEM or another -errno of the mapping.
 */
int line_table_open(struct line_table **out, int fd, const struct build_id *build_id);
void line_table_free(struct line_table *t);

const struct line_source *line_table_source(const struct line_table *t);
/* Bytes of memory held, without the mapping, which is page cache. */
size_t line_table_bytes(const struct line_table *t);

/*
 * Like dwarf_resolve(), but in the order of the addresses. linkage_name and name are equal: the
 * linkage name, else the name, NULL if both are empty. Strings live as long as t. -EBADMSG: damage
 * was found; *done addresses are answered, and the caller should drop t.
 */
int line_table_resolve(struct line_table *t, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn,
		       void *ctx, size_t *done);

struct line_limits {
	uint64_t cpu_ns; /* CPU time of the calling thread; 0 = 60 s */
	size_t bytes;	 /* memory besides the reader's; 0 = 1 GiB */
};

/*
 * Writes all that d says into an empty file. Needs nothing but write access to fd. Writes the
 * header last, so an unfinished table counts as missing. 0; -ENOMEM; -EFBIG: a cap of the reader,
 * the format or limits->bytes; -ETIME: limits->cpu_ns; -ENOENT: d refers to a file that was not
 * found, and a table would hide it for good; or the -errno of the write.
 */
int line_table_build(struct dwarf *d, const struct line_source *source, int fd,
		     const struct line_limits *limits);
/* Writes a refusal: a table that says that no table can be built, because of err. 0 or the
 * -errno of the write. */
int line_table_refuse(const struct line_source *source, int fd, int err);

#endif
