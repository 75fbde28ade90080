/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals that gopclntab.c (look-ups), gopclntab_rules.c (unwind rules) and gopclntab_open.c
 * (finding the table) share. No other file includes it. */
#ifndef KILN_SYMBOLIZER_GO_GOPCLNTAB_PRIV_H
#define KILN_SYMBOLIZER_GO_GOPCLNTAB_PRIV_H

#include "profiler/base/buf.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/dwarf/dwarf_sect.h"
#include "symbolizer/go/gopclntab.h"

/* Depth of inlined calls. The compiler's budget allows a dozen or two. */
#define GO_DEPTH_MAX 128
/* Work allowance for hostile tables: a base, and a share for each address. The table of one of
 * the largest functions has 100 KiB. */
#define GO_WORK_BASE  (64u << 20)
#define GO_WORK_SHARE (128u << 10)

enum go_version { GO_1_2, GO_1_16, GO_1_18, GO_1_20 };

struct go_view {		    /* some bytes of the file, read in blocks */
	struct elf_section section; /* made up, since there may be no section table */
	struct sect sect;
};

struct gopclntab {
	struct elf_obj *obj;
	enum go_version version;
	uint8_t quantum;  /* unit of address differences */
	uint64_t va;	  /* of the table */
	uint64_t n_funcs; /* one more address follows the last */
	uint64_t text;	  /* base of addresses since 1.18 */
	uint64_t functab; /* offsets in tab */
	uint64_t funcs;	  /* base of function offsets */
	uint64_t names, cu, files, pctab;
	struct go_view tab, inlined; /* inlined: starts at go:func.* */
	bool has_inlined, limited;
	uint64_t work;
	struct dwarf_frame frames[GO_DEPTH_MAX];
	struct { /* 1 + offset in strings, 0: none */
		size_t name, file;
	} at[GO_DEPTH_MAX];
	struct buf strings;
};

/* The fields of a function's record that are needed. */
struct go_func {
	uint64_t entry;
	uint32_t name, pcsp, pcfile, pcln, n_pcdata, cu, start_line;
	uint8_t flags, n_funcdata; /* flags: since 1.17 */
	uint64_t pcdata;	   /* offset of the arrays after the record */
};

/* Entry address of function i, i <= n_funcs. */
bool go_entry(struct gopclntab *t, uint64_t i, uint64_t *va);
bool go_func_read(struct gopclntab *t, uint64_t i, struct go_func *f);
const char *go_func_name(struct gopclntab *t, uint32_t name);

#endif
