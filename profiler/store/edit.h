/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removal from a segment to which another process appends. */
#ifndef KILN_STORE_EDIT_H
#define KILN_STORE_EDIT_H

#include <stdint.h>

struct where;

/* Windows that begin in the range, or their samples that match; `removed` gains their samples. One
 * transaction: all or nothing. 0 or -errno. */
int edit_remove(const char *path, int64_t since_ns, int64_t until_ns, const struct where *where,
		uint64_t *removed);

#endif
