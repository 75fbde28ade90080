/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles to bytes and back, in cmocka tests. */
#ifndef KILN_TESTS_ROUNDTRIP_H
#define KILN_TESTS_ROUNDTRIP_H

#include "profiler/formats/export.h"
#include "tests/lib/profiles.h"

static inline struct buf exported(const struct profile *p, enum export_format f)
{
	struct buf b = {0};

	assert_int_equal(export_profile(&b, p, f, NULL), 0);
	return b;
}

static inline struct profile *imported(const struct buf *b)
{
	struct profile *p = NULL;
	const char *why = NULL;
	int err = import_pprof(&p, b->data, b->len, &why);

	if (err)
		print_error("%s\n", why);
	assert_int_equal(err, 0);
	return p;
}

static inline void assert_same(const struct profile *a, const struct profile *b)
{
	char *want = print_profile(a), *got = print_profile(b);

	assert_string_equal(got, want);
	free(want);
	free(got);
}

#endif
