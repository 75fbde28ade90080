/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of which unwind_tables knows something. Pure memory. Not thread-safe. */
#ifndef KILN_UNWIND_TABLE_ENTRIES_H
#define KILN_UNWIND_TABLE_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/unwind/table_state.h"

struct kernel_table;

struct table_entry {
	uint32_t file;
	enum unwind_table_state state;
	int err;		    /* why there is no table */
	size_t bytes;		    /* size of its table; 0: unknown */
	uint64_t used_ns;	    /* last known use by a walk */
	uint64_t retry_ns;	    /* do not request it before this time */
	uint64_t asked_ns;	    /* CLOCK_BOOTTIME of the last request */
	uint64_t as_of_ns;	    /* of the request that the table came from */
	uint64_t renewal_ns;	    /* of a jitdump: request no newer table before this time */
	uint32_t jit_refused;	    /* what the table says, see struct unwind_head */
	bool is_renewed;	    /* a newer table is on its way */
	struct kernel_table *table; /* TABLE_LOADED */
};

struct table_entries { /* all-zero: empty */
	VEC(struct table_entry) all;
	struct htab index; /* by file */
};

/* NULL: there is none. Borrowed until the next entry is added. */
struct table_entry *table_entries_find(const struct table_entries *t, uint32_t file);
/* Adds a file that has no entry. NULL: out of memory. */
struct table_entry *table_entries_add(struct table_entries *t, uint32_t file);
/* Keeps the entries for which `keep` is true, and all in use. */
void table_entries_keep(struct table_entries *t,
			bool (*keep)(void *ctx, const struct table_entry *e), void *ctx);
void table_entries_release(struct table_entries *t);

#endif
