/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drains the counts of the kernel half. Two sets of maps are used in turn. drain_window() swaps
 * them, waits until no program uses the old set, and empties it. Touches BPF maps only, no /proc
 * and no files. Times are those of boottime_ns(), also in a time namespace. One thread.
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

int drain_new(struct drain **out, struct sampler *s);
void drain_free(struct drain *d);

/* A descriptor that becomes readable when a raw sample arrives. Other records of the ring do not
 * wake it. drain_stacks() resets it. */
int drain_fd(const struct drain *d);

/* Empties the ring buffer. Call often enough that it does not fill. 0 or -errno. */
int drain_stacks(struct drain *d);

/* Ends the current window and gives it to the caller, who owns it. 0 or -errno. */
int drain_window(struct drain *d, struct window **out);

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
	uint64_t regs[UNWIND_REGS];
	uint8_t stack[];
};
/* The next raw sample, which the caller owns, or NULL. */
struct raw_sample *drain_next_raw(struct drain *d);

/*
 * The next record of reported mappings (bpf/mappings.bpf.h), in their order. Its kind is
 * KILN_RECORD_FILE or KILN_RECORD_MAPPINGS, and its lengths were checked. The caller frees it with
 * free(). NULL: there is none.
 */
struct mappings_record {
	size_t len;
	struct kiln_record_head head[]; /* the record begins with it */
};
struct mappings_record *drain_next_mappings(struct drain *d);

struct drain_stats {
	uint64_t windows, samples;
	uint64_t bad_records;	   /* malformed ring records, which would be a bug */
	uint64_t failed;	   /* failed reads of a map */
	uint64_t raw_dropped;	   /* raw samples dropped at the cap on their memory */
	uint64_t mappings_dropped; /* records of mappings dropped at the cap */
	uint64_t dropped_ns; /* CLOCK_BOOTTIME of the first since drain_next_mappings() ended */
};
void drain_stats(const struct drain *d, struct drain_stats *out);

#endif
