// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/interpreters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"

struct interpreter {
	const char *language;
	const char *loops[2]; /* functions that run its code */
	const char
		*of[2]; /* how names of its own functions begin, where something writes them down */
	bool compiles;	/* what it compiles runs inside of its loop */
	const char *cure; /* NULL: there is none */
};

static const struct interpreter interpreters[] = {
	{"Python",
	 {"_PyEval_EvalFrameDefault"},
	 {"py::"},
	 false,
	 "start it with -X perf (3.12 and newer)"},
	{"PHP",
	 {"execute_ex"},
	 {"JIT$", "TRACE-"},
	 true,
	 "start it with -d opcache.enable_cli=1 -d opcache.jit_buffer_size=64M "
	 "-d opcache.jit=function -d opcache.jit_debug=16 to see those that its JIT compiles, "
	 "without their callers"},
	{"Ruby",
	 {"rb_vm_exec", "vm_exec_core"},
	 {NULL},
	 true,
	 "start it with --yjit --yjit-perf to see those that its JIT compiles (3.3 and newer)"},
	{"JavaScript",
	 {"Builtins_InterpreterEntryTrampoline"},
	 {"JS:", "LazyCompile:"},
	 true,
	 "start node with --perf-basic-prof --interpreted-frames-native-stack"},
	{"Perl", {"Perl_runops_standard"}, {NULL}, false, NULL},
	{"Lua", {"luaV_execute"}, {NULL}, false, NULL},
};

#define N_INTERPRETERS (sizeof(interpreters) / sizeof(*interpreters))

const struct interpreter *interpreter_of_loop(const char *function)
{
	for (size_t i = 0; i < N_INTERPRETERS; i++)
		for (size_t n = 0; n < 2 && interpreters[i].loops[n]; n++)
			if (!strcmp(function, interpreters[i].loops[n]))
				return &interpreters[i];
	return NULL;
}

/* "JIT$$" begins PHP's stubs, which every function shares. */
static bool is_of(const char *name, const char *begins)
{
	return text_has_prefix(name, begins) && name[strlen(begins)] != '$';
}

const struct interpreter *interpreter_of_function(const char *name)
{
	for (size_t i = 0; i < N_INTERPRETERS; i++)
		for (size_t n = 0; n < 2 && interpreters[i].of[n]; n++)
			if (is_of(name, interpreters[i].of[n]))
				return &interpreters[i];
	return NULL;
}

bool interpreter_compiles(const struct interpreter *i)
{
	return i->compiles;
}

/* The minor version of "python3.11" and "libpython3.11.so.1.0"; -1: not told. */
static int minor_of(const char *module)
{
	const char *s = strstr(module, "python3.");

	size_t digits;

	s = s ? s + strlen("python3.") : "";
	digits = strspn(s, "0123456789");
	return digits && digits <= 3 ? atoi(s) : -1;
}

static void python_hint(struct buf *out, int minor)
{
	buf_printf(out, "this is Python 3.%d; its functions are not shown: ", minor);
	buf_str(out, minor < 12 ? "use 3.12 or newer, with -X perf"
				: "start it with -X perf, or PYTHONPERFSUPPORT=1 around it");
}

void interpreter_hint(struct buf *out, const struct interpreter *i, const char *module)
{
	int minor = i == interpreters ? minor_of(module) : -1;

	if (minor >= 0) {
		python_hint(out, minor);
		return;
	}
	buf_printf(out, "this is %s; its functions are not shown%s%s", i->language,
		   i->cure ? ": " : "", i->cure ?: "");
}
