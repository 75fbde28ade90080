/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rows of a table stand for. */
#ifndef KILN_PROFILE_TABLE_BY_H
#define KILN_PROFILE_TABLE_BY_H

#include <stdbool.h>

/* In the order of enum table_by. */
#define TABLE_BY_WORDS "function|line|module|process|thread|cgroup"
enum table_by {
	TABLE_FUNCTION, /* (function, module) */
	TABLE_LINE,	/* (function, module, file:line) */
	TABLE_MODULE,
	TABLE_PROCESS, /* labels comm and pid; self and total are the same from here on */
	TABLE_THREAD,  /* labels comm, pid and tid */
	TABLE_CGROUP,  /* label unit, container or cgroup */
};

/* Whether rows are groups of whole samples, so that total says no more than self. */
static inline bool table_by_label(enum table_by by)
{
	return by >= TABLE_PROCESS;
}

#endif
