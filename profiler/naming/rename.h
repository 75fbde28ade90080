/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names what could not be named when a profile was taken. Nothing else changes: samples, values,
 * labels, places and addresses of mappings stay. Stacks that become equal stay separate.
 */
#ifndef KILN_NAMING_RENAME_H
#define KILN_NAMING_RENAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/naming/elf_find.h"

struct profile;
struct symbolizer;

struct rename_opts {
	struct symbolizer *symbolizer;
	const struct elf_search *search;
	bool force;    /* look up locations that have a name and a line, too */
	bool no_lines; /* only names are wanted (the symbolizer's names_only) */
};

/* One file of the profile. Counts are of locations. */
struct rename_file {
	uint32_t path, build_id; /* strings of the profile */
	enum elf_find_problem problem;
	uint64_t looked_up; /* had no name or no line */
	uint64_t improved;  /* of these, better now */
	uint64_t unnamed;   /* of these, still without a name */
	uint64_t lineless;  /* of these, still without a line */
	bool knows_lines;   /* has debug information, or other locations in it have lines */
};

struct rename_result {
	VEC(struct rename_file) files; /* files in which something was looked up */
	uint64_t complete;	       /* locations that needed nothing */
	uint64_t no_file; /* without a name and not in a file: kernel, JIT code, unmapped */
};

/* 0 or -ENOMEM. What was not found is in the result. */
int rename_profile(struct profile *p, const struct rename_opts *o, struct rename_result *r);
void rename_result_release(struct rename_result *r);

#endif
