/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kiln symbolize -e ELF`: takes addresses and prints functions and lines, like addr2line(1). */
#ifndef KILN_CLI_ADDRESSES_H
#define KILN_CLI_ADDRESSES_H

#include <stdbool.h>

struct command;
struct symbolizer_opts;

struct addresses_opts {
	const char *exe; /* file to look in */
	const char
		/* Addresses are relative to this section; NULL: addresses of the file, or, in an
		 * object file, relative to .text. */
		*section;
	bool addresses; /* each answer begins with its address */
	bool no_functions, no_inlines, no_demangle;
	bool pretty; /* one line a function */
	bool basenames;
	bool json; /* one JSON object a line; flags for text are ignored */
	const struct symbolizer_opts *symbolizer;
	/* Waits for debug files that find_debug has asked for. True if some came. NULL: does not
	 * wait. */
	bool (*wait)(void *ctx);
	void *wait_ctx;
};

/*
 * Answers n hexadecimal addresses. Without any, answers those on standard input line by line, and
 * prints all answers before it waits for more. Reports errors on stderr. Returns an exit code.
 */
int addresses_run(const struct command *cmd, const struct addresses_opts *o, char *const *words,
		  int n);

#endif
