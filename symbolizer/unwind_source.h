/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the unwind-table compiler: what an ELF file offers to compile. */
#ifndef KILN_SYMBOLIZER_UNWIND_SOURCE_H
#define KILN_SYMBOLIZER_UNWIND_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/cfi.h"

struct elf_obj;

/* uc_mcontext.gregs in the ucontext that rsp points at when a handler has returned. */
#define UNWIND_UCONTEXT_GREGS 40

/* rt_sigreturn(2) stubs; a C library has one, a Go program with one in two. */
#define UNWIND_STUBS_MAX 8

struct unwind_stub {
	uint64_t va;
	uint32_t len;
};

struct unwind_source {
	struct cfi cfi;
	uint64_t begin_va, end_va;		    /* what a table should span */
	enum unwind_cfa gap_cfa;		    /* rule of code without description */
	struct unwind_stub stubs[UNWIND_STUBS_MAX]; /* ascending; looked for only where no
						       description tells of signal frames */
	size_t n_stubs;
	void *owned; /* bytes of a section found without section headers */
};

/* The object outlives the source. Errors as unwind_table_build(). All-zero can be released. */
int unwind_source_open(struct unwind_source *src, struct elf_obj *obj);
void unwind_source_release(struct unwind_source *src);

#endif
