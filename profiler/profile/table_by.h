/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each row of a table stands for. */
#ifndef KILN_PROFILE_TABLE_BY_H
#define KILN_PROFILE_TABLE_BY_H

#include <stdbool.h>

/* In the order of enum table_by. */
#define TABLE_BY_WORDS "function|line|module|process|thread|cgroup"
enum table_by {
	TABLE_FUNCTION, /* (function, module) */
	TABLE_LINE,	/* (function, module, file:line) */
	TABLE_MODULE,
	TABLE_PROCESS, /* labels comm and pid; from here on self equals total */
	TABLE_THREAD,  /* labels comm, pid and tid */
	TABLE_CGROUP,  /* label unit, container or cgroup */
	TABLE_LABEL,   /* any label; it has no word */
};

/* True if rows are groups of whole samples. Then total equals self. */
static inline bool table_by_label(enum table_by by)
{
	return by >= TABLE_PROCESS;
}

#endif
