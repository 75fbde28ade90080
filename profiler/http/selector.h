/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors as Prometheus and Pyroscope have them, {service_name="nginx",comm=~"work.*"}, as conditions of the
 * store (profiler/store/where.h). */
#ifndef KILN_HTTP_SELECTOR_H
#define KILN_HTTP_SELECTOR_H

#include "profiler/base/buf.h"

/*
 * Appends to `where` the conditions on labels, and to `meta` those on names that begin with "__", which say what
 * kind of profile is wanted. "" and "{}" select everything. On -EINVAL *why is what is wrong. 0, -EINVAL, or
 * -ENOMEM.
 */
int selector_parse(const char *text, struct buf *where, struct buf *meta, const char **why);

#endif
