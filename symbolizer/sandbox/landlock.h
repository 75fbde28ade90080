/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files a process can still reach, whoever it runs as: landlock(7), of Linux 5.13 and later. It needs no
 * privilege and has no way back. Where the kernel knows of them, TCP and sockets in the abstract are refused
 * as well. A process that is confined so can look at no process outside.
 */
#ifndef KILN_SYMBOLIZER_SANDBOX_LANDLOCK_H
#define KILN_SYMBOLIZER_SANDBOX_LANDLOCK_H

#include <stddef.h>

enum landlock_use {
	LANDLOCK_READ,	  /* a file, or a directory and all that is below it */
	LANDLOCK_WRITE,	  /* a directory: everything below it, but no devices and no programs */
	LANDLOCK_CONNECT, /* no path: TCP to anywhere; still nobody can connect to it */
};

struct landlock_path {
	const char *path; /* one that cannot be opened is left out */
	enum landlock_use use;
};

/* For the calling thread, which must be the only one, and has no_new_privs. What is open stays open. 0;
 * -ENOSYS: there is none here; or another -errno: nothing has changed. */
int landlock_confine(const struct landlock_path *paths, size_t n);

#endif
