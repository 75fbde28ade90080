/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One range of a fleet, about which several things are asked. */
#ifndef KILN_FLEET_ASKING_H
#define KILN_FLEET_ASKING_H

#include <stdbool.h>

#include "profiler/fleet/cost_sql.h"
#include "profiler/fleet/shards.h"

struct asking_opts {			    /* borrowed */
	const struct upload_target *target; /* NULL: for asking_scope() alone */
	const struct where *where;	    /* or NULL */
	struct times range;
	int64_t split_s;   /* inside of the range: two periods; 0: one */
	bool from_samples; /* the rollup is neither read nor made */
};

struct asking {
	struct asking_opts o;
	struct shards shards;
	struct plan *
		plans; /* one for each shard; NULL: the rollup cannot answer, or nobody needed it yet */
	struct plan bare; /* all from samples */
	size_t n_made;	  /* hours of the rollup */
};

/* Looks at the servers. Close it either way. 0, or with a sentence as shards_open() and ch_ask(). */
int asking_open(struct asking *a, const struct asking_opts *o, struct why *why);
/* Makes what is missing of the rollup, if it can answer; the first question that it can answer does so, too. As
 * above. */
int asking_plan(struct asking *a, struct why *why);
void asking_close(struct asking *a);

struct asked {
	enum cost_by by;
	bool of_service;
	enum costs_order order;
	size_t limit; /* of one server; of several all rows come */
};
/* The rows of all servers together, sorted, and the sum of everything. As asking_open(), and -EFBIG. */
int asking_costs(struct asking *a, const struct asked *q, struct costs *out,
		 struct cost_values *whole, struct why *why);
/* What was sampled, whatever the conditions on labels are: by hosts, how long, and how often at least. */
struct sampled {
	int64_t period_ns; /* the longest one; 0: it is not known */
	/* The sum over all hosts; `before` with a split. */
	int64_t duration_ns, before_ns;
};
int asking_sampled(struct asking *a, struct sampled *out, struct why *why);

/* For questions of their own: an answer of each server, one after the other. make() appends the statement, read()
 * takes the answer; both as above. */
struct asking_each {
	int (*make)(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why);
	int (*read)(void *ctx, const struct ch_answer *a, struct why *why);
	void *ctx;
	bool uses_rollup;
};
int asking_each(struct asking *a, const struct asking_each *q, struct why *why);

/* The scope of a question that is printed and not asked: one server, samples alone. */
void asking_scope(const struct asking *a, struct cost_scope *out);

#endif
