/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of the unwind-table compiler: what an ELF file offers to compile. */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_SOURCE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/cfi.h"
#include "symbolizer/unwind/unwind_known.h"
#include "symbolizer/unwind/unwind_landing.h"

struct elf_obj;
struct gopclntab;

struct unwind_source {
	struct cfi cfi;
	/* .debug_frame beside an .eh_frame, or in the separate debug file: counts where that describes nothing. */
	struct cfi more;
	uint64_t begin_va, end_va; /* range that a table should span */
	enum unwind_cfa gap_cfa;   /* rule of code without CFI */
	bool is_i386;		   /* words of the stack have 4 bytes */
	struct unwind_knowns known;
	struct unwind_landing landings[UNWIND_LANDINGS_MAX]; /* sorted */
	size_t n_landings;
	struct gopclntab *go;  /* describes Go's code; NULL: no usable table */
	void *owned;	       /* bytes of a section found without section headers */
	struct elf_obj *debug; /* the separate debug file, if it was needed and found; owned */
	bool is_partial;       /* most of the code has no description */
};

/* Opens the separate debug file of an object. 0 or -errno. */
struct unwind_debug {
	int (*open)(void *ctx, struct elf_obj **out, struct elf_obj *obj);
	void *ctx;
};

/* Opens the source. The object must outlive it. The debug file is asked for if less than half of .text is
 * described; debug may be NULL: there is none. Errors as from unwind_table_build(). An all-zero source may be
 * released. */
int unwind_source_open(struct unwind_source *src, struct elf_obj *obj,
		       const struct unwind_debug *debug);
void unwind_source_release(struct unwind_source *src);

/* True if the object has Go code, which .eh_frame does not describe. */
bool unwind_is_go(const struct elf_obj *obj);

/*
 * The entry point of a program, or of the dynamic linker, has no caller. The dynamic linker's start
 * code (61 bytes in glibc 2.36) has no CFI. It ends where the next CFI begins. Any other ends with its
 * first call, which does not return: what lies behind is another function. Returns the address of the
 * start code and sets *end, which is exclusive; or 0.
 */
#define UNWIND_ENTRY_MAX 96
uint64_t unwind_entry(struct elf_obj *obj, uint64_t *end);

#endif
