/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the code of JIT compilers is looked up. Code may be replaced within a drained window; its rows then have
 * keys of several generations (struct kiln_count_key.image), and each generation is named as of its own time.
 */
#ifndef KILN_WINDOW_CODE_TIMES_H
#define KILN_WINDOW_CODE_TIMES_H

#include <stdint.h>

#include "bpf/abi.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"

struct code_time {
	uint32_t tgid, image;
	uint64_t latest_ns; /* when the last new row came */
};

struct code_times { /* all-zero: empty */
	VEC(struct code_time) all;
	struct htab index;
};

/* Notes a row. Out of memory: it has no time. */
void code_times_add(struct code_times *t, const struct kiln_count_key *key, uint64_t first_ns);
/* When the code of this row ran; 0: not known. */
uint64_t code_times_of(const struct code_times *t, const struct kiln_count_key *key);
void code_times_release(struct code_times *t);

#endif
