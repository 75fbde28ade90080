/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions on labels (profiler/store/where.h) as conditions on columns of ClickHouse's tables. */
#ifndef KILN_FLEET_FILTER_H
#define KILN_FLEET_FILTER_H

#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/base/why.h"

struct where;

/* FILTER_SERVICES, FILTER_HOSTS: only conditions on the service or the host, for tables that have no other label; the
 * rest is passed over. */
enum filter_for { FILTER_SAMPLES, FILTER_SERVICES, FILTER_HOSTS };

/* Appends " AND COLUMN = 'value'" for each. A regular expression is RE2's there. 0, -EINVAL with a sentence (a label
 * that is not kept), or -ENOMEM. */
int filter_sql(struct buf *out, const struct where *where, enum filter_for what, struct why *why);

/* Whether services, or hosts, are all that it asks for. */
bool filter_is_of_services(const struct where *where);
bool filter_is_of_hosts(const struct where *where);

/* The labels that samples keep, and their columns. */
#define FILTER_N_LABELS	 6
#define FILTER_MAX_VALUE 4096 /* bytes of a value in a condition */

struct filter_label {
	const char *label, *column;
};
extern const struct filter_label filter_labels[FILTER_N_LABELS];
/* The column that keeps a label, or NULL. */
const char *filter_column(const char *label);

#endif
