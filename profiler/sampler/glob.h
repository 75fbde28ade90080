/* SPDX-License-Identifier: GPL-2.0-or-later */
/* glob(7) patterns, compiled to the automaton that bpf/target.bpf.h runs over a thread's name. */
#ifndef KILN_SAMPLER_GLOB_H
#define KILN_SAMPLER_GLOB_H

#include <stdbool.h>
#include <stdint.h>

#define GLOB_MAX_ELEMENTS 62 /* state bits; a comm has 15 bytes, so no useful pattern needs more */

struct glob {
	uint64_t step[256], star, start, final;
};

/*
 * Knows "*", "?", "[a-z]", "[!x]" and backslash escapes. 0, -EINVAL (unclosed bracket) or -E2BIG.
 */
int glob_compile(struct glob *g, const char *pattern);
/* False: the shortest text that it matches is longer than the kernel lets a thread's name be. */
bool glob_fits_comm(const struct glob *g);
/* Runs the same automaton in user space, for tests and messages. */
bool glob_match(const struct glob *g, const char *text);

#endif
