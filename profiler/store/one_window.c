// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/one_window.h"

#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/dict.h"
#include "profiler/store/kind.h"
#include "profiler/store/restore.h"
#include "profiler/store/sums.h"
#include "profiler/store/unfold.h"

struct restoring {
	struct dict *dict;
	struct restorer *restorer;
	struct sums sums;
	struct profile *profile;
};

static void restoring_release(struct restoring *r)
{
	restorer_free(r->restorer);
	dict_free(r->dict);
	sums_release(&r->sums);
	profile_free(r->profile);
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

static int restore(struct restoring *r, struct reader *from, const struct window_row *w,
		   struct quality *q)
{
	static const struct restore_opts opts = {0};
	int err;

	r->dict = dict_new();
	r->profile = profile_new();
	if (!r->dict || !r->profile)
		return -ENOMEM;
	err = restorer_new(&r->restorer, from, r->dict, &opts);
	err = err ?: apply_kind(r->profile, from, w->kind);
	err = err ?: restorer_add(r->restorer, w, &r->sums, q) ?: sums_join(&r->sums);
	if (!err && !r->profile->sample_types.len)
		err = profile_init_cpu(r->profile, 0);
	r->profile->time_ns = w->begin_unix_ns;
	r->profile->duration_ns = w->duration_ns;
	return err ?: unfold(r->profile, r->dict, &r->sums);
}

int one_window(struct profile **out, struct reader *from, const struct window_row *w,
	       struct quality *q)
{
	struct restoring r = {0};
	int err = restore(&r, from, w, q);

	if (!err)
		*out = steal_ptr(r.profile);
	restoring_release(&r);
	return err;
}
