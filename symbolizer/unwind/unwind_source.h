/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the unwind-table compiler: what an ELF file offers to compile. */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_SOURCE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/cfi.h"
#include "symbolizer/unwind/unwind_landing.h"

struct elf_obj;
struct gopclntab;

/* uc_mcontext.gregs in the ucontext that rsp points at when a handler has returned. */
#define UNWIND_UCONTEXT_GREGS 40

/* rt_sigreturn(2) stubs; a C library has one, a Go program with one in two. */
#define UNWIND_STUBS_MAX 8
/* ... the entry point, and three pieces of .init and .fini each */
#define UNWIND_KNOWN_MAX (UNWIND_STUBS_MAX + 1 + 2 * 3)

/* Code that no description covers, but whose rule is known all the same. */
struct unwind_known {
	uint64_t va, end;
	struct unwind_rule rule;
};

struct unwind_source {
	struct cfi cfi;
	uint64_t begin_va, end_va;		     /* what a table should span */
	enum unwind_cfa gap_cfa;		     /* rule of code without description */
	struct unwind_known known[UNWIND_KNOWN_MAX]; /* ascending and apart */
	size_t n_known;
	struct unwind_landing landings[UNWIND_LANDINGS_MAX]; /* ascending */
	size_t n_landings;
	struct gopclntab *go; /* describes Go's code, where there is such; NULL: nothing does */
	void *owned;	      /* bytes of a section found without section headers */
};

/* The object outlives the source. Errors as unwind_table_build(). All-zero can be released. */
int unwind_source_open(struct unwind_source *src, struct elf_obj *obj);
void unwind_source_release(struct unwind_source *src);

/* Whether the object has code of Go, of which .eh_frame says nothing. */
bool unwind_is_go(const struct elf_obj *obj);

/*
 * Where a program, or the dynamic linker, starts to run there is no caller. The dynamic linker's
 * start code (61 bytes in glibc 2.36) has no description; the one that follows ends it. The address
 * of start code, or 0.
 */
#define UNWIND_ENTRY_MAX 96
uint64_t unwind_entry(struct elf_obj *obj);

#endif
