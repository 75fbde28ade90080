/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What autofdo_samples.c makes of a profile, and autofdo.c writes. */
#ifndef KILN_FORMATS_AUTOFDO_PRIV_H
#define KILN_FORMATS_AUTOFDO_PRIV_H

#include <stdbool.h>

#include "profiler/base/hash.h"
#include "profiler/formats/autofdo.h"

#define AUTOFDO_NONE UINT32_MAX

/* A line of a function, as LLVM tells lines: base discriminator, 16 bits of offset. */
struct place {
	uint32_t offset, discriminator;
};

/* A function on its own, or inlined at a place of another. */
struct instance {
	uint32_t parent; /* or NONE */
	struct place at; /* of the call in the parent */
	uint32_t name;
	int64_t total;
	uint32_t first_line, first_inlined; /* in the sorted arrays; their ends are the next's */
};

struct line {
	uint32_t instance;
	struct place at;
	uint32_t addresses; /* that samples were taken at */
	int64_t count;
};

struct call { /* from a line */
	uint32_t line, callee;
	int64_t weight; /* time that went through it */
};

struct fdo {
	const struct profile *p;
	uint32_t module; /* string: the file whose code is written */
	struct strtab *names;
	VEC(struct instance) instances;
	VEC(struct line) lines;
	VEC(struct call) calls;
	VEC(int64_t) through;  /* by name: time that went through calls of it */
	VEC(uint32_t) of_name; /* by name: its instance without a parent, or NONE */
	struct htab instance_index, line_index, call_index;
	uint32_t *by_line, *by_inlined; /* sorted: lines, instances */
	bool *seen;			/* by location: a sample was taken there */
	struct autofdo_result *result;
};

/* Adds all samples of the file that most of them with a line are in. 0, -ENODATA or -ENOMEM. */
int fdo_add_samples(struct fdo *f);

static inline bool place_eq(const struct place *a, const struct place *b)
{
	return a->offset == b->offset && a->discriminator == b->discriminator;
}

#endif
