/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short words for tests of the process table. */
#ifndef KILN_TESTS_PROC_TABLE_H
#define KILN_TESTS_PROC_TABLE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include "profiler/procs/procs.h"

#define SEC   1000000000ull
#define NEVER UINT64_MAX

static inline struct procs *new_table(const struct procs_opts *opts)
{
	struct procs *p;

	assert_int_equal(procs_new(&p, opts), 0);
	return p;
}

static inline void map(struct procs *p, uint64_t t, pid_t tgid, uint64_t start, uint64_t len,
		       uint64_t off, uint32_t file)
{
	struct proc_mapping m = {start, len, off, file, 0};

	procs_mmap(p, t, tgid, &m);
}

static inline struct place at(struct procs *p, pid_t tgid, uint64_t t, uint64_t va)
{
	struct place place;

	procs_resolve(p, tgid, t, va, &place);
	return place;
}

static inline void assert_file(struct procs *p, pid_t tgid, uint64_t t, uint64_t va, uint32_t file,
			       uint64_t off)
{
	struct place place = at(p, tgid, t, va);

	assert_int_equal(place.kind, PLACE_FILE);
	assert_int_equal(place.file, file);
	assert_int_equal(place.file_off, off);
}

static inline void assert_kind(struct procs *p, pid_t tgid, uint64_t t, uint64_t va,
			       enum place_kind kind)
{
	assert_int_equal(at(p, tgid, t, va).kind, kind);
}

static inline struct procs_stats stats_of(const struct procs *p)
{
	struct procs_stats s;

	procs_stats(p, &s);
	return s;
}

#endif
