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
	bool told = package_of(&b, name, file, is_jit ? FRAME_JIT : FRAME_NATIVE);

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

/* The module is what C and C++ have. */
static void c(void **state)
{
	(void)state;
	check("main", "/src/main.c", false, "");
	check("a.b", "/src/main.c", false, "");
	check("sort_rows.constprop.0", "", false, "");
	check("f.part.0.cold", "", false, "");
	check("f.llvm.123", "", false, "");
	check("memcpy@plt", "", false, "");
	check("buffer.1234", "", false, "");
	check("libgcc_s.so.1+sub_1290", "", false, "");
	check(".annobin", "", false, "");
	check("", "", false, "");
}

static void cpp(void **state)
{
	static const char *const names[] = {
		"rocksdb::DBImpl::Get(rocksdb::ReadOptions const&)",
		"void std::sort<int*, bool (*)(int, int)>(int*, int*)",
		"std::vector<a::b, c::d> e::f<g::h>(i::j) const",
		"a::b::operator()(int) const",
		"a::operator bool() const",
		"a::operator<(int) const",
		"(anonymous namespace)::f(std::string)",
		"f(std::string)",
		"operator new(std::size_t)",
		"main::{lambda(int)#1}::operator()(int) const",
		"non-virtual thunk to Foo::bar()",
		"a::b<(c)0>::f()",
		"std::_Function_handler<void (int), main::{lambda(int)#1}>::_M_invoke(int)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		check(names[i], "", false, "");
	check("rocksdb::DBImpl::Get", "/src/db_impl.cc", false, "");
	check("std::sort", "/usr/include/c++/12/bits/stl_algo.h", false, "");
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
	check("core::ptr::drop_in_place<(a::B, c::D)>", "", false, "core");
	check("<(a::B, c::D) as core::hash::Hash>::hash", "", false, "a");
	check("core::slice::sort::stable::<impl [T]>::f", "", false, "core");
	check("a::operator_of", "", false, "a");
	check("rsx::fold", "/rustc/8ede3aae2/library/core/src/iter/adapters/map.rs", false, "rsx");
}

/* Names without a path, as of inlined calls that have no linkage name, and of what C calls. */
static void rust_files(void **state)
{
	(void)state;
	check("fmt", "/rustc/8ede3aae2/library/core/src/fmt/num.rs", false, "core");
	check("rust_panic", "/usr/src/rustc-1.63.0/library/std/src/panicking.rs", false, "std");
	check("next", "/home/u/.cargo/registry/src/index.crates.io-6f17/serde_json-1.0.3/src/de.rs",
	      false, "serde_json");
	check("next", "/usr/share/cargo/registry/regex-automata-0.4.1-rc.2/src/dfa/a.rs", false,
	      "regex_automata");
	check("x", "/root/.cargo/git/checkouts/tokio-9d1/4a9b2c/tokio/src/task/mod.rs", false,
	      "tokio");
	check("main", "/home/u/src/app/src/main.rs", false, "app");
	check("main", "/home/u/a-2/src/main.rs", false, "a_2");
	check("main", "/src/main.rs", false, "");
	check("main", "src/main.rs", false, "");
	check("main", "main.rs", false, "");
}

/* Other profilers' files tell it, where kiln's have it in names. */
static void files_of_scripts(void **state)
{
	(void)state;
	check("Parser.next", "/app/node_modules/acorn/dist/acorn.js", false, "acorn");
	check("next", "/app/node_modules/.pnpm/a@1/node_modules/@s/b/c.mjs", false, "@s/b");
	check("read", "node:fs", true, "");
	check("run", "/usr/lib/python3.11/json/decoder.py", false, "json");
	check("run", "/usr/lib/python3.11/re.py", false, "re");
	check("run", "/usr/lib/python3.11/site-packages/six.py", false, "six");
	check("run", "/home/u/app.py", false, "/home/u");
	check("java.util.HashMap.hash", "HashMap.java", false, "java.util");
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
	check("py::run:/usr/lib/python3.11/asyncio/events.py", "", true, "asyncio");
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
		told = package_of(&out, text, i & 1 ? "x.go" : "",
				  i & 2 ? FRAME_JIT : FRAME_NATIVE);
		assert_int_equal(told, out.len > 0);
		assert_true(out.len <= name.len);
		buf_clear(&out);
		buf_str(&name, i & 1 ? ".rs" : ".js");
		told = package_of(&out, "f", buf_cstr(&name), FRAME_NATIVE);
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
		cmocka_unit_test(rust_files),
		cmocka_unit_test(files_of_scripts),
		cmocka_unit_test(made_at_run_time),
		cmocka_unit_test(directories),
		cmocka_unit_test(names_of_any_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
