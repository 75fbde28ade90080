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
	uint32_t first, len; /* in frames */
	uint32_t gap; /* frames are missing before this one (too deep a stack); 0: none are */
	uint8_t side; /* enum kiln_stack_side */
	uint8_t end;  /* enum unwind_end; UNWIND_ON: not known */
};

/* What was counted between two flips. All-zero is empty and valid. */
struct window {
	uint64_t begin_ns, end_ns; /* CLOCK_BOOTTIME */
	VEC(struct window_row) rows;
	uint64_t samples; /* sum of the rows' counts */
	/* private: window_stack() */
	VEC(struct window_stack) stacks;
	VEC(uint64_t) frames;
	struct htab index;
};

int drain_new(struct drain **out, struct sampler *s);
void drain_free(struct drain *d);

/* A descriptor that becomes readable when a sample could not be walked in the kernel; what else comes
 * through the ring makes no noise. drain_stacks() takes it back. */
int drain_fd(const struct drain *d);

/* Empties the ring buffer of stacks; call often enough that it does not fill. 0 or -errno. */
int drain_stacks(struct drain *d);

/* Ends the current window and returns it; the caller owns it. 0 or -errno. */
int drain_window(struct drain *d, struct window **out);

void window_free(struct window *w);
/* The stack of a word; NULL if it is not there. Its addresses, leaf first, are at *frames. Both are
 * borrowed until the window changes. */
const struct window_stack *window_stack(const struct window *w, uint32_t side, uint64_t word,
					const uint64_t **frames);
/* Adds a stack of s.len frames, leaf first; s.first is set here. A word that is there already keeps its
 * stack. 0 or -ENOMEM. */
int window_add_stack(struct window *w, struct window_stack s, const uint64_t *frames);
/* Adds a stack that was walked in user space. 0 or -ENOMEM. */
int window_add_user_stack(struct window *w, uint64_t word, const uint64_t *frames, size_t n,
			  enum unwind_end end);

/* A sample whose user stack the kernel half could not walk: to be walked by who owns it now, before
 * the window it belongs to is freed. free() it. */
struct raw_sample {
	struct window *into;
	uint64_t word;
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	uint32_t tgid;
	uint32_t stack_len;
	enum unwind_end why; /* where the kernel half stopped */
	uint64_t regs[UNWIND_REGS];
	uint8_t stack[];
};
/* The next one, or NULL. */
struct raw_sample *drain_next_raw(struct drain *d);

/* What samples told of mappings (bpf/mappings.bpf.h): the next record, in their order, of kind
 * KILN_RECORD_FILE or KILN_RECORD_MAPPINGS and of sound lengths; NULL: there is none. free() it. */
struct mappings_record {
	size_t len;
	struct kiln_record_head head[]; /* the record begins with it */
};
struct mappings_record *drain_next_mappings(struct drain *d);

struct drain_stats {
	uint64_t windows, samples;
	uint64_t bad_records;	   /* malformed ring records: a bug if ever */
	uint64_t failed;	   /* reads of a map that failed */
	uint64_t raw_dropped;	   /* raw samples over the cap on their memory */
	uint64_t mappings_dropped; /* records of mappings, the same */
};
void drain_stats(const struct drain *d, struct drain_stats *out);

#endif
