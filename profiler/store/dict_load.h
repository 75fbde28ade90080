/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stored dictionary back into memory, to be added to. */
#ifndef KILN_STORE_DICT_LOAD_H
#define KILN_STORE_DICT_LOAD_H

#include "profiler/store/dict.h"

struct reader;

/* All of a section, under the numbers it has in the file; sections come in their order. 0; -EBADMSG:
 * something is missing, or there twice; -ENOMEM. */
int dict_load(struct dict *d, struct reader *r, enum section s);

#endif
