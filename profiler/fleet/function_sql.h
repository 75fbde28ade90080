/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function in a fleet: which there are of a name, who calls it, and what it costs over time. As cost_sql.h. */
#ifndef KILN_FLEET_FUNCTION_SQL_H
#define KILN_FLEET_FUNCTION_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/base/why.h"

struct ch_answer;
struct cost_scope;

#define FUNCTIONS_MAX	   1000 /* of one name */
#define FUNCTIONS_ALIKE	   20
#define FUNCTION_NO_CALLER "[no caller]" /* as in kiln report --callers */

/* One name may be of several modules. */
struct function_list { /* all-zero is empty */
	VEC(uint64_t) ids;
	VEC(char *) names; /* as many, clean */
	VEC(char *) modules;
	const char
		*by_name; /* the server finds the ids, for a statement that is printed; or NULL */
	bool is_unclean;  /* one of these texts is not as the server has it */
};
void function_list_release(struct function_list *l);

/* Columns id, name, file. is_part: functions whose name has this in it, in either case, one of each name. */
int function_sql_find(struct buf *out, const char *suffix, const char *name, bool is_part);
/* Adds what is not there yet, FUNCTIONS_MAX at most. 0, -EBADMSG with a sentence, or -ENOMEM. */
int function_read(struct function_list *out, const struct ch_answer *a, struct why *why);

/* As cost_sql(): functions that call one of these; self: time of which they are the callers of the leaf. */
int function_sql_callers(struct buf *out, const struct cost_scope *s,
			 const struct function_list *of, struct why *why);

struct time_series_question {
	const struct function_list *of;
	int64_t step_s;
	int64_t offset_s; /* steps begin at multiples of step_s before this was added: a zone's offset, below a step */
};
/* Columns begin_s (seconds since 1970), self_ns, total_ns, whole_ns: of everything then. Hours of a rollup are used if the
 * scope's plan has some: see time_series_fits_rollup(). */
int function_sql_series(struct buf *out, const struct cost_scope *s,
			const struct time_series_question *q, struct why *why);
/* A function of several modules is no sum of these: it may have called itself. */
bool time_series_fits_rollup(const struct time_series_question *q);

struct time_point {
	int64_t at_s, self_ns, total_ns, whole_ns;
};
#define TIME_SERIES_MAX 100000
struct time_series { /* all-zero is empty; by time */
	VEC(struct time_point) v;
};
/* Adds to what there is. 0, -EBADMSG or -EFBIG with a sentence, or -ENOMEM. */
int time_series_read(struct time_series *out, const struct ch_answer *a, struct why *why);

#endif
