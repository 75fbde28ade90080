/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conditions on labels, as people type them: "unit=nginx.service,pid!=1,comm=~cc.*".
 *
 *	KEY=VALUE	is the value; KEY!=VALUE is not
 *	KEY=~REGEX	the whole value matches the POSIX extended regular expression; KEY!~REGEX does not
 *
 * All of them hold. A label that is not there has the value "". pid and tid (thread_id) are numbers. A
 * value may stand in double quotes, in which \" and \\ stand for " and \: then it may hold commas.
 */
#ifndef KILN_STORE_WHERE_H
#define KILN_STORE_WHERE_H

#include <stdbool.h>
#include <stddef.h>

struct why;
struct where;

/* 0, or -EINVAL or -ENOMEM with a sentence in *why. */
int where_parse(struct where **out, const char *text, struct why *why);
/* The same, but no text, or "", is no condition: then *out is NULL. */
int where_parse_any(struct where **out, const char *text, struct why *why);
void where_free(struct where *w);

/* The key of condition i, or NULL: there are no more. */
const char *where_key(const struct where *w, size_t i);

struct where_label {
	const char *key, *value; /* of a number its decimal digits */
};
/* One of its conditions, for who asks others in their own words: as it was typed, without quotes. */
struct where_condition {
	const char *key, *op, *value; /* op: "=", "!=", "=~" or "!~" */
};
size_t where_count(const struct where *w); /* of NULL: 0 */
void where_get(const struct where *w, size_t i, struct where_condition *out);

bool where_matches(const struct where *w, const struct where_label *labels, size_t n);

enum where_answer { WHERE_NO, WHERE_YES, WHERE_DEPENDS };
/* The same for labels of which some (n_open keys) are not known yet. */
enum where_answer where_may_match(const struct where *w, const struct where_label *labels, size_t n,
				  const char *const *open, size_t n_open);

#endif
