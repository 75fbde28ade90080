// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbol tables against readelf and objdump. */
#include "profiler/base/vec.h"
#include "tests/lib/symtab_fixture.h"

/* --- readelf as the oracle -------------------------------------------------------------------- */

struct ref {
	uint64_t start, size;
	char name[240];
};

struct refs {
	VEC(struct ref) v;
};

/* Function symbols: "  12: 0000000000001139    11 FUNC    GLOBAL DEFAULT   14 name". */
static struct refs read_refs(const char *path, const char *table)
{
	struct refs refs = {{0}};
	char cmd[256], line[1024];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "readelf -W --%s %s", table, path);
	f = popen(cmd, "re");
	while (fgets(line, sizeof(line), f)) {
		char type[16], bind[16], vis[16], ndx[16], size[32];
		struct ref r = {0};
		unsigned long va;

		if (sscanf(line, " %*[0-9]: %lx %31s %15s %15s %15s %15s %239s", &va, size, type,
			   bind, vis, ndx, r.name) != 7)
			continue;
		if ((strcmp(type, "FUNC") && strcmp(type, "IFUNC")) || ndx[0] < '0' || ndx[0] > '9')
			continue;
		r.start = va;
		r.size = strtoul(size, NULL, 0);
		if (strchr(r.name, '@'))
			*strchr(r.name, '@') = 0;
		assert_int_equal(vec_push(&refs.v, r), 0);
	}
	pclose(f);
	return refs;
}

static bool is_sizeless(const struct refs *refs, const char *name)
{
	for (size_t i = 0; i < refs->v.len; i++)
		if (!refs->v.data[i].size && !strcmp(refs->v.data[i].name, name))
			return true;
	return false;
}

/* One of the symbols that cover va and start last must be our answer; without any, an answer of
 * ours may only be a symbol without a size, or a stub. */
static void check_address(const struct loaded *l, const struct refs *refs, uint64_t va)
{
	const char *got = name_at(l, va);
	uint64_t best = 0;
	bool any = false, found = false;

	for (size_t i = 0; i < refs->v.len; i++) {
		const struct ref *r = &refs->v.data[i];

		if (va - r->start < r->size && (!any || r->start > best)) {
			best = r->start;
			any = true;
		}
	}
	if (!any) {
		if (got && !strstr(got, "@plt") && !is_sizeless(refs, got))
			fail_msg("%lx: got %s, want nothing", (unsigned long)va, got);
		return;
	}
	if (!got)
		fail_msg("%lx: got nothing", (unsigned long)va);
	for (size_t i = 0; i < refs->v.len && !found; i++) {
		const struct ref *r = &refs->v.data[i];
		size_t len = strcspn(got, "@");

		found = va - r->start < r->size && r->start == best &&
			!strncmp(r->name, got, len < 239 ? len : 239);
	}
	if (!found)
		fail_msg("%lx: got %s", (unsigned long)va, got);
}

static void check_against_readelf(const char *path, const char *table, size_t at_least, size_t step)
{
	struct loaded l = load(path);
	struct refs refs = read_refs(path, table);

	assert_true(refs.v.len >= at_least);
	for (size_t i = 0; i < refs.v.len; i += step) {
		const struct ref *r = &refs.v.data[i];

		check_address(&l, &refs, r->start - 1);
		check_address(&l, &refs, r->start);
		check_address(&l, &refs, r->start + r->size / 2);
		check_address(&l, &refs, r->start + r->size - 1);
		check_address(&l, &refs, r->start + r->size);
	}
	vec_release(&refs.v);
	unload(&l);
}

static void test_against_readelf(void **state)
{
	(void)state;
	check_against_readelf("many", "syms", 400, 1);
	check_against_readelf("many.so", "syms", 400, 1);
	check_against_readelf("many-stripped.so", "dyn-syms", 400, 1);
}

/* A real library: weak aliases, IFUNCs, versions, symbols inside symbols. */
static void test_libc_against_readelf(void **state)
{
	(void)state;
	if (access(LIBC, R_OK) < 0) {
		print_message("skipped: no %s\n", LIBC);
		skip();
	}
	check_against_readelf(LIBC, "dyn-syms", 1000, 3);
}

static void test_disjoint_and_ordered(void **state)
{
	struct loaded l;
	uint64_t last = 0;

	(void)state;
	l = load("many");
	assert_true(symtab_count(l.t) > 400);
	for (uint32_t i = 0; i < symtab_count(l.t); i++) {
		uint64_t start, end;
		uint32_t index;

		symtab_range(l.t, i, &start, &end);
		assert_true(start >= last && end > start);
		last = end;
		assert_int_equal(symtab_find(l.t, start, &index), 0);
		assert_int_equal(index, i);
		assert_int_equal(symtab_find(l.t, end - 1, &index), 0);
		assert_int_equal(index, i);
	}
	/* 16 bytes a symbol, and the head. */
	assert_true(symtab_bytes(l.t) <= 16 * symtab_count(l.t) + 512);
	unload(&l);
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct loaded assemble(const char *text, const char *flags)
{
	fixture_write("x.s", text);
	fixture_run("gcc -nostdlib -shared %s x.s -o x.so", flags);
	return load("x.so");
}

static void test_preference_among_aliases(void **state)
{
	struct loaded l = assemble(".text\n.globl __g, global, global_longer, _one\n.weak w\n"
				   ".type __g,@function\n.type global,@function\n"
				   ".type global_longer,@function\n.type w,@function\n"
				   ".type l,@function\n.type _one,@function\n"
				   "u:\n__g:\nglobal:\nglobal_longer:\nw:\n_one:\nl:\n.skip 16\n"
				   ".size __g,16\n.size global,16\n.size global_longer,16\n"
				   ".size w,16\n.size l,16\n.size _one,16\n",
				   "");

	(void)state;
	expect(&l, fixture_nm("x.so", "global"), "global");
	expect(&l, fixture_nm("x.so", "global") + 15, "global");
	expect(&l, fixture_nm("x.so", "global") + 16, NULL);
	unload(&l);
}

/* A function with another inside: the inner one where it is, the outer one on both sides. */
static void test_nesting(void **state)
{
	struct loaded l = assemble(".text\n.type outer,@function\n.type inner,@function\n"
				   ".type tail,@function\n.type same,@function\n"
				   "outer:\nsame:\n.skip 8\ninner:\n.skip 8\nlabel:\n.skip 8\n"
				   "tail:\n.skip 8\n.size outer,32\n.size inner,8\n"
				   ".skip 8\n.size tail,16\n.size same,4\n.skip 8\n",
				   "");
	uint64_t at = fixture_nm("x.so", "outer");

	(void)state;
	expect(&l, at, "outer");
	expect(&l, at + 7, "outer");
	expect(&l, at + 8, "inner");
	expect(&l, at + 15, "inner");
	expect(&l, at + 16, "outer"); /* `label` has no size and is inside */
	expect(&l, at + 23, "outer");
	expect(&l, at + 24, "tail");
	expect(&l, at + 39, "tail");
	expect(&l, at + 40, NULL);
	unload(&l);
}

static void test_sizeless_symbols(void **state)
{
	struct loaded l =
		assemble(".text\n.globl with_fde, without_fde, followed\n"
			 "with_fde:\n.cfi_startproc\n.skip 100\n.cfi_endproc\n"
			 ".skip 28\n"
			 "followed:\n.skip 64\n"
			 "without_fde:\n.skip 8192\n"
			 ".section .text.after,\"ax\"\n.skip 32\nend_of_section:\n.skip 16\n",
			 "");
	uint64_t with = fixture_nm("x.so", "with_fde"), without = fixture_nm("x.so", "without_fde");
	uint64_t end = fixture_nm("x.so", "end_of_section");

	(void)state;
	expect(&l, with, "with_fde");
	expect(&l, with + 99, "with_fde");
	expect(&l, with + 100, NULL);
	expect(&l, with + 128, "followed");
	expect(&l, with + 191, "followed");
	expect(&l, without, "without_fde");
	expect(&l, without + 4095, "without_fde");
	expect(&l, without + 4096, NULL);
	expect(&l, end + 15, "end_of_section");
	expect(&l, end + 16, NULL);
	unload(&l);
}

/* As in musl's libc.so: behind an assembler's memset comes what is not exported. */
static void test_sizeless_symbols_of_a_stripped_file(void **state)
{
	struct loaded l = assemble(".text\n.globl fills, next\n.type fills,@function\n"
				   ".type next,@function\n"
				   "fills:\n.skip 190\nret\nclones:\n.skip 60\n"
				   "next:\n.skip 8\nafter:\n.skip 8000\n",
				   "");
	uint64_t fills = fixture_nm("x.so", "fills"), clones = fixture_nm("x.so", "clones");
	uint64_t next = fixture_nm("x.so", "next");

	(void)state;
	expect(&l, clones + 50, "clones");
	unload(&l);
	fixture_run("strip x.so");
	l = load("x.so");
	expect(&l, fills, "fills");
	expect(&l, fills + 189, "fills");
	expect(&l, clones + 50, NULL);
	expect(&l, next, "next");
	expect(&l, next + 191, "next");
	expect(&l, next + 192, NULL);
	unload(&l);
}

/* A size that lies does not reach out of its section. */
static void test_size_past_the_section(void **state)
{
	struct loaded l = assemble(".text\n.globl liar\n.type liar,@function\nliar:\n.skip 32\n"
				   ".size liar,1000000\n",
				   "");
	uint64_t at = fixture_nm("x.so", "liar");

	(void)state;
	expect(&l, at + 31, "liar");
	expect(&l, at + 32, NULL);
	unload(&l);
}

/* Nor does a symbol itself, into the next one. */
static void test_symbol_past_its_section(void **state)
{
	struct loaded l = assemble(".text\n.globl far\n.type far,@function\nf:\n.skip 32\n"
				   ".set far,f+100\n.size far,16\n"
				   ".section .later,\"ax\"\n.skip 8192\n",
				   "");
	uint64_t at = fixture_nm("x.so", "far");

	(void)state;
	fixture_run("readelf -SW x.so | grep -q ' \\.later .* AX '");
	assert_int_equal(at, fixture_nm("x.so", "f") + 100);
	expect(&l, at, NULL);
	expect(&l, at + 15, NULL);
	unload(&l);
}

/* Ranges have 32 bits. */
static void test_a_symbol_of_gigabytes(void **state)
{
	struct loaded l = assemble(".section .huge,\"ax\",@nobits\n.globl big\n"
				   ".type big,@function\nbig:\n.skip 0x200000010\n"
				   ".size big,0x100000010\n",
				   "");
	uint64_t at = fixture_nm("x.so", "big");

	(void)state;
	expect(&l, at + 16, "big");
	expect(&l, at + 0xfffffff, "big");
	unload(&l);
}

static void test_markers_and_data_are_no_functions(void **state)
{
	struct loaded l = assemble(".text\n.type f,@function\n$x:\nf:\n.skip 16\n.size f,16\n"
				   "$d.1:\n.skip 16\n$dollar:\n.skip 16\n"
				   ".data\n.globl var\nvar: .quad 1\n",
				   "");
	uint64_t at = fixture_nm("x.so", "f");

	(void)state;
	expect(&l, at, "f");
	expect(&l, at + 16, NULL);
	expect(&l, at + 32, "$dollar");
	expect(&l, fixture_nm("x.so", "var"), NULL);
	unload(&l);
}

/* --- PLT stubs -------------------------------------------------------------------------------- */

/* objdump -d prints "0000000000001030 <puts@plt>:" before every stub. */
static void check_plt(const char *path, size_t at_least)
{
	struct loaded l = load(path);
	char cmd[256], line[512];
	size_t n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "objdump -d %s", path);
	f = popen(cmd, "re");
	while (fgets(line, sizeof(line), f)) {
		char name[256];
		unsigned long va;

		if (sscanf(line, "%lx <%255[^>]>:", &va, name) != 2 || !strstr(name, "@plt") ||
		    strchr(name, '*'))
			continue;
		/* With IBT the lazy half in .plt gets the name as well; its other half does the work. */
		if (strstr(line, "@plt-0x"))
			continue;
		expect(&l, va, name);
		expect(&l, va + 7, name);
		n++;
	}
	pclose(f);
	if (n < at_least)
		fail_msg("%s: objdump knows %zu stubs only", path, n);
	unload(&l);
}

static void test_plt_stubs(void **state)
{
	(void)state;
	fixture_write("p.c", "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
			     "int (*volatile fp)(const char *) = puts;\n"
			     "void *(*volatile fm)(size_t) = malloc;\n"
			     "int main(int c, char **v) { puts(v[0]); fp(v[0]); free(malloc(c));\n"
			     "qsort(v, c, 8, (void *)strcmp); return getenv(v[0]) != 0; }\n");
	fixture_run("gcc -O1 p.c -o lazy -Wl,-z,lazy && gcc -O1 p.c -o now -Wl,-z,now && "
		    "gcc -O1 p.c -o nopie -no-pie && "
		    "gcc -O1 -fcf-protection=full p.c -o ibt -Wl,-z,ibtplt && "
		    "gcc -O1 -shared -fPIC p.c -o lib.so && strip lib.so");
	check_plt("lazy", 4);
	check_plt("now", 4);
	check_plt("nopie", 3);
	check_plt("ibt", 4);
	check_plt("lib.so", 4);
}

/* mold's say which entry they are before they jump. */
static void test_plt_stubs_that_load_a_number(void **state)
{
	struct loaded l;
	uint64_t start = 0, end = 0;

	(void)state;
	fixture_write("n.s", ".section .plt, \"ax\", @progbits\n.balign 16\n"
			     "endbr64\nmov $7, %r11d\njmp *alpha@GOTPCREL(%rip)\n"
			     "endbr64\nmov $8, %r11d\njmp *beta@GOTPCREL(%rip)\n");
	fixture_run("gcc -shared -nostdlib n.s -o n.so && strip n.so");
	l = load("n.so");
	for (uint32_t i = 0; i < symtab_count(l.t); i++) {
		symtab_range(l.t, i, &start, &end);
		if (!strcmp(name_at(&l, start), "beta@plt"))
			break;
	}
	expect(&l, start, "beta@plt");
	expect(&l, start - 1, "alpha@plt");
	assert_int_equal(end - start, 16);
	unload(&l);
}

static void test_plt_stubs_of_ifuncs(void **state)
{
	struct loaded l;
	uint64_t start = 0, end = 0;

	(void)state;
	fixture_write("i.c", "static int impl(int x) { return x + 1; }\n"
			     "static void *pick(void) { return impl; }\n"
			     "static int chosen(int) __attribute__((ifunc(\"pick\")));\n"
			     "int main(int c, char **v) { (void)v; return chosen(c); }\n");
	fixture_run("gcc -O1 i.c -o ifunc");
	l = load("ifunc");
	for (uint32_t i = 0; i < symtab_count(l.t); i++) {
		symtab_range(l.t, i, &start, &end);
		if (!strcmp(name_at(&l, start), "chosen@plt") ||
		    !strcmp(name_at(&l, start), "pick@plt"))
			break;
	}
	assert_true(strstr(name_at(&l, start), "@plt") != NULL);
	assert_int_equal(end - start, 16);
	unload(&l);
}

static void test_plt_stubs_arm64(void **state)
{
	struct loaded l;
	static const char *const names[] = {"alpha@plt", "beta@plt"};
	size_t found = 0;

	(void)state;
	fixture_write("a64.c", "int alpha(int); int beta(int);\n"
			       "int f(int x) { return alpha(x) + beta(x); }\n");
	if (system("clang --target=aarch64-linux-gnu -shared -nostdlib -fuse-ld=lld a64.c -o "
		   "a64.so "
		   "2>/dev/null")) {
		print_message("skipped: needs clang and lld\n");
		skip();
	}
	for (int bti = 0; bti < 2; bti++) {
		fixture_run("clang --target=aarch64-linux-gnu -O1 -fPIC -shared -nostdlib "
			    "-fuse-ld=lld %s a64.c -o a64.so",
			    bti ? "-mbranch-protection=bti -Wl,-z,force-bti" : "");
		l = load("a64.so");
		for (uint32_t i = 0; i < symtab_count(l.t); i++) {
			uint64_t start, end;

			symtab_range(l.t, i, &start, &end);
			for (int k = 0; k < 2; k++)
				found += !strcmp(name_at(&l, start), names[k]);
		}
		unload(&l);
	}
	assert_int_equal(found, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_readelf),
		cmocka_unit_test(test_libc_against_readelf),
		cmocka_unit_test(test_disjoint_and_ordered),
		cmocka_unit_test(test_preference_among_aliases),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_sizeless_symbols),
		cmocka_unit_test(test_sizeless_symbols_of_a_stripped_file),
		cmocka_unit_test(test_size_past_the_section),
		cmocka_unit_test(test_symbol_past_its_section),
		cmocka_unit_test(test_a_symbol_of_gigabytes),
		cmocka_unit_test(test_markers_and_data_are_no_functions),
		cmocka_unit_test(test_plt_stubs),
		cmocka_unit_test(test_plt_stubs_that_load_a_number),
		cmocka_unit_test(test_plt_stubs_of_ifuncs),
		cmocka_unit_test(test_plt_stubs_arm64),
	};

	return cmocka_run_group_tests_name("symtab", tests, many_setup, fixture_teardown);
}
