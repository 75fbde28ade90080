/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that are too long in any case. */
#ifndef KILN_PROFILE_NAME_CUT_H
#define KILN_PROFILE_NAME_CUT_H

#include <stddef.h>

#include "profiler/base/buf.h"

/* Appends a text's beginning, what must be seen, which is at byte `at` (0: nothing), and its end, as far as there is room.
 * Errors as of any buf. */
void name_cut(struct buf *out, const char *text, size_t columns, size_t at);

/* Appends a name whose middle was cut out, without brackets that have lost their others. Operators are no brackets.
 * 0 or -ENOMEM. */
int name_drop_halves(struct buf *out, const char *cut);

#endif
