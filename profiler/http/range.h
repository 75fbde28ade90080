/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parameters since, until, where and base, and what the store holds of that range. */
#ifndef KILN_HTTP_RANGE_H
#define KILN_HTTP_RANGE_H

#include "profiler/http/server.h"
#include "profiler/store/query.h"

/* Fills q from the request; without since: the last hour. False: the answer says what is wrong. */
bool range_of(const struct request *r, struct store_query *q, struct answer *a);

/* The range that q, which is filled, is compared with: the one before or so much earlier, of the same length. False:
 * the answer says what is wrong. */
bool range_base(const struct request *r, const struct store_query *q, struct store_query *base,
		struct answer *a);

/* The status that an error of the store has. */
int range_status(int err);

/* Opens the store for reading. NULL: the answer says why. */
struct store *range_open(struct server *s, struct answer *a);

/* The query, in its turn. False: the answer says why. Else the result is the caller's to release; its profile may
 * have no windows, and then has no sample types. */
bool range_query(struct server *s, const struct store_query *q, struct store_result *out,
		 struct answer *a);

#endif
