/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types that all who ask about a file or answer share: the file, the frames of an address or the
 * reason why it has none, and a symbolizer's options and counters.
 */
#ifndef KILN_SYMBOLIZER_QUERY_ANSWER_H
#define KILN_SYMBOLIZER_QUERY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "profiler/base/build_id.h"

struct buf;
struct opener;

/* --- the file --------------------------------------------------------------------------------- */

/* Identity of a file by facts that the kernel knows, not by what the file says. */
struct sym_file_key {
	uint64_t dev, ino, size;
	struct timespec mtime, ctime;
};

/*
 * Which bytes a name, a line or an unwind table was made of: a hash of what the kernel says of the file and of
 * the root directory whose debug files count. A build id is what a file says of itself, so what several files
 * share is never found by a build id alone. All zero: unknown, and equal to nothing.
 */
#define FILE_IDENTITY_LEN 32
struct file_identity {
	uint8_t data[FILE_IDENTITY_LEN];
};

/* A file that another process holds open for this one, see opener.h. */
struct held_file {
	struct opener *opener; /* borrowed; NULL: there is no such file */
	uint64_t number;
	uint64_t origin; /* the number that it was opened under, which is never used again */
	uint64_t
		root; /* number of the root directory of the process that mapped it; 0: the host's */
	uint64_t root_dev, root_ino; /* of that directory */
	uint32_t uid;		     /* of the file's owner */
	bool others_read;	     /* by its mode */
	struct sym_file_key key;
};

/* A file to look in. Everything is borrowed during the call only. */
struct sym_file {
	int fd; /* of a regular file; -1: it could not be opened */
	/* Root directory (O_PATH) of the process that mapped it; debug files are searched there
	 * first; -1: search the host's root only. */
	int root_fd;
	/* As the process saw it; gives the module's name and the place of debug links. */
	const char *path;
	const struct build_id
		*build_id;	      /* of the mapping, to notice a replaced file; NULL: unknown */
	const struct held_file *held; /* in place of both descriptors; NULL: they count */
	uint32_t uid; /* of the file's owner; 0 for files that the user of kiln names */
	/* Where it is known already, also when neither is open; NULL: see sym_file_identity(). */
	const struct file_identity *identity;
};

/* A file that is known by its descriptor alone. */
#define SYM_FILE_OF(descriptor) (&(struct sym_file){.fd = (descriptor), .root_fd = -1})

/* True if there is something to look in. */
static inline bool sym_file_is_open(const struct sym_file *file)
{
	return file->held || file->fd >= 0;
}

/* Reads the kernel's cached attributes, without asking a file server that may hang. False, with
 * *key all zero, if fd is no open descriptor. */
bool sym_file_key(int fd, struct sym_file_key *key);
/* The same of a file that may be held elsewhere. */
bool sym_file_facts(const struct sym_file *file, struct sym_file_key *key);

/* False, with all zeros: the file is not open, and nobody has said it. */
bool sym_file_identity(const struct sym_file *file, struct file_identity *out);
/* False if either is unknown. */
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

/* Appends the file's display name: the last component of its path, as clean text. 0 or -ENOMEM. */
int sym_module_name(struct buf *out, const char *path);

/* --- the answer ------------------------------------------------------------------------------- */

#define SYM_REASONS(X)                                                                             \
	X(OK, "named from a symbol table or debug information")                                    \
	X(FDE_START, "no symbol: named by its function's start in .eh_frame")                      \
	X(NO_SYMBOL, "no symbol covers the address")                                               \
	X(NO_FILE, "the file could not be opened")                                                 \
	X(REPLACED, "the file's build id is not the one that was mapped")                          \
	X(NOT_ELF, "not an ELF file that kiln can read")                                           \
	X(MALFORMED, "the file is malformed")                                                      \
	X(LIMIT, "a size limit was hit")                                                           \
	X(CRASHED, "the reader process failed on this file")

enum sym_reason {
#define X(name, text) SYM_##name,
	SYM_REASONS(X)
#undef X
		SYM_REASON_COUNT
};

const char *sym_reason_text(enum sym_reason reason);

struct sym_frame {
	const char *name;     /* demangled, without .cold/.part/.isra/.constprop/.llvm suffixes */
	const char *raw_name; /* as the symbol table or DWARF has it */
	const char *file;     /* source file, or NULL */
	uint32_t line;	      /* 0 = unknown */
	uint32_t start_line;  /* line the function starts on, 0 = unknown */
	/* Of the line or call, see symbolizer_opts; not from line tables of table_dir. */
	uint32_t discriminator;
};

/*
 * frames[0] is the innermost inlined call, frames[n - 1] the function itself. n is at least 1.
 * Without a name the frame is "module+0xADDR" (NO_SYMBOL, NO_FILE, ...) or "module+sub_ADDR"
 * (FDE_START). ADDR is the ELF address, in hex, of the instruction or of the function's start.
 * `module` is the last component of the path. All strings are clean UTF-8 (profiler/base/text.h)
 * and borrowed until the callback returns.
 */
struct sym_result {
	/* Of the instruction; the file offset where the reason leaves no ELF address. */
	uint64_t elf_va;
	enum sym_reason reason;
	const struct sym_frame *frames;
	size_t n_frames;
};

typedef void (*sym_result_fn)(void *ctx, size_t index, const struct sym_result *result);

/* Answers an address that has no name, as "module+0xADDR". 0 or -ENOMEM. */
int sym_answer_bare(size_t index, uint64_t addr, enum sym_reason reason, const char *module,
		    sym_result_fn fn, void *ctx);

/* --- who answers ------------------------------------------------------------------------------ */

/* An open file keeps its file system from being unmounted, so files that are not asked about are closed. */
#define SYMBOLIZER_IDLE_NS 60000000000ull

struct symbolizer_opts {
	size_t cache_bytes; /* parsed state of all files together; 0 = 64 MiB */
	bool names_only;    /* no lines, no inlined calls */
	/* Frames have discriminators, which tell copies of a line apart. Takes more memory. */
	bool discriminators;
	/* Directories to search for separate debug files, NULL-terminated; NULL =
	 * {"/usr/lib/debug"}. */
	const char *const *debug_dirs;
	/* Read files in a process without privileges (worker.h). It ends with the thread that
	 * called symbolizer_new(). */
	bool sandbox;
	/* Asks for a debug file that no directory has. Must not block. Returns a descriptor that
	 * the symbolizer then owns, or -ENOENT. NULL: no one to ask. */
	int (*find_debug)(void *ctx, const struct build_id *id);
	void *find_ctx;
	/* Directory of line tables (line_cache.h), created if missing; NULL: use no
	 * tables. */
	const char *table_dir;
	/* Who opens debug files for the reader; NULL: this process does. On success the symbolizer
	 * owns it. */
	struct opener *opener;
};

struct symbolizer_stats {
	uint64_t lookups, cache_hits, files_opened, evictions, limit_hits;
	size_t bytes, bytes_peak;		/* parsed state */
	uint64_t worker_restarts, files_failed; /* with a sandbox: files on which a worker failed */
};

#endif
