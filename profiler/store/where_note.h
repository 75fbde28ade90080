/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a condition may have meant. */
#ifndef KILN_STORE_WHERE_NOTE_H
#define KILN_STORE_WHERE_NOTE_H

#include "profiler/store/query.h"

struct buf;

/* Appends a sentence if `where` asks for a label that no segment of the range has: the condition then holds for
 * all samples, or for none. 0 or -errno. */
int store_where_note(struct store *s, const struct store_query *q, struct buf *note);

#endif
