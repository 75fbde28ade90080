/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What functions, modules, services or hosts cost, added up over the answers of several servers. */
#ifndef KILN_FLEET_COSTS_H
#define KILN_FLEET_COSTS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"

#define COSTS_MAX (1u << 21) /* rows: some 200 MB */

struct cost_values {
	int64_t self_ns, total_ns;
	int64_t self_before_ns, total_before_ns; /* of two periods */
};

void cost_values_add(struct cost_values *to, const struct cost_values *v);

struct cost {
	uint32_t name, module, of; /* strings; `of`: the service or host that a row is of, or "" */
	struct cost_values v;
};

struct costs { /* all-zero is empty */
	struct strtab *strings;
	VEC(struct cost) v;
	struct htab index;
};

/* A stranger's text. */
struct cost_text {
	const char *p;
	size_t len;
};

/* Adds to the row of these texts, which are cleaned. 0, -EFBIG (COSTS_MAX), or -ENOMEM. */
int costs_add(struct costs *c, const struct cost_text text[3], const struct cost_values *v);
void costs_release(struct costs *c);

/* Index of a row, or SIZE_MAX. */
size_t costs_find(const struct costs *c, const char *name, const char *module, const char *of);

static inline const char *costs_text(const struct costs *c, uint32_t id)
{
	return strtab_get(c->strings, id);
}

enum costs_order { COSTS_BY_SELF, COSTS_BY_TOTAL };
/* Most first; equal ones by their texts. The index is gone then: no costs_add() or costs_find(). */
void costs_sort(struct costs *c, enum costs_order order);

/* The sum of all rows. */
struct cost_values costs_sum(const struct costs *c);

#endif
