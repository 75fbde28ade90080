/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ names (Itanium C++ ABI, "External Names") made readable in one pass: a name is read from left to
 * right, and what it says is written as it is read. Ten times as fast as libiberty, which makes a tree
 * and prints it a byte at a time, and only for names as nearly all are: says exactly what libiberty
 * says, or nothing. Expressions, conversion operators, vendor's extensions and all that libiberty
 * prints in an unusual way are left to it.
 */
#ifndef KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_CPP_H
#define KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_CPP_H

#include <stddef.h>

/* Writes what `name` ("_Z...") says to out, without a NUL. Its length; 0: ask libiberty, which is also
 * so when it does not fit. Allocates nothing; takes 32 KiB of stack and 8 KiB for nested names. */
size_t demangle_cpp(const char *name, char *out, size_t cap);

#endif
