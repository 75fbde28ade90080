/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every part that answers questions about a file agrees on: the file, the frames of an address
 * or the reason why it has none, and what a symbolizer is told once and counts.
 */
#ifndef KILN_SYMBOLIZER_QUERY_ANSWER_H
#define KILN_SYMBOLIZER_QUERY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "profiler/base/build_id.h"

struct buf;

/* --- the file --------------------------------------------------------------------------------- */

/* A file to look in. Everything is borrowed for the call only. */
struct sym_file {
	int fd;		  /* regular file, or -1 when it could not be opened */
	int root_fd;	  /* root directory of the process that mapped it (O_PATH), searched for
			     debug files before the host's; -1 = the host's only */
	const char *path; /* as the process saw it: names the module, and the place of debuglinks */
	const struct build_id
		*build_id; /* what the mapping had, to catch a replaced file; or NULL */
};

/* What a file is known by where nothing is believed that it says itself. */
struct sym_file_key {
	uint64_t dev, ino, size;
	struct timespec mtime;
};
/* What the kernel knows without asking a file server, which may not answer. All-zero and false when
 * there is no such descriptor. */
bool sym_file_key(int fd, struct sym_file_key *key);

/* Clean name to call a file by: the last component of its path. 0 or -ENOMEM. */
int sym_module_name(struct buf *out, const char *path);

/* --- the answer ------------------------------------------------------------------------------- */

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

/* Answers an address of which nothing is known: "module+0xADDR". 0 or -ENOMEM. */
int sym_answer_bare(size_t index, uint64_t addr, enum sym_reason reason, const char *module,
		    sym_result_fn fn, void *ctx);

/* --- who answers ------------------------------------------------------------------------------ */

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

struct symbolizer_stats {
	uint64_t lookups, cache_hits, files_opened, evictions, limit_hits;
	size_t bytes, bytes_peak;		/* parsed state */
	uint64_t worker_restarts, files_failed; /* with a sandbox: files a process failed on */
};

#endif
