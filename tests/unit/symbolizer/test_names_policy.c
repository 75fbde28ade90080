// SPDX-License-Identifier: GPL-2.0-or-later
/* Which name an address gets, rule by rule as symbolizer/symbols/symtab.h has them, through the door. */
#include "profiler/base/cleanup.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)

struct got {
	char name[256], raw[256];
	enum sym_reason reason;
};

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	struct got *g = ctx;

	(void)index;
	g->reason = r->reason;
	snprintf(g->name, sizeof(g->name), "%s", r->frames[r->n_frames - 1].name);
	snprintf(g->raw, sizeof(g->raw), "%s", r->frames[r->n_frames - 1].raw_name);
}

static struct got name_at(const char *path, uint64_t va)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	static const char *const no_dirs[] = {NULL};
	struct symbolizer_opts opts = {.debug_dirs = no_dirs};
	_cleanup_close_ int fd = fixture_open(path);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(path)};
	struct got g = {{0}};

	assert_int_equal(symbolizer_new(&s, &opts), 0);
	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, take, &g), 0);
	return g;
}

static void expect(const char *path, uint64_t va, const char *raw, const char *name)
{
	struct got g = name_at(path, va);

	assert_int_equal(g.reason, SYM_OK);
	assert_string_equal(g.raw, raw);
	assert_string_equal(g.name, name);
}

static void expect_unknown(const char *path, uint64_t va)
{
	struct got g = name_at(path, va);
	char want[128];

	snprintf(want, sizeof(want), "%s+0x%lx", path, (unsigned long)va);
	assert_int_equal(g.reason, SYM_NO_SYMBOL);
	assert_string_equal(g.name, want);
}

/* Links assembly into x.so: where its symbol `at` came to lie, which then is removed. */
static uint64_t assemble(const char *text)
{
	uint64_t va;

	fixture_write("x.s", text);
	fixture_run("gcc -nostdlib -shared x.s -o x.so");
	va = fixture_nm("x.so", "at");
	fixture_run("objcopy -N at x.so");
	return va;
}

/* --- several names for one address -------------------------------------------------------------- */

#define FUNC(name, size)   ".type " name ",@function\n.size " name "," #size "\n" name ":\n"
#define GLOBAL(name, size) ".globl " name "\n" FUNC(name, size)
#define WEAK(name, size)   ".weak " name "\n" FUNC(name, size)
#define LABEL(name)	   ".globl " name "\n" name ":\n"

static void test_aliases(void **state)
{
	static const struct {
		const char *rule, *aliases, *want;
	} cases[] = {
		{"a size over none", LABEL("a") FUNC("zz", 16), "zz"},
		{"a size over none, though local",
		 ".globl a\n.type a,@function\na:\n" FUNC("zz", 16), "zz"},
		{"a function over an untyped symbol", ".size a,16\n" LABEL("a") FUNC("zz", 16),
		 "zz"},
		{"global over weak", WEAK("a", 16) GLOBAL("__zz", 16), "__zz"},
		{"global over local", FUNC("a", 16) GLOBAL("zz", 16), "zz"},
		{"weak over local", FUNC("a", 16) WEAK("__zz", 16), "__zz"},
		{"fewer underscores", GLOBAL("__a", 16) GLOBAL("_ab", 16) GLOBAL("zzzz", 16),
		 "zzzz"},
		{"fewer underscores than two", GLOBAL("__a", 16) GLOBAL("_zzzz", 16), "_zzzz"},
		{"glibc's twins last", GLOBAL("__GI_a", 16) GLOBAL("____zzzzz", 16), "____zzzzz"},
		{"the shortest", GLOBAL("open64", 16) GLOBAL("open", 16), "open"},
		{"byte order", GLOBAL("b", 16) GLOBAL("a", 16) GLOBAL("c", 16), "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[1024];
		uint64_t va;

		snprintf(text, sizeof(text), ".text\n.skip 16\nat:\n%s.skip 16\n.skip 16\n",
			 cases[i].aliases);
		va = assemble(text);
		print_message("%s: %s\n", cases[i].rule, cases[i].want);
		expect("x.so", va, cases[i].want, cases[i].want);
		expect("x.so", va + 15, cases[i].want, cases[i].want);
		expect_unknown("x.so", va + 16);
	}
}

/* Of two symbols that start together the better one ends first: the other goes on. */
static void test_longer_alias(void **state)
{
	uint64_t va = assemble(".text\nat:\n" GLOBAL("best", 8) FUNC("longer", 24) ".skip 40\n");

	(void)state;
	expect("x.so", va + 7, "best", "best");
	expect("x.so", va + 8, "longer", "longer");
	expect("x.so", va + 23, "longer", "longer");
	expect_unknown("x.so", va + 24);
}

/* --- ends --------------------------------------------------------------------------------------- */

static void test_padding_is_unknown(void **state)
{
	uint64_t va = assemble(".text\nat:\n" GLOBAL(
		"first", 5) ".cfi_startproc\n.skip 5\n"
			    ".cfi_endproc\n.p2align 4\n" GLOBAL("second", 16) ".skip 16\n");

	(void)state;
	expect("x.so", va + 4, "first", "first");
	for (uint64_t i = 5; i < 16; i++)
		expect_unknown("x.so", va + i);
	expect("x.so", va + 16, "second", "second");
}

/* Known by its bytes, from one byte before it to the one behind it, and where nothing else has a name. */
static void test_return_stubs(void **state)
{
	static const struct {
		const char *code;
		uint64_t len;
	} stubs[] = {{"movq $15, %rax\n", 9}, {"movl $15, %eax\n", 7}};
	char text[256];
	uint64_t va;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(
			text, sizeof(text),
			".text\n" GLOBAL("f", 8) ".skip 24, 0x90\nat:\n%ssyscall\n.skip 16, 0x90\n",
			stubs[i].code);
		va = assemble(text);
		expect_unknown("x.so", va - 2);
		for (uint64_t at = va - 1; at <= va + stubs[i].len; at++)
			expect("x.so", at, "__restore_rt", "__restore_rt");
		expect_unknown("x.so", va + stubs[i].len + 1);
	}
	/* another call, and code that has a name */
	va = assemble(".text\n.skip 16\nat:\nmovl $16, %eax\nsyscall\n.skip 16\n");
	expect_unknown("x.so", va);
	va = assemble(
		".text\n.skip 16\nat:\n" GLOBAL("own", 7) "movl $15, %eax\nsyscall\n.skip 16\n");
	expect("x.so", va, "own", "own");
	expect("x.so", va + 7, "__restore_rt", "__restore_rt");
}

/* Neither type nor size: the FDE says where it ends. */
static void test_sizeless_end_with_their_fde(void **state)
{
	uint64_t va = assemble(".text\nat:\n.globl plain, typed\nplain:\n.cfi_startproc\n.skip 20\n"
			       ".cfi_endproc\n.skip 12\n"
			       ".type typed,@function\ntyped:\n.cfi_startproc\n.skip 24\n"
			       ".cfi_endproc\n.skip 8\n" GLOBAL("last", 8) ".skip 8\n");

	(void)state;
	expect("x.so", va + 19, "plain", "plain");
	expect_unknown("x.so", va + 20);
	expect_unknown("x.so", va + 31);
	expect("x.so", va + 32, "typed", "typed");
	expect("x.so", va + 55, "typed", "typed");
	expect_unknown("x.so", va + 56);
	expect("x.so", va + 64, "last", "last");
}

/* --- parts, stubs, resolvers -------------------------------------------------------------------- */

/* What GCC splits off is shown as the function it belongs to; the raw name says what it was. */
static void test_parts_of_functions(void **state)
{
	static const char *const suffixes[] = {"cold", "part", "isra", "constprop"};
	size_t found = 0;

	(void)state;
	fixture_write(
		"p.c",
		"#include <stdlib.h>\nvolatile int sink;\n"
		"struct pair { int a, b; };\n"
		"static __attribute__((noinline)) int isra(struct pair *p, int n)\n"
		"{ for (int i = 0; i < n; i++) sink += p->a; return sink; }\n"
		"static __attribute__((noinline)) int constprop(int n, int k)\n"
		"{ for (int i = 0; i < n; i++) sink += i * k + sink / (n + 1); return sink; }\n"
		"__attribute__((noinline)) int cold(int n)\n"
		"{ if (__builtin_expect(n > 9, 0)) { sink = 7; abort(); } return sink + n; }\n"
		"static int part(int n)\n"
		"{ if (__builtin_expect(!n, 1)) return 1;\n"
		"for (int i = 0; i < n; i++) sink += sink * i + sink / n; return sink; }\n"
		"int one(int n) { return part(n) + 1; }\n"
		"int two(int n) { return part(n) + 2; }\n"
		"int main(int c, char **v) { struct pair p = {c, 2}; (void)v;\n"
		"return isra(&p, c) + constprop(c, 3) + cold(c) + one(c) + two(c); }\n");
	fixture_run("gcc -O2 -fno-ipa-icf p.c -o p");
	for (size_t i = 0; i < 4; i++) {
		char cmd[128], raw[128];
		unsigned long va;
		FILE *f;

		snprintf(cmd, sizeof(cmd), "nm p | grep ' [tT] %s\\.'", suffixes[i]);
		f = popen(cmd, "re");
		if (fscanf(f, "%lx %*c %127s", &va, raw) == 2) {
			expect("p", va, raw, suffixes[i]);
			found++;
		}
		pclose(f);
	}
	assert_true(found >= 3); /* which of them GCC makes is its own affair */
}

/* Every stub of every kind of section, as objdump numbers them. */
static size_t check_stubs(const char *path, const char *section)
{
	char cmd[256], line[512];
	size_t n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "objdump -d -j %s %s", section, path);
	f = popen(cmd, "re");
	while (fgets(line, sizeof(line), f)) {
		char raw[256];
		unsigned long va;

		if (sscanf(line, "%lx <%255[^>]>:", &va, raw) != 2 || !strstr(raw, "@plt") ||
		    strchr(raw, '-') || strchr(raw, '*'))
			continue;
		expect(path, va, raw, raw);
		n++;
	}
	pclose(f);
	return n;
}

static void test_stubs(void **state)
{
	(void)state;
	fixture_write("s.c", "#include <stdio.h>\n#include <stdlib.h>\n"
			     "int (*volatile fp)(const char *) = puts;\n"
			     "int main(int c, char **v) { puts(v[0]); fp(v[0]); "
			     "return getenv(v[0]) != 0; }\n");
	fixture_run("gcc -O1 s.c -o lazy -Wl,-z,lazy && gcc -O1 -fno-plt s.c -o got && "
		    "gcc -O1 -fcf-protection=full s.c -o ibt -Wl,-z,ibtplt");
	assert_true(check_stubs("lazy", ".plt") >= 2);
	assert_true(check_stubs("lazy", ".plt.got") >= 1);
	assert_true(check_stubs("ibt", ".plt.sec") >= 2);
	/* The first entry of a lazy .plt is nobody's stub: all that is known is where its FDE starts. */
	assert_int_equal(name_at("lazy", fixture_nm("lazy", "_init") + 0x20).reason, SYM_FDE_START);
}

/* The function that chooses has its own name where it has one; what it is chosen for is the alias. */
static void test_resolvers(void **state)
{
	(void)state;
	fixture_write("i.c", "static int impl(int x) { return x + 1; }\n"
			     "static void *pick(void) { return impl; }\n"
			     "int chosen(int) __attribute__((ifunc(\"pick\")));\n"
			     "int main(int c, char **v) { (void)v; return chosen(c); }\n");
	fixture_run("gcc -O1 i.c -o i && readelf -sW i | grep -q IFUNC");
	/* Global before local: the name that callers use. */
	expect("i", fixture_nm("i", "pick"), "chosen", "chosen");
	expect("i", fixture_nm("i", "impl"), "impl", "impl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_longer_alias),
		cmocka_unit_test(test_padding_is_unknown),
		cmocka_unit_test(test_return_stubs),
		cmocka_unit_test(test_sizeless_end_with_their_fde),
		cmocka_unit_test(test_parts_of_functions),
		cmocka_unit_test(test_stubs),
		cmocka_unit_test(test_resolvers),
	};

	return cmocka_run_group_tests_name("names_policy", tests, fixture_setup, fixture_teardown);
}
