// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/hash.h"
#include "profiler/profile/package.h"

static void check(const char *name, const char *file, bool is_jit, const char *expected)
{
	struct buf b = {0};
	bool told = package_of(&b, name, file, is_jit);

	if (strcmp(buf_cstr(&b), expected) != 0 || told != (*expected != 0))
		fail_msg("%s: \"%s\", expected \"%s\"", name, buf_cstr(&b), expected);
	buf_release(&b);
}

static void go(void **state)
{
	(void)state;
	check("runtime.mallocgc", "", false, "runtime");
	check("main.main.func1", "/src/main.go", false, "main");
	check("github.com/a/b.(*T).m", "", false, "github.com/a/b");
	check("encoding/json.(*decodeState).object", "", false, "encoding/json");
	check("gopkg.in/yaml%2ev3.Unmarshal", "", false, "gopkg.in/yaml.v3");
	check("slices.SortFunc[go.shape.[]int]", "/go/slices/sort.go", false, "slices");
	check("sync/atomic.(*Pointer[go.shape.struct { a/b.T }]).Load", "", false, "sync/atomic");
	check("_cgo_wait_runtime_init_done", "gcc_libinit.c", false, "");
}

static void c(void **state)
{
	(void)state;
	check("main", "/src/main.c", false, "");
	check("sort_rows.constprop.0", "", false, "");
	check("f.part.0.cold", "", false, "");
	check("f.llvm.123", "", false, "");
	check("memcpy@plt", "", false, "");
	check("buffer.1234", "", false, "");
	check(".annobin", "", false, "");
	check("", "", false, "");
}

static void cpp(void **state)
{
	(void)state;
	check("rocksdb::DBImpl::Get(rocksdb::ReadOptions const&)", "", false, "rocksdb");
	check("void std::sort<int*, bool (*)(int, int)>(int*, int*)", "", false, "std");
	check("std::vector<a::b, c::d> e::f<g::h>(i::j) const", "", false, "e");
	check("a::b::operator()(int) const", "", false, "a");
	check("a::operator bool() const", "", false, "a");
	check("(anonymous namespace)::a::f(int)", "", false, "a");
	check("(anonymous namespace)::f(std::string)", "", false, "");
	check("f(std::string)", "", false, "");
	check("operator new(std::size_t)", "", false, "");
	check("main::{lambda(int)#1}::operator()(int) const", "", false, "main");
	check("non-virtual thunk to Foo::bar()", "", false, "Foo");
	check("Foo<a::b>::bar(int)", "", false, "Foo");
	check("int* a::f(int)", "", false, "a");
	check("a::b<(c)0>::f()", "", false, "a");
	check("std::function<auto (int) -> a::b>::f()", "", false, "std");
	check("std::_Function_handler<void (int), main::{lambda(int)#1}>::_M_invoke(int)", "",
	      false, "std");
}

static void rust(void **state)
{
	(void)state;
	check("alloc::vec::Vec<T,A>::push", "", false, "alloc");
	check("core::ptr::drop_in_place<alloc::string::String>", "", false, "core");
	check("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "", false, "alloc");
	check("<&mut a::B as c::D>::e", "", false, "a");
	check("<&T as core::fmt::Debug>::fmt", "", false, "core");
	check("<u8 as core::fmt::Debug>::fmt", "", false, "core");
	check("<&&a::B as c::D>::e", "", false, "a");
	check("<[a::B] as c::D>::e", "", false, "a");
	check("rsx::words::{{closure}}", "", false, "rsx");
	check("<impl a::B for c::D>::e", "", false, "a");
}

static void made_at_run_time(void **state)
{
	(void)state;
	check("int java.util.HashMap.hash(java.lang.Object)", "", true, "java.util");
	check("java.util.HashMap::hash", "", true, "java.util");
	check("Ljava/util/HashMap;::hash", "", true, "java.util");
	check("java/util/HashMap.hash", "", true, "java.util");
	check("void Main.main(java.lang.String[])", "", true, "");
	check("Interpreter", "", true, "");
	check("LazyCompile:*f /a/node_modules/b/c.js:3", "", true, "b");
	check("JS:~f file:///a/node_modules/@s/b/c.mjs:3:12", "", true, "@s/b");
	check("JS:~f /srv/app/main.js:3:12", "", true, "/srv/app");
	check("JS:*next node:internal/process/task_queues:67:35", "", true, "node");
	check("py::run:/usr/lib/python3/dist-packages/yaml/loader.py", "", true, "yaml");
	check("py::run:/home/u/app.py", "", true, "/home/u");
	check("py::_find:<frozen importlib._bootstrap>", "", true, "");
}

static void directories(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_true(package_directory(&b, "/a/b/c.c"));
	assert_string_equal(buf_cstr(&b), "/a/b");
	buf_clear(&b);
	assert_true(package_directory(&b, "/c.c"));
	assert_string_equal(buf_cstr(&b), "/");
	buf_clear(&b);
	assert_false(package_directory(&b, "c.c"));
	assert_false(package_directory(&b, ""));
	assert_string_equal(buf_cstr(&b), "");
	buf_release(&b);
}

/* Whatever a program calls itself: nothing is read outside, and what is told is a part of it. */
static void names_of_any_kind(void **state)
{
	static const char *const pieces[] = {"::",
					     "<",
					     ">",
					     "(",
					     ")",
					     " as ",
					     "operator",
					     "&",
					     "a.b",
					     "/",
					     " ",
					     "{",
					     "}",
					     "[",
					     "]",
					     "L",
					     ";",
					     ":",
					     "1",
					     "-",
					     "file://",
					     "py::",
					     "%2e",
					     "\xc3\xa9",
					     "(anonymous namespace)",
					     "/node_modules/",
					     "@",
					     "node:"};
	uint64_t n = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct buf name = {0}, out = {0};
		char *text;
		bool told;

		for (int k = 0; k < 1 + i % 9; k++)
			buf_str(&name, pieces[hash_u64(n++) % (sizeof(pieces) / sizeof(*pieces))]);
		text = strdup(buf_cstr(&name));
		told = package_of(&out, text, i & 1 ? "x.go" : "", i & 2);
		assert_int_equal(told, out.len > 0);
		assert_true(out.len <= name.len);
		free(text);
		buf_release(&name);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(go),
		cmocka_unit_test(c),
		cmocka_unit_test(cpp),
		cmocka_unit_test(rust),
		cmocka_unit_test(made_at_run_time),
		cmocka_unit_test(directories),
		cmocka_unit_test(names_of_any_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
