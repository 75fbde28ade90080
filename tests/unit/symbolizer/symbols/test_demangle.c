// SPDX-License-Identifier: GPL-2.0-or-later
/* sym_demangle against c++filt, on names of the C++ library, and by hand. */
#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "symbolizer/symbols/demangle.h"
#include "tests/lib/fixture.h"

static const char *demangled(const char *raw)
{
	static struct buf out;

	buf_clear(&out);
	sym_demangle(&out, raw);
	assert_int_equal(out.err, 0);
	return buf_cstr(&out);
}

static void test_names_by_hand(void **state)
{
	static const struct {
		const char *raw, *want;
	} cases[] = {
		{"main", "main"},
		{"", ""},
		{"_", "_"},
		{"_Z", "_Z"},
		{"_Znonsense", "_Znonsense"},
		{"_ZN9wikipedia7article6formatEv", "wikipedia::article::format()"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi",
		 "std::vector<int, std::allocator<int> >::push_back(int&&)"},
		{"_ZZN3foo3barEvENKUlvE_clEv", "foo::bar()::{lambda()#1}::operator()() const"},
		/* Rust, the new scheme and the old one without its hash. */
		{"_RNvC6_123foo3bar", "123foo::bar"},
		{"_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"},
		{"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"},
		{"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$"
		 "3bar17h930b740aa94f1d3aE",
		 "<Test + 'static as foo::Bar<Test>>::bar"},
		{"_D3std5stdio4File5closeMFNeZv", "std.stdio.File.close()"},
		/* Parts and clones fold into their function. */
		{"f.cold", "f"},
		{"f.cold.12", "f"},
		{"f.part.0", "f"},
		{"f.part.0.constprop.0", "f"},
		{"f.isra.0.cold", "f"},
		{"f.llvm.1234567890123456789", "f"},
		{"f.lto_priv.0", "f"},
		{"_ZN3foo3barEv.__part.12", "foo::bar()"},
		{"f.__part", "f.__part"},
		{"_Z3foov.part.3.cold", "foo()"},
		{"_Z3foov.llvm.42", "foo()"},
		/* These do not: Go, OCaml and others write dots themselves. */
		{"runtime.cold.x", "runtime.cold.x"},
		{"main.main.func1", "main.main.func1"},
		{"main.part", "main.part"},
		{"f.isra", "f.isra"},
		{"f.constprop.x0", "f.constprop.x0"},
		{"net/http.(*Server).Serve", "net/http.(*Server).Serve"},
		{".cold", ".cold"},
		{".part.0", ".part.0"},
		{"cold", "cold"},
		{"f.0", "f.0"},
		/* Symbol versions, PLT stubs. */
		{"memcpy@@GLIBC_2.14", "memcpy"},
		{"memcpy@GLIBC_2.2.5", "memcpy"},
		{"puts@plt", "puts@plt"},
		{"_ZN3fooC1Ev@plt", "foo::foo()@plt"},
		{"@odd", "@odd"},
		/* What is not clean is made so. */
		{"evil\033[31m", "evil\xef\xbf\xbd[31m"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(demangled(cases[i].raw), cases[i].want);
}

/* Thousands of real names: the same as c++filt says. (LLVM 19 does not know DF16b, DF32x and DF64x:
 * std::bfloat16_t, _Float32x, _Float64x.) */
static void test_libstdcxx_against_cxxfilt(void **state)
{
	char raw[4096], want[65536];
	size_t n = 0;
	FILE *in, *oracle;

	(void)state;
	fixture_run("nm -D --defined-only $(g++ -print-file-name=libstdc++.so) | sed 's/@.*//' | "
		    "awk '{print $3}' | grep ^_Z | grep -vE 'DF(16b|32x|64x)' > raw && "
		    "c++filt --no-verbose < raw | "
		    "sed 's/decltype(nullptr)/std::nullptr_t/g' > want");
	in = fopen("raw", "re");
	oracle = fopen("want", "re");
	assert_true(in && oracle);
	while (fgets(raw, sizeof(raw), in)) {
		assert_non_null(fgets(want, sizeof(want), oracle));
		raw[strcspn(raw, "\n")] = want[strcspn(want, "\n")] = 0;
		assert_string_equal(demangled(raw), want);
		n++;
	}
	fclose(in);
	fclose(oracle);
	assert_true(n > 3000);
}

/* Every level of this one prints the level below twice. */
static void test_output_is_bounded(void **state)
{
	static const char ids[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[2048];
	size_t len = (size_t)sprintf(name, "_Z1f4pairIiiE");
	const char *out;

	(void)state;
	for (int i = 0; i < 36; i++)
		len += (size_t)sprintf(name + len, "S_IS%c_S%c_E", ids[i], ids[i]);
	out = demangled(name);
	assert_true(strlen(out) <= 8192 + 3);
	assert_true(strlen(out) > 8000);
	assert_int_equal(strncmp(out, "f(pair<int, int>, pair<", 23), 0);
	assert_true(text_has_suffix(out, "..."));
}

static void test_long_names(void **state)
{
	char name[8192] = "_Z1f";

	(void)state;
	/* Not too long; then too long. */
	for (int i = 0; i < 300; i++)
		strcat(name, i % 2 ? "5alpha" : "4beta");
	assert_int_equal(strncmp(demangled(name), "f(beta, alpha, beta, alpha,", 27), 0);
	for (int i = 0; i < 300; i++)
		strcat(name, "5gamma");
	assert_string_equal(demangled(name), name);
	/* Deep. */
	memset(name + 4, 'P', 1500);
	strcpy(name + 1504, "i");
	assert_int_equal(strncmp(demangled(name), "f(int****", 9), 0);
	assert_int_equal(strlen(demangled(name)), 2 + 3 + 1500 + 1);
}

/* Back references of a Rust name that makes the demangler allocate are counted, not followed. */
static void test_rust_backrefs_with_punycode(void **state)
{
	char name[512] = "_RNvC1au3_5ab";

	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(name, "TB2_B2_E");
	assert_string_equal(demangled(name), name);
}

/* A binder of "FG" or "DG" counts its lifetimes in base 62, and each of them takes time. */
static void test_rust_lifetimes(void **state)
{
	static const char many[] = "_RMIC1aFGzzzzzz_EuEu";

	(void)state;
	assert_string_equal(demangled("_RMIC1aFG0_EuEFG0_Eu"), "<for<'a, 'b> fn()>");
	assert_string_equal(demangled("_RNvC1a8CFG_NAME"), "a::CFG_NAME");
	alarm(20);
	assert_string_equal(demangled(many), many);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_by_hand),
		cmocka_unit_test(test_libstdcxx_against_cxxfilt),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_rust_backrefs_with_punycode),
		cmocka_unit_test(test_rust_lifetimes),
	};

	return cmocka_run_group_tests_name("demangle", tests, fixture_setup, fixture_teardown);
}
