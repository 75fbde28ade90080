// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/one_window.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/dict.h"
#include "profiler/store/kind.h"
#include "profiler/store/restore.h"
#include "profiler/store/sums.h"
#include "profiler/store/unfold.h"

/* More than that, and it begins anew. */
#define MAX_DICT_BYTES (8u << 20)

struct one_window {
	struct reader *from;
	struct dict *dict;
	struct restorer *restorer;
};

static void forget(struct one_window *o)
{
	restorer_free(o->restorer);
	dict_free(o->dict);
	o->restorer = NULL;
	o->dict = NULL;
}

void one_window_free(struct one_window *o)
{
	if (!o)
		return;
	forget(o);
	free(o);
}

int one_window_new(struct one_window **out, struct reader *from)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->from = from;
	return 0;
}

static int prepare(struct one_window *o)
{
	static const struct restore_opts opts = {0};

	if (o->dict && dict_bytes(o->dict) > MAX_DICT_BYTES)
		forget(o);
	if (o->restorer)
		return restorer_grow(o->restorer);
	o->dict = o->dict ?: dict_new();
	return o->dict ? restorer_new(&o->restorer, o->from, o->dict, &opts) : -ENOMEM;
}

/* A kind's header that is damaged says nothing. */
static int apply_kind(struct profile *p, struct reader *r, int64_t kind)
{
	const char *why;
	size_t len;
	const void *data = reader_kind(r, kind, &len);
	int err = data ? kind_apply(p, data, len, &why) : 0;

	return err == -EBADMSG ? 0 : err;
}

static int add(struct one_window *o, const struct window_row *w, struct profile *p,
	       struct quality *q)
{
	_cleanup_(sums_release) struct sums sums = {0};
	int err = prepare(o) ?: apply_kind(p, o->from, w->kind);

	err = err ?: restorer_add(o->restorer, w, &sums, q) ?: sums_join(&sums);
	if (!err && !p->sample_types.len)
		err = profile_init_cpu(p, 0);
	p->time_ns = w->begin_unix_ns;
	p->duration_ns = w->duration_ns;
	return err ?: unfold(p, o->dict, &sums);
}

int one_window_get(struct one_window *o, const struct window_row *w, struct profile **out,
		   struct quality *q)
{
	struct profile *p = profile_new();
	int err = p ? add(o, w, p, q) : -ENOMEM;

	if (err)
		profile_free(p);
	else
		*out = p;
	return err;
}
