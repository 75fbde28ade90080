/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to do about code that a program makes at run time: options of its JIT compiler. A part of blame. */
#ifndef KILN_NAMING_MADE_CODE_H
#define KILN_NAMING_MADE_CODE_H

#include <stdbool.h>

#include "bpf/unwind_abi.h"

struct agg_image;
struct naming;

struct made_code {
	const struct agg_image *image; /* that made it */
	bool lacks_names, lacks_frames;
	enum unwind_end end; /* of most of its stacks that end before their root */
	const char *remedy;  /* for code in files whose stacks end so */
};

/* Asks what the program's perf map lacks. The caller frees it; NULL: out of memory. */
char *made_code_hint(const struct made_code *c, struct naming *n);

#endif
