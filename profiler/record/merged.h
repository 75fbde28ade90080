/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merges named windows into one profile, in bounded memory, so that a recording can last for hours.
 * At the limit it folds the profile: it gives up the detail that costs most and says least. First
 * go thread ids, then process ids, then lines of rare addresses, then outer callers of rare stacks.
 * Each step is counted. Only windows that came so far are folded. Values stay. One thread.
 */
#ifndef KILN_RECORD_MERGED_H
#define KILN_RECORD_MERGED_H

#include <stddef.h>

#include "profiler/profile/quality.h"

struct named_window;
struct profile;

/* Some 100,000 samples with different stacks. */
#define MERGED_MAX_BYTES (16u << 20)

struct merged {			 /* all-zero is empty and valid */
	struct profile *profile; /* NULL: no window was added yet */
	struct quality quality;
	size_t max_bytes; /* 0: MERGED_MAX_BYTES */
	/* Stored as comments kiln.NAME of the profile: */
	uint64_t threads_folded;   /* times that thread ids were dropped */
	uint64_t processes_folded; /* times that process ids were dropped */
	uint64_t lines_folded;	   /* samples that lost lines, see profile_fold() */
	uint64_t callers_folded;   /* samples that lost outer callers */
};

/* Adds the window, which is empty afterwards, also after an error. 0; -ENOSPC: added, but
 * nothing more will fit; or another -errno. */
int merged_add(struct merged *m, struct named_window *w);
/* Stores quality and the counters of folding in the profile. 0 or -ENOMEM. */
int merged_finish(struct merged *m);
void merged_release(struct merged *m);

#endif
