/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Separate debug files: looked for in the root of the process first, then on the host; believed only
 * when the build id agrees (or, where the file has none, the CRC of its .gnu_debuglink).
 */
#ifndef KILN_SYMBOLIZER_FILES_DEBUG_FILES_H
#define KILN_SYMBOLIZER_FILES_DEBUG_FILES_H

#include <stdint.h>

struct build_id;
struct elf_obj;
struct elf_limits;
struct line_store;

/* Where files come from. Both give a descriptor the caller owns, or -errno. */
struct debug_opener {
	/* The path below root_fd (-1: the host's root), regular files only; NULL: rooted_open(). */
	int (*open)(void *ctx, int root_fd, const char *path);
	/* The file of that build id, when no directory has it; NULL: there is nobody to ask. */
	int (*find)(void *ctx, const struct build_id *id);
	void *ctx;
};

/* Everything is borrowed. */
struct debug_search {
	int root_fd;		 /* root directory of the process, or -1 */
	const char *path;	 /* of the file, as the process sees it; or NULL */
	const char *const *dirs; /* "/usr/lib/debug", ...; NULL-terminated */
	const struct elf_limits *limits;
	const struct debug_opener *opener; /* NULL: rooted_open() alone */
	const struct line_store *lines;	   /* tables on disk, NULL: none */
};

/* All: 0, -ENOENT when none is found that fits, or -ENOMEM. Only regular files are opened. */

/* The file with the symbols and debug sections stripped from main: by build id, .gnu_debuglink. */
int debug_file_open(struct elf_obj **out, struct elf_obj *main, const struct debug_search *s);
/* dwz's common file of `debug`, from .gnu_debugaltlink: by build id, then by name. */
int debug_altfile_open(struct elf_obj **out, struct elf_obj *debug, const struct debug_search *s);
/* A split unit, by its name joined with comp_dir (or NULL), or next to the file. */
int debug_dwo_open(struct elf_obj **out, const struct debug_search *s, const char *name,
		   const char *comp_dir);
/* PATH.dwp */
int debug_dwp_open(struct elf_obj **out, const struct debug_search *s);

/*
 * What to add to an address in `debug` to get the one in `main`: prelink moves a file away from the
 * addresses its debug file was written for. 0 nearly always.
 */
uint64_t debug_file_bias(const struct elf_obj *main, const struct elf_obj *debug);

#endif
