/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where time goes by kind of code, and by module: what the leaf of each stack is in. */
#ifndef KILN_PROFILE_TIME_KINDS_H
#define KILN_PROFILE_TIME_KINDS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"

/* Kind, key in JSON. */
#define TIME_KINDS(X)                                                                              \
	X(KERNEL, "kernel")   /* with its modules and BPF programs */                              \
	X(PROGRAM, "program") /* executables */                                                    \
	X(LIBRARY, "library") /* shared objects, and the vdso */                                   \
	X(JIT, "jit")	      /* code made at run time */                                          \
	X(UNKNOWN, "unknown") /* no mapping is known, as in many foreign profiles */               \
	X(LOST, "lost")	      /* lost samples, and stacks that kiln missed */

enum time_kind {
#define X(kind, key) TIME_##kind,
	TIME_KINDS(X)
#undef X
		TIME_KIND_COUNT
};
const char *time_kind_key(enum time_kind kind);

struct time_part {
	enum time_kind kind;
	const char *module; /* the profile's text */
	int64_t self;
};

struct time_kinds { /* all-zero: empty */
	int64_t of[TIME_KIND_COUNT];
	VEC(struct time_part) parts; /* heaviest first; the kernel is one */
};

/* Release what it wrote in any case. 0 or -ENOMEM. */
int time_kinds_build(struct time_kinds *out, const struct profile *p, size_t value);
void time_kinds_release(struct time_kinds *t);

#endif
