/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_H
#define KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_H

struct buf;

/*
 * Appends a name in readable form, as clean text. LLVM demangles C++ (Itanium ABI), libiberty
 * demangles Rust (v0 and legacy) and D. Compiler suffixes are folded away. A name that is not
 * mangled is copied. Length, stack and output are capped.
 */
void sym_demangle(struct buf *out, const char *raw_name);

#endif
