/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of code made at run time, from the file that the JIT compiler wrote (jit_files.h). */
#ifndef KILN_SYMBOLIZER_LOOKUP_JIT_RESOLVE_H
#define KILN_SYMBOLIZER_LOOKUP_JIT_RESOLVE_H

#include "symbolizer/query/answer.h"
#include "symbolizer/query/query.h"

/* QUERY_JITDUMP or QUERY_PERFMAP, in this process. As lookup_resolve(), but that addresses without a
 * function are SYM_NO_SYMBOL, all of them where the file is of no use. */
int jit_resolve(const struct sym_query *q, sym_result_fn fn, void *ctx);

#endif
