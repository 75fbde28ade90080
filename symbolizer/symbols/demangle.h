/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_H
#define KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_H

struct buf;

/*
 * Demangles Itanium C++ (by LLVM), Rust v0 and legacy, and D names (by libiberty). Caps length, stack
 * and output. Folds compiler suffixes. Appends clean text. A name that is not mangled is copied.
 */
void sym_demangle(struct buf *out, const char *raw_name);

#endif
