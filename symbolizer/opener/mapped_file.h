/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens one file as a process saw it, and checks that it is the mapped one. Every call may hang as
 * long as a file server does.
 */
#ifndef KILN_SYMBOLIZER_OPENER_MAPPED_FILE_H
#define KILN_SYMBOLIZER_OPENER_MAPPED_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/build_id.h"

struct open_request {
	const char *path; /* without " (deleted)" */
	struct build_id build_id;
	uint32_t major, minor;
	uint64_t inode, generation; /* generation 0: unknown */
	pid_t tgid, parent_tgid;    /* 0: unknown */
	uint64_t va_start, va_end;  /* 0: unknown */
	int root_fd;		    /* root under which it was found before, or -1 */
	/* Asked before anything that may hang is done with an O_PATH handle: 0, or -errno to leave
	 * the file alone. NULL: all may be read. */
	int (*may_read)(void *ctx, int handle);
	void *ctx;
};

/* Identity of a root. chroot(2) changes it within a mount namespace. */
struct root_key {
	uint64_t mnt_ns, dev, inode;
};

struct open_result {
	int fd, err; /* fd -1 and err -errno, or a descriptor and 0 */
	int handle;  /* O_PATH, of the same file; -1 without fd */
	int root_fd; /* O_PATH; -1: found under kiln's own root */
	struct root_key root;
	struct build_id build_id; /* of the file */
	uint64_t generation;	  /* of its inode, if that is the identity; 0: unknown */
	bool replaced;		  /* another file has that name now */
};

/*
 * Opens the file. The caller owns all descriptors. err is -ESTALE if only other files were found.
 */
void open_mapped_file(const struct open_request *req, struct open_result *out);

#endif
