/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in a store, as one table: by time, or by a label. */
#ifndef KILN_STORE_OVERVIEW_H
#define KILN_STORE_OVERVIEW_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/store/query.h"

struct buf;
struct profile;

/* In the order of enum overview_by. A process is a command and its number. */
#define OVERVIEW_BY_WORDS "time|process|comm|executable|unit|container|service|pod"
enum overview_by {
	OVERVIEW_TIME,
	OVERVIEW_PROCESS,
	OVERVIEW_COMM,
	OVERVIEW_EXECUTABLE,
	OVERVIEW_UNIT,
	OVERVIEW_CONTAINER,
	OVERVIEW_SERVICE,
	OVERVIEW_POD,
	OVERVIEW_LABEL, /* any label; it has no word */
	OVERVIEW_BYS
};

/* Named as in JSON. */
#define OVERVIEW_NUMBERS(X)                                                                        \
	X(since_ns) /* the beginning of the first window, 0 without windows */                     \
	X(until_ns) /* the end of the last one */                                                  \
	X(width_ns) /* of a row of time */                                                         \
	X(windows)                                                                                 \
	X(samples)    /* that match */                                                             \
	X(cpu_ns)     /* of these */                                                               \
	X(lost)	      /* samples, of all */                                                        \
	X(bytes)      /* on disk, of the whole store */                                            \
	X(segments)   /* ... */                                                                    \
	X(unreadable) /* segments and windows that could not be read */

#define OVERVIEW_ROW_NUMBERS(X)                                                                    \
	X(begin_ns) /* by time: the row's beginning */                                             \
	X(windows)  /* by time */                                                                  \
	X(samples)                                                                                 \
	X(cpu_ns)                                                                                  \
	X(lost) /* by time */                                                                      \
	X(pid)	/* by process: its number, -1 without */

struct overview_row {
#define X(name) int64_t name;
	OVERVIEW_ROW_NUMBERS(X)
#undef X
	char *name; /* the label's value, "" without one; by time NULL */
};

struct overview {
	enum overview_by by;
#define X(name) int64_t name;
	OVERVIEW_NUMBERS(X)
#undef X
	char *label; /* of OVERVIEW_LABEL: the key */
	char *where; /* the condition of the query, or NULL; `lost` is of everything */
	VEC(struct overview_row) rows; /* by time ascending, else most CPU time first */
	struct htab places; /* of rows, while somebody adds up by it; not once they are sorted */
};

struct overview_query {
	int64_t since_ns, until_ns; /* STORE_BEGIN, STORE_END */
	const char *where;	    /* or NULL */
	enum overview_by by;
	const char *label; /* of OVERVIEW_LABEL: the key (profiler/profile/label_keys.h) */
	int64_t width_ns;  /* of a row of time; 0: so that there are some dozens */
	int64_t phase_ns;  /* rows begin at multiples of the width and this: a zone's offset */
};

/* 0 or -errno with a sentence, as store_query(); -EINVAL also if no sample has the label. */
int overview_make(struct store *s, const struct overview_query *q, struct overview *out,
		  struct why *why);
void overview_release(struct overview *o);
/* The label's key that rows are by; NULL by time and by any label. */
const char *overview_label(enum overview_by by);

/* The word of OVERVIEW_BY_WORDS, "" for OVERVIEW_LABEL; size is 16 at least. */
void overview_word(enum overview_by by, char *out, size_t size);

/* One object: the numbers above, "by", and "rows" of such objects. 0 or -ENOMEM. */
int overview_json(struct buf *out, const struct overview *o);

#endif
