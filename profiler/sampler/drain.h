/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drains the counts of the kernel half. Two sets of maps are used in turn. drain_window() swaps
 * them, waits until no program uses the old set, and empties it. Touches BPF maps only, no /proc
 * and no files. Times are those of boottime_ns(), also in a time namespace. One thread.
 */
#ifndef KILN_SAMPLER_DRAIN_H
#define KILN_SAMPLER_DRAIN_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "profiler/sampler/drained_window.h"

struct drain;
struct sampler;

int drain_new(struct drain **out, struct sampler *s);
void drain_free(struct drain *d);

/* A descriptor that becomes readable when a raw sample or a new file arrives. Other records of the ring
 * do not wake it. drain_stacks() resets it. */
int drain_fd(const struct drain *d);
/* Whether the ring has a file that was never reported before. */
bool drain_has_new_file(const struct drain *d);

/* Empties the ring buffer. Call often enough that it does not fill. 0 or -errno. */
int drain_stacks(struct drain *d);

/* Ends the current window and gives it to the caller, who owns it. 0 or -errno. */
int drain_window(struct drain *d, struct window **out);

/* Raw samples that drain_stacks() found; borrowed. */
struct raw_queue *drain_raw(struct drain *d);

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
