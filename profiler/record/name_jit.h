/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of code in anonymous memory, from what the JIT compiler wrote: a jitdump, or a perf map. */
#ifndef KILN_RECORD_NAME_JIT_H
#define KILN_RECORD_NAME_JIT_H

#include <stdint.h>

#include "symbolizer/jitdump.h"

struct agg_image;
struct jit_names;
struct naming;

/* What there is of a program's; both are borrowed and outlive it. 0 or -ENOMEM. */
int jit_names_open(struct jit_names **out, const struct naming *n, const struct agg_image *image);
void jit_names_close(struct jit_names *j);

/* CLOCK_BOOTTIME; what is borrowed is so until the next call. 0, -ENOENT or -ENOMEM. */
int jit_names_find(struct jit_names *j, uint64_t t_ns, uint64_t va, struct jit_frame *out);

#endif
