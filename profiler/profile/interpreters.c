// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/interpreters.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"

enum pattern {
	LOOPS, /* functions that run its code; with a '*' at its end a name may go on */
	OF,    /* how names of its own functions begin, where something writes them down */
	FILES, /* programs and libraries that are stripped of their loop's name, but for their versions */
	N_PATTERNS
};

struct interpreter {
	const char *language;
	const char *patterns[N_PATTERNS][2];
	bool compiles; /* what it compiles runs inside of its loop */
	bool bare; /* its loop has no call frame information either, other code of its files has */
	/* How its built-in functions begin, which need not have a frame of their own, and how those of them end that run
	 * its code; or NULL. */
	const char *builtins, *handlers;
	const char *cure; /* what shows its functions; NULL: nothing does */
	unsigned since; /* 0, or the cure is an option, from this version on: 100 * major + minor */
	const char *other; /* what does the same */
	const char *what;  /* it shows */
};

static const struct interpreter interpreters[] = {
	{"Python", .patterns[LOOPS] = {"_PyEval_EvalFrameDefault"}, .patterns[OF] = {"py::"},
	 .cure = "-X perf", .since = 312, .other = ", or PYTHONPERFSUPPORT=1 around it"},
	{"PHP", .patterns[LOOPS] = {"execute_ex"}, .patterns[OF] = {"JIT$", "TRACE-"},
	 .compiles = true,
	 .cure = "start it with -d opcache.enable_cli=1 -d opcache.jit_buffer_size=64M "
		 "-d opcache.jit=function -d opcache.jit_debug=16 to see those that its JIT "
		 "compiles, without their callers"},
	{"Ruby", .patterns[LOOPS] = {"rb_vm_exec", "vm_exec_core"},
	 .patterns[FILES] = {"libruby", "ruby"}, .compiles = true, .cure = "--yjit --yjit-perf",
	 .since = 303, .what = " to see those that its JIT compiles"},
	{"JavaScript", .patterns[LOOPS] = {"Builtins_InterpreterEntryTrampoline"},
	 .patterns[OF] = {"JS:", "LazyCompile:"}, .patterns[FILES] = {"libnode"}, .compiles = true,
	 .bare = true, .builtins = "Builtins_", .handlers = "Handler",
	 .cure = "start node with --perf-basic-prof --interpreted-frames-native-stack"},
	{"Perl", .patterns[LOOPS] = {"Perl_runops_standard"}},
	{"Lua", .patterns[LOOPS] = {"luaV_execute"}, .patterns[FILES] = {"liblua", "lua"}},
	{"LuaJIT", .patterns[LOOPS] = {"lj_BC_*", "lj_vm_*"},
	 .patterns[FILES] = {"libluajit", "luajit"}, .compiles = true,
	 .cure = "try its own profiler, -jp"},
};

#define N_INTERPRETERS (sizeof(interpreters) / sizeof(*interpreters))

static const struct interpreter *find(enum pattern which, const char *text,
				      bool (*fits)(const char *text, const char *pattern))
{
	for (size_t i = 0; i < N_INTERPRETERS; i++)
		for (size_t n = 0; n < 2 && interpreters[i].patterns[which][n]; n++)
			if (fits(text, interpreters[i].patterns[which][n]))
				return &interpreters[i];
	return NULL;
}

static bool is_called(const char *function, const char *loop)
{
	size_t n = strlen(loop) - 1;

	return loop[n] == '*' ? !strncmp(function, loop, n) : !strcmp(function, loop);
}

const struct interpreter *interpreter_of_loop(const char *function)
{
	return find(LOOPS, function, is_called);
}

/* "JIT$$" begins PHP's stubs, which every function shares. */
static bool is_of(const char *name, const char *begins)
{
	return text_has_prefix(name, begins) && name[strlen(begins)] != '$';
}

const struct interpreter *interpreter_of_function(const char *name)
{
	return find(OF, name, is_of);
}

/* Whether a name goes on after a dash with what is no version and no variant: "-lpeg", "_proxy". */
static bool goes_on(const char *rest)
{
	static const char *const variants[] = {"alpha", "beta", "rc", "c++", "dbg"};

	for (const char *at = strpbrk(rest, "-_"); at; at = strpbrk(at, "-_")) {
		bool known = !isalpha((unsigned char)*++at);

		for (size_t i = 0; i < sizeof(variants) / sizeof(*variants) && !known; i++)
			known = text_has_prefix(at, variants[i]);
		if (!known)
			return true;
	}
	return false;
}

/* "lua5.4" and "liblua.so.5.4" are files of "lua"; "luac", "luatex" and "liblua5.3-lpeg.so.2" are not. */
static bool is_file_of(const char *file, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(file, name, n) && (!file[n] || strchr("0123456789.-_", file[n])) &&
	       !goes_on(file + n);
}

const struct interpreter *interpreter_of_file(const char *file, bool is_described)
{
	const struct interpreter *i = find(FILES, file, is_file_of);

	return i && i->bare && is_described ? NULL : i;
}

bool interpreter_compiles(const struct interpreter *i)
{
	return i->compiles;
}

const struct interpreter *interpreter_of_builtin(const char *function)
{
	const struct interpreter *i = interpreters;

	while (i < interpreters + N_INTERPRETERS &&
	       !(i->builtins && text_has_prefix(function, i->builtins)))
		i++;
	if (i == interpreters + N_INTERPRETERS || text_has_suffix(function, i->handlers) ||
	    interpreter_of_loop(function))
		return NULL;
	return i;
}

/* Up to three digits; -1: there are none, or more. */
static int take_number(const char **s)
{
	size_t digits = strspn(*s, "0123456789");
	int n = digits && digits <= 3 ? atoi(*s) : -1;

	*s += digits;
	return n;
}

unsigned interpreter_version(const char *file, const char *name)
{
	const char *s = strcasestr(file, name);
	int major, minor;

	if (!s)
		return 0;
	s += strlen(name);
	s += text_has_prefix(s, ".so.") ? strlen(".so.") : *s == '-';
	major = take_number(&s);
	if (major < 0 || *s++ != '.')
		return 0;
	minor = take_number(&s);
	return minor < 0 || minor > 99 ? 0 : 100 * (unsigned)major + (unsigned)minor;
}

void interpreter_option(struct buf *out, const char *option, unsigned since, unsigned version)
{
	if (version && version < since)
		buf_printf(out, "use %u.%u or newer, with %s", since / 100, since % 100, option);
	else
		buf_printf(out, "start it with %s", option);
	if (since && !version)
		buf_printf(out, " (%u.%u and newer)", since / 100, since % 100);
}

void interpreter_hint(struct buf *out, const struct interpreter *i, const char *file)
{
	unsigned version = i->since ? interpreter_version(file, i->language) : 0;

	buf_printf(out, "this is %s", i->language);
	if (version)
		buf_printf(out, " %u.%u", version / 100, version % 100);
	buf_str(out, "; its functions are not shown");
	if (!i->cure)
		return;
	buf_str(out, ": ");
	if (i->since)
		interpreter_option(out, i->cure, i->since, version);
	else
		buf_str(out, i->cure);
	buf_printf(out, "%s%s", i->what ?: "", version >= i->since ? i->other ?: "" : "");
}
