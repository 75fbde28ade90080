/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ names, demangled by LLVM and spelled as c++filt, addr2line, gdb and perf spell them. So they can be
 * compared with names of these tools and of earlier profiles.
 */
#ifndef KILN_SYMBOLIZER_DEMANGLE_CPP_H
#define KILN_SYMBOLIZER_DEMANGLE_CPP_H

#include <stdbool.h>

struct buf;

/*
 * Appends what a mangled name ("_Z...") says, as clean text. After LLVM_TEXT_MAX bytes it is cut with
 * "...". False, with nothing appended, if this is no such name, is too long, or could take too long.
 */
bool demangle_cpp(struct buf *out, const char *mangled);

#endif
