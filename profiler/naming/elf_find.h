/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the file of a profile's mapping, perhaps much later and on another machine: at its own
 * path, in directories of executables, in build-id directories. If the mapping has a build id, the
 * file must have the same.
 */
#ifndef KILN_NAMING_ELF_FIND_H
#define KILN_NAMING_ELF_FIND_H

#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

/* Why no file was found, and what to do about it. */
#define ELF_FIND_PROBLEMS(X)                                                                       \
	X(OK, "", "")                                                                              \
	X(NO_PATH, "the profile does not say which file this was", "")                             \
	X(NO_FILE, "no such file here", "give --exe-dir")                                          \
	X(NO_ID, "no file with this build id here",                                                \
	  "install its debug package, or give --exe-dir or --debug-dir")                           \
	X(OTHER_ID, "the file at its path now has another build id",                               \
	  "give --exe-dir or --debug-dir with the old one")                                        \
	X(CHANGED, "the file has changed since, and there is no build id to compare",              \
	  "if it is the right one, give its directory with --exe-dir")                             \
	X(NOT_ELF, "the file at its path is not an ELF file that kiln can read", "give --exe-dir")

enum elf_find_problem {
#define X(name, text, cure) ELF_FIND_##name,
	ELF_FIND_PROBLEMS(X)
#undef X
};

const char *elf_find_text(enum elf_find_problem problem);
const char *elf_find_cure(enum elf_find_problem problem); /* "" if there is none */

/* Everything is borrowed; lists are NULL-terminated. */
struct elf_search {
	const char *const *exe_dirs;   /* DIR/PATH and DIR/NAME */
	const char *const *debug_dirs; /* DIR/.build-id/xx/yyyy and .../yyyy.debug */
	/* Unix time of the profile's end; 0: unknown. A file without a build id that changed
	 * later is not used. */
	int64_t until_ns;
	/* As in symbolizer_opts; may be NULL. */
	int (*find_debug)(void *ctx, const struct build_id *id);
	void *find_ctx;
};

struct elf_found {
	int fd;
	struct elf_obj *obj;
	char *path;	    /* where the file is; NULL: it has no name */
	struct build_id id; /* build id of the mapping; len 0: none */
};

/*
 * path and build_id (hexadecimal) are the mapping's; each may be "". 0: *out is filled, and
 * elf_found_release() frees it. -ENOENT: *problem has the reason. Or -ENOMEM.
 */
int elf_find(struct elf_found *out, const struct elf_search *s, const char *path,
	     const char *build_id, enum elf_find_problem *problem);
void elf_found_release(struct elf_found *f);

#endif
