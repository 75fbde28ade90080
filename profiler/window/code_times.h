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
	uint32_t n;	    /* of the first one of a process: its generations */
};

struct code_times { /* all-zero: empty */
	VEC(struct code_time) all;
	struct htab index;     /* of generations */
	struct htab processes; /* of the first generation of each */
};

/* Notes a row. Out of memory: its generation counts as the only one. */
void code_times_add(struct code_times *t, const struct kiln_count_key *key, uint64_t first_ns);
/* Where there is one generation, all that was written down by the end counts: some compilers write late. */
uint64_t code_times_of(const struct code_times *t, const struct kiln_count_key *key,
		       uint64_t end_ns);
void code_times_release(struct code_times *t);

#endif
