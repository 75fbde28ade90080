// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/target_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/vec.h"

void target_args_set(struct target_args *a, int which, const char *value)
{
	const char **members[] = {
#define X(member) &a->member,
		TARGET_ARGS(X)
#undef X
	};

	if (which != TARGET_ARG_header)
		*members[which] = value;
	else if (a->n_headers++ < TARGET_MAX_HEADERS)
		a->headers[a->n_headers - 1] = value;
}

bool target_args_is_set(const struct target_args *a)
{
	struct target_args none = {.token_file = a->token_file};

#define X(member)                                                                                  \
	if (a->member != none.member)                                                              \
		return true;
	TARGET_ARGS(X)
#undef X
	return a->n_headers;
}

struct header_list {
	VEC(struct upload_header) v;
	VEC(char *) names;
};

/* "NAME: VALUE" */
static int add_header(struct header_list *l, const char *text, struct why *why)
{
	const char *colon = strchr(text, ':'), *value;
	char *name;

	if (!colon || colon == text)
		return why_say(why, -EINVAL, "--header: \"%.40s%s\" is no 'NAME: VALUE'",
			       colon ? "" : text, colon ? ": ..." : "");
	value = colon + 1 + strspn(colon + 1, " \t");
	name = strndup(text, (size_t)(colon - text));
	if (!name || vec_push(&l->names, name)) {
		free(name);
		return why_say(why, -ENOMEM, "out of memory");
	}
	if (vec_push(&l->v, (struct upload_header){name, value}))
		return why_say(why, -ENOMEM, "out of memory");
	return 0;
}

static int collect(struct header_list *l, const struct target_args *a,
		   const struct upload_target_opts *o, struct why *why)
{
	int err = 0;

	if (a->n_headers > TARGET_MAX_HEADERS)
		return why_say(why, -EINVAL, "--header: more than %d", TARGET_MAX_HEADERS);
	for (size_t i = 0; i < o->n_headers && !err; i++)
		err = vec_push(&l->v, o->headers[i]);
	if (err)
		return why_say(why, err, "out of memory");
	for (size_t i = 0; i < a->n_headers && !err; i++)
		err = add_header(l, a->headers[i], why);
	return err;
}

int target_args_open(struct upload_target **out, const struct target_args *a,
		     const struct upload_target_opts *from, struct why *why)
{
	struct upload_target_opts o = *from;
	struct header_list l = {0};
	int err = collect(&l, a, from, why);

#define X(member)                                                                                  \
	if (a->member)                                                                             \
		o.member = a->member;
	TARGET_ARGS(X)
#undef X
	o.headers = l.v.data;
	o.n_headers = l.v.len;
	o.env = environ;
	err = err ?: upload_target_new(out, &o, why);
	for (size_t i = 0; i < l.names.len; i++)
		free(l.names.data[i]);
	vec_release(&l.names);
	vec_release(&l.v);
	return err;
}
