/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named windows in, one profile out, in bounded memory: what lets a recording last for hours. When it
 * has grown too large it gives up the detail that costs most and says least, and counts what it gave
 * up: first which thread of a process a sample was of, then which process of a command, then lines
 * of rare addresses, then the outer callers of rare stacks. Only what came so far is folded. Values are never lost.
 */
#ifndef KILN_RECORD_MERGED_H
#define KILN_RECORD_MERGED_H

#include <stddef.h>

#include "profiler/profile/quality.h"

struct named_window;
struct profile;

/* Some 100,000 samples with stacks of their own. */
#define MERGED_MAX_BYTES (16u << 20)

struct merged {			 /* all-zero is empty and valid */
	struct profile *profile; /* NULL: no window came yet */
	struct quality quality;
	size_t max_bytes; /* 0: MERGED_MAX_BYTES */
	/* Comments kiln.NAME of the profile: */
	uint64_t threads_folded;   /* times that thread ids were given up */
	uint64_t processes_folded; /* times that process ids were */
	uint64_t lines_folded;	   /* samples whose line was, see profile_fold() */
	uint64_t callers_folded;   /* samples whose outer callers were */
};

/* Takes the window: it is empty afterwards, also after an error. 0; -ENOSPC when it is in, and no more
 * will fit; or another -errno. */
int merged_add(struct merged *m, struct named_window *w);
/* Stores quality and what was given up in the profile. 0 or -ENOMEM. */
int merged_finish(struct merged *m);
void merged_release(struct merged *m);

#endif
