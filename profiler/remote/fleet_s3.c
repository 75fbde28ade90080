// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects as profiler/upload/s3.c names them: PREFIX/HOST/YYYY/MM/DD/HHMMSS.mmmZ-ID.pb.gz. Names of a host sort by
 * time, so that a range is one piece of a listing. Objects with other names are passed over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/remote/fleet_priv.h"
#include "profiler/remote/s3_list.h"
#include "profiler/upload/archive.h"
#include "profiler/upload/series.h"

#define SIDE_BY_SIDE 8
#define MAX_LISTINGS 12000 /* pages of all hosts */
#define NS_PER_MS    1000000

struct object {
	char *key;
	size_t host_at, host_len;
};

struct reading {
	struct fleet *f;
	struct why *why;
	VEC(struct object) objects;
	size_t listings;
	size_t next, running;
	bool has_own, has_strangers; /* names as kiln makes them, and others */
	uint64_t bytes;
	int err;
	/* What is done with each profile. */
	struct profile **all;
	struct overview *o;
	const struct fleet_rows *rows;
};

static void reading_release(struct reading *r)
{
	for (size_t i = 0; i < r->objects.len; i++)
		free(r->objects.data[i].key);
	vec_release(&r->objects);
}

/* --- names ---------------------------------------------------------------------------------------- */

/* Of the target's path: what follows the bucket and its slash, with a slash at the end unless it is empty. */
static void split_path(const struct upload_target *t, char bucket[70], struct buf *prefix)
{
	const char *at = t->path + (*t->path == '/');
	size_t n = strcspn(at, "/"), len;

	snprintf(bucket, 70, "/%.*s", (int)n, at);
	at += n + (at[n] == '/');
	len = strlen(at);
	buf_add(prefix, at, len);
	if (len && at[len - 1] != '/')
		buf_char(prefix, '/');
}

static bool is_host_wanted(const struct fleet *f, const char *host, size_t len)
{
	for (size_t i = 0; i < where_count(f->where); i++) {
		struct where_condition c;

		where_get(f->where, i, &c);
		if (!strcmp(c.key, SERIES_LABEL_HOST) && !strcmp(c.op, "=") &&
		    (strlen(c.value) != len || memcmp(c.value, host, len) != 0))
			return false;
	}
	return true;
}

/* Paths are asked of the server, not of the target's path. */
static int ask(struct fleet *f, const char *path, struct buf *out, struct why *why)
{
	struct upload_target server = *f->t;
	struct fleet at_root = *f;
	struct fleet_call c = {
		.method = "GET",
		.path = path,
		.max_bytes = FLEET_MAX_LIST,
		.is_signed = true,
		.is_of_kind = true,
	};

	server.path = "";
	at_root.t = &server;
	return fleet_ask(&at_root, &c, out, why);
}

/* --- listing -------------------------------------------------------------------------------------- */

static int get_page(struct reading *r, const struct s3_list_query *q, struct s3_page *page)
{
	struct buf path = {0}, answer = {0};
	int err;

	if (++r->listings > MAX_LISTINGS)
		return fleet_fail(r->f, -EFBIG, r->why,
				  "more than %d pages of lists: ask for less time, or one host",
				  MAX_LISTINGS);
	s3_list_path(&path, q);
	err = path.err ?: ask(r->f, buf_cstr(&path), &answer, r->why);
	err = err ?: s3_page_read(page, answer.data, answer.len);
	if (err == -EBADMSG && !*r->why->text)
		fleet_fail(r->f, err, r->why, "the answer is no list of objects: is it S3?");
	buf_release(&path);
	buf_release(&answer);
	return err;
}

/* 0: on to the next page, whose token it keeps; 1: there is none. A server that sends one token twice has no end. */
static int turn_page(struct reading *r, struct s3_list_query *q, const struct s3_page *page,
		     char token[S3_MAX_TOKEN])
{
	if (!*page->token)
		return 1;
	if (q->token && !strcmp(q->token, page->token))
		return fleet_fail(r->f, -EBADMSG, r->why,
				  "its list of objects has no end: one page follows itself");
	snprintf(token, S3_MAX_TOKEN, "%s", page->token);
	q->token = token;
	return 0;
}

static int keep_object(struct reading *r, const char *key, size_t prefix_len, size_t host_len)
{
	struct object o = {.host_at = prefix_len, .host_len = host_len};

	if (r->objects.len == FLEET_MAX_OBJECTS)
		return fleet_fail(r->f, -EFBIG, r->why,
				  "more than %d objects: ask for less time, or one host",
				  FLEET_MAX_OBJECTS);
	o.key = strdup(key);
	if (!o.key || vec_push(&r->objects, o)) {
		free(o.key);
		return -ENOMEM;
	}
	return 0;
}

/* 1: what follows is too late. */
static int take_keys(struct reading *r, const struct s3_page *page, size_t prefix_len,
		     size_t host_len)
{
	for (size_t i = 0; i < page->keys.len; i++) {
		const char *key = page->keys.data[i];
		int64_t ns;
		int err;

		if (strlen(key) <= prefix_len + host_len + 1 ||
		    s3_key_time(key + prefix_len + host_len + 1, &ns)) {
			r->has_strangers = true;
			continue;
		}
		r->has_own = true;
		if (ns >= r->f->q->until_ns)
			return 1;
		if (ns + NS_PER_MS <= r->f->q->since_ns)
			continue;
		err = keep_object(r, key, prefix_len, host_len);
		if (err)
			return err;
	}
	return 0;
}

static int list_host(struct reading *r, const char *bucket, const char *dir, size_t prefix_len)
{
	struct s3_list_query q = {.bucket = bucket, .prefix = dir};
	size_t host_len = strlen(dir) - prefix_len - 1;
	char time[ARCHIVE_SIZE], after[1200], token[S3_MAX_TOKEN];
	int rc = 0;

	archive_time(r->f->q->since_ns, "%Y/%m/%d/%H%M%S", time);
	snprintf(after, sizeof(after), "%s%s", dir, time);
	q.start_after = after;
	while (!rc) {
		struct s3_page page = {0};

		rc = get_page(r, &q, &page);
		rc = rc ?: take_keys(r, &page, prefix_len, host_len);
		rc = rc ?: turn_page(r, &q, &page, token);
		s3_page_release(&page);
	}
	return rc < 0 ? rc : 0;
}

static int list_hosts(struct reading *r, const char *bucket, const char *prefix)
{
	struct s3_list_query q = {.bucket = bucket, .prefix = prefix, .delimiter = "/"};
	char token[S3_MAX_TOKEN];
	size_t n = strlen(prefix);
	int rc = 0;

	while (!rc) {
		struct s3_page page = {0};

		rc = get_page(r, &q, &page);
		for (size_t i = 0; !rc && i < page.prefixes.len; i++) {
			const char *dir = page.prefixes.data[i];

			if (strncmp(dir, prefix, n) || strlen(dir) < n + 2 || strlen(dir) > 1024 ||
			    !is_host_wanted(r->f, dir + n, strlen(dir) - n - 1))
				continue;
			rc = list_host(r, bucket, dir, n);
		}
		rc = rc ?: turn_page(r, &q, &page, token);
		s3_page_release(&page);
	}
	return rc < 0 ? rc : 0;
}

/* --- objects -------------------------------------------------------------------------------------- */

struct getting {
	struct reading *r;
	const struct object *object;
};

static int use(struct reading *r, struct profile *p)
{
	/* While nothing ran there were windows, too; of rows with a condition they are none. */
	if (r->o)
		return p->samples.len || !r->f->where ? fleet_add_profile(r->o, r->rows, p) : 0;
	return fleet_merge(r->f, r->all, p, r->why);
}

/* Samples of kiln do not say which host they are of: the object's name does. */
static int name_host(const struct reading *r, struct profile **p, const char *host)
{
	const char *label = r->o ? fleet_rows_label(r->rows) : NULL;
	struct profile *with;
	int err;

	if (!label || strcmp(label, SERIES_LABEL_HOST) != 0)
		return 0;
	err = profile_with_label(&with, *p, SERIES_LABEL_HOST, host);
	if (err)
		return err;
	profile_free(*p);
	*p = with;
	return 0;
}

static int take_profile(struct reading *r, const struct object *o, const struct buf *body)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *host = strndup(o->key + o->host_at, o->host_len);
	struct why why = {""};
	int err = host ? fleet_import(r->f, body->data, body->len, &p, &why) : -ENOMEM;

	r->bytes += body->len;
	if (err && err != -ENOMEM)
		return why_say(r->why, err, "%s: object %s", why.text, o->key);
	if (!err && r->bytes > FLEET_MAX_BYTES)
		return fleet_fail(r->f, -EFBIG, r->why,
				  "more than 1 GiB of objects: ask for less time, or one host");
	if (err || !p || p->time_ns < r->f->q->since_ns || p->time_ns >= r->f->q->until_ns)
		return err;
	err = fleet_filter(r->f, &p, host) ?: name_host(r, &p, host);
	return err ?: use(r, p);
}

static void on_object(void *ctx, int err, const struct buf *body, const struct why *why)
{
	struct getting *g = ctx;
	struct reading *r = g->r;

	r->running--;
	/* One that has gone meanwhile is as if it had gone before. */
	if (!r->err && err && err != -ENOENT) {
		r->err = err;
		*r->why = *why;
	}
	if (!r->err && !err)
		r->err = take_profile(r, g->object, body);
	free(g);
}

static int start_next(struct reading *r, struct fleet *at_root, const char *bucket)
{
	struct getting *g = malloc(sizeof(*g));
	struct buf path = {0};
	struct fleet_call c = {.method = "GET",
			       .max_bytes = FLEET_MAX_OBJECT,
			       .is_signed = true,
			       .is_of_kind = true};
	int err;

	if (!g)
		return -ENOMEM;
	*g = (struct getting){r, &r->objects.data[r->next++]};
	buf_printf(&path, "%s/%s", bucket, g->object->key);
	c.path = buf_cstr(&path);
	err = path.err ?: fleet_start(at_root, &c, on_object, g);
	buf_release(&path);
	if (err)
		free(g);
	else
		r->running++;
	return err;
}

/* on_object() sets r->err meanwhile: that one counts. */
static void take_turn(struct reading *r)
{
	int err = net_turn(r->f->net, 1000, -1);

	r->err = r->err ?: err;
}

static int get_objects(struct reading *r, const char *bucket)
{
	struct upload_target server = *r->f->t;
	struct fleet at_root = *r->f;

	server.path = "";
	at_root.t = &server;
	while (!r->err && (r->running || r->next < r->objects.len)) {
		while (!r->err && r->running < SIDE_BY_SIDE && r->next < r->objects.len)
			r->err = start_next(r, &at_root, bucket);
		if (!r->err)
			take_turn(r);
	}
	/* Those under way refer to this frame. */
	while (r->running && !net_turn(r->f->net, 1000, -1))
		;
	return r->err;
}

static int read_all(struct reading *r)
{
	struct buf prefix = {0};
	char bucket[70];
	int err;

	split_path(r->f->t, bucket, &prefix);
	err = prefix.err ?: list_hosts(r, bucket, buf_cstr(&prefix));
	if (!err && r->has_strangers && !r->has_own)
		err = fleet_fail(r->f, -ENODATA, r->why,
				 "nothing is named as kiln names it: directories of hosts come "
				 "directly below the prefix");
	err = err ?: get_objects(r, bucket);
	buf_release(&prefix);
	reading_release(r);
	if (err && !*r->why->text)
		fleet_fail(r->f, err, r->why, "%s", strerror(-err));
	return err;
}

static int get_profile(struct fleet *f, struct profile **out, struct why *why)
{
	struct reading r = {.f = f, .why = why, .all = out};

	return read_all(&r);
}

static int get_overview(struct fleet *f, const struct fleet_rows *rows, struct overview *out,
			struct why *why)
{
	struct reading r = {.f = f, .why = why, .o = out, .rows = rows};

	return read_all(&r);
}

const struct fleet_kind fleet_s3 = {get_profile, get_overview};
