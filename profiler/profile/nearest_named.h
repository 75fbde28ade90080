/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function to ask for where the hottest have no name: the nearest that has one and called them. */
#ifndef KILN_PROFILE_NEAREST_NAMED_H
#define KILN_PROFILE_NEAREST_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/profile/profile.h"

/* True for a name, as a table's rows have it, that a person can look for. */
bool is_named_function(const char *name, enum frame_kind kind);

/*
 * The function with most time of its own and of those without a name that it called, directly or by others of them (the
 * first of equal ones, by name). Those that begin a program or run byte code (frame_role.h) are none: they say nothing
 * of what they call. *name is malloc'd, or NULL if there is none; *weight is what it has. 0 or -ENOMEM.
 */
int nearest_named(char **name, int64_t *weight, const struct profile *p, size_t value);

#endif
