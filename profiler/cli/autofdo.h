/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles for compilers, see profiler/formats/autofdo.h. */
#ifndef KILN_CLI_AUTOFDO_H
#define KILN_CLI_AUTOFDO_H

#include "profiler/base/buf.h"

struct command;
struct profile;

/*
 * Appends the profile, with lines and discriminators looked up in its files anew: profiles have no
 * discriminators. Says on stderr which file it is of, and what was left out. An exit code.
 */
int autofdo_write(struct buf *out, const struct command *cmd, const struct profile *p);

#endif
