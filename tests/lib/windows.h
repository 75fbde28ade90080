/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drained windows made by hand, in cmocka tests. */
#ifndef KILN_TESTS_WINDOWS_H
#define KILN_TESTS_WINDOWS_H

#include <stdlib.h>
#include <string.h>

#include "profiler/sampler/drain.h"

static inline struct window *new_window(void)
{
	struct window *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	return w;
}

/* A word that no stack of this window has. */
static inline uint64_t next_word(const struct window *w, enum kiln_stack_side side)
{
	return KILN_STACK_WORDS + w->stacks.len + (side == KILN_SIDE_KERNEL ? KILN_STACK_ID : 0);
}

/* Leaf first; frames but the leaf are return addresses. `gap`: as in struct window_stack. The word. */
static inline uint64_t add_gapped(struct window *w, enum kiln_stack_side side, enum unwind_end end,
				  uint32_t gap, const uint64_t *frames, size_t n)
{
	struct window_stack s = {.word = next_word(w, side),
				 .len = (uint32_t)n,
				 .gap = gap,
				 .side = (uint8_t)side,
				 .end = (uint8_t)end};

	assert_int_equal(window_add_stack(w, s, frames), 0);
	return s.word;
}

#define FRAMES(...)                                                                                \
	(const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

#define user_stack(w, end, ...) add_gapped(w, KILN_SIDE_USER, end, 0, FRAMES(__VA_ARGS__))
#define kernel_stack(w, ...)	add_gapped(w, KILN_SIDE_KERNEL, UNWIND_ON, 0, FRAMES(__VA_ARGS__))
#define user_only(stack)	.user_stack = (stack), .in_user = 1
#define kernel_only(stack)	.kernel_stack = (stack)

/* A count of a thread whose id is its process's. */
static inline void add_row(struct window *w, uint64_t first_ns, uint64_t count,
			   struct kiln_count_key key)
{
	struct window_row row = {key, {count, first_ns, 0}};

	if (!key.tid)
		row.key.tid = key.tgid;
	assert_int_equal(vec_push(&w->rows, row), 0);
	w->samples += count;
}

#endif
