/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers of one request, as they go out: "Name: value". */
#ifndef KILN_NET_NET_LINES_H
#define KILN_NET_NET_LINES_H

#include <stdbool.h>

#include "profiler/base/vec.h"

struct net_lines {
	VEC(char *) v;
};

/* 0 or -ENOMEM. */
__attribute__((format(printf, 2, 3))) int net_lines_add(struct net_lines *l, const char *fmt, ...);
/* The value, without blanks before it, of the first with this name in any case; or NULL. */
const char *net_lines_find(const struct net_lines *l, const char *name);
void net_lines_release(struct net_lines *l);

#endif
