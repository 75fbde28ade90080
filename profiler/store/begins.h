/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the windows of a store began: for who asks for them one by one. */
#ifndef KILN_STORE_BEGINS_H
#define KILN_STORE_BEGINS_H

#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/store/store.h"

#define STORE_MAX_BEGINS (1u << 22) /* a year of ten seconds */

struct store_begins {
	VEC(int64_t) v; /* ascending, each once; as store_query() takes them for since_ns */
};
void store_begins_release(struct store_begins *b);

/* 0; -E2BIG; or another -errno. */
int store_begins(struct store *s, int64_t since_ns, int64_t until_ns, struct store_begins *out);

#endif
