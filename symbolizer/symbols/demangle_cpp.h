/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ names, demangled by LLVM and spelled like c++filt, addr2line, gdb and perf. So they compare
 * equal to the names of these tools and of earlier profiles.
 */
#ifndef KILN_SYMBOLIZER_DEMANGLE_CPP_H
#define KILN_SYMBOLIZER_DEMANGLE_CPP_H

#include <stdbool.h>

struct buf;

/*
 * Appends the demangled form of a name ("_Z...") as clean text. Cuts it with "..." after
 * LLVM_TEXT_MAX bytes. False, with nothing appended, if the name is not mangled, too long, or could
 * take too long.
 */
bool demangle_cpp(struct buf *out, const char *mangled);

#endif
