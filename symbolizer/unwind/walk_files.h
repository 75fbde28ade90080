/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CFI walks (cfi_walk.h) over files that are known by numbers. The walk worker uses this; without a
 * sandbox, kiln itself does. A file is opened when a stack first leads into it. Code that libunwind
 * cannot walk gets a compiled table. Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_WALK_FILES_H
#define KILN_SYMBOLIZER_UNWIND_WALK_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/cfi_walk.h"

/* Files known at once: enough for the programs of one burst. */
#define WALK_FILES_MAX 256
#define WALK_FILE_NONE UINT32_MAX /* anonymous code */

struct walk_region { /* a mapping */
	uint64_t start, len, file_off;
	uint64_t since_ns; /* of mappings that are gone, the latest counts */
	uint32_t file, reserved;
};

struct walk_sample {
	struct captured_stack captured;
	const struct walk_region *regions;
	size_t n_regions,
		/* The first n_live are sorted by address, do not overlap, and are preferred. */
		n_live;
};

struct walk_files;

int walk_files_new(struct walk_files **out);
void walk_files_free(struct walk_files *s);

/* Adds or replaces a file. Takes the descriptor (-1: it cannot be read). 0 or -errno. */
int walk_files_add(struct walk_files *s, uint32_t file, int fd);
void walk_files_forget(struct walk_files *s); /* all files */
/* Sets the descriptor, which is taken, to write the number of each file to before it is read;
 * -1: none. */
void walk_files_note_to(struct walk_files *s, int fd);

/* Like cfi_walk(). */
size_t walk_files_walk(struct walk_files *s, const struct walk_sample *sample, uint64_t *frames,
		       size_t max, enum cfi_walk_end *end);

#endif
