/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table worker: compiles unwind tables of open files, in a reader (worker.h) or in this
 * process. All results are checked. One thread at a time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_TABLE_WORKER_H
#define KILN_SYMBOLIZER_WORKER_TABLE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/query/elf_facts.h"
#include "symbolizer/query/answer.h"

struct lookup;
struct opener;
struct table_worker;

struct table_worker_opts {
	bool sandbox;	       /* the reader ends with the thread that calls table_worker_new() */
	struct opener *opener; /* who opens debug files, borrowed; NULL: this process */
	bool lazy;	       /* do not wait for the reader before the first question */
	/* For tests, see worker.h. */
	int (*serve)(int sock, pid_t parent, struct lookup *lookup);
	uint64_t stall_ns;
};

/* 0 or -errno, as from worker_new(). */
int table_worker_new(struct table_worker **out, const struct table_worker_opts *opts);
void table_worker_free(struct table_worker *u);
/* Ends the current question and all later ones with -ECONNABORTED. Any thread may call it. */
void table_worker_cancel(struct table_worker *u);

/* Gives build id and executable segments. Borrows the file. Returns facts->err: 0, an error as from
 * elf_obj_open(), or -ECONNABORTED if the reader failed on the file, now or earlier. */
int table_worker_look(struct table_worker *u, const struct sym_file *file, struct elf_facts *facts);
/* Compiles the table, malloc'd. Borrows the file. 0, an error as from unwind_table_build(), or
 * -ECONNABORTED. */
int table_worker_build(struct table_worker *u, const struct sym_file *file, void **blob,
		       size_t *len);
/* Whether the file describes its frames: 0, -ENODATA if not, or another -errno. Borrows the file. */
int table_worker_described(struct table_worker *u, const struct sym_file *file);

pid_t table_worker_pid(const struct table_worker *u); /* of the reader; 0: none runs */

#endif
