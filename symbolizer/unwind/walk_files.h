/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks captured stacks (cfi_walk.h) with the call frame information of files that are known by
 * numbers: what walker.h does in its process, or where there is none. Files are opened when a stack
 * first leads into them; what only a compiled table describes is compiled. Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_WALK_FILES_H
#define KILN_SYMBOLIZER_UNWIND_WALK_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/cfi_walk.h"

/* Files known at once: what the programs of one burst map. */
#define WALK_FILES_MAX 256
#define WALK_FILE_NONE UINT32_MAX /* anonymous code */

struct walk_region { /* something mapped */
	uint64_t start, len, file_off;
	uint64_t since_ns; /* of those that are not live the latest counts */
	uint32_t file, reserved;
};

struct walk_sample {
	struct captured_stack captured;
	const struct walk_region *regions;
	size_t n_regions,
		n_live; /* the first n_live are by address, apart, and count before others */
};

struct walk_files;

int walk_files_new(struct walk_files **out);
void walk_files_free(struct walk_files *s);

/* A file; takes the descriptor (-1: it cannot be read). One that is known is replaced. 0 or -errno. */
int walk_files_add(struct walk_files *s, uint32_t file, int fd);
void walk_files_forget(struct walk_files *s); /* all files */
/* Where to write the number of the file that is looked into next, -1: nowhere. Taken. */
void walk_files_note_to(struct walk_files *s, int fd);

/* As cfi_walk(). */
size_t walk_files_walk(struct walk_files *s, const struct walk_sample *sample, uint64_t *frames,
		       size_t max, enum cfi_walk_end *end);

#endif
