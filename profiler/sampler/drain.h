/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads back what the kernel half counted. Two sets of maps are used in turn: drain_window() flips
 * them, waits until no program uses the old set, and empties it. Touches BPF maps only: no /proc,
 * no file.
 */
#ifndef KILN_SAMPLER_DRAIN_H
#define KILN_SAMPLER_DRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"

struct drain;
struct sampler;

struct window_row {
	struct kiln_count_key key;
	struct kiln_count_value value;
};

struct window_stack {
	uint64_t word;
	uint32_t side; /* enum kiln_stack_side */
	uint32_t first, len; /* in frames */
};

/* What was counted between two flips. */
struct window {
	uint64_t begin_ns, end_ns; /* CLOCK_BOOTTIME */
	VEC(struct window_row) rows;
	uint64_t samples;	/* sum of the rows' counts */
	/* private: window_frames() */
	VEC(struct window_stack) stacks;
	VEC(uint64_t) frames;
	struct htab index;
};

int drain_new(struct drain **out, struct sampler *s);
void drain_free(struct drain *d);

/* Empties the ring buffer of stacks; call often enough that it does not fill. 0 or -errno. */
int drain_stacks(struct drain *d);

/* Ends the current window and returns it; the caller owns it. 0 or -errno. */
int drain_window(struct drain *d, struct window **out);

void window_free(struct window *w);
/* Addresses of a stack word of one side, leaf first; NULL and 0 if they are not there. */
const uint64_t *window_frames(const struct window *w, uint32_t side, uint64_t word, size_t *n);

struct drain_stats {
	uint64_t windows, samples;
	uint64_t bad_records; /* malformed ring records: a bug if ever */
	uint64_t failed;      /* reads of a map that failed */
};
void drain_stats(const struct drain *d, struct drain_stats *out);

#endif
