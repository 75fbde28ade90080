/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tries an expression (label_regex.h) on many texts, within bounds of time and memory: its author may be a stranger, or
 * have a bad idea. glibc keeps a state for each byte in which a text is like none before, and each has up to as many
 * nodes as the text has bytes.
 */
#ifndef KILN_BASE_REGEX_BUDGET_H
#define KILN_BASE_REGEX_BUDGET_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All-zero: there is none. */
struct regex_budget {
	regex_t re;
	char *text; /* NULL: there is none */
	bool is_part;
	size_t bytes;	  /* of texts since it was compiled */
	uint64_t used_ns; /* of the thread's CPU time */
};

/* is_part: it may match anywhere in a text. 0, -EINVAL with *why, a sentence without a full stop, or -ENOMEM. */
int regex_budget_init(struct regex_budget *e, const char *text, bool is_part, const char **why);
void regex_budget_release(struct regex_budget *e);

/* 1 if the text matches, 0 if not; -ETIMEDOUT: all texts together have cost too much (regex_budget_why);
 * -ENOMEM. */
int regex_budget_matches(struct regex_budget *e, const char *text);

extern const char regex_budget_why[]; /* a sentence without a full stop */

#endif
