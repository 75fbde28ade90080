/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --debuginfod, as the commands that have it do it. */
#ifndef KILN_CLI_FETCH_H
#define KILN_CLI_FETCH_H

#include <stdbool.h>
#include <stdint.h>

struct command;
struct debuginfod;

/* EXIT_OK, or an exit code with what is wrong said on stderr: no server, no library. */
int fetch_begin(struct debuginfod **out, const char *urls);
/* Waits for what was asked for, and shows that it does on a terminal. True if something came. */
bool fetch_wait(struct debuginfod *d, uint64_t timeout_ns);
/* Says what came and what did not, and frees d. NULL is fine. */
void fetch_end(struct debuginfod *d);

#endif
