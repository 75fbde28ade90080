/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up what a process needs not have to compute over bytes it was handed: for code that reads
 * hostile files. One way only, for the calling process, which must have one thread.
 */
#ifndef KILN_SYMBOLIZER_SANDBOX_SANDBOX_H
#define KILN_SYMBOLIZER_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Not all is allowed everywhere (a container may refuse name spaces, only root can become nobody).
 * What the system call filter forbids is forbidden without the other parts too. */
#define SANDBOX_PARTS(X)                                                                           \
	X(no_new_privs, "no new privileges")                                                       \
	X(no_capabilities, "no capabilities")                                                      \
	X(nobody, "own user")                                                                      \
	X(namespaces, "no network")                                                                \
	X(no_files, "empty file system")                                                           \
	X(memory, "memory limit")                                                                  \
	X(syscalls, "system call filter")

enum sandbox_part {
#define X(name, text) SANDBOX_##name,
	SANDBOX_PARTS(X)
#undef X
		SANDBOX_PART_COUNT
};

#define SANDBOX_BIT(part) (1u << SANDBOX_##part)
/* Needs no privilege, so it works wherever the kernel can do it. */
#define SANDBOX_LEAST (SANDBOX_BIT(no_new_privs) | SANDBOX_BIT(syscalls))

/*
 * Closes every descriptor but keep_fd, which becomes 3 (0 to 2 lead nowhere), leaves the terminal,
 * dies with `parent`, and gives up all it can. memory_bytes is what may be allocated from here on.
 * The bits of the parts that are in force go to *parts. 0, or -errno when even SANDBOX_LEAST is
 * impossible: the caller should not go on then.
 */
int sandbox_enter(int keep_fd, pid_t parent, uint64_t memory_bytes, unsigned *parts);

/*
 * The beginning of that alone, for who keeps its privileges: closes every descriptor but keep_fd,
 * which becomes 3, leaves the terminal, ignores signals for the parent and dies with it. 0 or -errno.
 */
int sandbox_detach(int keep_fd, pid_t parent);

/* Tries it in a child process. 0 or -errno. */
int sandbox_probe(unsigned *parts);

const char *sandbox_part_text(enum sandbox_part part);

/* The filter alone: see sandbox_filter.c for what it leaves. 0 or -errno. */
int sandbox_filter(void);

#endif
