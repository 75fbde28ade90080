/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file a profile's mapping was, looked for long after and perhaps on another machine: at its own
 * path, in directories of executables, in build-id directories. Where the mapping has a build id,
 * only a file with that one is taken.
 */
#ifndef KILN_NAMING_ELF_FIND_H
#define KILN_NAMING_ELF_FIND_H

#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

/* Why there is no file, and what to do about it. */
#define ELF_FIND_PROBLEMS(X)                                                                       \
	X(OK, "", "")                                                                              \
	X(NO_PATH, "the profile does not say which file this was", "")                             \
	X(NO_FILE, "no such file here", "give --exe-dir")                                          \
	X(NO_ID, "no file with this build id here",                                                \
	  "install its debug package, or give --exe-dir or --debug-dir")                           \
	X(OTHER_ID, "the file at its path now has another build id",                               \
	  "give --exe-dir or --debug-dir with the old one")                                        \
	X(CHANGED, "the file has changed since, and there is no build id to tell",                 \
	  "if it is the right one, give its directory with --exe-dir")                             \
	X(NOT_ELF, "the file at its path is no ELF file kiln reads", "give --exe-dir")

enum elf_find_problem {
#define X(name, text, cure) ELF_FIND_##name,
	ELF_FIND_PROBLEMS(X)
#undef X
};

const char *elf_find_text(enum elf_find_problem problem);
const char *elf_find_cure(enum elf_find_problem problem); /* "" where there is none */

/* Everything is borrowed; lists are NULL-terminated. */
struct elf_search {
	const char *const *exe_dirs;   /* DIR/PATH and DIR/NAME */
	const char *const *debug_dirs; /* DIR/.build-id/xx/yyyy and .../yyyy.debug */
	int64_t until_ns; /* Unix time the profile ended; 0: unknown. A file without a build id that
			     was written to later is not the one that ran */
	/* As in symbolizer_opts; may be NULL. */
	int (*find_debug)(void *ctx, const struct build_id *id);
	void *find_ctx;
};

struct elf_found {
	int fd;
	struct elf_obj *obj;
	char *path;	    /* where it is; NULL: nowhere it could be reached by a name */
	struct build_id id; /* what the mapping had; len 0: none */
};

/*
 * path and build_id (hexadecimal) are the mapping's; either may be "". 0 with out filled, to be
 * given to elf_found_release(); -ENOENT with the reason in *problem; or -ENOMEM.
 */
int elf_find(struct elf_found *out, const struct elf_search *s, const char *path,
	     const char *build_id, enum elf_find_problem *problem);
void elf_found_release(struct elf_found *f);

#endif
