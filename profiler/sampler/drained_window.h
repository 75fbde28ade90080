/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drained window: what was sampled in some time, before anything has a name. Everything behind a
 * sampler starts from it, however the samples were taken. Beside it, the raw samples that its user
 * stacks are walked from.
 */
#ifndef KILN_SAMPLER_DRAINED_WINDOW_H
#define KILN_SAMPLER_DRAINED_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"

struct window_row {
	struct kiln_count_key key;
	struct kiln_count_value value;
};

struct window_stack {
	uint64_t word;
	uint32_t first, len; /* place in `frames` */
	uint32_t gap;	     /* frames are missing before this index (too deep a stack); 0: none */
	uint8_t side;	     /* enum kiln_stack_side */
	uint8_t end;	     /* enum unwind_end; UNWIND_ON: unknown */
};

/* A drained window: counts between two swaps. All-zero is empty and valid. */
struct window {
	uint64_t begin_ns, end_ns; /* CLOCK_BOOTTIME */
	VEC(struct window_row) rows;
	uint64_t samples; /* sum of the rows' counts */
	/* Private: see window_stack(). */
	VEC(struct window_stack) stacks;
	VEC(uint64_t) frames;
	struct htab index;
};

/* An empty one that begins now, or NULL. */
struct window *window_new(void);
void window_free(struct window *w);
/* The stack of a word, or NULL if it is unknown. *frames are its addresses, leaf first. Both are
 * borrowed until the window changes. */
const struct window_stack *window_stack(const struct window *w, uint32_t side, uint64_t word,
					const uint64_t **frames);
/* Adds a stack of s.len frames, leaf first, and sets s.first. A word that is known keeps its
 * stack. 0 or -ENOMEM. */
int window_add_stack(struct window *w, struct window_stack s, const uint64_t *frames);
/* Adds a stack that was walked in user space. 0 or -ENOMEM. */
int window_add_user_stack(struct window *w, uint64_t word, const uint64_t *frames, size_t n,
			  enum unwind_end end);

/* A raw sample: the kernel half could not walk its user stack. Its owner walks it before the
 * drained window it belongs to is freed. Free it with free(). */
struct raw_sample {
	struct window *into;
	uint64_t word;
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	uint32_t tgid;
	uint32_t owner; /* user id of the process, or KILN_OWNER_MIXED */
	uint32_t stack_len;
	enum unwind_end why; /* why the kernel half stopped */
	bool is_compat;	     /* 32-bit code */
	bool in_kernel;	     /* the sample hit the kernel */
	uint32_t
		jit_written; /* low half of the size of the process's jitdump; 0: none, or unknown */
	uint64_t
		uprobes; /* the process's page of probes, where uretprobes are on the stack, or 0 */
	enum unwind_leaf_is leaf_is; /* of its innermost frame, if nothing describes that */
	struct unwind_caller leaf;
	uint64_t regs[UNWIND_REGS];
	uint64_t base; /* address of the first byte of `stack` */
	uint8_t stack[];
};

/* Raw samples on their way to the raw walk, oldest first. Their memory has a cap. All-zero is empty. */
struct raw_queue {
	VEC(struct raw_sample *) samples;
	size_t next, bytes;
	uint64_t dropped; /* at the cap */
};
/* A new sample with room for so many bytes of stack, at the end of the queue. NULL: it is full, which is counted;
 * or out of memory, with *err -ENOMEM. */
struct raw_sample *raw_queue_add(struct raw_queue *q, uint32_t stack_len, int *err);
/* The next sample, which the caller owns, or NULL. */
struct raw_sample *raw_queue_next(struct raw_queue *q);
void raw_queue_release(struct raw_queue *q);

#endif
