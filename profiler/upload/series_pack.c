// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/series_pack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/formats/compress.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/profile_type.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"

struct packing {
	const struct series_pack *k;
	const struct upload_target *t;
	const struct upload_item *item;
	struct upload_requests *out;
	struct buf message, type; /* message: of the request that is being filled */
	size_t n_series;	  /* in message */
	uint64_t samples;	  /* likewise */
	size_t n_taken;		  /* series of the item */
};

/* --- a request ------------------------------------------------------------------------------------ */

static char *make_url(const struct packing *k)
{
	size_t len = strlen(k->t->path);
	struct buf b = {0};

	while (len && k->t->path[len - 1] == '/')
		len--;
	buf_str(&b, k->t->base);
	buf_add(&b, k->t->path, len);
	buf_str(&b, k->k->method);
	return buf_take(&b);
}

static int fill_body(const struct packing *k, struct buf *body)
{
	struct buf packed = {0};
	int err;

	if (!k->k->is_grpc)
		return compress_gzip_fast(body, k->message.data, k->message.len);
	err = compress_gzip_fast(&packed, k->message.data, k->message.len);
	if (!err)
		grpc_frame(body, packed.data, packed.len, true);
	buf_release(&packed);
	return err ?: body->err;
}

/* Makes a request of the message, and begins the next message. */
static int end_request(struct packing *k)
{
	struct upload_request r = {
		.method = "POST",
		.version = k->k->is_grpc ? NET_HTTP2 : NET_HTTP1,
		.samples = k->samples,
	};
	struct upload_request *added;
	int err;

	if (!k->n_series)
		return 0;
	if (k->k->end)
		k->k->end(&k->message);
	err = k->message.err ?: vec_push(&k->out->v, r);
	if (err)
		return err;
	added = &vec_last(&k->out->v);
	added->url = make_url(k);
	err = added->url ? 0 : -ENOMEM;
	err = err ?: upload_request_headers(added, k->k->headers);
	err = err ?: fill_body(k, &added->body);
	buf_clear(&k->message);
	k->n_series = 0;
	k->samples = 0;
	return err;
}

/* --- series --------------------------------------------------------------------------------------- */

/* RFC 9562, 5.8: a UUID of one's own making. */
static void make_id(const uint64_t id[2], size_t index, char out[37])
{
	uint64_t hi = (id[0] & ~0xf000ull) | 0x8000;
	uint64_t lo = ((id[1] + index) & ~(3ull << 62)) | 2ull << 62;

	snprintf(out, 37, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
		 hi >> 32, hi >> 16 & 0xffff, hi & 0xffff, lo >> 48, lo << 16 >> 16);
}

/* With room for labels, tags and lengths beside its profile. */
static size_t series_bytes(const struct series *s)
{
	size_t sum = s->raw->len + 256;

	for (size_t i = 0; i < s->labels->v.len; i++)
		sum += 16 + strlen(s->labels->v.data[i].name) + strlen(s->labels->v.data[i].value);
	return sum;
}

static int add_series(void *ctx, const struct series *s)
{
	struct packing *k = ctx;
	struct series_raw raw = {.series = s, .type = buf_cstr(&k->type)};
	int err = 0;

	if (k->n_series >= k->k->max_series || k->message.len + series_bytes(s) > k->k->max_bytes)
		err = end_request(k);
	if (err)
		return err;
	make_id(k->item->id, k->n_taken++, raw.id);
	k->k->add(&k->message, &raw);
	k->n_series++;
	k->samples += s->samples;
	return k->message.err;
}

static size_t add_keys(const char **out, size_t n, const char *const *keys)
{
	while (keys && *keys && n < SERIES_MAX_LABELS)
		out[n++] = *keys++;
	out[n] = NULL;
	return n;
}

static bool has_key(const char *const *keys, const char *key)
{
	while (*keys && strcmp(*keys, key) != 0)
		keys++;
	return *keys;
}

/* The item's own, and then the target's, or the usual ones. */
static void choose_labels(const struct packing *k, struct series_opts *o, const char **labels)
{
	static const char *const usual[] = UPLOAD_SERIES_LABELS;
	const char *const *wanted = (const char *const *)k->t->labels ?: usual;

	add_keys(labels, add_keys(labels, 0, k->item->labels), wanted);
	o->labels = labels;
	/* A series of many hosts is what one wants who leaves it out. */
	o->host = has_key(labels, SERIES_LABEL_HOST) ? k->item->host : NULL;
}

static int add_all(struct packing *k)
{
	const char *labels[SERIES_MAX_LABELS + 1];
	struct series_opts o = k->k->series;
	int err;

	choose_labels(k, &o, labels);
	o.without_names = k->t->without_names;
	profile_type_name(&k->type, k->item->profile);
	err = k->type.err ?: series_split(k->item->profile, &o, add_series, k);
	return err ?: end_request(k);
}

/* A comparison of two profiles has such values. Pyroscope would leave out their samples, and say nothing. */
static bool has_negative(const struct profile *p)
{
	for (size_t i = 0; i < p->values.len; i++)
		if (p->values.data[i] < 0)
			return true;
	return false;
}

int series_pack(const struct series_pack *kind, const struct upload_target *t,
		const struct upload_item *item, struct upload_requests *out, struct why *why)
{
	struct packing k = {.k = kind, .t = t, .item = item, .out = out};
	int err;

	if (has_negative(item->profile))
		return why_say(why, -EINVAL,
			       "the profile has negative values, as a comparison has: no store "
			       "adds those up");
	err = add_all(&k);
	buf_release(&k.message);
	buf_release(&k.type);
	if (err == -EFBIG)
		return why_say(why, err,
			       "one sample with its stack is larger than the %zu bytes that the "
			       "store takes",
			       kind->series.max_bytes);
	return err ? why_say(why, err, "%s", err == -ENOMEM ? "out of memory" : strerror(-err)) : 0;
}
