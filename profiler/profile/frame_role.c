// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <string.h>

#include "profiler/base/n_of.h"
#include "profiler/base/text.h"
#include "profiler/profile/frame_role.h"

/* A '*' at the end of a rule means: and all that begin so. */
struct rule {
	const char *name;
	enum frame_role role;
};

static const struct rule kernel_rules[] = {
	{"entry_SYSCALL*", ROLE_CEREMONY},  {"do_syscall_64", ROLE_CEREMONY},
	{"x64_sys_call", ROLE_CEREMONY},    {"__x64_sys_*", ROLE_CEREMONY},
	{"__se_sys_*", ROLE_CEREMONY},	    {"__do_sys_*", ROLE_CEREMONY},
	{"__arm64_sys_*", ROLE_CEREMONY},   {"invoke_syscall*", ROLE_CEREMONY},
	{"do_el0_svc", ROLE_CEREMONY},	    {"el0_svc*", ROLE_CEREMONY},
	{"el0t_64_sync*", ROLE_CEREMONY},   {"el1h_64_*", ROLE_CEREMONY},
	{"asm_*", ROLE_CEREMONY},	    {"ret_from_fork*", ROLE_CEREMONY},
	{"kthread", ROLE_CEREMONY},	    {"secondary_startup_64*", ROLE_CEREMONY},
	{"start_secondary", ROLE_CEREMONY}, {"start_kernel", ROLE_CEREMONY},
	{"x86_64_start_*", ROLE_CEREMONY},  {"rest_init", ROLE_CEREMONY},
};

/* Of programs and libraries, by the whole name. */
static const struct rule rules[] = {
	/* C */
	{"main", ROLE_MAIN},
	{"_start", ROLE_CEREMONY},
	{"__libc_start_*", ROLE_CEREMONY},
	{"generic_start_main", ROLE_CEREMONY},
	{"__libc_*", ROLE_PLUMBING},
	{"_int_malloc", ROLE_PLUMBING},
	{"_int_free*", ROLE_PLUMBING},
	{"_IO_*", ROLE_PLUMBING},
	{"start_thread", ROLE_CEREMONY},
	{"clone", ROLE_CEREMONY},
	{"clone3", ROLE_CEREMONY},
	{"__clone*", ROLE_CEREMONY},
	{"thread_start", ROLE_CEREMONY},
	{"execute_native_thread_routine", ROLE_CEREMONY},
	{"std::execute_native_thread_routine*", ROLE_CEREMONY},
	{"std::thread::_State_impl<*", ROLE_CEREMONY},
	/* Rust */
	{"std::rt::lang_start*", ROLE_CEREMONY},
	{"std::sys_common::backtrace::__rust_begin_short_backtrace*", ROLE_CEREMONY},
	{"std::sys::backtrace::__rust_begin_short_backtrace*", ROLE_CEREMONY},
	{"std::sys::*thread_start", ROLE_CEREMONY},
	{"__rust_*", ROLE_PLUMBING},
	{"__rdl_*", ROLE_PLUMBING},
	/* Go */
	{"main.main", ROLE_MAIN},
	{"runtime.main", ROLE_CEREMONY},
	{"runtime.goexit*", ROLE_CEREMONY},
	{"runtime.mstart*", ROLE_CEREMONY},
	{"runtime.rt0_go*", ROLE_CEREMONY},
	{"_rt0_*", ROLE_CEREMONY},
	{"runtime.systemstack*", ROLE_CEREMONY},
	{"runtime.mcall*", ROLE_CEREMONY},
	/* Java */
	{"JavaMain", ROLE_CEREMONY},
	{"ThreadJavaMain", ROLE_CEREMONY},
	{"jni_invoke_*", ROLE_CEREMONY},
	{"jni_Call*", ROLE_CEREMONY},
	{"JavaCalls::*", ROLE_CEREMONY},
	{"JavaThread::run*", ROLE_CEREMONY},
	{"JavaThread::thread_main_inner*", ROLE_CEREMONY},
	{"thread_native_entry(*", ROLE_CEREMONY},
	{"Thread::call_run*", ROLE_CEREMONY},
	{"thread_entry(*", ROLE_CEREMONY},
	{"os::os_exception_wrapper*", ROLE_CEREMONY},
	{"java.lang.Thread.run*", ROLE_CEREMONY},
	{"java.lang.Thread::run*", ROLE_CEREMONY},
	{"call_stub", ROLE_ENGINE},
	{"StubRoutines*", ROLE_ENGINE},
	{"Interpreter", ROLE_ENGINE},
	/* JavaScript: V8 and node */
	{"node::*", ROLE_CEREMONY},
	{"uv_run", ROLE_CEREMONY},
	{"uv__*", ROLE_PLUMBING},
	{"v8::Function::Call*", ROLE_CEREMONY},
	{"v8::Script::Run*", ROLE_CEREMONY},
	{"v8::*", ROLE_PLUMBING},
	{"Builtin:InterpreterEntryTrampoline*", ROLE_CEREMONY},
	{"Builtins_InterpreterEntryTrampoline*", ROLE_CEREMONY},
	{"Builtin:JSEntryTrampoline*", ROLE_CEREMONY},
	{"Builtins_JSEntryTrampoline*", ROLE_CEREMONY},
	{"Builtin:JSEntry*", ROLE_ENGINE},
	{"Builtins_JSEntry*", ROLE_ENGINE},
	{"Builtin:*", ROLE_PLUMBING},
	{"Builtins_*", ROLE_PLUMBING},
	{"BytecodeHandler:*", ROLE_PLUMBING},
	{"Stub:*", ROLE_PLUMBING},
	/* Python */
	{"Py_BytesMain", ROLE_CEREMONY},
	{"Py_RunMain", ROLE_CEREMONY},
	{"Py_Main", ROLE_CEREMONY},
	{"pymain_*", ROLE_CEREMONY},
	{"PyRun_*", ROLE_CEREMONY},
	{"_PyRun_*", ROLE_CEREMONY},
	{"pyrun_*", ROLE_CEREMONY},
	{"run_mod", ROLE_CEREMONY},
	{"run_eval_code_obj", ROLE_CEREMONY},
	{"PyEval_EvalCode", ROLE_CEREMONY},
	{"_PyEval_Vector", ROLE_PLUMBING},
	{"_PyEval_EvalFrame*", ROLE_ENGINE},
	{"PyEval_EvalFrame*", ROLE_ENGINE},
	{"py_trampoline_evaluator", ROLE_ENGINE},
	{"PyObject_Call*", ROLE_PLUMBING},
	{"PyObject_Vectorcall*", ROLE_PLUMBING},
	{"_PyObject_*", ROLE_PLUMBING},
	{"_PyFunction_Vectorcall", ROLE_PLUMBING},
	{"PyVectorcall_Call", ROLE_PLUMBING},
	{"method_vectorcall*", ROLE_PLUMBING},
	{"cfunction_vectorcall*", ROLE_PLUMBING},
	/* PHP, Ruby, Perl, Lua */
	{"execute_ex", ROLE_ENGINE},
	{"zend_execute*", ROLE_CEREMONY},
	{"php_execute_script*", ROLE_CEREMONY},
	{"vm_exec*", ROLE_ENGINE},
	{"rb_vm_exec", ROLE_ENGINE},
	{"rb_ec_exec_node", ROLE_CEREMONY},
	{"ruby_run_node", ROLE_CEREMONY},
	{"Perl_runops_*", ROLE_ENGINE},
	{"perl_run", ROLE_CEREMONY},
	{"luaV_execute", ROLE_ENGINE},
};

/* Work for their caller wherever they are. Of names that are reserved to the C library the first word counts:
 * __memcpy_avx_unaligned_erms. */
static const char *const c_helpers[] = {
	"memcpy",  "memmove", "memset", "memcmp", "memchr", "malloc", "calloc",
	"realloc", "free",    "strlen", "strcmp", "strchr", "strdup", "qsort",
};

static const char *const plumbing_modules[] = {
	"libc.so",   "libc-2.",	    "libc.musl",   "ld-linux", "ld-musl",    "ld-2.",
	"libm.so",   "libm-2.",	    "libpthread",  "librt.so", "libdl.so",   "libstdc++.so",
	"libc++.so", "libc++abi.",  "libgcc_s.so", "[vdso]",   "linux-vdso", "libjemalloc.so",
	"libunwind", "libmimalloc", "libtcmalloc",
};

/* Go packages whose functions work on what their caller gave them. */
static const char *const go_packages[] = {
	"runtime", "sync",	"sync/atomic", "syscall", "reflect",	  "sort", "slices",
	"maps",	   "strings",	"bytes",       "strconv", "unicode/utf8", "fmt",  "errors",
	"math",	   "math/bits", "io",	       "bufio",	  "os",		  "time", "container/heap",
};

static const char *const java_scopes[] = {"java", "javax", "jdk", "sun"};
static const char *const rust_crates[] = {"core", "alloc", "std", "hashbrown"};

bool frame_name_matches(const char *name, const char *rule)
{
	const char *star = strchr(rule, '*');

	if (!star)
		return !strcmp(name, rule);
	if (strncmp(name, rule, (size_t)(star - rule)))
		return false;
	return !star[1] || text_has_suffix(name + (star - rule), star + 1);
}

static bool find_rule(const struct rule *table, size_t n, const char *name, enum frame_role *role)
{
	for (size_t i = 0; i < n; i++) {
		if (*table[i].name == *name && frame_name_matches(name, table[i].name)) {
			*role = table[i].role;
			return true;
		}
	}
	return false;
}

static bool is_one_of(const char *s, size_t len, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len && !strncmp(s, words[i], len))
			return true;
	return false;
}

static bool is_plumbing_module(const char *module)
{
	for (size_t i = 0; i < N_OF(plumbing_modules); i++)
		if (text_has_prefix(module, plumbing_modules[i]))
			return true;
	return false;
}

static bool is_c_helper(const char *name)
{
	bool reserved = text_has_prefix(name, "__");
	size_t len;

	name += strspn(name, "_");
	len = strcspn(name, "_.");
	return (!name[len] || reserved) && is_one_of(name, len, c_helpers, N_OF(c_helpers));
}

/*
 * Where the qualified name begins: "void std::sort<int*>(int*)" has a type before it. Angle brackets hide blanks and
 * parentheses; has_parameters tells whether there are any outside of them.
 */
#define ANONYMOUS "(anonymous namespace)"
static const char *skip_type(const char *name, bool *has_parameters)
{
	const char *begin = name, *c;
	int depth = 0;

	for (c = name; *c; c++) {
		if (text_has_prefix(c, ANONYMOUS))
			c += strlen(ANONYMOUS) - 1;
		else if (*c == '<')
			depth++;
		else if (*c == '>' && depth)
			depth--;
		else if (*c == '(' && !depth)
			break;
		else if (*c == ' ' && !depth && (isalpha((unsigned char)c[1]) || c[1] == '_'))
			begin = c + 1;
	}
	*has_parameters = *c == '(';
	return strncmp(name, "operator ", 9) ? begin : name;
}

/* Length of the first scope: "std" of "std::sort"; 0 if there is none. */
static size_t scope_len(const char *name)
{
	const char *end = strstr(name, "::");

	return end && strcspn(name, "<(: ") == (size_t)(end - name) ? (size_t)(end - name) : 0;
}

/* "<alloc::vec::Vec<T> as core::ops::Drop>::drop" is of the type's crate; of the trait's if the type has none. */
static bool is_rust_library(const char *name)
{
	const char *type = name, *trait;

	if (*type == '<') {
		type += 1 + strspn(type + 1, "<&*[( ");
		type += text_has_prefix(type, "mut ") ? 4 : text_has_prefix(type, "dyn ") ? 4 : 0;
		trait = strstr(type, " as ");
		if (!scope_len(type) && trait)
			type = trait + 4;
	}
	return is_one_of(type, scope_len(type), rust_crates, N_OF(rust_crates));
}

static bool is_cpp_library(const char *name)
{
	return text_has_prefix(name, "std::") || text_has_prefix(name, "__gnu_cxx::") ||
	       text_has_prefix(name, "__cxxabiv1::") || text_has_prefix(name, "operator new") ||
	       text_has_prefix(name, "operator delete");
}

/* "encoding/json.Marshal": the package is up to the first dot after the last slash. A compiler's clone of a C function,
 * "sort.constprop.0", is none. */
static bool is_go_library(const char *name)
{
	static const char *const clones[] = {"constprop", "part",     "isra",
					     "cold",	  "lto_priv", "llvm"};
	size_t path = strcspn(name, "([{< "), begin = path;
	const char *dot;

	while (begin && name[begin - 1] != '/')
		begin--;
	dot = memchr(name + begin, '.', path - begin);
	if (!dot || is_one_of(dot + 1, strcspn(dot + 1, "."), clones, N_OF(clones)))
		return false;
	return is_one_of(name, (size_t)(dot - name), go_packages, N_OF(go_packages)) ||
	       text_has_prefix(name, "runtime/") || text_has_prefix(name, "internal/");
}

/* "java.util.HashMap.put", "java/util/HashMap.put", "Ljava/util/HashMap;::put" */
static bool is_java_library(const char *name)
{
	if (*name == 'L' && strchr(name, ';'))
		name++;
	return strpbrk(name, "./") &&
	       is_one_of(name, strcspn(name, "./"), java_scopes, N_OF(java_scopes));
}

static enum frame_role role_of_made(const char *name)
{
	enum frame_role role;
	bool has_parameters;
	const char *begin = skip_type(name, &has_parameters);

	if (find_rule(rules, N_OF(rules), has_parameters ? begin : name, &role))
		return role;
	if (strstr(name, " node:") || is_java_library(begin))
		return ROLE_PLUMBING;
	return ROLE_CODE;
}

static enum frame_role role_of_native(const char *name, const char *module)
{
	bool has_parameters;
	const char *begin = skip_type(name, &has_parameters);
	enum frame_role role;

	if (find_rule(rules, N_OF(rules), begin, &role))
		return role;
	if (is_plumbing_module(module) || is_c_helper(name) || is_cpp_library(begin) ||
	    is_go_library(name))
		return ROLE_PLUMBING;
	if (has_parameters)
		return ROLE_CODE;
	if (is_rust_library(name))
		return ROLE_PLUMBING;
	/* Rust: the crate's own main() */
	return text_has_suffix(name, "::main") && scope_len(name) + 6 == strlen(name) ? ROLE_MAIN
										      : ROLE_CODE;
}

enum frame_role frame_role_of(const char *name, const char *module, enum frame_kind kind)
{
	enum frame_role role = ROLE_CODE;

	switch (kind) {
	case FRAME_SYNTHETIC:
		return ROLE_CEREMONY;
	case FRAME_KERNEL:
		find_rule(kernel_rules, N_OF(kernel_rules), name, &role);
		return role;
	case FRAME_JIT:
		return role_of_made(name);
	default:
		return role_of_native(name, module);
	}
}

bool frame_name_is_vague(const char *name)
{
	const char *at = strstr(name, "+sub_");

	return at && at[5] && at[5 + strspn(at + 5, "0123456789abcdef")] == '\0';
}
