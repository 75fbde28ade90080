/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives up all privileges that computing over given bytes does not need, before hostile files are
 * read. There is no way back. It concerns the calling process, which must have one thread.
 */
#ifndef KILN_SYMBOLIZER_SANDBOX_SANDBOX_H
#define KILN_SYMBOLIZER_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Some parts may be impossible: a container may refuse namespaces, and only root can become
 * another user. The filter of system calls does not rely on the other parts. */
#define SANDBOX_PARTS(X)                                                                           \
	X(no_new_privs, "no new privileges")                                                       \
	X(no_capabilities, "no capabilities")                                                      \
	X(nobody, "unprivileged user")                                                             \
	X(namespaces, "no network")                                                                \
	X(no_files, "no files")                                                                    \
	X(memory, "memory limit")                                                                  \
	X(syscalls, "system call filter")

enum sandbox_part {
#define X(name, text) SANDBOX_##name,
	SANDBOX_PARTS(X)
#undef X
		SANDBOX_PART_COUNT
};

#define SANDBOX_BIT(part) (1u << SANDBOX_##part)
/* Needs no privilege, so it works wherever the kernel supports it. */
#define SANDBOX_LEAST (SANDBOX_BIT(no_new_privs) | SANDBOX_BIT(syscalls))

/*
 * Closes every descriptor but keep_fd, which becomes 3; 0 to 2 become /dev/null. Leaves the
 * process group, dies with `parent`, and gives up all it can. memory_bytes can be allocated from here
 * on. *parts gets the bits of the parts in force. 0, or -errno if even SANDBOX_LEAST is impossible:
 * the caller must then exit.
 */
int sandbox_enter(int keep_fd, pid_t parent, uint64_t memory_bytes, unsigned *parts);

/*
 * The same for a process that opens foreign files. It keeps its user, its root directory, and the
 * capabilities to read every file, to see the root directories and mapped files of other processes,
 * and no others. With them it opens files as nobody: what root may write, it may not. Its filter allows
 * to open and read files, too, but not to write to any.
 */
int sandbox_enter_opener(int keep_fd, pid_t parent, uint64_t memory_bytes, unsigned *parts);

/*
 * The first half of that, for a process that keeps its privileges. Closes every descriptor but
 * keep_fd, which becomes 3, leaves the process group, ignores signals meant for the parent, and dies
 * with it. 0 or -errno.
 */
int sandbox_detach(int keep_fd, pid_t parent);

/* Tries sandbox_enter() in a child process. 0 or -errno. */
int sandbox_probe(unsigned *parts);

const char *sandbox_part_text(enum sandbox_part part);

/* Installs the system call filter alone (sandbox_filter.c). 0 or -errno. */
int sandbox_filter(void);
/* For a process that does more than compute: these calls as well, threads, and the ioctls of who waits for sockets. Up
 * to SANDBOX_MORE_CALLS. */
#define SANDBOX_MORE_CALLS 96
int sandbox_filter_with(const int *more, size_t n);
/* The same of a process that opens files. */
int sandbox_filter_opener(void);

#endif
