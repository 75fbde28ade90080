/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A view of the host's files for a process that reads them all and changes none: its own name space of mounts, in
 * which they are read-only. What is mounted later appears in it, too, as it is. It needs CAP_SYS_ADMIN, and Linux
 * 5.12. Whoever has CAP_SYS_PTRACE finds other ways, so this is a seat belt and no wall.
 */
#ifndef KILN_AGENT_READ_ONLY_H
#define KILN_AGENT_READ_ONLY_H

/* For the calling process, which has one thread. The cache stays writable, and so do the process's own files in
 * /proc. Where it is impossible, that is said in the log of debugging and all stays as it is. */
void read_only_mounts(void);

#endif
