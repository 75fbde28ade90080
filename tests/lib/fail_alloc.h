/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets any one allocation fail, and counts what is left allocated. It stands before glibc's own entry
 * points, so only one file of a test program may include it. Where a sanitizer has taken that place
 * FAIL_ALLOC is 0, and there is nothing here.
 */
#ifndef KILN_TESTS_FAIL_ALLOC_H
#define KILN_TESTS_FAIL_ALLOC_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/sanitizer.h"

#define FAIL_ALLOC (!SANITIZED)

#if FAIL_ALLOC

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static struct {
	bool on;
	long calls;   /* so far */
	long fail_at; /* the call that fails, from 0 */
	long blocks;  /* allocated and not freed */
	size_t bytes; /* that they hold */
} allocs;

/* From here on; -1: none fails. */
static inline void allocs_begin(long fail_at)
{
	allocs.calls = allocs.blocks = 0;
	allocs.bytes = 0;
	allocs.fail_at = fail_at;
	allocs.on = true;
}

/* Whether one has failed. */
static inline bool allocs_end(void)
{
	allocs.on = false;
	return allocs.fail_at >= 0 && allocs.calls > allocs.fail_at;
}

static inline bool must_fail(void)
{
	return allocs.on && allocs.calls++ == allocs.fail_at;
}

static inline void *count_block(void *p)
{
	if (allocs.on && p) {
		allocs.blocks++;
		allocs.bytes += malloc_usable_size(p);
	}
	return p;
}

static inline void uncount_block(void *p)
{
	if (allocs.on && p) {
		allocs.blocks--;
		allocs.bytes -= malloc_usable_size(p);
	}
}

void *malloc(size_t size)
{
	return must_fail() ? NULL : count_block(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : count_block(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
	void *p;

	if (must_fail())
		return NULL;
	uncount_block(old);
	p = __libc_realloc(old, size);
	count_block(p ?: old);
	return p;
}

void free(void *p)
{
	uncount_block(p);
	__libc_free(p);
}

#endif
#endif
