/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kinds of stores that can be asked have in common. */
#ifndef KILN_REMOTE_FLEET_PRIV_H
#define KILN_REMOTE_FLEET_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "profiler/net/net.h"
#include "profiler/profile/profile.h"
#include "profiler/remote/fleet.h"
#include "profiler/store/where.h"
#include "profiler/upload/target.h"

#define FLEET_MAX_ANSWER (256u << 20) /* also inflated */
#define FLEET_MAX_LIST	 (16u << 20)  /* of types, or a page of objects */
#define FLEET_MAX_OBJECT (32u << 20)  /* of S3, of which several come side by side */

DEFINE_CLEANUP(profile, profile_free)

struct fleet {
	const struct fleet_query *q;
	const struct upload_target *t;
	struct where *where; /* or NULL */
	struct net *net;
	uint64_t end_ns; /* CLOCK_MONOTONIC: nothing is waited for any longer */
};

/* How long may still be waited, at most most_ms; 0: the time is over. */
uint64_t fleet_left_ms(const struct fleet *f, uint64_t most_ms);
bool fleet_is_late(const struct fleet *f);
/* Says that it is over. -ETIMEDOUT. */
int fleet_fail_late(const struct fleet *f, struct why *why);

struct fleet_call {
	const char *method;
	const char *path;	    /* behind the target's, with its query */
	const char *const *headers; /* NULL-terminated, or NULL */
	const void *body;
	size_t len;
	bool is_signed;
	size_t max_bytes; /* of the answer; 0: FLEET_MAX_ANSWER */
	bool is_of_kind;  /* the kind's own judge knows what the answer means */
};

/* The body of an answer with status 200, appended. As fleet_profile(); -ENOENT is a 404, -EBUSY a 429 or 5xx. */
int fleet_ask(struct fleet *f, const struct fleet_call *c, struct buf *out, struct why *why);
/* The same without waiting: done() gets the judged answer while net_turn() runs.
 * What c points to has to stay until then. */
typedef void fleet_done(void *ctx, int err, const struct buf *body, const struct why *why);
int fleet_start(struct fleet *f, const struct fleet_call *c, fleet_done *done, void *ctx);

/* Says "URL: ...". Returns err. */
int fleet_fail(const struct fleet *f, int err, struct why *why, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* '{a="b",c=~"d"}' of the conditions. 0, or -EINVAL with a sentence: the store does not have such a label, or the
 * value is no text. */
int fleet_selector(const struct fleet *f, struct buf *out, struct why *why);
/* The same in *n parts, 0 to *n - 1, of which each series fulfils one at most: to Parca a label that is missing is not
 * unlike anything, and so those without it are asked for apart. -EINVAL also: they are too many. */
int fleet_selector_parts(const struct fleet *f, unsigned *n, struct why *why);
int fleet_selector_part(const struct fleet *f, unsigned part, struct buf *out, struct why *why);

/* The name there of the label that rows are by, appended; nothing by time. As above. */
int fleet_series_label(const struct fleet *f, const struct fleet_rows *rows, struct buf *out,
		       struct why *why);

/* A type of profiles, "process_cpu:cpu:nanoseconds:cpu:nanoseconds[:delta]". */
struct fleet_type {
	char *id;
	char *name, *type, *unit; /* its first parts */
};
#define FLEET_MAX_TYPES 256
struct fleet_types {
	VEC(struct fleet_type) v;
	/* Of one profile: its values in order. */
	VEC(const struct fleet_type *) values;
	size_t n_all; /* that the store had */
};
/* id is of len bytes of a stranger's. 0 or -ENOMEM; what is no type is left out. */
int fleet_types_add(struct fleet_types *t, const char *id, size_t len);
/* Whether it has a profile of that name. */
bool fleet_types_have(const struct fleet_types *t, const char *name);
/* The store's answers for it are of another type than its own. 0 or -ENOMEM. */
int fleet_type_answers(struct fleet_type *type, const char *of, const char *unit);
/* Chooses those of one profile: CPU if it is there. -ENODATA: none. */
int fleet_types_choose(struct fleet_types *t);
/* Which value a type is. */
size_t fleet_types_index(const struct fleet_types *t, const struct fleet_type *type);
void fleet_types_release(struct fleet_types *t);

/* Merges p into *all (NULL: none yet), within FLEET_MAX_MERGED. 0 or -errno. */
int fleet_merge(const struct fleet *f, struct profile **all, const struct profile *p,
		struct why *why);
/* The same of a profile of one value, as value `at` of those of t. */
int fleet_merge_value(const struct fleet *f, struct profile **all, struct profile *p,
		      const struct fleet_types *t, size_t at, struct why *why);
/* Imports; *out is NULL if it has no values. One without samples may say how long nothing ran. */
int fleet_import(const struct fleet *f, const void *data, size_t len, struct profile **out,
		 struct why *why);
/* Keeps only the samples of `where`; host is that of samples that do not say theirs, or NULL. */
int fleet_filter(const struct fleet *f, struct profile **p, const char *host);

/* Rows of an overview. */
int fleet_add_row(struct overview *o, const char *name, int64_t begin_ns, int64_t samples,
		  int64_t cpu_ns, int64_t windows);
/* To the row of this time. */
void fleet_add_lost(struct overview *o, int64_t begin_ns, int64_t lost);
/* Of a profile with its labels. */
int fleet_add_profile(struct overview *o, const struct fleet_rows *rows, const struct profile *p);
/* The key of the label that rows are by; NULL: they are by time. */
const char *fleet_rows_label(const struct fleet_rows *rows);
int64_t fleet_row_begin(const struct fleet_rows *rows, int64_t ns);

/* One for each kind. */
struct fleet_kind {
	int (*profile)(struct fleet *f, struct profile **out, struct why *why);
	int (*overview)(struct fleet *f, const struct fleet_rows *rows, struct overview *out,
			struct why *why);
};
extern const struct fleet_kind fleet_pyroscope, fleet_parca, fleet_s3, fleet_pprof,
	fleet_clickhouse;

#endif
