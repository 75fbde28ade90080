/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server says in its headers. */
#ifndef KILN_NET_NET_ANSWER_H
#define KILN_NET_NET_ANSWER_H

#include "profiler/net/net_types.h"

/* An answer of which nothing is known yet. */
void net_answer_init(struct net_answer *a);
/* Takes one line as it comes, of a header or a trailer: a status line begins a new answer. now_s: Unix time, for
 * "Retry-After" with a date. */
void net_answer_header(struct net_answer *a, const char *line, size_t len, int64_t now_s);

#endif
