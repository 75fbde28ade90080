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
 * of that build id. Not thread-safe. Demangling wants 1 MiB of stack.
 */
#ifndef KILN_SYMBOLIZER_SYMBOLIZER_H
#define KILN_SYMBOLIZER_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

struct symbolizer;

struct symbolizer_opts {
	size_t cache_bytes; /* parsed state of all files together; 0 = 64 MiB */
	bool names_only;    /* no lines, no inlined calls */
	/* Where separate debug files are looked for, NULL-terminated; NULL = {"/usr/lib/debug"}. */
	const char *const *debug_dirs;
	/* Files are read in a process without privileges, see worker.h. It ends with the thread that
	 * calls symbolizer_new(). */
	bool sandbox;
	/* Asked for a debug file no directory has: a descriptor, given away, or -ENOENT at once; never
	 * blocks. NULL: nobody is asked. */
	int (*find_debug)(void *ctx, const struct build_id *id);
	void *find_ctx;
	/* Directory of line tables by build id (line_cache.h), made if need be; NULL: none are used. */
	const char *table_dir;
};

int symbolizer_new(struct symbolizer **out, const struct symbolizer_opts *opts);
void symbolizer_free(struct symbolizer *s);

/* A file to look in. Everything is borrowed for the call only. */
struct sym_file {
	int fd;		  /* regular file, or -1 when it could not be opened */
	int root_fd;	  /* root directory of the process that mapped it (O_PATH), searched for
			     debug files before the host's; -1 = the host's only */
	const char *path; /* as the process saw it: names the module, and the place of debuglinks */
	const struct build_id
		*build_id; /* what the mapping had, to catch a replaced file; or NULL */
};

#define SYM_REASONS(X)                                                                             \
	X(OK, "named from a symbol table or debug information")                                    \
	X(FDE_START, "no symbol: named by its function's start in .eh_frame")                      \
	X(NO_SYMBOL, "no symbol covers the address")                                               \
	X(NO_FILE, "the file could not be opened")                                                 \
	X(REPLACED, "the file's build id is not the one that was mapped")                          \
	X(NOT_ELF, "not an ELF file kiln reads")                                                   \
	X(MALFORMED, "the file is malformed")                                                      \
	X(LIMIT, "a size limit was hit")                                                           \
	X(CRASHED, "the process that reads files failed on this one")

enum sym_reason {
#define X(name, text) SYM_##name,
	SYM_REASONS(X)
#undef X
		SYM_REASON_COUNT
};

const char *sym_reason_text(enum sym_reason reason);

struct sym_frame {
	const char *name; /* demangled, .cold/.part/.isra/.constprop/.llvm suffixes folded away */
	const char *raw_name; /* as the symbol table or DWARF has it */
	const char *file;     /* source file, or NULL */
	uint32_t line;	      /* 0 = unknown */
	uint32_t start_line;  /* line the function starts on, 0 = unknown */
};

/*
 * frames[0] is the innermost inlined call, frames[n - 1] the function itself. n >= 1 always: with
 * no name the frame is "module+0xADDR" (NO_SYMBOL, NO_FILE, ...) or "module+sub_ADDR" (FDE_START),
 * ADDR being the ELF address of the instruction or of the function start, in hex. `module` is the
 * last component of path. All strings are clean UTF-8 (profiler/base/text.h) and borrowed until the
 * callback returns.
 */
struct sym_result {
	uint64_t elf_va; /* of the instruction; the file offset itself when reason forbids better */
	enum sym_reason reason;
	const struct sym_frame *frames;
	size_t n_frames;
};

typedef void (*sym_result_fn)(void *ctx, size_t index, const struct sym_result *result);

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

struct symbolizer_stats {
	uint64_t lookups, cache_hits, files_opened, evictions, limit_hits;
	size_t bytes, bytes_peak;		/* parsed state */
	uint64_t worker_restarts, files_failed; /* with a sandbox: files a process failed on */
};
void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *out);
/* All zero where there is no table_dir. */
struct line_cache_stats;
void symbolizer_table_stats(const struct symbolizer *s, struct line_cache_stats *out);

/*
 * Demangles Itanium C++, Rust v0 and legacy, and D names (libiberty), capped in depth and output;
 * folds compiler suffixes. Appends clean text. A name that is not mangled is copied.
 */
struct buf;
void sym_demangle(struct buf *out, const char *raw_name);

#endif
