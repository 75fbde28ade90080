/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs whose functions a native stack does not show: their interpreter's loop stands for them. */
#ifndef KILN_PROFILE_INTERPRETERS_H
#define KILN_PROFILE_INTERPRETERS_H

#include <stdbool.h>

struct buf;
struct interpreter;

/* The interpreter whose loop a function of this name is, or NULL. */
const struct interpreter *interpreter_of_loop(const char *function);
/* The interpreter in whose language a function was written, as perf maps name it, or NULL. */
const struct interpreter *interpreter_of_function(const char *name);
/* The interpreter whose loop code without a name may be, in a file that is known to be one, a program or a library; or
 * NULL. is_described: the code has call frame information. */
const struct interpreter *interpreter_of_file(const char *file, bool is_described);
/* True if code that it makes runs inside of its loop. Then the loop does not stand for that code. */
bool interpreter_compiles(const struct interpreter *i);
/* The interpreter whose function this is, if code that it makes calls it, too, and it may have no frame: of a stack that
 * ends in it the caller may be missing. Or NULL. */
const struct interpreter *interpreter_of_builtin(const char *function);

/* 100 * major + minor of "python3.11", "libruby-3.1.so" and "libruby.so.3.4", by the name "python" or "ruby" whatever
 * its case; 0: the file does not tell. */
unsigned interpreter_version(const char *file, const char *name);
/* Appends how to give an option that there is from version `since` on (0: always), to a program of `version` (0: not
 * known). */
void interpreter_option(struct buf *out, const char *option, unsigned since, unsigned version);
/* Appends what it is, and what shows its functions. The file, such as "python3.11", tells its version. */
void interpreter_hint(struct buf *out, const struct interpreter *i, const char *file);

#endif
