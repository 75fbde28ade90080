/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names code in anonymous memory, from what the JIT compiler wrote: a jitdump or a perf map. */
#ifndef KILN_NAMING_NAME_JIT_H
#define KILN_NAMING_NAME_JIT_H

#include <stddef.h>
#include <stdint.h>

struct agg_image;
struct naming;
struct sym_frame;

/*
 * frame NULL: the place has no name. Borrowed during the call. 0, or -errno, which ends the search.
 */
typedef int (*jit_name_fn)(void *ctx, size_t index, const struct sym_frame *frame);

struct jit_place {
	uint64_t va;
	uint64_t t_ns, written; /* as of struct agg_frame */
};

/* Names n places in code of one program. Calls fn once for each. 0 or -errno. */
int jit_names(struct naming *n, const struct agg_image *image, const struct jit_place *places,
	      size_t n_places, jit_name_fn fn, void *ctx);

#endif
