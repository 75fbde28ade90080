// SPDX-License-Identifier: GPL-2.0-or-later
/* What part frames play, by names as real profiles have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/profile/frame_role.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

struct example {
	const char *name;
	enum frame_role role;
};

static void check(const struct example *e, size_t n, const char *module, enum frame_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		enum frame_role got = frame_role_of(e[i].name, module, kind);

		if (got != e[i].role)
			fail_msg("%s in %s: role %d, want %d", e[i].name, module, got, e[i].role);
	}
}
#define CHECK(module, kind, ...)                                                                   \
	check((const struct example[]){__VA_ARGS__},                                               \
	      sizeof((const struct example[]){__VA_ARGS__}) / sizeof(struct example), module,      \
	      kind)

TEST(test_c)
{
	CHECK("app", FRAME_NATIVE, {"main", ROLE_MAIN}, {"_start", ROLE_CEREMONY},
	      {"__libc_start_call_main", ROLE_CEREMONY}, {"start_thread", ROLE_CEREMONY},
	      {"sort_rows", ROLE_CODE}, {"main_loop", ROLE_CODE}, {"memcpy", ROLE_PLUMBING},
	      {"__memmove_avx_unaligned_erms", ROLE_PLUMBING}, {"malloc", ROLE_PLUMBING},
	      {"free_list_add", ROLE_CODE}, {"_free_rows", ROLE_CODE}, {"", ROLE_CODE},
	      {"clone_rows", ROLE_CODE}, {"sort.constprop.0", ROLE_CODE},
	      {"time.part.0", ROLE_CODE});
	CHECK("libc.so.6", FRAME_NATIVE, {"msort_with_tmp", ROLE_PLUMBING},
	      {"__libc_start_main", ROLE_CEREMONY}, {"[libc.so.6]", ROLE_PLUMBING});
	CHECK("libcrypto.so.3", FRAME_NATIVE, {"aesni_encrypt", ROLE_CODE});
	CHECK("libcups.so.2", FRAME_NATIVE, {"cupsSend", ROLE_CODE});
}

TEST(test_cpp)
{
	CHECK("app", FRAME_NATIVE, {"std::vector<int>::push_back(int const&)", ROLE_PLUMBING},
	      {"void std::__introsort_loop<long*, long>(long*, long*, long)", ROLE_PLUMBING},
	      {"bool std::operator< <char>(std::string const&, std::string const&)", ROLE_PLUMBING},
	      {"operator new(unsigned long)", ROLE_PLUMBING},
	      {"long __gnu_cxx::__stoa<long, int, char, int>(long (*)(char const*, char**, int), "
	       "char const*, char const*, unsigned long*, int)",
	       ROLE_PLUMBING},
	      {"long _Rows::sum(int)", ROLE_CODE},
	      {"void rows::sort<std::vector<int> >(std::vector<int>&)", ROLE_CODE},
	      {"core::Image::load(int)", ROLE_CODE}, {"core::run(std::string)", ROLE_CODE},
	      {"stdx::sort(int*)", ROLE_CODE},
	      {"(anonymous namespace)::parse(char const*)", ROLE_CODE},
	      {"Matrix::operator bool() const", ROLE_CODE});
	CHECK("libstdc++.so.6.0.30", FRAME_NATIVE, {"__cxa_throw", ROLE_PLUMBING});
	CHECK("libgcc_s.so.1", FRAME_NATIVE, {"_Unwind_RaiseException", ROLE_PLUMBING});
}

TEST(test_rust)
{
	CHECK("rsx", FRAME_NATIVE, {"rsx::words", ROLE_CODE}, {"rsx::main", ROLE_MAIN},
	      {"rsx::words::main", ROLE_CODE}, {"core::ptr::copy", ROLE_PLUMBING},
	      {"core::str::pattern::StrSearcher::new", ROLE_PLUMBING},
	      {"<alloc::vec::Vec<T> as core::iter::traits::collect::Extend<T>>::extend",
	       ROLE_PLUMBING},
	      {"<rsx::Row as core::cmp::PartialOrd>::partial_cmp", ROLE_CODE},
	      {"<&T as core::fmt::Display>::fmt", ROLE_PLUMBING},
	      {"<&mut rsx::Row as core::fmt::Display>::fmt", ROLE_CODE},
	      {"hashbrown::map::HashMap<K,V,S,A>::insert", ROLE_PLUMBING},
	      {"std::rt::lang_start::{{closure}}", ROLE_CEREMONY},
	      {"std::sys::pal::unix::thread::Thread::new::thread_start", ROLE_CEREMONY},
	      {"std::sys::pal::unix::fs::File::read", ROLE_PLUMBING},
	      {"std::sys_common::backtrace::__rust_begin_short_backtrace", ROLE_CEREMONY},
	      {"rsx::main::{{closure}}", ROLE_CODE}, {"__rust_alloc", ROLE_PLUMBING});
}

TEST(test_go)
{
	CHECK("hot", FRAME_NATIVE, {"main.main", ROLE_MAIN}, {"main.collatz", ROLE_CODE},
	      {"runtime.goexit.abi0", ROLE_CEREMONY}, {"runtime.main", ROLE_CEREMONY},
	      {"runtime.mallocgc", ROLE_PLUMBING}, {"internal/bytealg.IndexByte", ROLE_PLUMBING},
	      {"runtime/internal/syscall.Syscall6", ROLE_PLUMBING}, {"sort.Slice", ROLE_PLUMBING},
	      {"strings.(*Builder).WriteString", ROLE_PLUMBING},
	      {"encoding/json.(*decodeState).object", ROLE_CODE},
	      {"cmd/compile/internal/ssa.Compile", ROLE_CODE},
	      {"github.com/x/runtime.Run", ROLE_CODE}, {"main.(*T[...]).sort.func1", ROLE_CODE});
}

TEST(test_runtimes)
{
	CHECK("[jit]", FRAME_JIT, {"LazyCompile:*hotLoop /srv/hot.js:1", ROLE_CODE},
	      {"Builtin:JSEntry", ROLE_ENGINE}, {"Builtin:JSEntryTrampoline", ROLE_CEREMONY},
	      {"Builtin:InterpreterEntryTrampoline", ROLE_CEREMONY},
	      {"Builtin:KeyedLoadIC", ROLE_PLUMBING},
	      {"LazyCompile:~Module._compile node:internal/modules/cjs/loader:1228", ROLE_PLUMBING},
	      {"Interpreter", ROLE_ENGINE}, {"call_stub", ROLE_ENGINE},
	      {"java.util.HashMap.putVal", ROLE_PLUMBING},
	      {"Ljava/util/HashMap;::putVal", ROLE_PLUMBING},
	      {"int java.lang.String.hashCode()", ROLE_PLUMBING},
	      {"long Hot.spin(long)", ROLE_CODE}, {"Hot::spin", ROLE_CODE},
	      {"javabeans.Run", ROLE_CODE}, {"void java.lang.Thread.run()", ROLE_CEREMONY},
	      {"void java.util.concurrent.ThreadPoolExecutor.runWorker(java.util.concurrent."
	       "ThreadPoolExecutor$Worker)",
	       ROLE_PLUMBING});
	CHECK("node", FRAME_NATIVE, {"node::Start(int, char**)", ROLE_CEREMONY},
	      {"v8::internal::Heap::Scavenge()", ROLE_PLUMBING},
	      {"v8::internal::(anonymous namespace)::Invoke(v8::internal::(anonymous "
	       "namespace)::InvokeParams const&)",
	       ROLE_PLUMBING},
	      {"v8::Function::Call(int)", ROLE_CEREMONY});
	CHECK("python3.11", FRAME_NATIVE, {"_PyEval_EvalFrameDefault", ROLE_ENGINE},
	      {"Py_BytesMain", ROLE_CEREMONY}, {"long_add", ROLE_CODE},
	      {"pyrun_file", ROLE_CEREMONY}, {"py_trampoline_evaluator", ROLE_ENGINE},
	      {"PyObject_Call", ROLE_PLUMBING});
	CHECK("libjvm.so", FRAME_NATIVE, {"JavaCalls::call_helper(JavaValue*)", ROLE_CEREMONY},
	      {"G1ParScanThreadState::trim_queue()", ROLE_CODE});
}

TEST(test_kernel_and_kiln)
{
	CHECK("[kernel]", FRAME_KERNEL, {"entry_SYSCALL_64_after_hwframe", ROLE_CEREMONY},
	      {"do_syscall_64", ROLE_CEREMONY}, {"__x64_sys_write", ROLE_CEREMONY},
	      {"vfs_write", ROLE_CODE}, {"main", ROLE_CODE}, {"memcpy", ROLE_CODE},
	      {"ret_from_fork_asm", ROLE_CEREMONY}, {"kthread", ROLE_CEREMONY});
	CHECK("[kiln]", FRAME_SYNTHETIC, {FRAME_TRUNCATED, ROLE_CEREMONY});
	CHECK("[unknown]", FRAME_UNKNOWN, {"std::sort(int*)", ROLE_PLUMBING}, {"f", ROLE_CODE});
}

TEST(test_vague_names)
{
	assert_true(frame_name_is_vague("libfoo.so+sub_12f0"));
	assert_false(frame_name_is_vague("libfoo.so+sub_"));
	assert_false(frame_name_is_vague("app+sub_total"));
	assert_false(frame_name_is_vague("main"));
}

/* Names may be anything: unbalanced, long, of brackets alone. */
TEST(test_hostile_names)
{
	static const char *const pieces[] = {"<",  ">",	   "::",  "(",	      " ",
					     ".",  "/",	   "std", "&*",	      " as ",
					     "L;", "core", "__",  "\xc3\xa9", "operator "};
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		char name[256] = "";

		for (int n = rand_r(&seed) % 12; n-- > 0;)
			strcat(name,
			       pieces[(size_t)rand_r(&seed) % (sizeof(pieces) / sizeof(*pieces))]);
		for (int kind = FRAME_NATIVE; kind <= FRAME_UNKNOWN; kind++)
			assert_in_range(frame_role_of(name, "app", (enum frame_kind)kind),
					ROLE_CODE, ROLE_ENGINE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c),	    cmocka_unit_test(test_cpp),
		cmocka_unit_test(test_rust),	    cmocka_unit_test(test_go),
		cmocka_unit_test(test_runtimes),    cmocka_unit_test(test_kernel_and_kiln),
		cmocka_unit_test(test_vague_names), cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests_name("frame_role", tests, NULL, NULL);
}
