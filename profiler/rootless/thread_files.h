/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts of /proc about single threads. The files that were read last stay open, because to open and close one takes
 * three times as long as to read it. Internal to the room.
 */
#ifndef KILN_ROOTLESS_THREAD_FILES_H
#define KILN_ROOTLESS_THREAD_FILES_H

#include <stddef.h>
#include <sys/types.h>

enum thread_file { THREAD_STAT, THREAD_SCHEDSTAT, THREAD_CHILDREN, THREAD_STATUS };

#define THREAD_FILES_MAX 256

/* All zero: nothing is open. */
struct thread_files {
	struct thread_file_kept {
		pid_t tgid, tid; /* 0: none */
		enum thread_file which;
		int fd;
	} kept[THREAD_FILES_MAX];
	size_t max; /* of `kept`; 0: not known yet */
};

/*
 * Reads the beginning of a file of a thread: at most size - 1 bytes and a zero. The kernel gives as much as fits at once
 * (seq_file). files: NULL to keep nothing open. 0, -ESRCH, or another -errno.
 */
int thread_files_read(struct thread_files *files, pid_t tgid, pid_t tid, enum thread_file which,
		      char *text, size_t size);
/* Closes all. */
void thread_files_release(struct thread_files *files);

#endif
