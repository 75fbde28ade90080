/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines and inlined calls of one file, compiled: what dwarf_resolve() says of every address, written
 * once and mapped by all later runs. A look-up is one binary search and the decoding of one block.
 *
 * A table is our own file in our own directory (line_cache.h), and yet it is read as a stranger's:
 * it may be damaged, or have been written by a worker that a hostile ELF file took over. Every
 * offset is checked, and no byte is looked at before its 4 KiB chunk has matched its checksum. The
 * checksums are compared when a chunk is first used: checking a whole file of 60 MB at open would
 * cost more than a thousand look-ups.
 *
 * It is mapped, as no foreign file ever is: once its header is there a table is never written nor cut
 * again, only unlinked, so no page of it can go away (SIGBUS) but through an I/O error of the disk.
 * A worker that had it open for writing must be gone, or be the one that reads it.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_TABLE_H
#define KILN_SYMBOLIZER_LINES_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

struct line_table;

/* What a table was made of. */
struct line_source {
	struct build_id build_id;
	uint64_t bias; /* debug_file_bias(): added to the table's addresses to get the file's */
	uint64_t size; /* of the file that had .debug_info */
	bool separate; /* which is another than the one that runs */
};

/*
 * Maps a table; fd is borrowed for the call only. 0; -ENOENT: not there yet, or never finished;
 * -EPROTO: of another version; -EBADMSG: damaged, or of another build id; -ENODATA: it is a refusal
 * (line_table_refuse()); -ENOMEM or another -errno of the mapping.
 */
int line_table_open(struct line_table **out, int fd, const struct build_id *build_id);
void line_table_free(struct line_table *t);

const struct line_source *line_table_source(const struct line_table *t);
/* Bytes of memory held (the mapping is not counted: it is page cache). */
size_t line_table_bytes(const struct line_table *t);

/*
 * Like dwarf_resolve(), in the order of the addresses. linkage_name and name are the same: the
 * linkage name, else the name, NULL if both are empty. Strings live as long as t. -EBADMSG: damage
 * was found; *done addresses have been answered, and t should be dropped.
 */
int line_table_resolve(struct line_table *t, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn,
		       void *ctx, size_t *done);

struct line_limits {
	uint64_t cpu_ns; /* CPU time of the calling thread; 0 = 60 s */
	size_t bytes;	 /* memory beside the reader's; 0 = 1 GiB */
};

/*
 * Writes the table of all that d says into an empty file, which is only written to (no rename, no
 * second descriptor), the header last: before that it is "not there". 0, -ENOMEM; -EFBIG: a cap of
 * the reader, the format or limits->bytes; -ETIME: limits->cpu_ns; -ENOENT: d refers to a file that
 * was not found, and a table without it would hide it for good; or the -errno of the write.
 */
int line_table_build(struct dwarf *d, const struct line_source *source, int fd,
		     const struct line_limits *limits);
/* Writes a table that says: do not try again. 0 or the -errno of the write. */
int line_table_refuse(const struct line_source *source, int fd, int err);

#endif
