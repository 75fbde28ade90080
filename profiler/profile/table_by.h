/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each row of a table stands for. */
#ifndef KILN_PROFILE_TABLE_BY_H
#define KILN_PROFILE_TABLE_BY_H

#include <stdbool.h>

/* In the order of enum table_by. */
#define TABLE_BY_WORDS "function|line|file|directory|package|module|process|command|thread|cgroup"
enum table_by {
	TABLE_FUNCTION,	 /* (function, module) */
	TABLE_LINE,	 /* (function, module, file:line) */
	TABLE_FILE,	 /* of the source; the module where it is not known */
	TABLE_DIRECTORY, /* that of the file */
	TABLE_PACKAGE,	 /* of Go, Java, Rust, scripts (package.h), else the module */
	TABLE_MODULE,
	TABLE_PROCESS, /* its command and label pid; from here on self equals total */
	TABLE_COMMAND, /* of processes, whatever their threads are called (processes.h) */
	TABLE_THREAD,  /* labels comm, pid and tid */
	TABLE_CGROUP,  /* label unit, container or cgroup */
	TABLE_LABEL,   /* any label; it has no word */
};

/* True if rows are groups of whole samples. Then total equals self. */
static inline bool table_by_label(enum table_by by)
{
	return by >= TABLE_PROCESS;
}

/* True if rows are functions, or lines of them. */
static inline bool table_by_function(enum table_by by)
{
	return by <= TABLE_LINE;
}

/* What stands above the rows' names. */
static inline const char *table_by_title(enum table_by by)
{
	static const char *const titles[] = {
		[TABLE_FUNCTION] = "function", [TABLE_LINE] = "function (line)",
		[TABLE_FILE] = "file",	       [TABLE_DIRECTORY] = "directory",
		[TABLE_PACKAGE] = "package",   [TABLE_MODULE] = "module",
		[TABLE_PROCESS] = "process",   [TABLE_COMMAND] = "command",
		[TABLE_THREAD] = "thread",     [TABLE_CGROUP] = "cgroup",
		[TABLE_LABEL] = "label",
	};

	return titles[by];
}

#endif
