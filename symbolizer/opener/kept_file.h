/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps a file open beyond a call, here or in the opener, wherever it is open. */
#ifndef KILN_SYMBOLIZER_OPENER_KEPT_FILE_H
#define KILN_SYMBOLIZER_OPENER_KEPT_FILE_H

#include "symbolizer/query/answer.h"

struct kept_file {
	int fd, root_fd; /* -1: not here */
	struct held_file held;
	uint32_t uid;
	char *path; /* or NULL */
};

/* With its root directory if there is one. 0 or -errno; -EBADF if the file is not open. */
int kept_file_take(struct kept_file *out, const struct sym_file *file);
/* Lets go of all. An empty one is fine. */
void kept_file_release(struct kept_file *k);
/* Makes it a file of this process, see opener_claim(). 0 or -errno: it is as it was. */
int kept_file_claim(struct kept_file *k);
/* A file that is not open. */
#define KEPT_FILE_NONE ((struct kept_file){.fd = -1, .root_fd = -1})
/* Borrows all of it. */
struct sym_file kept_file_sym(const struct kept_file *k);

#endif
