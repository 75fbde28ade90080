/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns the distinct frames of an aggregate into locations of a profile. Part of naming.c. */
#ifndef KILN_NAMING_NAME_FRAMES_H
#define KILN_NAMING_NAME_FRAMES_H

#include <stdint.h>

struct aggregate;
struct naming;
struct profile;

enum named_as {
	NAMED_NOT,	 /* address only */
	NAMED_FDE,	 /* by a function start in .eh_frame */
	NAMED_SYMBOL,	 /* symbol table, DWARF, kallsyms, perf map */
	NAMED_SYNTHETIC, /* not a frame of the program: does not count */
};

struct named_frame {
	uint32_t location; /* in the profile */
	uint8_t as;	   /* enum named_as */
	uint8_t is_root;   /* an outermost function: nothing calls it */
};

/* One entry per aggregate frame into out, which holds as many. 0 or -errno. */
int name_frames(struct naming *n, const struct aggregate *a, struct profile *p,
		struct named_frame *out);

#endif
