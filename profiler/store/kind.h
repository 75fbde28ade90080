/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile says about itself apart from its samples and its time: the same for windows by the
 * thousand, so that it is stored once. */
#ifndef KILN_STORE_KIND_H
#define KILN_STORE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

struct profile;

/* Appends it as bytes; equal headers give equal bytes. */
void kind_encode(struct buf *out, const struct profile *p);
/* "samples/count cpu/nanoseconds" */
void kind_types_text(struct buf *out, const struct profile *p);

struct kind_info {
	uint32_t n_types;
	/* Types that stand in plain columns: the first that counts, the last that is CPU time; -1: none. */
	int samples_type, cpu_type;
	int64_t period;
	bool is_time;	/* the period, in nanoseconds */
	bool throttled; /* sampled less often than asked for */
};

/* Of kiln's own profiles: what is assumed where the header is damaged. */
#define KIND_INFO_CPU                                                                              \
	{                                                                                          \
		2, 0, 1, 0, false, false                                                           \
	}

void kind_info_of(struct kind_info *out, const struct profile *p);
/* The same of bytes, which are foreign. 0, -EBADMSG or -ENOMEM. */
int kind_parse(struct kind_info *out, const void *data, size_t len);

/* A profile with this header and nothing else, of foreign bytes. 0, -EBADMSG or -ENOMEM. */
int kind_decode(struct profile **out, const void *data, size_t len);
/*
 * Gives the header to a profile that has none yet, or merges it into one that has, as profile_merge()
 * does: types have to agree. Data is foreign. 0; -EINVAL with a sentence in *why: types differ;
 * -EBADMSG: it is none; -ENOMEM.
 */
int kind_apply(struct profile *p, const void *data, size_t len, const char **why);

#endif
