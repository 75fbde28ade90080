/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report is to show, as text or as JSON. */
#ifndef KILN_FORMATS_REPORT_SHOWN_H
#define KILN_FORMATS_REPORT_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/profile/calltree.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"

struct report {
	const struct profile *p;       /* without what was filtered out */
	const struct profile *whole;   /* with it */
	const struct quality *quality; /* NULL: none in the profile */
	struct table_opts table;
	size_t n_rows; /* 0: all */
	bool tree;     /* the call tree, not the table */
};

/* The word for the kind of a frame or of a node of a call tree. */
static inline const char *report_kind(uint8_t kind)
{
	static const char *const names[] = {
		[FRAME_NATIVE] = "native",   [FRAME_KERNEL] = "kernel",
		[FRAME_JIT] = "jit",	     [FRAME_SYNTHETIC] = "synthetic",
		[FRAME_UNKNOWN] = "unknown", [FRAME_ROOT_KIND] = "root",
	};

	return names[kind];
}

#endif
