/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_FORMATS_PPROF_READ_H
#define KILN_FORMATS_PPROF_READ_H

#include <stddef.h>

struct profile;

/*
 * Decodes an uncompressed pprof message of at most IMPORT_MAX_BYTES. Errors as from import_pprof().
 */
int pprof_read(struct profile **out, const void *data, size_t len, const char **why);

#endif
