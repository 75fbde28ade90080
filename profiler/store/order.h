/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers a dictionary anew for a segment to which nothing will be added: what no window refers to is
 * left out, and neighbours are alike. It takes half of the bytes that the order of coming does.
 */
#ifndef KILN_STORE_ORDER_H
#define KILN_STORE_ORDER_H

#include "profiler/base/cleanup.h"
#include "profiler/store/chunk.h"
#include "profiler/store/dict.h"

/* order_new() .. order_mark() each window .. order_finish(). 0 or -ENOMEM each. */
int order_new(struct dict_order **out, const struct dict *d);
void order_mark(struct dict_order *o, const struct dict *d, const struct dict_window *w);
int order_finish(struct dict_order *o, const struct dict *d);
/* NULL is fine. */
void order_free(struct dict_order *o);
DEFINE_CLEANUP(dict_order, order_free)

/* A window in the new numbers. */
void order_renumber(const struct dict_order *o, struct dict_window *w);

#endif
