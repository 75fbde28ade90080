/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks captured stacks (slow_unwind.h) with the call frame information of files that are known by
 * numbers: what walker.h does in its process, or where there is none. Files are opened when a stack
 * first leads into them; what only a compiled table describes is compiled. Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_WALK_STATE_H
#define KILN_SYMBOLIZER_UNWIND_WALK_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/slow_unwind.h"

/* Files known at once: what the programs of one burst map. */
#define WALK_FILES_MAX 256
#define WALK_FILE_NONE UINT32_MAX /* anonymous code */

struct walk_region { /* something mapped */
	uint64_t start, len, file_off;
	uint64_t since_ns; /* of those that are not live the latest counts */
	uint32_t file, reserved;
};

struct walk_sample {
	struct slow_sample captured;
	const struct walk_region *regions;
	size_t n_regions,
		n_live; /* the first n_live are by address, apart, and count before others */
};

struct walk_state;

int walk_state_new(struct walk_state **out);
void walk_state_free(struct walk_state *s);

/* A file; takes the descriptor (-1: it cannot be read). One that is known is replaced. 0 or -errno. */
int walk_state_add(struct walk_state *s, uint32_t file, int fd);
void walk_state_forget(struct walk_state *s); /* all files */
/* Where to write the number of the file that is looked into next, -1: nowhere. Taken. */
void walk_state_note_to(struct walk_state *s, int fd);

/* As slow_unwind(). */
size_t walk_state_walk(struct walk_state *s, const struct walk_sample *sample, uint64_t *frames,
		       size_t max, enum slow_end *end);

#endif
