/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LLVM's demangler of C++ names (Itanium C++ ABI), made safe for hostile names. It is libc++abi's
 * __cxa_demangle() with bounded memory and text. It cannot end the process.
 */
#ifndef KILN_SYMBOLIZER_LLVM_DEMANGLE_H
#define KILN_SYMBOLIZER_LLVM_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Longer mangled names are refused. One byte of a name can cost up to 570 bytes of stack. */
#define LLVM_MANGLED_MAX 2048
/* Longer texts are cut here. */
#define LLVM_TEXT_MAX 8192

struct llvm_name {
	size_t len; /* of the text, which has no NUL */
	bool cut;
	/* The text can exceed its cap by one string: a part of the mangled name or of the
	 * demangler. */
	char text[LLVM_TEXT_MAX + LLVM_MANGLED_MAX + 256];
};

/* False if this is no C++ name, it is too long, or out of memory. Any thread. Needs 1.5 MiB of
 * stack. */
bool llvm_demangle(struct llvm_name *out, const char *mangled);

#endif
