/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one address in a loaded unit to its frames. */
#ifndef KILN_SYMBOLIZER_DWARF_FRAMES_H
#define KILN_SYMBOLIZER_DWARF_FRAMES_H

#include "profiler/base/buf.h"
#include "symbolizer/dwarf.h"
#include "symbolizer/dwarf_func.h"

struct frames {
	struct dwarf_frame list[DWARF_DEPTH_MAX];
	size_t n;
	bool limited;
	/* Strings are collected here; the list gets its pointers when all are there. */
	struct buf strings;
	struct frame_strings {
		size_t linkage_name, name; /* 1 + offset in strings, 0: none */
	} at[DWARF_DEPTH_MAX];
	struct work work; /* allowance for one address; the caller fills it up */
};

/* Fills frames for an address of cu, whose products are loaded. 0 or -errno. */
int frames_find(struct frames *fr, struct cu_cache *cache, struct cu *cu, uint64_t va);
void frames_release(struct frames *fr);

#endif
