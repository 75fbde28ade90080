/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables of files by descriptor, compiled in a process without privileges (worker.h) or in
 * this one. Whatever comes back was checked. One thread at a time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_UNWIND_FILES_H
#define KILN_SYMBOLIZER_WORKER_UNWIND_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/elf/elf_facts.h"
#include "symbolizer/query/query.h"

struct local;
struct unwind_files;

struct unwind_files_opts {
	bool sandbox; /* the process ends with the thread that calls unwind_files_new() */
	bool lazy;    /* it is not waited for before the first question */
	/* For tests, see worker.h. */
	int (*serve)(int sock, pid_t parent, struct local *local);
	uint64_t stall_ns;
};

/* 0 or -errno, as worker_new(). */
int unwind_files_new(struct unwind_files **out, const struct unwind_files_opts *opts);
void unwind_files_free(struct unwind_files *u);
/* Ends all questions, now and later (-ECONNABORTED): for any thread. */
void unwind_files_cancel(struct unwind_files *u);

/* Build id and executable segments; descriptors are borrowed. facts->err as the result: 0, as
 * elf_obj_open(), or -ECONNABORTED when the process failed on the file, now or before. */
int unwind_files_look(struct unwind_files *u, int fd, struct elf_facts *facts);
/* The table, malloc'd. 0, as unwind_table_build(), or -ECONNABORTED. */
int unwind_files_build(struct unwind_files *u, int fd, void **blob, size_t *len);
/* Whether frames of its code are described: 0, -ENODATA if not, or another -errno. */
int unwind_files_described(struct unwind_files *u, int fd);

pid_t unwind_files_pid(const struct unwind_files *u); /* of the process, 0: none */

/* --- in this process -------------------------------------------------------------------------- */

/* All three: facts of a file and for QUERY_TABLE its table; facts->err is the result. */
void unwind_file_read(enum query_kind kind, int fd, struct elf_facts *facts, void **blob,
		      size_t *len);

#endif
