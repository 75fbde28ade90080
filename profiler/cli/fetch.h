/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option --debuginfod, for all commands that have it. */
#ifndef KILN_CLI_FETCH_H
#define KILN_CLI_FETCH_H

#include <stdbool.h>
#include <stdint.h>

struct command;
struct debuginfod;

/* Starts debuginfod. EXIT_OK, or an exit code after an error on stderr: no server, no library. */
int fetch_begin(struct debuginfod **out, const char *urls);
/* Says on stderr that the option would ask for the debug file of `what`, which it was not given for, and how. */
void fetch_advise(const char *what);
/* Waits for files that were asked for, and shows that on a terminal. True if some came. */
bool fetch_wait(struct debuginfod *d, uint64_t timeout_ns);
/* Prints what came and what did not, and frees d. NULL is fine. */
void fetch_end(struct debuginfod *d);

#endif
