/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of struct naming, for the files that name frames of one kind. */
#ifndef KILN_NAMING_NAMING_INTERNAL_H
#define KILN_NAMING_NAMING_INTERNAL_H

#include "profiler/base/vec.h"
#include "profiler/files/stall_guard.h"
#include "profiler/naming/naming.h"

enum named_as {
	NAMED_NOT,	 /* only an address */
	NAMED_FDE,	 /* by a function start in .eh_frame */
	NAMED_SYMBOL,	 /* symbol table, DWARF, kallsyms, perf map */
	NAMED_SYNTHETIC, /* not a frame of the program: not counted */
	NAMED_SHORT,	 /* only its module: there was no memory for more */
};

/* Whether a frame is in a function that nothing calls, by its name. */
enum named_root {
	NOT_A_ROOT,
	ROOT_BY_NAME, /* a name that only the C library's or a language's runtime may give */
	ROOT_AT_END, /* any program may have a function of that name: a root where frame pointers end */
};

struct named_frame {
	uint32_t location; /* in the profile */
	uint8_t as;	   /* enum named_as */
	uint8_t is_root;   /* enum named_root */
};

struct naming {
	struct naming_opts opts;
	struct name_cache *cache;
	struct kernel_names *kernel; /* NULL: no kernel address came yet */
	struct packages *packages;   /* of this host */
	int vdso_fd;		     /* -1: not opened yet, or there is none */
	struct stall_guard guard;    /* for opening perf maps, which may be on any file system */
	/* Programs (proc_image.id) of this run whose perf map is larger than is read. */
	VEC(uint64_t) cut_maps;
};

#endif
