/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relabel rules over one set of labels: in their order, each sees what those before it made. */
#ifndef KILN_AGENT_LABEL_RULES_H
#define KILN_AGENT_LABEL_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"

struct config;
struct label_rules;

#define LABEL_SET_MAX	96   /* labels of one sample */
#define LABEL_VALUE_MAX 1024 /* bytes of a value that a rule makes; more is cut */

/* Texts of one set, as rules see them. A set keeps what it has made until label_set_clear(). */
struct label_set {
	struct label_text {
		const char *key, *value; /* borrowed */
	} labels[LABEL_SET_MAX];
	size_t n;
	struct buf made[LABEL_SET_MAX]; /* values of rules */
	size_t n_made;
};

/* The value, or "". */
const char *label_set_get(const struct label_set *s, const char *key);
/* Adds or replaces; an empty value removes. What has no room is left out. */
void label_set_put(struct label_set *s, const char *key, const char *value);
void label_set_clear(struct label_set *s);
void label_set_release(struct label_set *s);

/* The configuration is borrowed. 0 or -errno. */
int label_rules_new(struct label_rules **out, const struct config *c);
void label_rules_free(struct label_rules *r);

/* False: samples with these labels are dropped. -ENOMEM shows in s->made[].err, and is not fatal. */
bool label_rules_run(const struct label_rules *r, struct label_set *s);

#endif
