/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names what a finished profile could not name when it was taken. Nothing else changes: samples,
 * their values, labels, mappings' places and addresses stay, and stacks that become equal stay apart.
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
	bool force;    /* also what has a name and a line */
	bool no_lines; /* a name is enough (the symbolizer's names_only) */
};

/* One file of the profile. Counts are of locations. */
struct rename_file {
	uint32_t path, build_id; /* strings of the profile */
	enum elf_find_problem problem;
	uint64_t looked_up; /* were not named, or without line */
	uint64_t improved;  /* of these, named better now */
	uint64_t unnamed;   /* of these, still without a name */
	uint64_t lineless;  /* of these, still without a line */
};

struct rename_result {
	VEC(struct rename_file) files; /* those something was looked up in */
	uint64_t complete;	       /* locations that had all there is to have */
	uint64_t no_file; /* without a name, and not of a file: kernel, JIT, unmapped */
};

/* 0 or -ENOMEM; what could not be found is in the result. */
int rename_profile(struct profile *p, const struct rename_opts *o, struct rename_result *r);
void rename_result_release(struct rename_result *r);

#endif
