/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes frames of one address in a loaded unit. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_FRAMES_H
#define KILN_SYMBOLIZER_DWARF_DWARF_FRAMES_H

#include "profiler/base/buf.h"
#include "symbolizer/dwarf/dwarf_answer.h"
#include "symbolizer/dwarf/dwarf_cache.h"
#include "symbolizer/dwarf/dwarf_func.h"

/* A string. If it was read, `off` is 1 + its offset in frames.strings; 0: none. If its section
 * is a stream (dwarf_sect.h), it is read later, from `off` of that section. */
struct frame_string {
	struct sect *sect; /* NULL: it was read */
	uint64_t off;
};

struct frames {
	struct dwarf_frame list[DWARF_DEPTH_MAX];
	size_t n;
	bool limited;
	/* Collects strings. `list` gets its pointers once all are there. */
	struct buf strings;
	struct frame_strings {
		struct frame_string linkage_name, name;
	} at[DWARF_DEPTH_MAX];
	struct work work; /* allowance for one address; the caller sets it */
};

/* Makes the frames of an address in cu, whose functions and lines are loaded. A string to be
 * read later is NULL in the list. 0 or -errno. */
int frames_find(struct frames *fr, struct cu_cache *cache, struct cu *cu, uint64_t va);
/* Text of a string that was read, or NULL. */
const char *frames_text(const struct frames *fr, const struct frame_string *s);

/* Reads names and declaration line of the DIE of a function or inlined call: into fr->at[0],
 * whose texts live until the next call, and fr->list[0].start_line. 0 or -ENOMEM. */
int frames_describe(struct frames *fr, struct cu_cache *cache, struct cu *cu,
		    const struct die *die);
void frames_release(struct frames *fr);

#endif
