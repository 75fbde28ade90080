/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables of code made at run time, from the CODE_UNWINDING_INFO records of its jitdump. Addresses are
 * those of the process, so there is nothing to add to them.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_JIT_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_JIT_H

#include <stddef.h>

#include "symbolizer/jit/jitdump.h"

/*
 * Compiles the table (malloc'd) of the code that is there at the end of the dump. Code that nothing describes
 * has no rule. The table's head tells the size of the dump and how much of it was refused. 0; -EAGAIN: the
 * dump has no code yet; -ENODATA: none of its code is described; -ENOMEM.
 */
int unwind_jit_build(void **blob, size_t *len, struct jitdump *dump);

#endif
