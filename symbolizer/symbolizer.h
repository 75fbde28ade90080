/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door of the symbolizer library: batches of (file, offset) in, frames out. It knows nothing of
 * BPF, processes or profiles. Symbols come from .symtab, .dynsym (without a section table: what
 * PT_DYNAMIC leads to), .gnu_debugdata, separate debug files (build-id directories and
 * .gnu_debuglink), a Go program's own function table and, where there is no symbol, function starts
 * from .eh_frame; lines and inlined calls from DWARF, else from Go's table. An address gets a symbol
 * or a reason why not; never a name past a symbol's end.
 *
 * Caches are bounded in bytes and keyed by build id, or by (device, inode, size, mtime) where there
 * is none. A build id is believed: a file that lies about its own can give its names to another file
 * of that build id. Not thread-safe. Demangling wants 1.5 MiB of stack.
 */
#ifndef KILN_SYMBOLIZER_SYMBOLIZER_H
#define KILN_SYMBOLIZER_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/query/answer.h"

struct elf_segment;
struct line_cache_stats;
struct symbolizer;

int symbolizer_new(struct symbolizer **out, const struct symbolizer_opts *opts);
void symbolizer_free(struct symbolizer *s);
/* Opens every file and its debug file anew from now on: debug files have arrived that were not there. */
void symbolizer_forget(struct symbolizer *s);

/*
 * Resolves n file offsets of one file; fn is called once per offset, in any order. The caller has
 * already moved return addresses back into the call (address - 1). 0 or -ENOMEM; everything wrong
 * with the file is a reason in the results.
 */
int symbolizer_resolve(struct symbolizer *s, const struct sym_file *file, const uint64_t *file_off,
		       size_t n, sym_result_fn fn, void *ctx);
/* The same for ELF virtual addresses. */
int symbolizer_resolve_va(struct symbolizer *s, const struct sym_file *file, const uint64_t *elf_va,
			  size_t n, sym_result_fn fn, void *ctx);

/*
 * Functions of code made at run time at n addresses, from an open file that a JIT compiler wrote
 * (jit_files.h says which are believed): a jitdump, at these times (CLOCK_MONOTONIC), or with t_ns
 * NULL a perf map. Results as above, of one frame; SYM_NO_SYMBOL where it has no function.
 */
int symbolizer_resolve_jit(struct symbolizer *s, const struct sym_file *file, const uint64_t *va,
			   const uint64_t *t_ns, size_t n, sym_result_fn fn, void *ctx);

/* The executable segment that holds this ELF address: 0, or -ENOENT. For a pprof mapping. */
int symbolizer_segment(struct symbolizer *s, const struct sym_file *file, uint64_t elf_va,
		       struct elf_segment *seg);

/*
 * Builds the line tables that are due: of files that were resolved with DWARF now and in an earlier
 * run. Takes up to a minute of CPU time a file: for when nobody waits any more. May be called in a
 * forked child, also when the parent's symbolizer reads files in a process of its own.
 */
void symbolizer_build_tables(struct symbolizer *s);
/* How many are due. */
size_t symbolizer_tables_due(const struct symbolizer *s);

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *out);
/* All zero where there is no table_dir. */
void symbolizer_table_stats(const struct symbolizer *s, struct line_cache_stats *out);

#endif
