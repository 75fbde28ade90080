// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/kind.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
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

/* The agent notes what it would have liked. */
static bool is_throttled(const struct profile *p)
{
	for (size_t i = 0; i < p->comments.len; i++)
		if (text_has_prefix(profile_text(p, p->comments.data[i]), "kiln.freq_wanted_hz="))
			return true;
	return false;
}

void kind_info_of(struct kind_info *out, const struct profile *p)
{
	*out = (struct kind_info){
		.n_types = (uint32_t)p->sample_types.len,
		.samples_type = -1,
		.cpu_type = -1,
		.period = p->period,
		.is_time = !strcmp(profile_text(p, p->period_type.unit), "nanoseconds"),
		.throttled = is_throttled(p),
	};
	for (int i = (int)out->n_types - 1; i >= 0; i--) {
		if (has_unit(p, (size_t)i, "count"))
			out->samples_type = i;
		else if (out->cpu_type < 0 && has_unit(p, (size_t)i, "nanoseconds"))
			out->cpu_type = i;
	}
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

int kind_decode(struct profile **out, const void *data, size_t len)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct bytes b = bytes_of(data, len);
	int err = p ? get_header(&b, p) : -ENOMEM;

	if (!err)
		*out = steal_ptr(p);
	return err;
}

int kind_parse(struct kind_info *out, const void *data, size_t len)
{
	_cleanup_(profile_freep) struct profile *header = NULL;
	int err = kind_decode(&header, data, len);

	if (!err)
		kind_info_of(out, header);
	return err;
}

int kind_apply(struct profile *p, const void *data, size_t len, const char **why)
{
	_cleanup_(profile_freep) struct profile *header = NULL;
	int err = kind_decode(&header, data, len);

	*why = "out of memory";
	return err ?: profile_merge(p, header, why);
}
