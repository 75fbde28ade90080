/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads facts and unwind tables of a file in this process. table_worker.h does the same in a
 * reader. */
#ifndef KILN_SYMBOLIZER_WORKER_TABLE_READ_H
#define KILN_SYMBOLIZER_WORKER_TABLE_READ_H

#include <stddef.h>

#include "symbolizer/query/elf_facts.h"
#include "symbolizer/query/query.h"

struct debug_search;

/*
 * QUERY_ELF: facts only. QUERY_TABLE: also the table, malloc'd. QUERY_FRAMES: whether the file
 * describes its frames. facts->err is the result, see table_worker.h. The descriptor is borrowed. search: where its
 * separate debug file may lie; dirs NULL: "/usr/lib/debug"; all NULL: on this host.
 */
void table_read(enum query_kind kind, int fd, const struct debug_search *search,
		struct elf_facts *facts, void **blob, size_t *len);

#endif
