/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which lines of a log are written: few, and each only once in a while. Pure: the clock is the caller's. */
#ifndef KILN_BASE_LOG_LIMIT_H
#define KILN_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_REPEAT_NS 60000000000ull
#define LOG_MINUTE_NS 60000000000ull
#define LOG_MAX_LINES 64
#define LOG_KINDS     64 /* messages that are known at once; the one shown longest ago is forgotten */

struct log_limit {		 /* all-zero: no limit */
	unsigned lines_a_minute; /* at most LOG_MAX_LINES */
	unsigned n_shown;
	uint64_t shown_ns[LOG_MAX_LINES]; /* the last ones, [n_shown % lines_a_minute] the first */
	/* Since the last line that was shown: messages without room, or not known any more. */
	uint64_t hidden;
	struct log_kind {
		uint64_t hash, shown_ns, repeats; /* hash 0: free */
	} kinds[LOG_KINDS];
};

/* How many messages that are new would be written now. */
unsigned log_limit_room(const struct log_limit *l, uint64_t now_ns);
/*
 * Whether a message is written now. Messages that differ in digits only are the same. *repeats: how often
 * it was not written since it last was; *hidden: how many others were not, since any was.
 */
bool log_limit_admit(struct log_limit *l, uint64_t now_ns, const char *text, uint64_t *repeats,
		     uint64_t *hidden);

#endif
