// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/kind.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/pack.h"

DEFINE_CLEANUP(profile, profile_free)

/* --- out: numbers, and texts that end with a NUL ---------------------------------------------------- */

static void put_text(struct buf *b, const struct profile *p, uint32_t id)
{
	const char *s = profile_text(p, id);

	buf_add(b, s, strlen(s) + 1);
}

void kind_encode(struct buf *out, const struct profile *p)
{
	put_uleb(out, p->sample_types.len);
	for (size_t i = 0; i < p->sample_types.len; i++) {
		put_text(out, p, p->sample_types.data[i].type);
		put_text(out, p, p->sample_types.data[i].unit);
	}
	put_text(out, p, p->period_type.type);
	put_text(out, p, p->period_type.unit);
	put_zigzag(out, p->period);
	put_text(out, p, p->default_sample_type);
	put_text(out, p, p->drop_frames);
	put_text(out, p, p->keep_frames);
	put_text(out, p, p->doc_url);
	put_uleb(out, p->comments.len);
	for (size_t i = 0; i < p->comments.len; i++)
		put_text(out, p, p->comments.data[i]);
}

void kind_types_text(struct buf *out, const struct profile *p)
{
	for (size_t i = 0; i < p->sample_types.len; i++)
		buf_printf(out, "%s%s/%s", i ? " " : "",
			   profile_text(p, p->sample_types.data[i].type),
			   profile_text(p, p->sample_types.data[i].unit));
}

static bool has_unit(const struct profile *p, size_t type, const char *unit)
{
	return !strcmp(profile_text(p, p->sample_types.data[type].unit), unit);
}

int kind_samples_type(const struct profile *p)
{
	for (size_t i = 0; i < p->sample_types.len; i++)
		if (has_unit(p, i, "count"))
			return (int)i;
	return -1;
}

int kind_cpu_type(const struct profile *p)
{
	for (size_t i = p->sample_types.len; i > 0; i--)
		if (has_unit(p, i - 1, "nanoseconds"))
			return (int)i - 1;
	return -1;
}

/* --- in ------------------------------------------------------------------------------------------- */

static int get_text(struct bytes *b, struct profile *p, uint32_t *id)
{
	const char *s = bytes_cstr(b);

	return s ? profile_string(p, s, id) : -EBADMSG;
}

static int get_types(struct bytes *b, struct profile *p)
{
	uint64_t n = bytes_uleb(b);
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++) {
		struct profile_value_type t;

		err = get_text(b, p, &t.type) ?: get_text(b, p, &t.unit);
		err = err ?: vec_push(&p->sample_types, t);
	}
	return err ?: b->bad ? -EBADMSG : 0;
}

static int get_header(struct bytes *b, struct profile *p)
{
	int err = get_types(b, p);
	uint64_t n;

	err = err ?: get_text(b, p, &p->period_type.type);
	err = err ?: get_text(b, p, &p->period_type.unit);
	p->period = get_zigzag(b);
	err = err ?: get_text(b, p, &p->default_sample_type);
	err = err ?: get_text(b, p, &p->drop_frames);
	err = err ?: get_text(b, p, &p->keep_frames);
	err = err ?: get_text(b, p, &p->doc_url);
	n = bytes_uleb(b);
	for (uint64_t i = 0; i < n && !err; i++) {
		uint32_t id;

		err = get_text(b, p, &id) ?: vec_push(&p->comments, id);
	}
	return err ?: b->bad || bytes_left(b) ? -EBADMSG : 0;
}

int kind_apply(struct profile *p, const void *data, size_t len, const char **why)
{
	_cleanup_(profile_freep) struct profile *header = profile_new();
	struct bytes b = bytes_of(data, len);
	int err;

	if (!header)
		return -ENOMEM;
	err = get_header(&b, header);
	if (err)
		return err;
	*why = "out of memory";
	return profile_merge(p, header, why);
}
