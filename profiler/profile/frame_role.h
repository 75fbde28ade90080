/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What part a frame plays in a stack, for texts that must be short: a path without the ceremony of beginning, and the
 * caller that is to blame for time in code that nobody here wrote. By the frame's name, module and kind alone.
 *
 * The rules, by language. A name's scope is what stands before its last part; return types do not count.
 *   kernel	entries of system calls, interrupts and kernel threads are ceremony
 *   C		_start, __libc_start_*, clone, start_thread are ceremony; the C library's modules (libc, ld.so, libm,
 *		libpthread, vdso) and memcpy(), malloc() and such, wherever they are linked to, are plumbing
 *   C++	scopes std and __gnu_cxx, operator new and delete, and the modules libstdc++, libc++, libgcc_s are plumbing
 *   Rust	crates core, alloc, std and hashbrown are plumbing, and their methods of these crates' types; what runs
 *		main or a thread is ceremony. A name with parameters is C++, whose core:: may be a program's own.
 *   Go		runtime, internal/..., and packages of the standard library that work on their caller's data (sync,
 *		sort, strings, ...) are plumbing; runtime.goexit, runtime.main and stack switches are ceremony
 *   Java	java.*, jdk.*, sun.* are plumbing; JavaMain, JavaCalls:: and threads' run() are ceremony; the
 *		interpreter and call stubs are the engine
 *   JavaScript	builtins, v8:: and node's own modules (node:...) are plumbing; node::Start and such are ceremony;
 *		JSEntry is the engine
 *   Python, PHP, Ruby, Perl, Lua: the loop that runs byte code is the engine; calls of objects are plumbing
 */
#ifndef KILN_PROFILE_FRAME_ROLE_H
#define KILN_PROFILE_FRAME_ROLE_H

#include <stdbool.h>

#include "profiler/profile/profile.h"

enum frame_role {
	ROLE_CODE,     /* of a program or of a library that does something of its own */
	ROLE_MAIN,     /* main(): ceremony in a path, but it may be to blame */
	ROLE_CEREMONY, /* how a program, a thread or a system call begins, and kiln's own frames */
	ROLE_PLUMBING, /* works for whoever called it */
	ROLE_ENGINE,   /* plumbing, and what called it has nothing to do with what it runs */
};

/* Clean texts as in a table: the module as profile_module() has it. */
enum frame_role frame_role_of(const char *name, const char *module, enum frame_kind kind);

/* Whether a name is as in a rule, in which a star stands for anything. */
bool frame_name_matches(const char *name, const char *rule);

/* Whether a name says no more than where its function starts: "libfoo.so+sub_1290". */
bool frame_name_is_vague(const char *name);

#endif
