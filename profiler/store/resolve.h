/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Things of a stored segment in the numbers of a dictionary in memory, into which they come when they
 * are asked for. What is damaged is a frame or a name that says so. */
#ifndef KILN_STORE_RESOLVE_H
#define KILN_STORE_RESOLVE_H

#include <stdint.h>

#include "profiler/store/dict.h"
#include "profiler/store/reader.h"

/* Frames, in MAPPING_KILN, for what cannot be read any more. */
#define FRAME_DAMAGED_STACK "[stack damaged on disk]"
#define FRAME_DAMAGED_FRAME "[frame damaged on disk]"
#define FRAME_DAMAGED_NAME  "[name damaged on disk]"

struct resolver {
	struct reader *from;
	struct dict *to;
	/* Its number there + 1 for each of the segment's, 0 while nobody has asked: where little of a
	 * segment is wanted, these are pages that nobody touches. */
	uint32_t *memo[SECTION_COUNT];
	uint32_t n_memo[SECTION_COUNT];
	VEC(uint32_t) path; /* scratch */
};

/* Both stay the caller's. 0 or -ENOMEM; to be released either way. */
int resolver_init(struct resolver *r, struct reader *from, struct dict *to);
/* `from` has more than it had. 0 or -ENOMEM. */
int resolver_grow(struct resolver *r);
void resolver_release(struct resolver *r);

/* 0 or -ENOMEM. */
int resolve_stack(struct resolver *r, uint32_t id, uint32_t *out);
/* A stack that is FRAME_DAMAGED_STACK and nothing else. 0 or -ENOMEM. */
int resolve_damaged_stack(struct resolver *r, uint32_t *out);

#endif
