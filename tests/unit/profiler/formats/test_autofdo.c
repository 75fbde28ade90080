// SPDX-License-Identifier: GPL-2.0-or-later
/* LLVM's sample profile, against a golden file that llvm-profdata reads (tests/e2e/test_pgo.sh). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/formats/autofdo.h"
#include "tests/lib/profiles.h"

static uint32_t app, other;

/* A function that begins on a line. */
static struct profile_line at(struct profile *p, const char *name, int64_t start, int64_t line,
			      uint32_t discriminator)
{
	struct profile_function f = {str_id(p, "shown"), str_id(p, name), str_id(p, "a.c"), start};
	struct profile_line l = {.line = line, .discriminator = discriminator};

	MUST(profile_function(p, &f, &l.function));
	return l;
}

/* Interning does not look at discriminators: addresses have to differ. */
static uint32_t where(struct profile *p, uint32_t mapping, uint64_t address,
		      const struct profile_line *lines, size_t n)
{
	uint32_t id;

	MUST(profile_location(p, mapping, address, lines, n, &id));
	return id;
}

static void add(struct profile *p, const uint32_t *stack, size_t n, int64_t samples)
{
	uint32_t id, set;

	MUST(profile_stack(p, stack, n, &id));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, id, set, (int64_t[]){samples, samples * 1000000}));
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	MUST(profile_init_cpu(p, 1000000));
	app = mapping_id(p, "/bin/app", "11", true);
	other = mapping_id(p, "/lib/libother.so", "22", true);
	return p;
}

/* main calls work and rare on one line, and has inl inlined, in which leaf is inlined. */
static struct profile *calls(void)
{
	struct profile *p = new_profile();
	struct profile_line in_main = at(p, "main", 10, 14, 0);
	uint32_t call = where(p, app, 0x100, &in_main, 1);
	uint32_t work = where(p, app, 0x200, (struct profile_line[]){at(p, "work", 30, 31, 0)}, 1);
	uint32_t loop = where(p, app, 0x208, (struct profile_line[]){at(p, "work", 30, 33, 0)}, 1);
	/* Another address of the same line: the line has the mean of both. */
	uint32_t same = where(p, app, 0x210, (struct profile_line[]){at(p, "work", 30, 33, 0)}, 1);
	/* The third copy of a line of four (LLVM's encoding of base 2, factor 4). */
	uint32_t copy =
		where(p, app, 0x218,
		      (struct profile_line[]){at(p, "work.llvm.123", 30, 33, 2 << 1 | 4 << 8)}, 1);
	uint32_t rare = where(p, app, 0x300, (struct profile_line[]){at(p, "rare", 50, 50, 0)}, 1);
	uint32_t deep = where(p, app, 0x400,
			      (struct profile_line[]){at(p, "leaf", 70, 71, 0),
						      at(p, "inl", 60, 62, 1 << 1),
						      at(p, "main", 10, 16, 0)},
			      3);
	uint32_t foreign =
		where(p, other, 0x500, (struct profile_line[]){at(p, "memcpy", 5, 6, 0)}, 1);

	add(p, (uint32_t[]){work, call}, 2, 10);
	add(p, (uint32_t[]){loop, call}, 2, 60);
	add(p, (uint32_t[]){same, call}, 2, 20);
	add(p, (uint32_t[]){copy, call}, 2, 5);
	add(p, (uint32_t[]){rare, call}, 2, 3);
	add(p, (uint32_t[]){deep}, 1, 7);
	add(p, (uint32_t[]){foreign, call}, 2, 4);
	return p;
}

static void as_it_was(void **state)
{
	struct profile *p = calls();
	_cleanup_free_ char *want = NULL;
	struct autofdo_result r;
	struct buf b = {0};
	size_t len;

	(void)state;
	assert_int_equal(export_autofdo(&b, p, &r), 0);
	assert_int_equal(io_read_file("tests/golden/export.autofdo", 1 << 20, &want, &len), 0);
	assert_string_equal(buf_cstr(&b), want);
	assert_string_equal(profile_text(p, r.file), "/bin/app");
	assert_int_equal(r.functions, 3);
	assert_int_equal(r.all, 109000);
	assert_int_equal(r.placed, 105000);
	buf_release(&b);
	profile_free(p);
}

/* What the format has no way to say is left out, and counted as not placed. */
static void what_cannot_be_placed(void **state)
{
	static const char *const names[] = {"has space", "a:b", "operator[]"};
	struct profile *p = new_profile();
	struct autofdo_result r;
	struct buf b = {0};

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		add(p,
		    (uint32_t[]){where(p, app, 0x10 + i,
				       (struct profile_line[]){at(p, names[i], 1, 2, 0)}, 1)},
		    1, 10);
	add(p, (uint32_t[]){where(p, app, 0x20, (struct profile_line[]){at(p, "f", 0, 2, 0)}, 1)},
	    1, 10);
	add(p, (uint32_t[]){where(p, app, 0x21, (struct profile_line[]){at(p, "f", 1, 0, 0)}, 1)},
	    1, 10);
	add(p, (uint32_t[]){where(p, app, 0x22, NULL, 0)}, 1, 10);
	assert_int_equal(export_autofdo(&b, p, &r), -ENODATA);
	assert_int_equal(b.len, 0);
	/* LLVM keeps 16 bits of an offset, also of a line before its function. */
	add(p, (uint32_t[]){where(p, app, 0x23, (struct profile_line[]){at(p, "g", 9, 7, 0)}, 1)},
	    1, 1);
	assert_int_equal(export_autofdo(&b, p, &r), 0);
	assert_string_equal(buf_cstr(&b), "g:1000:1000\n 65534: 1000\n");
	assert_int_equal(r.all, 61000);
	assert_int_equal(r.placed, 1000);
	buf_release(&b);
	profile_free(p);
}

static char *text_of(struct profile *p, struct autofdo_result *r)
{
	struct buf b = {0};
	char *text;

	assert_int_equal(export_autofdo(&b, p, r), 0);
	text = strdup(buf_cstr(&b));
	buf_release(&b);
	profile_free(p);
	return text;
}

/* LLVM's numbers of one, seven and fourteen bits: a base, and behind it how many copies of the line there are. */
static void discriminators_of_all_widths(void **state)
{
	static const struct {
		uint32_t packed;
		const char *want;
	} all[] = {
		{1 | 3 << 2, "f:3000:3000\n 1: 3000\n"},			     /* 0, 3 */
		{31 << 1, "f:1000:1000\n 1.31: 1000\n"},			     /* 31 */
		{31 << 1 | 3 << 8, "f:3000:3000\n 1.31: 3000\n"},		     /* 31, 3 */
		{0x68 << 1 | 3 << 15, "f:3000:3000\n 1.40: 3000\n"},		     /* 40, 3 */
		{0x68 << 1 | (uint32_t)0x68 << 15, "f:40000:40000\n 1.40: 40000\n"}, /* 40, 40 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct profile *p = new_profile();
		struct profile_line l = at(p, "f", 1, 2, all[i].packed);
		struct autofdo_result r;
		_cleanup_free_ char *text = NULL;

		add(p, (uint32_t[]){where(p, app, 0x10, &l, 1)}, 1, 1);
		text = text_of(p, &r);
		assert_string_equal(text, all[i].want);
	}
}

/* An address counts once for its line, however many stacks it was seen in; a caller that has no place calls
 * nothing, and nobody calls what it does. */
static void stacks_of_one_address(void **state)
{
	struct profile *p = new_profile();
	struct profile_line f = at(p, "f", 1, 2, 0), main = at(p, "main", 5, 6, 0),
			    odd = at(p, "has space", 1, 2, 0);
	uint32_t leaf = where(p, app, 0x10, &f, 1), outer = where(p, app, 0x20, &main, 1),
		 between = where(p, app, 0x30, &odd, 1);
	struct autofdo_result r;
	_cleanup_free_ char *text = NULL;

	(void)state;
	add(p, (uint32_t[]){leaf}, 1, 2);
	add(p, (uint32_t[]){leaf, between, outer}, 3, 3);
	text = text_of(p, &r);
	assert_string_equal(text, "f:5000:5000\n 1: 5000\n");
	assert_int_equal(r.placed, 5000);
}

/* Every sample counts, and none more than a year. */
static void weights_are_bounded(void **state)
{
	struct profile *p = new_profile();
	struct profile_line f = at(p, "f", 1, 2, 0), g = at(p, "g", 1, 2, 0);
	const uint32_t stacks[] = {where(p, app, 0x10, &f, 1), where(p, app, 0x20, &g, 1)};
	const int64_t ns[] = {999, INT64_MAX};
	struct autofdo_result r;
	_cleanup_free_ char *text = NULL;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint32_t id, set;

		MUST(profile_stack(p, &stacks[i], 1, &id));
		MUST(profile_labelset(p, NULL, 0, &set));
		MUST(profile_add(p, id, set, (int64_t[]){1, ns[i]}));
	}
	text = text_of(p, &r);
	assert_int_equal(r.all, 1 + (1ll << 45));
	assert_int_equal(r.placed, r.all);
	assert_non_null(strstr(text, "f:1:1\n"));
}

/* Whatever the profile, samples are placed once at most, and totals are sums. */
static void random_profiles(void **state)
{
	struct autofdo_result r;
	size_t written = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct profile *p = random_profile(seed, 80);
		struct buf b = {0};
		int err = export_autofdo(&b, p, &r);

		assert_true(err == 0 || err == -ENODATA);
		assert_true(r.placed <= r.all);
		assert_int_equal(err == 0, b.len > 0);
		written += err == 0;
		buf_release(&b);
		profile_free(p);
	}
	assert_true(written > 5);
}

/* The time grows with the profile: not with calls times what is inlined where they lead. */
static void many_calls_of_a_function_with_many_inlined_ones(void **state)
{
	enum { N = 150000, LINES = 50000 };
	struct profile *p = new_profile();
	struct profile_line f = at(p, "f", 1, 1, 0);
	struct autofdo_result r;
	struct buf b = {0};
	char name[32];

	(void)state;
	for (int i = 0; i < N; i++) {
		struct profile_line lines[2] = {{.function = 0}, f}, call;
		uint32_t stack[2];

		snprintf(name, sizeof(name), "in%d", i);
		lines[0] = at(p, name, 1, 1, 0);
		snprintf(name, sizeof(name), "caller%d", i / LINES);
		call = at(p, name, 1, 1 + i % LINES, 0);
		stack[0] = where(p, app, 0x1000 + (uint64_t)i, lines, 2);
		stack[1] = where(p, app, 0x1000000 + (uint64_t)i, &call, 1);
		add(p, stack, 2, 1);
	}
	alarm(60); /* it takes some minutes otherwise */
	MUST(export_autofdo(&b, p, &r));
	alarm(0);
	assert_int_equal(r.functions, 1 + N / LINES);
	buf_release(&b);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_was),
		cmocka_unit_test(what_cannot_be_placed),
		cmocka_unit_test(discriminators_of_all_widths),
		cmocka_unit_test(stacks_of_one_address),
		cmocka_unit_test(weights_are_bounded),
		cmocka_unit_test(random_profiles),
		cmocka_unit_test(many_calls_of_a_function_with_many_inlined_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
