/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names code made at run time, from the file that the JIT compiler wrote (jit_files.h). */
#ifndef KILN_SYMBOLIZER_LOOKUP_JIT_RESOLVE_H
#define KILN_SYMBOLIZER_LOOKUP_JIT_RESOLVE_H

#include "symbolizer/query/answer.h"
#include "symbolizer/query/query.h"

/* Answers QUERY_JITDUMP or QUERY_PERFMAP in this process, like lookup_resolve(). An address
 * without a function gets SYM_NO_SYMBOL; SYM_LIMIT if the rest of the file, or all of it, is too large to be read.
 * So does every address if the file is unusable. */
int jit_resolve(const struct sym_query *q, sym_result_fn fn, void *ctx);

#endif
