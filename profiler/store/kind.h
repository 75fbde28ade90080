/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile says about itself apart from its samples and its time: the same for windows by the
 * thousand, so that it is stored once. */
#ifndef KILN_STORE_KIND_H
#define KILN_STORE_KIND_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

struct profile;

/* Appends it as bytes; equal headers give equal bytes. */
void kind_encode(struct buf *out, const struct profile *p);
/* "samples/count cpu/nanoseconds" */
void kind_types_text(struct buf *out, const struct profile *p);

/* Types that stand for themselves in plain columns: the first that counts, the last that is CPU time;
 * -1 if there is none. */
int kind_samples_type(const struct profile *p);
int kind_cpu_type(const struct profile *p);

/*
 * Gives the header to a profile that has none yet, or merges it into one that has, as profile_merge()
 * does: types have to agree. Data is foreign. 0; -EINVAL with a sentence in *why: types differ;
 * -EBADMSG: it is none; -ENOMEM.
 */
int kind_apply(struct profile *p, const void *data, size_t len, const char **why);

#endif
