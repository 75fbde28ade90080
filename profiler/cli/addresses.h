/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kiln symbolize -e ELF`: addresses in, functions and lines out, as addr2line(1) says them. */
#ifndef KILN_CLI_ADDRESSES_H
#define KILN_CLI_ADDRESSES_H

#include <stdbool.h>

struct command;
struct symbolizer_opts;

struct addresses_opts {
	const char *exe; /* the file to look in */
	const char
		*section; /* addresses count from the start of this one; NULL: they are the file's,
				and an object file's count from .text */
	bool addresses;	  /* each answer begins with its address */
	bool no_functions, no_inlines, no_demangle;
	bool pretty; /* one line a function */
	bool basenames;
	bool json; /* one object a line; the flags for text do not matter */
	const struct symbolizer_opts *symbolizer;
	/* Waits for debug files that find_debug was asked for: true if some came. NULL: no. */
	bool (*wait)(void *ctx);
	void *wait_ctx;
};

/*
 * Answers the n hexadecimal addresses, or, if there is none, those on standard input, line by line:
 * an answer leaves before more input is waited for. An exit code; what is wrong is said on stderr.
 */
int addresses_run(const struct command *cmd, const struct addresses_opts *o, char *const *words,
		  int n);

#endif
