/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one address in a loaded unit to its frames. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_FRAMES_H
#define KILN_SYMBOLIZER_DWARF_DWARF_FRAMES_H

#include "profiler/base/buf.h"
#include "symbolizer/dwarf/dwarf_answer.h"
#include "symbolizer/dwarf/dwarf_cache.h"
#include "symbolizer/dwarf/dwarf_func.h"

/* A string that was read: 1 + offset in frames.strings, 0: none. Or one to be read later, because its
 * section is a stream (dwarf_sect.h): the section and the offset there. */
struct frame_string {
	struct sect *sect; /* NULL: it was read */
	uint64_t off;
};

struct frames {
	struct dwarf_frame list[DWARF_DEPTH_MAX];
	size_t n;
	bool limited;
	/* Strings are collected here; the list gets its pointers when all are there. */
	struct buf strings;
	struct frame_strings {
		struct frame_string linkage_name, name;
	} at[DWARF_DEPTH_MAX];
	struct work work; /* allowance for one address; the caller fills it up */
};

/* Fills frames for an address of cu, whose products are loaded. Strings to be read later are NULL in
 * the list. 0 or -errno. */
int frames_find(struct frames *fr, struct cu_cache *cache, struct cu *cu, uint64_t va);
/* The text of a string that was read, or NULL. */
const char *frames_text(const struct frames *fr, const struct frame_string *s);

/* Names and line of declaration of one DIE of a function or inlined call: fr->at[0], whose texts live
 * until the next call, and fr->list[0].start_line. 0 or -ENOMEM. */
int frames_describe(struct frames *fr, struct cu_cache *cache, struct cu *cu,
		    const struct die *die);
void frames_release(struct frames *fr);

#endif
