// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/push_item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/sha256.h"
#include "profiler/base/text.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/series.h"

#define MAX_LABELS 16

DEFINE_CLEANUP(profile, profile_free)

int push_item_label(struct push_item_opts *o, const char *text, struct why *why)
{
	size_t len = strcspn(text, "=");
	struct push_item_label l = {.value = text + len + 1};

	if (!len || !text[len] || !*l.value || !text_is_clean(text, strlen(text)))
		return why_say(why, -EINVAL, "\"%.60s\" is no KEY=VALUE",
			       text_is_clean(text, strlen(text)) ? text : "...");
	if (o->labels.len == MAX_LABELS)
		return why_say(why, -EINVAL, "more than %d", MAX_LABELS);
	l.key = strndup(text, len);
	if (!l.key || vec_push(&o->labels, l)) {
		free(l.key);
		return why_say(why, -ENOMEM, "out of memory");
	}
	o->keys[o->labels.len - 1] = l.key;
	return 0;
}

void push_item_opts_release(struct push_item_opts *o)
{
	for (size_t i = 0; i < o->labels.len; i++)
		free(o->labels.data[i].key);
	vec_release(&o->labels);
}

/* --- labels --------------------------------------------------------------------------------------- */

static int add_label(struct profile **p, const char *key, const char *value)
{
	struct profile *with = NULL;
	int err = profile_with_label(&with, *p, key, value);

	if (err)
		return err;
	profile_free(*p);
	*p = with;
	return 0;
}

static int add_labels(struct profile **p, const struct push_item_opts *o)
{
	int err = o->service ? add_label(p, LABEL_SERVICE, o->service) : 0;

	for (size_t i = 0; i < o->labels.len && !err; i++)
		err = add_label(p, o->labels.data[i].key, o->labels.data[i].value);
	return err;
}

static const char *host_of(const struct profile *p)
{
	for (size_t i = 0; i < p->labels.len; i++) {
		const struct profile_label *l = &p->labels.data[i];

		if (l->str != PROFILE_NONE && !strcmp(profile_text(p, l->key), SERIES_LABEL_HOST))
			return profile_text(p, l->str);
	}
	return NULL;
}

/* --- identity ------------------------------------------------------------------------------------- */

static int make_id(struct push_item *i)
{
	uint8_t hash[SHA256_LEN];
	struct buf b = {0};
	int err = export_pprof(&b, i->profile); /* has time and duration */

	buf_str(&b, i->host);
	err = err ?: b.err;
	if (!err) {
		sha256(b.data, b.len, hash);
		memcpy(i->upload.id, hash, sizeof(i->upload.id));
	}
	buf_release(&b);
	return err;
}

int push_item_make(struct push_item *out, struct push_item_opts *o, struct profile *p)
{
	_cleanup_(profile_freep) struct profile *mine = p;
	struct push_item i = {0};
	const char *host;
	int err = add_labels(&mine, o);

	if (err)
		return err;
	if (!*o->host && gethostname(o->host, sizeof(o->host) - 1))
		strcpy(o->host, "localhost");
	host = host_of(mine);
	i.host = strdup(host ? host : o->host);
	if (!i.host)
		return -ENOMEM;
	i.profile = mine;
	i.upload.profile = mine;
	i.upload.host = i.host;
	i.upload.labels = o->labels.len ? o->keys : NULL;
	err = make_id(&i);
	if (err) {
		free(i.host);
		return err;
	}
	mine = NULL;
	*out = i;
	return 0;
}

void push_item_release(struct push_item *i)
{
	profile_free(i->profile);
	free(i->host);
}
