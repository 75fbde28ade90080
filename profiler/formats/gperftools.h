/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CPU profiles gperftools (and Go before 1.9) writes, as a profile. */
#ifndef KILN_FORMATS_GPERFTOOLS_H
#define KILN_FORMATS_GPERFTOOLS_H

#include <stdbool.h>
#include <stddef.h>

struct profile;

/* Whether the bytes begin like one. */
bool gperftools_detect(const void *data, size_t len);
/* Errors as import_pprof(). */
int gperftools_read(struct profile **out, const void *data, size_t len, const char **why);

#endif
