/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door of the symbolizer library. It takes batches of (file, offset) and gives frames. It knows
 * nothing of BPF programs, processes or profiles.
 *
 * Symbols come from .symtab, .dynsym, .gnu_debugdata, separate debug files and Go's function table.
 * Where there is no symbol, .eh_frame gives the start of the function. Lines and inlined calls come
 * from DWARF, else from Go's table. An address gets a symbol or a reason why it has none. A name
 * never reaches past its symbol's end.
 *
 * Caches are bounded in bytes. Their key is the build id, or (device, inode, size, mtime) where a
 * file has no build id. A file that lies about its build id can give its names to another file of
 * that build id.
 *
 * Not thread-safe. Demangling needs 1.5 MiB of stack.
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

/*
 * Makes a symbolizer. Copies what it needs of opts. With opts->sandbox, forks a spawner at once. 0
 * or -errno.
 */
int symbolizer_new(struct symbolizer **out, const struct symbolizer_opts *opts);
void symbolizer_free(struct symbolizer *s);
/* From now on all is answered without a name and at once, what waits for a reader, too. */
void symbolizer_give_up(struct symbolizer *s);
/* Opens every file and its debug file anew from now on: debug files have arrived that were not there. */
void symbolizer_forget(struct symbolizer *s);
/* To be called now and then by who asks seldom: closes what was not asked about for SYMBOLIZER_IDLE_NS. */
void symbolizer_rest(struct symbolizer *s);

/*
 * Resolves n file offsets of one file. Calls fn once for each offset, in any order. The caller has
 * subtracted one from return addresses before. Returns 0 or -ENOMEM. Faults of the file are reasons
 * in the results.
 */
int symbolizer_resolve(struct symbolizer *s, const struct sym_file *file, const uint64_t *file_off,
		       size_t n, sym_result_fn fn, void *ctx);
/* Does the same for ELF virtual addresses. */
int symbolizer_resolve_va(struct symbolizer *s, const struct sym_file *file, const uint64_t *elf_va,
			  size_t n, sym_result_fn fn, void *ctx);

/*
 * Names n addresses in code made at run time. The file is open and was written by a JIT compiler;
 * jit_files.h says which files are believed. as_of says for each address when it ran: of a jitdump by the time,
 * of a perf map by the size that the file had (struct sym_query). Each result has one frame. The reason is SYM_NO_SYMBOL
 * where the file has no function for the address, SYM_LIMIT where it was not read whole. Returns 0 or -ENOMEM.
 */
struct jit_places {
	bool in_dump; /* the file is a jitdump, not a perf map */
	const uint64_t *va, *as_of;
	size_t n;
};
int symbolizer_resolve_jit(struct symbolizer *s, const struct sym_file *file,
			   const struct jit_places *at, sym_result_fn fn, void *ctx);

/* Whether the file itself has DWARF. 0, or -errno if it cannot be known. */
int symbolizer_has_debug_info(struct symbolizer *s, const struct sym_file *file, bool *has);
/* Whether the file itself has a table of all symbols: it is not stripped. 0, or -errno likewise. */
int symbolizer_has_symbols(struct symbolizer *s, const struct sym_file *file, bool *has);
/* Whether the file's build id is another one now than file->build_id. 0, or -errno likewise. */
int symbolizer_is_replaced(struct symbolizer *s, const struct sym_file *file, bool *is);

/* Gives the executable segment that holds this ELF address, for a pprof mapping. 0 or -ENOENT. */
int symbolizer_segment(struct symbolizer *s, const struct sym_file *file, uint64_t elf_va,
		       struct elf_segment *seg);

/*
 * Builds the line tables that are due: of files that were resolved with DWARF in this run and in an
 * earlier one. Takes up to a minute of CPU time for each file, so call it when nobody waits. A
 * forked child may call it, even if the parent's symbolizer uses a reader process.
 */
void symbolizer_build_tables(struct symbolizer *s);
/* In a forked child, before that: takes the files over from the parent's opener. The parent must not
 * use the symbolizer meanwhile. */
void symbolizer_claim_files(struct symbolizer *s);
/* Number of line tables that are due. */
size_t symbolizer_tables_due(const struct symbolizer *s);

/* Counters since symbolizer_new(). */
void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *out);
/* All zero if opts.table_dir was NULL. */
void symbolizer_table_stats(const struct symbolizer *s, struct line_cache_stats *out);

#endif
