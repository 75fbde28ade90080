/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile holds by the values of one label. */
#ifndef KILN_HTTP_LABEL_SUMS_H
#define KILN_HTTP_LABEL_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"

struct profile;

struct label_sum {
	uint32_t value; /* string of the table; "" where the label is not there */
	int64_t samples, cpu_ns;
};

struct label_sums {
	struct strtab *strings;
	VEC(struct label_sum) v; /* most CPU first */
};

/* Of the samples of a CPU profile. 0 or -ENOMEM. */
int label_sums_of(struct label_sums *out, const struct profile *p, const char *key);
void label_sums_release(struct label_sums *s);

/* Keys of labels, each once, in alphabetical order; borrowed from the profile. 0 or -ENOMEM. */
struct label_keys {
	VEC(const char *) v;
};
int label_keys_of(struct label_keys *out, const struct profile *p);

/* The value of a label in a label set, as text; number is for those that are numbers. NULL: it is not there. */
const char *label_text(const struct profile *p, uint32_t labelset, const char *key,
		       char number[32]);

#endif
