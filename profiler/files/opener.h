/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening one file as a process saw it, and making sure that it is the one that was mapped. Every
 * call here may block for as long as a file server likes. Internal to profiler/files.
 */
#ifndef KILN_FILES_OPENER_H
#define KILN_FILES_OPENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/elf/elf_obj.h"

struct open_request {
	const char *path; /* without " (deleted)" */
	struct build_id build_id;
	uint32_t major, minor;
	uint64_t inode, generation; /* generation 0: unknown */
	pid_t tgid, parent_tgid;    /* 0: unknown */
	uint64_t va_start, va_end;  /* 0: unknown */
	int root_fd;		    /* a root it was found under before, or -1 */
};

/* What tells roots apart: chroot(2) changes one within a mount namespace. */
struct root_key {
	uint64_t mnt_ns, dev, inode;
};

struct open_result {
	int fd, err; /* -1 and -errno, or a descriptor and 0 */
	int root_fd; /* O_PATH, or -1 when it was found under our own root */
	struct root_key root;
	struct build_id build_id; /* of the file */
	uint64_t generation; /* of its inode, if that is its identity; 0 if it has none to tell */
	bool replaced;	     /* a file was there under that name, but another one */
};

/* -ESTALE: only other files were found there. The caller owns both descriptors. */
void open_mapped_file(const struct open_request *req, struct open_result *out);

#endif
