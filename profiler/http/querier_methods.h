/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of querier.v1.QuerierService: from one message to another one. */
#ifndef KILN_HTTP_QUERIER_METHODS_H
#define KILN_HTTP_QUERIER_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "profiler/base/buf.h"

struct store;
struct store_query;
struct store_result;

/* A request on its way. */
struct querier {
	struct store *store;
	struct buf *out;
	unsigned status; /* 0 while nothing is wrong */
	bool json;	 /* the answer's form, as the request's */
};

/* Writes the answer. */
void querier_reply(struct querier *q, const ProtobufCMessage *m);
/* The error as Connect has it, {"code": "...", "message": "..."}; it takes the place of what was there. */
__attribute__((format(printf, 3, 4))) void querier_fail(struct querier *q, unsigned status,
							const char *fmt, ...);
/* The HTTP status for an error of the store. */
unsigned querier_status(int err);
/* Asks the store. True: the caller releases *result, which may be of no windows. False: it has failed. */
bool querier_query(struct querier *q, const struct store_query *query, struct store_result *result);

#define QUERIER_METHODS(X)                                                                         \
	X(ProfileTypes, profile_types)                                                             \
	X(LabelNames, label_names)                                                                 \
	X(LabelValues, label_values)                                                               \
	X(Series, series)                                                                          \
	X(SelectSeries, select_series)                                                             \
	X(SelectMergeStacktraces, select_merge_stacktraces)                                        \
	X(SelectMergeProfile, select_merge_profile)                                                \
	X(SelectMergeSpanProfile, select_merge_span_profile)

/* Each gets a message of its type, and answers or fails. querier_labels.c, querier_select.c */
#define X(method, function) void querier_##function(struct querier *q, const ProtobufCMessage *m);
QUERIER_METHODS(X)
#undef X

/* --- what they share: querier_ask.c ------------------------------------------------------------ */

/* The second and third parts of "process_cpu:cpu:nanoseconds:cpu:nanoseconds". */
#define QUERIER_TYPES(X)                                                                           \
	X(cpu, "cpu", "nanoseconds")                                                               \
	X(samples, "samples", "count")
enum querier_type {
#define X(key, ...) QUERIER_TYPE_##key,
	QUERIER_TYPES(X)
#undef X
		QUERIER_TYPE_COUNT
};

/* Names that stand for the type of a profile, and their values. */
#define QUERIER_META 6
struct querier_meta {
	const char *names[QUERIER_META], *values[QUERIER_META];
	char id[96]; /* of the type */
};
void querier_meta_of(struct querier_meta *out, enum querier_type type);

struct querier_ask {
	bool types[QUERIER_TYPE_COUNT]; /* that are wanted and match */
	char *where;			/* owned; or NULL */
	int64_t since_ns, until_ns;
};
void querier_ask_release(struct querier_ask *a);

/* What a selector ("" or NULL: everything) and ms since 1970 (0: no bound) want, half-open; id: the type, or NULL
 * for all types. False: it has failed. */
bool querier_ask(struct querier *q, struct querier_ask *out, const char *id, const char *selector,
		 int64_t start_ms, int64_t end_ms);
/* Nothing is wanted: what is selected by is not in any sample. */
void querier_ask_nothing(struct querier_ask *a);
/* Whether any type is wanted. */
bool querier_wants(const struct querier_ask *a);

#endif
