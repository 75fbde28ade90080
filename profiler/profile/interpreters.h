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
/* True if code that it makes runs inside of its loop. Then the loop does not stand for that code. */
bool interpreter_compiles(const struct interpreter *i);
/* Appends what it is, and what shows its functions. The module, such as "python3.11", tells its version. */
void interpreter_hint(struct buf *out, const struct interpreter *i, const char *module);

#endif
