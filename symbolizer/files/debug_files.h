/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds separate debug files, in the root of the process first, then on the host. A candidate must
 * have the same build id. Where the file has none, the CRC of its .gnu_debuglink must match.
 */
#ifndef KILN_SYMBOLIZER_FILES_DEBUG_FILES_H
#define KILN_SYMBOLIZER_FILES_DEBUG_FILES_H

#include <stdint.h>

struct build_id;
struct elf_obj;
struct elf_limits;
struct line_store;

/* Where files come from. Both functions return a descriptor that the caller owns, or -errno. */
struct debug_opener {
	/* Opens a regular file by its path below root_fd (-1: the host's root). NULL:
	 * rooted_open(). */
	int (*open)(void *ctx, int root_fd, const char *path);
	/* Gets the file of a build id that no directory has. NULL: there is no one to ask. */
	int (*find)(void *ctx, const struct build_id *id);
	void *ctx;
};

/* Everything is borrowed. */
struct debug_search {
	int root_fd;		 /* root directory of the process, or -1 */
	const char *path;	 /* of the file, as the process sees it; or NULL */
	const char *const *dirs; /* "/usr/lib/debug", ...; NULL-terminated */
	const struct elf_limits *limits;
	const struct debug_opener *opener; /* NULL: rooted_open() only */
	const struct line_store *lines;	   /* line tables on disk; NULL: none */
};

/* All return 0, -ENOENT if no matching file is found, or -ENOMEM. Only regular files are opened. */

/* Opens the file with main's stripped symbols and debug sections, by build id or .gnu_debuglink. */
int debug_file_open(struct elf_obj **out, struct elf_obj *main, const struct debug_search *s);
/* Opens the dwz supplement of `debug`, from .gnu_debugaltlink: by build id, then by name. */
int debug_altfile_open(struct elf_obj **out, struct elf_obj *debug, const struct debug_search *s);
/* Opens a split unit: by its name, joined with comp_dir (may be NULL), or next to the file. */
int debug_dwo_open(struct elf_obj **out, const struct debug_search *s, const char *name,
		   const char *comp_dir);
/* Opens PATH.dwp. */
int debug_dwp_open(struct elf_obj **out, const struct debug_search *s);

/*
 * Difference to add to an address in `debug` to get the address in `main`. Nearly always 0. prelink
 * moves a file after its debug file was written.
 */
uint64_t debug_file_bias(const struct elf_obj *main, const struct elf_obj *debug);

#endif
