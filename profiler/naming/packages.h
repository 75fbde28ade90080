/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the debug symbols of an installed file are got: the command, with the package by name, as the
 * system's release (os-release) and dpkg's lists say. Reads what root wrote on this host's own root
 * directory, and nothing of a container's. One thread.
 */
#ifndef KILN_NAMING_PACKAGES_H
#define KILN_NAMING_PACKAGES_H

#include "profiler/base/buf.h"
#include "profiler/base/build_id.h"
#include "symbolizer/query/answer.h"

struct packages;

/* root: "", or a directory to look below, for tests. 0 or -ENOMEM. */
int packages_new(struct packages **out, const char *root);
void packages_free(struct packages *p);

enum package_answer {
	PACKAGE_FOUND,	   /* there is a command */
	PACKAGE_NONE,	   /* a file of this host, of no package */
	PACKAGE_ELSEWHERE, /* no file of this host's root directory: a container's, or replaced */
	PACKAGE_INSTALLED, /* its debug file is here */
	PACKAGE_UNKNOWN,   /* nobody could say: no such lists, or they hang */
};

/* A file, as it was mapped. */
struct package_file {
	const char *path;
	struct sym_file_key key;
	struct build_id build_id; /* of length 0: unknown */
};

/* Appends the command if it was found, such as "apt install redis-tools-dbgsym". An answer is remembered. Of more than 64
 * new questions a minute the others are PACKAGE_UNKNOWN. */
enum package_answer packages_ask(struct packages *p, const struct package_file *file,
				 struct buf *command);

#endif
