/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dictionary of one request of OpenTelemetry profiles (proto/otlp.proto): each string, function, location,
 * stack, ... once, and only those that something refers to. Every table begins with an empty element, which
 * means "none". Entries are kept as they are sent, and equal ones are found by their bytes.
 */
#ifndef KILN_UPLOAD_OTLP_DICTIONARY_H
#define KILN_UPLOAD_OTLP_DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"

struct profile;

/* Fields of ProfilesDictionary: constant, number, name in otlp.proto. */
#define OTLP_TABLES(X)                                                                             \
	X(OTLP_MAPPINGS, 1, "mapping_table")                                                       \
	X(OTLP_LOCATIONS, 2, "location_table")                                                     \
	X(OTLP_FUNCTIONS, 3, "function_table")                                                     \
	X(OTLP_LINKS, 4, "link_table")                                                             \
	X(OTLP_STRINGS, 5, "string_table")                                                         \
	X(OTLP_ATTRIBUTES, 6, "attribute_table")                                                   \
	X(OTLP_STACKS, 7, "stack_table")

enum otlp_table {
#define X(constant, number, name) constant = number,
	OTLP_TABLES(X)
#undef X
		OTLP_N_TABLES,
};

struct otlp_dictionary_opts {
	bool without_names; /* of functions in files with an address */
	size_t max_depth; /* frames of a stack: cut at its root, where FRAME_TRUNCATED stands then */
};

struct otlp_dictionary;

/* Of things of a profile, which is borrowed. 0 or -ENOMEM. */
int otlp_dictionary_new(struct otlp_dictionary **out, const struct profile *p,
			const struct otlp_dictionary_opts *o);
void otlp_dictionary_free(struct otlp_dictionary *d);
DEFINE_CLEANUP(otlp_dictionary, otlp_dictionary_free)

/* Makes it empty, for the next request. 0 or -ENOMEM. */
int otlp_dictionary_clear(struct otlp_dictionary *d);

/* Each finds or adds, and tells the index. 0 or -ENOMEM. */
int otlp_dictionary_string(struct otlp_dictionary *d, const char *s, int32_t *index);
int otlp_dictionary_attribute(struct otlp_dictionary *d, const char *key, const char *value,
			      int32_t *index);
/* A stack of the profile. */
int otlp_dictionary_stack(struct otlp_dictionary *d, uint32_t stack, int32_t *index);
/* The stack that stands for one that is too large. */
int otlp_dictionary_no_stack(struct otlp_dictionary *d, int32_t *index);

/* Bytes of the dictionary, and at most so many more with this stack. */
size_t otlp_dictionary_bytes(const struct otlp_dictionary *d);
size_t otlp_dictionary_cost(const struct otlp_dictionary *d, uint32_t stack);

/* Appends the fields of ProfilesDictionary. */
void otlp_dictionary_put(const struct otlp_dictionary *d, struct buf *out);

#endif
