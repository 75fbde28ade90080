/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Label sets of a segment in numbers of a dictionary in memory: those that are wanted, without the labels that
 * are not. There may be one for each process that ever ran, so what their series decides is found out once a
 * series.
 */
#ifndef KILN_STORE_LABELSETS_H
#define KILN_STORE_LABELSETS_H

#include <stdbool.h>
#include <stdint.h>

struct dict;
struct labelsets;
struct reader;
struct where;

/* The label of samples whose own labels are damaged. */
#define LABEL_DAMAGED	    "damaged"
#define LABEL_DAMAGED_VALUE "labels"

struct labelsets_opts {		    /* borrowed */
	const struct where *where;  /* those whose labels match; NULL: all */
	const char *const *without; /* keys of labels that are left out, NULL-terminated; or NULL */
	/* The other way round: those that match `where` are left out; losses, which have no labels, stay. */
	bool drops;
};

/* Reader and dictionary stay the caller's. 0 or -ENOMEM. */
int labelsets_new(struct labelsets **out, struct reader *from, struct dict *to,
		  const struct labelsets_opts *opts);
/* NULL is fine. */
/* `from` has more than it had. 0 or -ENOMEM. */
int labelsets_grow(struct labelsets *l);
void labelsets_free(struct labelsets *l);

/* The label set's number in the dictionary; DICT_NONE: it is not wanted. 0 or -ENOMEM. */
int labelsets_get(struct labelsets *l, uint32_t id, uint32_t *out);
/* The same for any label set of a series, when it is not known which: without the labels that are numbers.
 * DICT_NONE: not wanted, or it would depend on those. 0, -EBADMSG (the series cannot be read) or -ENOMEM. */
int labelsets_get_series(struct labelsets *l, uint32_t series, uint32_t *out);
/* Of those that cannot be read. */
int labelsets_damaged(struct labelsets *l, uint32_t *out);

#endif
