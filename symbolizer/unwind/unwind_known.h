/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of code that nothing describes, or not as it is. */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_KNOWN_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_KNOWN_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct cfi;
struct elf_obj;

#define UNWIND_ENDBR                                                                               \
	{                                                                                          \
		0xf3, 0x0f, 0x1e, 0xfa                                                             \
	} /* endbr64 */

/* uc_mcontext.gregs in the ucontext that rsp points to after a handler has returned. */
#define UNWIND_UCONTEXT_GREGS 40

/* rt_sigreturn(2) stubs, of two pieces each, the outermost code of contexts, and the call of clone3(2). A C library has
 * one of each, a Go program with one has two stubs. */
#define UNWIND_STUBS_MAX 12
/* Of .plt, its head and its entries; .plt.sec, .plt.got and .iplt. */
#define UNWIND_PLT_MAX 5
/* These, the entry point, and three pieces each of .init and .fini. */
#define UNWIND_KNOWN_MAX (UNWIND_STUBS_MAX + 1 + 2 * 3 + UNWIND_PLT_MAX)

/* Code without CFI whose rule is known. */
struct unwind_known {
	uint64_t va, end;
	struct unwind_rule rule;
};

struct unwind_knowns {
	struct unwind_known at[UNWIND_KNOWN_MAX]; /* sorted, without overlaps */
	size_t n;
	uint64_t begin_va, end_va; /* of the code */
};

/* Leaves out what would overlap, or lies elsewhere. */
void unwind_add_known(struct unwind_knowns *k, uint64_t va, uint64_t end, struct unwind_rule rule);
/* Adds signal return stubs and, in the C library, where coroutines begin and threads are made; takes wrong descriptions of these out of
 * *cfi. Reads all text: only a C library describes signal frames, and it is small. 0 or -ENOMEM. */
int unwind_find_stubs(struct unwind_knowns *k, struct cfi *cfi, struct elf_obj *obj);

#endif
