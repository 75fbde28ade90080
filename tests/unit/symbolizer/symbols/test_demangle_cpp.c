// SPDX-License-Identifier: GPL-2.0-or-later
/* The fast way of demangling says what libiberty says, or nothing: real names, and broken ones. */
#include <libiberty/demangle.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/symbols/demangle_cpp.h"
#include "tests/lib/fixture.h"

#define OPTIONS (DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT)
#define MUTANTS 300000

struct sink {
	char text[65536];
	size_t len;
};

static void take(const char *data, size_t len, void *ctx)
{
	struct sink *s = ctx;

	if (len <= sizeof(s->text) - s->len)
		memcpy(s->text + s->len, data, len);
	s->len += len;
}

/* Whether it was demangled fast. */
static bool check(const char *name)
{
	static struct sink want;
	char got[8192];
	size_t len = demangle_cpp(name, got, sizeof(got));

	if (!len)
		return false;
	want.len = 0;
	if (!cplus_demangle_v3_callback(name, OPTIONS, take, &want) || want.len != len ||
	    memcmp(got, want.text, len))
		fail_msg("%s\n  fast %.*s\n  want %.*s", name, (int)len, got, (int)want.len,
			 want.text);
	return true;
}

static void test_by_hand(void **state)
{
	static const struct {
		const char *name;
		bool fast;
	} cases[] = {
		{"_Z1fv", true},
		{"_ZN1A1BC2Ev", true},
		{"_ZN1AD0Ev", true},
		{"_ZNSsC1Ev", true},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi", true},
		{"_ZNKR1A1fEv", true},
		{"_ZN12_GLOBAL__N_11fEv", true},
		{"_ZN3fooB5cxx11Ev", true},
		{"_Z3fooB5cxx11v", true},
		/* Functions and arrays: what modifies them goes inside. */
		{"_Z1fPFviERA5_KcPKPFiPvS4_E", true},
		{"_Z1fM1AFvvEM1BiMS_KFvvE", true},
		{"_Z1fPFPFvvEvE", false}, /* a function that returns one */
		{"_ZN4DictC2EPFiPKvS1_EPFiS1_E", true},
		/* Templates: what they return, parameters, packs. */
		{"_Z1fIiET_S0_", true},
		{"_Z1fIRiEvOT_", true},
		{"_Z1fIOiEvRT_", false},
		{"_Z1fIJidEEvDpT_", true},
		{"_Z1fIJEEvDpT_", true},
		{"_Z1fIiJEEvT_DpT0_", true},
		{"_Z1fI1AIiEJEEvv", false}, /* "A<int>" in front of nothing */
		{"_Z1fIJidEEvDpRKT_S2_", false},
		{"_Z1fIKiEvPKT_", false}, /* const twice */
		/* Local names and lambdas. */
		{"_ZZ1fvENKUlvE_clEv", true},
		{"_ZZ1fvENKUlPFvvEE0_clES0_", false},
		{"_ZZ1fIiEvT_E1x_0", true},
		{"_ZZ1fvENKUlT_E_clIiEEDaS_", false},
		/* Literals. */
		{"_Z1fILb1ELi5ELj6ELln7ELc65EL1E2EEvv", true},
		{"_Z1fIXsrT_1xEEvv", false},
		{"_ZThn16_N1A1fEv", true},
		{"_ZTv0_n24_N1AD1Ev", true},
		{"_ZTV1A", false},
		{"_ZN1AcviEv", false},
		{"_Z", false},
		{"_ZN", false},
		{"_ZN1A", false},
		{"_Z1fP", false},
		{"_Z9f", false},
		{"_ZS_", false},
		{"_Z1fS9_", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (check(cases[i].name) != cases[i].fast)
			fail_msg("%s: %s", cases[i].name, cases[i].fast ? "not fast" : "fast");
}

static void test_does_not_fit(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(demangle_cpp("_Z1fv", out, 3), 3);
	assert_int_equal(demangle_cpp("_Z1fv", out, 2), 0);
	assert_int_equal(demangle_cpp("_Z1fIiEvv", out, 12), 0);
	assert_int_equal(demangle_cpp("_Z1fIiEvv", out, 13), 13);
}

/* Pointers to members say the class last: of names up to a length, and not a byte more is written. */
static void test_long_class_of_member(void **state)
{
	char name[640];
	bool fast = true;

	(void)state;
	for (int len = 490; len < 530; len++) {
		int at = snprintf(name, sizeof(name), "_Z1fM%d", len);

		memset(name + at, 'a', (size_t)len);
		snprintf(name + at + len, sizeof(name) - (size_t)(at + len), "i");
		assert_true(fast || !check(name)); /* too long is too long for longer ones */
		fast = check(name);
	}
	assert_false(fast);
}

/* libiberty leaves out a space behind what ends like "(". */
static void test_names_that_are_no_identifiers(void **state)
{
	(void)state;
	assert_false(check("_ZooMtMwMbMOt2 ("));
	assert_true(check("_ZooMtMwMbMOt2ab"));
}

/* --- names of the C++ library --------------------------------------------------------------------- */

static VEC(char *) names;

static void read_names(void)
{
	char line[8192];
	FILE *in;

	fixture_run("for f in $(g++ -print-file-name=libstdc++.so) "
		    "$(clang++ -print-file-name=libLLVM-14.so.1); do "
		    "nm -D --defined-only $f 2>/dev/null; done | sed 's/@.*//' | "
		    "awk '{print $3}' | grep ^_Z >names");
	in = fopen("names", "re");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		assert_int_equal(vec_push(&names, strdup(line)), 0);
	}
	fclose(in);
	assert_true(names.len > 3000);
}

static void test_real_names(void **state)
{
	size_t functions = 0, fast = 0;

	(void)state;
	for (size_t i = 0; i < names.len; i++) {
		bool is_data = names.data[i][2] == 'T' && strchr("VTIS", names.data[i][3]);

		functions += !is_data;
		fast += check(names.data[i]) && !is_data;
	}
	print_message("%zu of %zu names\n", fast, functions);
	assert_true(fast > functions * 9 / 10);
}

static uint64_t random_state;

static size_t below(size_t n)
{
	random_state += 0x9e3779b97f4a7c15ull;
	return n ? hash_u64(random_state) % n : 0;
}

/* Part of another name, or of itself, put in somewhere; or a letter changed, put in or taken out. */
static void mutate(char *name, const char *other)
{
	static const char letters[] = "NKSTIEJLPROFMADpZUl_0123456789abcdefghijlmnostvwxyzCVB";
	size_t len = strlen(name), at = 2 + below(len - 1), from, part;

	switch (below(4)) {
	case 0:
		if (at < len)
			name[at] = letters[below(sizeof(letters) - 1)];
		return;
	case 1:
		memmove(name + at + 1, name + at, len - at + 1);
		name[at] = letters[below(sizeof(letters) - 1)];
		return;
	case 2:
		if (at < len)
			memmove(name + at, name + at + 1, len - at);
		return;
	default:
		from = 2 + below(strlen(other) - 2);
		part = below(strlen(other + from) + 1) % 40;
		memmove(name + at + part, name + at, len - at + 1);
		memcpy(name + at, other + from, part);
	}
}

static void test_broken_names(void **state)
{
	size_t fast = 0;
	char name[1024];

	(void)state;
	for (size_t i = 0; i < MUTANTS; i++) {
		const char *start = names.data[below(names.len)];

		if (strlen(start) > 300)
			continue;
		strcpy(name, start);
		for (size_t n = 1 + below(3); n && strlen(name) > 4; n--)
			mutate(name, names.data[below(names.len)]);
		fast += check(name);
	}
	print_message("%zu of %d broken names are still names\n", fast, MUTANTS);
	assert_true(fast > MUTANTS / 50);
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	if (!err)
		read_names();
	return err;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < names.len; i++)
		free(names.data[i]);
	vec_release(&names);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_does_not_fit),
		cmocka_unit_test(test_long_class_of_member),
		cmocka_unit_test(test_names_that_are_no_identifiers),
		cmocka_unit_test(test_real_names),
		cmocka_unit_test(test_broken_names),
	};

	return cmocka_run_group_tests_name("demangle_cpp", tests, setup, teardown);
}
