/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LLVM's demangler of C++ names (Itanium C++ ABI), made fit for hostile names. It is __cxa_demangle() of
 * libc++abi, with bounded memory and text, and it cannot end the process.
 */
#ifndef KILN_SYMBOLIZER_LLVM_DEMANGLE_H
#define KILN_SYMBOLIZER_LLVM_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Longer mangled names are refused. A byte of one was seen to cost up to 570 bytes of stack. */
#define LLVM_MANGLED_MAX 2048
/* Longer texts are cut there. */
#define LLVM_TEXT_MAX 8192

struct llvm_name {
	size_t len; /* of the text, which has no NUL */
	bool cut;
	/* Overflows by one string: a part of the mangled name, or one of the demangler's own. */
	char text[LLVM_TEXT_MAX + LLVM_MANGLED_MAX + 256];
};

/* False if this is no C++ name, it is too long, or memory is out. Any thread; wants 1.5 MiB of stack. */
bool llvm_demangle(struct llvm_name *out, const char *mangled);

#endif
