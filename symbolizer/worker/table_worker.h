/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables of files by descriptor, compiled in a process without privileges (worker.h) or in
 * this one. Whatever comes back was checked. One thread at a time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_TABLE_WORKER_H
#define KILN_SYMBOLIZER_WORKER_TABLE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/elf/elf_facts.h"

struct lookup;
struct table_worker;

struct table_worker_opts {
	bool sandbox; /* the process ends with the thread that calls table_worker_new() */
	bool lazy;    /* it is not waited for before the first question */
	/* For tests, see worker.h. */
	int (*serve)(int sock, pid_t parent, struct lookup *lookup);
	uint64_t stall_ns;
};

/* 0 or -errno, as worker_new(). */
int table_worker_new(struct table_worker **out, const struct table_worker_opts *opts);
void table_worker_free(struct table_worker *u);
/* Ends all questions, now and later (-ECONNABORTED): for any thread. */
void table_worker_cancel(struct table_worker *u);

/* Build id and executable segments; descriptors are borrowed. facts->err as the result: 0, as
 * elf_obj_open(), or -ECONNABORTED when the process failed on the file, now or before. */
int table_worker_look(struct table_worker *u, int fd, struct elf_facts *facts);
/* The table, malloc'd. 0, as unwind_table_build(), or -ECONNABORTED. */
int table_worker_build(struct table_worker *u, int fd, void **blob, size_t *len);
/* Whether frames of its code are described: 0, -ENODATA if not, or another -errno. */
int table_worker_described(struct table_worker *u, int fd);

pid_t table_worker_pid(const struct table_worker *u); /* of the process, 0: none */

#endif
